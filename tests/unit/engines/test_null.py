"""The engine that keeps nothing."""

import pytest

from twat_cache import EngineError
from twat_cache.engines.null import NullEngine


def test_nothing_is_kept():
    engine = NullEngine.from_url("null:")
    engine.put({"key": b"1"}, None)
    assert engine.add("key", b"1", None) is False
    assert engine.get(["key", "key"]) == [None, None]
    assert engine.drop(["key"]) == 0
    assert engine.touch(["key"], None) == 0
    assert list(engine.scan("")) == []


@pytest.mark.parametrize(
    ("expected", "value", "done"),
    [(None, b"1", False), (b"1", b"2", False), (b"1", None, False), (None, None, True)],
)
def test_a_swap_tells_the_truth(expected, value, done):
    assert NullEngine().swap("key", expected, value, None) is done


def test_a_closed_engine_says_so():
    engine = NullEngine()
    engine.ping()
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.get(["key"])

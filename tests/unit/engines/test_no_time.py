"""Times to live that are over, or no number, on all local engines: nothing is stored."""

from math import nan

import pytest

from twat_cache import open_engine
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.tiered import TieredEngine

LARGE = b"x" * 50_000


@pytest.fixture(params=["mapping", "sqlite", "disk", "file", "tiered", "diskcache"])
def engine(request, tmp_path):
    if request.param == "diskcache":
        pytest.importorskip("diskcache")
    if request.param == "tiered":
        engine = TieredEngine([MappingEngine(), MappingEngine()])
    elif request.param == "mapping":
        engine = MappingEngine()
    elif request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path}/store.db")
    else:
        engine = open_engine(f"{request.param}://{tmp_path}/store")
    yield engine
    engine.close()


@pytest.mark.parametrize("ttl", [0, nan])
@pytest.mark.parametrize("value", [b"1", LARGE])
@pytest.mark.parametrize(
    ("act", "given", "there"),
    [
        (lambda engine, value, ttl: engine.put({"old": value}, ttl), None, False),
        (lambda engine, value, ttl: engine.put({"old": value, "new": value}, ttl), None, False),
        (lambda engine, value, ttl: engine.add("old", value, ttl), False, True),
        (lambda engine, value, ttl: engine.add("new", value, ttl), False, True),
        (lambda engine, value, ttl: engine.swap("old", b"old", value, ttl), True, False),
        (lambda engine, value, ttl: engine.swap("old", b"no", value, ttl), False, True),
        (lambda engine, value, ttl: engine.touch(["old"], ttl), 1, False),
    ],
)
def test_they_store_nothing(engine, value, ttl, act, given, there):
    engine.put({"old": b"old"}, None)
    assert act(engine, value, ttl) == given
    assert engine.get(["old", "new"]) == [b"old" if there else None, None]
    assert list(engine.scan("")) == (["old"] if there else [])
    assert engine.add("new", b"1", 60) is True

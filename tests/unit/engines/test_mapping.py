"""The engine on any mapping."""

import shelve
from collections import OrderedDict

import pytest

from twat_cache import EngineError
from twat_cache.engines.mapping import MappingEngine
from twat_cache.testing import EngineSuite


class TestContract(EngineSuite):
    def make(self, clock):
        return MappingEngine(clock=clock)


class Small(OrderedDict):
    """Keeps three, and refuses what is large."""

    def __setitem__(self, key, value):
        if len(value) > 100:
            raise ValueError("value too large")
        super().__setitem__(key, value)
        if len(self) > 3:
            self.popitem(last=False)


def test_the_mapping_sees_texts_and_bytes_only():
    mapping = {}
    engine = MappingEngine(mapping)
    engine.put({"key": bytearray(b"value")}, 60)
    assert {type(key) for key in mapping} == {str}
    assert {type(value) for value in mapping.values()} == {bytes}


def test_a_mapping_may_evict():
    engine = MappingEngine(Small())
    engine.put({f"key{n}": b"1" for n in range(5)}, None)
    assert engine.get(["key0", "key1", "key4"]) == [None, None, b"1"]


def test_what_the_mapping_refuses_is_left_out_with_what_was_there():
    engine = MappingEngine(Small())
    engine.put({"key": b"old"}, None)
    engine.put({"key": b"x" * 200, "other": b"1"}, None)
    assert engine.get(["key", "other"]) == [None, b"1"]
    assert engine.add("key", b"x" * 200, None) is False


def test_a_shelf_keeps_values_beyond_the_engine(tmp_path):
    with shelve.open(str(tmp_path / "shelf")) as shelf:
        MappingEngine(shelf).put({"clé": b"value"}, None)
    with shelve.open(str(tmp_path / "shelf")) as shelf:
        engine = MappingEngine(shelf)
        assert engine.get(["clé"]) == [b"value"]
        assert list(engine.scan("cl")) == ["clé"]


def test_an_error_of_the_mapping_is_an_engine_error_with_its_cause(tmp_path):
    shelf = shelve.open(str(tmp_path / "shelf"))
    engine = MappingEngine(shelf)
    shelf.close()
    with pytest.raises(EngineError, match="mapping") as told:
        engine.get(["key"])
    assert isinstance(told.value.__cause__, ValueError)


def test_a_mapping_that_calls_back_does_not_lock_the_engine():
    class Curious(dict):
        def __setitem__(self, key, value):
            super().__setitem__(key, value)
            engine.get([key])

    engine = MappingEngine(Curious())
    engine.put({"key": b"1"}, None)
    assert engine.get(["key"]) == [b"1"]


def test_closing_leaves_the_mapping_as_it_is():
    mapping = {}
    engine = MappingEngine(mapping)
    engine.put({"key": b"1"}, None)
    engine.close()
    assert list(mapping) == ["key"]

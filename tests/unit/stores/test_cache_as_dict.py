"""A `Cache` used like a dict, and as a context manager."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack
from importlib import import_module

import pytest

from tests.fixtures.stores import PLACES, Stores


@pytest.fixture(params=[place for place in PLACES if place != "async"])
def stores(tc, clock, tmp_path, request):
    made = Stores(tc, "Cache", request.param, clock, tmp_path)
    yield made
    made.close()


def test_brackets_set_get_and_delete(stores):
    cache = stores(ttl=10)
    cache["a"] = 1
    assert cache["a"] == 1
    assert cache.get("a") == 1
    cache["a"] = None
    assert cache["a"] is None
    del cache["a"]
    for use in (lambda: cache["a"], lambda: cache.__delitem__("a")):
        with pytest.raises(KeyError, match="a"):
            use()
    cache["b"] = 2
    stores.clock.advance(11)
    with pytest.raises(KeyError):
        cache["b"]


def test_in_len_and_iteration(stores):
    cache = stores()
    assert "a" not in cache
    assert len(cache) == 0
    assert cache  # a store, not a collection: it is true also when it is empty
    cache.set_many({"a": None, "b": 2})
    assert "a" in cache
    assert len(cache) == 2
    assert sorted(cache) == ["a", "b"]
    assert dict(cache.get_many(cache)) == {"a": None, "b": 2}


def test_in_is_not_counted(stores):
    cache = stores()
    cache["a"] = 1
    assert "a" in cache
    assert "b" not in cache
    assert cache.stats().hits == cache.stats().misses == 0


def test_a_block_closes_it_also_on_an_error(stores, tc):
    with stores() as cache:
        cache["a"] = 1
    with pytest.raises(tc.EngineError, match="closed"):
        cache.get("a")
    with pytest.raises(ZeroDivisionError), stores() as cache:
        raise ZeroDivisionError
    with pytest.raises(tc.EngineError, match="closed"):
        cache.get("a")


def test_its_repr_says_where_it_keeps_things(stores):
    where = {
        "memory": "<Cache in memory>",
        "mapping": "<Cache in MappingEngine>",
        "sqlite": "<Cache in SqliteEngine>",
        "near": "<Cache in memory before MappingEngine>",
    }
    assert repr(stores()) == where[stores.place]


def test_memory_lets_go_of_what_was_not_used_for_the_longest_time(stores):
    if stores.place != "memory":
        pytest.skip("an engine has a policy of its own")
    cache = stores(maxsize=2)
    cache.set_many({"a": 1, "b": 2})
    cache.get("a")
    cache.set("c", 3)
    assert sorted(cache) == ["a", "c"]
    cache.get_or_load("a", lambda: 0)
    cache.set("d", 4)
    assert sorted(cache) == ["a", "d"]


def test_a_near_table_answers_what_was_read_once(stores):
    if stores.place != "near":
        pytest.skip("there is none")
    cache = stores(maxsize=2)
    cache.set_many({"a": 1, "b": 2, "c": 3})
    assert cache.stats().currsize == 0
    assert cache.get("a") == 1
    assert cache.get_many(["b"]) == {"b": 2}
    assert cache.stats().currsize == 2
    stores.engines[0].drop(list(stores.engines[0].scan("")))  # as another process would
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
    assert cache.get_or_load("b", lambda: 4) == 2


def test_a_near_table_keeps_nothing_for_longer_than_the_engine(stores):
    if stores.place != "near":
        pytest.skip("there is none")
    cache = stores()
    cache.set("a", 1, ttl=10)
    stores.clock.advance(6)
    assert cache.get("a") == 1
    stores.clock.advance(5)
    assert cache.get("a") is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.thread_unsafe(reason="it forks")
def test_a_fork_finds_no_lock_held(tc, stores):
    """A thread that changes something at the moment of the fork isn't there in the child."""
    cache = stores()
    cache.set("a", 1, tags=["t"])
    cache.get("a")
    modules = [import_module(f"{tc.__name__}.{name}") for name in ("_registry", "_stores.tokens")]
    locks = [module._lock for module in modules] + [cache._lock]
    if cache._near is not None:
        locks += [cache._near._changing, cache._near._tags._lock]
    held, release = threading.Event(), threading.Event()

    def hold():
        with ExitStack() as all_of_them:
            for lock in locks:
                all_of_them.enter_context(lock)
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    child = os.fork()
    if not child:
        try:
            signal.alarm(20)
            right = cache.incr("a") == 2
            cache.cached(name="f")(lambda: 1)()
            cache.invalidate_tags("t")
            right = right and cache.get("a") is None
            with tc.Cache("memory"):
                os._exit(0 if right else 1)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(2)
    release.set()
    thread.join()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0

"""Options of stores: those of an engine, of memory, and of neither."""

from __future__ import annotations

import threading
import time

import pytest

from twat_cache.testing import FakeClock

OF_MEMORY = {
    "policy": "lfu",
    "memory_limit": "80%",
    "on_removal": print,
    "weigher": len,
    "max_weight": 5,
    "maxsize": 3,
}


@pytest.mark.parametrize("name", OF_MEMORY)
@pytest.mark.parametrize("kind", ["store", "function"])
@pytest.mark.parametrize("near", [False, True])
def test_what_only_a_table_can_honour_an_engine_refuses(tc, name, kind, near):
    engine = tc.open_engine("mapping:")
    tiers = ["memory", engine] if near else engine
    options = {name: OF_MEMORY[name]}
    if name in ("weigher", "max_weight"):
        options = {"weigher": len, "max_weight": 5}

    def make():
        if kind == "store":
            return tc.Cache(tiers, **options)
        return tc.ucache(tiers, **options)(lambda: None)

    if near and name in ("policy", "maxsize"):
        make().close()
        return
    with pytest.raises(tc.ConfigurationError, match=r"(weigher|max_weight|policy|on_removal|m.*)="):
        make()


@pytest.mark.parametrize(
    "option", [{"method": True}, {"per_instance": True}, {"typed": False}], ids=str
)
@pytest.mark.parametrize("near", [False, True])
def test_objects_are_told_by_value_on_an_engine(tc, option, near):
    engine = tc.open_engine("mapping:")
    with pytest.raises(tc.ConfigurationError, match=f"{next(iter(option))}="):
        tc.ucache(["memory", engine] if near else engine, **option)(lambda self: None)


@pytest.mark.parametrize("place", ["memory", "mapping:"])
@pytest.mark.parametrize(
    "option",
    [{"codec": "nope"}, {"compress": "nope"}, {"secret": ""}, {"encrypt": 7}, {"namespace": "~a"}],
    ids=str,
)
def test_options_of_bytes_are_judged_everywhere(tc, place, option):
    (name,) = option
    for make in (tc.Cache, lambda *a, **o: tc.ucache(*a, **o)(lambda: None)):
        with pytest.raises(tc.ConfigurationError, match=name):
            make(place, **option)


@pytest.mark.parametrize("place", ["memory", "mapping:", "null:"])
def test_processes_share_what_is_computed_only_where_they_share_an_engine(tc, place):
    for make in (tc.Cache, lambda *a, **o: tc.ucache(*a, **o)(lambda: None)):
        with pytest.raises(tc.ConfigurationError, match="single_flight"):
            make(place, single_flight="process")


def test_an_option_that_does_not_exist_is_refused(tc):
    with pytest.raises(tc.ConfigurationError, match="did you mean 'ttl'"):
        tc.Cache(tl=5)


@pytest.mark.parametrize("engine", [7, object(), [], [[]], ["memory", "memory"], {"a": 1}])
def test_what_is_no_engine_is_refused(tc, engine):
    for make in (tc.Cache, lambda one: tc.ucache(one, ttl=5)(lambda: None)):
        with pytest.raises(tc.ConfigurationError, match=r"engine|schemes"):
            make(engine)


def test_an_engine_that_has_to_be_awaited_is_for_async_cache(tc):
    from tests.fixtures.async_engine import async_engine

    engine = async_engine(tc, FakeClock().seconds)
    with pytest.raises(tc.ConfigurationError, match="AsyncCache takes it"):
        tc.Cache(engine)
    for function in (lambda: None, lambda: (yield)):
        with pytest.raises(tc.ConfigurationError, match="only decorate an async def"):
            tc.ucache(engine, generators="replay")(function)


def test_a_configuration_serves_stores_and_functions(tc):
    config = tc.CacheConfig("mapping:", ttl=10, ignore=("y",), tags=["t"], stale=5)
    clock = FakeClock()
    with tc.Cache(config, clock=clock) as cache:
        cache.set("a", 1)
        clock.advance(11)
        assert cache.get("a") is None
        assert cache.get_or_load("a", lambda: 2) == 1
        assert repr(cache) == "<Cache in MappingEngine>"
    f = tc.ucache(config, clock=clock)(lambda x, y: [x, y])
    assert f(1, 2) == f(1, 3) == [1, 2]
    f.close()


def test_the_environment_names_an_engine(tc, monkeypatch, tmp_path):
    monkeypatch.setenv("TWAT_CACHE_URL", f"sqlite:///{tmp_path}/a.db")
    monkeypatch.setenv("TWAT_CACHE_NAMESPACE", "shop")
    with tc.Cache() as cache:
        cache.set("a", 1)
        assert repr(cache) == "<Cache in SqliteEngine>"
    f = tc.ucache(lambda x: [x])
    g = tc.ucache(ttl=5)(lambda x: [x])
    assert f(1) == g(1) == [1]
    assert f.cache_key(1).startswith("shop:")
    f.close()
    g.close()
    with tc.Cache(f"sqlite:///{tmp_path}/a.db", namespace="shop") as cache:
        assert cache.get("a") == 1


def test_stores_that_share_an_engine_share_a_computation_by_process(tc, tmp_path):
    """As those of several processes do: neither knows of the other."""
    begun, calls = threading.Barrier(8), []

    def load():
        calls.append(1)
        time.sleep(0.05)
        return [len(calls)]

    url = f"sqlite:///{tmp_path}/a.db"
    caches = [tc.Cache(url, single_flight="process", ttl=60) for _ in range(4)]
    answers = []

    def ask(cache):
        begun.wait(20)
        answers.append(cache.get_or_load("a", load))

    threads = [threading.Thread(target=ask, args=(cache,)) for cache in caches * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == [[1]] * 8
    for cache in caches:
        cache.close()

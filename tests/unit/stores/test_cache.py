"""The stores: what `Cache` and `AsyncCache` keep by name, in memory and in engines alike."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tests.fixtures.background import settle_tasks, settle_threads

# -- one value -------------------------------------------------------------------------------------


def test_a_value_is_what_was_set(store):
    assert store.get("a") is None
    store.set("a", {"x": [1, 2.5, "z", None, (3,)]})
    assert store.get("a") == {"x": [1, 2.5, "z", None, (3,)]}
    store.set("a", "other")
    assert store.get("a") == "other"


def test_none_is_told_from_nothing(tc, store):
    assert store.get("a", tc.MISSING) is tc.MISSING
    store.set("a", None)
    assert store.get("a", tc.MISSING) is None
    assert store.get("a", 7) is None
    assert store.get("b", 7) == 7


def test_missing_is_false_and_itself_when_copied(tc):
    import copy
    import pickle

    assert not tc.MISSING
    assert repr(tc.MISSING) == "MISSING"
    assert copy.deepcopy(tc.MISSING) is tc.MISSING
    if tc.__name__ == "twat_cache":
        assert pickle.loads(pickle.dumps(tc.MISSING)) is tc.MISSING


@pytest.mark.parametrize("key", ["", " ", "a:b", "%3A", "ä\0\n", "x" * 500, ":", "::", "~tag::x"])
def test_every_text_is_a_key(store, key):
    store.set(key, key)
    assert store.get(key) == key
    assert list(store.keys()) == [key]
    assert store.delete(key) is True
    assert store.get(key) is None


@pytest.mark.parametrize("key", [1, b"a", None, ("a",)])
def test_a_key_that_is_no_text_is_refused(tc, store, key):
    for use in (store.get, store.delete, lambda key: store.set(key, 1), store.touch, store.incr):
        with pytest.raises(tc.CacheKeyError, match="a key of this cache is a text"):
            use(key)


def test_many_keys_are_no_single_text(tc, store):
    for use in (store.get_many, store.delete_many):
        with pytest.raises(tc.CacheKeyError, match="not one text"):
            use("abc")


@pytest.mark.parametrize("key", [1, None, ["a"], type("Text", (str,), {})("a")])
def test_of_many_keys_each_is_a_text(tc, store, key):
    for use in (store.get_many, store.delete_many):
        with pytest.raises(tc.CacheKeyError, match="a key of this cache is a text"):
            use(["a", key, "b"])


def test_a_deleted_value_is_gone(store):
    store.set("a", 1)
    assert store.delete("a") is True
    assert store.delete("a") is False
    assert store.get("a") is None


def test_of_those_who_add_the_first_one_is_told_so(store, clock):
    assert store.add("a", 1, ttl=10) is True
    assert store.add("a", 2) is False
    assert store.get("a") == 1
    clock.advance(11)
    assert store.add("a", 3) is True
    assert store.get("a") == 3


def test_of_threads_that_add_at_once_one_is_told_so(stores):
    if stores.colour == "AsyncCache":
        pytest.skip("threads are for Cache")
    cache = stores(ttl=1, stale=10)
    for number in range(20):
        cache.set("a", -1)  # and what is past its time counts as nothing
        stores.clock.advance(2)
        told = []
        barrier = threading.Barrier(4)

        def add(who, told=told, barrier=barrier):
            barrier.wait()
            if cache.add("a", who):
                told.append(who)

        threads = [threading.Thread(target=add, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [cache.get("a")] == told, number


def test_a_value_is_not_stored_for_no_time(stores):
    cache = stores(ttl=lambda value: 0 if value == "no" else 60)
    cache.set("a", "no")
    assert cache.get("a") is None
    assert cache.add("a", "no") is False
    cache.set("a", "yes")
    cache.set("a", "no")
    assert cache.get("a") is None


# -- time ------------------------------------------------------------------------------------------


def test_a_value_lasts_as_long_as_the_cache_says(stores, clock):
    cache = stores(ttl="10s")
    cache.set("a", 1)
    clock.advance(9.9)
    assert cache.get("a") == 1
    clock.advance(0.2)
    assert cache.get("a") is None


@pytest.mark.parametrize("ttl", [20, "20s", timedelta(seconds=20)])
def test_a_value_can_bring_its_own_time(stores, clock, ttl):
    cache = stores(ttl=10)
    cache.set("a", 1, ttl)
    cache.set_many({"b": 2}, ttl=ttl)
    assert cache.get_or_load("c", lambda: 3, ttl) == 3
    assert cache.get_many_or_load(["d"], lambda keys: {"d": 4}, ttl) == {"d": 4}
    clock.advance(19.9)
    assert cache.get_many(["a", "b", "c", "d"]) == {"a": 1, "b": 2, "c": 3, "d": 4}
    clock.advance(0.2)
    assert cache.get_many(["a", "b", "c", "d"]) == {}


def test_a_function_can_tell_the_time_of_each_value(stores, clock):
    cache = stores(ttl=lambda value: value)
    cache.set_many({"a": 10, "b": 20, "c": 0})
    cache.get_or_load("d", lambda: 30)
    cache.get_many_or_load(["e", "f"], lambda keys: {"e": 30, "f": 0})
    assert cache.get_many("abcdef"[i] for i in range(6)) == {"a": 10, "b": 20, "d": 30, "e": 30}
    clock.advance(15)
    assert sorted(cache.get_many(list("abcde"))) == ["b", "d", "e"]
    clock.advance(10)
    assert sorted(cache.get_many(list("abcde"))) == ["d", "e"]


def test_a_loader_may_come_with_such_a_function(stores, clock):
    cache = stores(ttl=1)
    cache.get_or_load("a", lambda: 10, ttl=lambda value: value)
    cache.get_or_load("b", lambda: 10, ttl=lambda value: None)
    cache.get_or_load("c", lambda: 10, ttl=lambda value: 0)
    assert sorted(cache.get_many(list("abc"))) == ["a", "b"]
    clock.advance(11)
    assert sorted(cache.get_many(list("abc"))) == ["b"]


@pytest.mark.parametrize("ttl", [0, -1, "soon", True])
def test_no_length_of_time_is_refused(tc, store, ttl):
    for use in (
        lambda: store.set("a", 1, ttl),
        lambda: store.add("a", 1, ttl),
        lambda: store.touch("a", ttl),
        lambda: store.incr("a", ttl=ttl),
        lambda: store.get_or_load("a", lambda: 1, ttl),
        lambda: store.get_many_or_load(["a"], lambda keys: {}, ttl),
    ):
        with pytest.raises(tc.ConfigurationError, match="ttl="):
            use()
    assert store.get("a") is None


def test_touch_gives_a_value_more_time_or_less(store, clock):
    assert store.touch("a", 5) is False
    store.set("a", 1, 10)
    assert store.touch("a", 20) is True
    clock.advance(15)
    assert store.get("a") == 1
    assert store.touch("a") is True  # as long as the cache says: for ever
    clock.advance(10_000)
    assert store.get("a") == 1
    store.touch("a", 1)
    clock.advance(2)
    assert store.touch("a", 10) is False
    assert store.get("a") is None


def test_touch_keeps_the_tags(store):
    store.set("a", 1, 10, tags=["t"])
    store.touch("a", 20)
    store.incr("a")
    assert store.get("a") == 2
    store.invalidate_tags("t")
    assert store.get("a") is None


def test_jitter_takes_something_off_each_time(stores, clock):
    cache = stores(ttl=100, jitter=0.5)
    cache.set_many({str(number): number for number in range(50)})
    for number in range(50, 100):
        cache.get_or_load(str(number), lambda number=number: number)
    cache.get_many_or_load(
        [str(number) for number in range(100, 150)], lambda keys: dict.fromkeys(keys, 1)
    )
    clock.advance(49)
    assert len(cache.get_many(str(number) for number in range(150))) == 150
    clock.advance(26)
    for start in (0, 50, 100):
        left = cache.get_many(str(number) for number in range(start, start + 50))
        assert 0 < len(left) < 50
    clock.advance(26)
    assert cache.get_many(str(number) for number in range(150)) == {}


def test_jitter_is_for_times_that_come_with_a_value_too(stores, clock):
    cache = stores(jitter=1.0)
    cache.set_many({str(number): number for number in range(50)}, 100)
    clock.advance(50)
    assert 0 < len(cache.get_many(str(number) for number in range(50))) < 50


def test_a_value_that_is_not_used_goes_before_its_time(stores, clock):
    cache = stores(ttl=100, tti=10)
    cache.get_or_load("a", lambda: 1)
    for _ in range(5):
        clock.advance(6)
        assert cache.get_or_load("a", lambda: 2) == 1
    clock.advance(11)
    assert cache.get_or_load("a", lambda: 3) == 3


# -- numbers ---------------------------------------------------------------------------------------


def test_a_number_is_counted_up_and_down(store):
    assert store.incr("a") == 1
    assert store.incr("a", 4) == 5
    assert store.incr("a", -2) == 3
    assert store.incr("a", 0.5) == 3.5
    assert store.get("a") == 3.5
    assert store.incr("b", 2, initial=10) == 12


def test_a_number_keeps_its_time(store, clock):
    store.incr("a", ttl=10)
    clock.advance(6)
    assert store.incr("a", ttl=10) == 2
    clock.advance(6)
    assert store.incr("a", ttl=10) == 1


@pytest.mark.parametrize("value", ["1", None, True, [1]])
def test_what_is_no_number_can_not_be_counted(tc, store, value):
    store.set("a", value)
    with pytest.raises(tc.CacheValueError, match="can't be counted up"):
        store.incr("a")
    assert store.get("a") == value


def test_threads_that_count_lose_nothing(stores):
    if stores.colour == "AsyncCache":
        pytest.skip("threads are for Cache")
    cache = stores()

    def count():
        for _ in range(50):
            cache.incr("a")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.get("a") == 200


# -- many values -----------------------------------------------------------------------------------


def test_many_values_come_by_key_in_the_order_asked(store):
    store.set_many({"a": 1, "b": None, "c": 3})
    found = store.get_many(["c", "x", "b", "a", "c"])
    assert found == {"c": 3, "b": None, "a": 1}
    assert list(found) == ["c", "b", "a"]
    assert store.delete_many(["a", "x", "b"]) == 2
    assert store.get_many(key for key in "abc") == {"c": 3}
    store.set_many({})
    assert store.get_many([]) == {}
    assert store.delete_many([]) == 0


@pytest.mark.parametrize("options", [{}, {"secret": "s"}, {"compress": "zlib"}], ids=str)
def test_many_values_come_in_the_order_asked_whatever_they_are(stores, options, clock):
    if stores.place == "memory" and options:
        pytest.skip("objects in memory are neither signed nor compressed")
    store = stores(**options)
    store.set("a", "a" * 5000, tags=["t"])
    store.set("b", {"b": 2})
    store.set("c", 3, ttl=5)
    store.set("d", ("d" * 5000,), tags=["u"])
    wanted = [("d", ("d" * 5000,)), ("c", 3), ("b", {"b": 2}), ("a", "a" * 5000)]
    assert [*store.get_many("dcxba"[i] for i in range(5)).items()] == wanted
    store.invalidate_tags("u")
    clock.advance(6)
    assert [*store.get_many(["d", "c", "b", "a"]).items()] == wanted[2:]


def test_keys_are_listed_by_what_they_begin_with(store, clock):
    store.set_many({"user:1": 1, "user:2": 2, "shop:1": 3})
    store.set("user:3", 3, ttl=5)
    assert sorted(store.keys()) == ["shop:1", "user:1", "user:2", "user:3"]
    assert sorted(store.keys("user:")) == ["user:1", "user:2", "user:3"]
    clock.advance(6)
    assert sorted(store.keys("user:")) == ["user:1", "user:2"]
    assert list(store.keys("user:%")) == []


def test_clear_forgets_everything(store):
    store.set_many({"a": 1, "b": 2})
    store.get_or_load("c", lambda: 3)
    store.clear()
    assert store.get_many(["a", "b", "c"]) == {}
    assert list(store.keys()) == []


# -- loading ---------------------------------------------------------------------------------------


def test_what_is_missing_is_loaded_once(store):
    calls = []

    def load():
        calls.append(1)
        return {"n": len(calls)}

    assert store.get_or_load("a", load) == {"n": 1}
    assert store.get_or_load("a", load) == {"n": 1}
    assert store.get("a") == {"n": 1}
    assert len(calls) == 1
    store.delete("a")
    assert store.get_or_load("a", load) == {"n": 2}


def test_a_set_none_is_not_loaded(store):
    store.set("a", None)
    assert store.get_or_load("a", lambda: 1) is None


def test_what_a_loader_raises_gets_through_and_is_not_kept(store):
    def fail():
        raise LookupError("no")

    for _ in range(2):
        with pytest.raises(LookupError, match="no"):
            store.get_or_load("a", fail)
        with pytest.raises(LookupError, match="no"):
            store.get_many_or_load(["a"], lambda keys: fail())
    assert store.get_or_load("a", lambda: 1) == 1
    assert store.stats().load_failures == 2


def test_a_loader_is_asked_for_all_that_is_missing_in_one_call(store):
    calls = []

    def load(keys):
        calls.append(keys)
        return {key: key.upper() for key in keys if key != "x"}

    store.set("b", 2)
    assert store.get_many_or_load(["a", "b", "c", "x", "a"], load) == {"a": "A", "b": 2, "c": "C"}
    assert calls == [["a", "c", "x"]]
    assert store.get_many_or_load(["a", "c"], load) == {"a": "A", "c": "C"}
    assert len(calls) == 1
    assert store.get_many_or_load([], load) == {}
    assert len(calls) == 1


def test_what_a_loader_of_many_gives_besides_is_not_stored(store):
    assert store.get_many_or_load(["a"], lambda keys: {"a": 1, "b": 2}) == {"a": 1}
    assert store.get("b") is None


def test_a_loader_of_many_gives_a_dict(tc, store):
    with pytest.raises(tc.CacheValueError, match="gives a dict"):
        store.get_many_or_load(["a"], lambda keys: [1])


@pytest.mark.parametrize("loader", [None, 1, "x"])
def test_a_loader_is_a_function(tc, store, loader):
    for use in (
        lambda: store.get_or_load("a", loader),
        lambda: store.get_many_or_load(["a"], loader),
    ):
        with pytest.raises(tc.ConfigurationError, match="a loader is a function"):
            use()


def test_a_loader_may_ask_for_the_value_before(tc, stores, clock):
    cache = stores(ttl=10, stale=100)
    seen = []

    def load(old):
        seen.append(old)
        return len(seen)

    assert cache.get_or_load("a", load) == 1
    assert seen == [tc.MISSING]
    clock.advance(20)
    assert cache.get_or_load("a", load) == 1  # stale, and computed anew in the background
    cache.close()
    assert seen == [tc.MISSING, 1]


def test_the_time_that_comes_with_a_loader_is_that_of_a_refresh_too(stores, clock):
    cache = stores(ttl=1, stale=100)
    times = [10, 20]
    numbers = iter([1, 2, 3, 4])

    def load():
        return next(numbers)

    ask = lambda: cache.get_or_load("a", load, ttl=lambda value: times[value - 1])
    assert ask() == 1
    clock.advance(15)
    assert ask() == 1
    settle(stores, cache)
    assert ask() == 2
    clock.advance(15)
    assert ask() == 2
    settle(stores, cache)
    assert next(numbers) == 3


def settle(stores, cache):
    """Waits until nothing goes on in the background."""
    from importlib import import_module

    apart = import_module(f"{stores.tc.__name__}._run.apart")
    if stores.colour == "AsyncCache":
        stores.loop.run_until_complete(settle_tasks(apart))
    else:
        settle_threads(apart)


def test_cache_if_is_asked_of_what_is_loaded_and_not_of_what_is_set(stores):
    cache = stores(cache_if=lambda value: value > 0)
    for ttl in (None, 10):
        assert cache.get_or_load("a", lambda: -1, ttl) == -1
        assert cache.get("a") is None
    cache.set("a", -2)
    assert cache.get("a") == -2
    assert cache.get_or_load("b", lambda: 1) == 1
    assert cache.get("b") == 1


def test_kept_exceptions_are_raised_again_and_are_no_value(tc, stores, clock):
    cache = stores(cache_exceptions={LookupError: 5})
    calls = []

    def fail():
        calls.append(1)
        raise LookupError("no")

    for _ in range(3):
        with pytest.raises(LookupError, match="no"):
            cache.get_or_load("a", fail)
    assert len(calls) == 1
    assert cache.get("a", tc.MISSING) is tc.MISSING
    assert cache.get_many(["a"]) == {}
    assert cache.touch("a", 5) is False
    assert cache.add("a", 1) is True
    assert cache.get_or_load("a", fail) == 1


# -- in flight -------------------------------------------------------------------------------------

CHANGES = {
    "set": lambda cache: cache.set("a", "by hand"),
    "set_many": lambda cache: cache.set_many({"a": "by hand"}),
    "add": lambda cache: cache.add("a", "by hand"),
    "delete": lambda cache: cache.delete("a"),
    "delete_many": lambda cache: cache.delete_many(["a"]),
    "clear": lambda cache: cache.clear(),
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("many", [False, True])
def test_what_is_changed_while_it_is_loaded_stays_changed(stores, tc, change, many):
    if stores.colour == "AsyncCache":
        pytest.skip(
            "the change comes from within the loader, which this colour's loop is busy with"
        )
    cache = stores()

    def load(*keys):
        CHANGES[change](cache)
        return {"a": "loaded"} if many else "loaded"

    if many:
        assert cache.get_many_or_load(["a"], load, tags=["t"]) == {"a": "loaded"}
    else:
        assert cache.get_or_load("a", load, tags=["t"]) == "loaded"
    is_there = change in ("set", "set_many", "add")
    assert cache.get("a") == ("by hand" if is_there else None)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_while_a_coroutine_loads_stays_changed(tc, change, clock, place, tmp_path):
    import asyncio

    from tests.fixtures.stores import Stores

    stores = Stores(tc, "AsyncCache", place, clock, tmp_path)
    cache = getattr(tc, "AsyncCache")(stores.tiers(), clock=clock)

    async def load():
        await CHANGES[change](cache)
        return "loaded"

    async def main():
        assert await cache.get_or_load("a", load, tags=["t"]) == "loaded"
        found = await cache.get("a")
        await cache.close()
        return found

    is_there = change in ("set", "set_many", "add")
    assert asyncio.run(main()) == ("by hand" if is_there else None)
    stores.close()


# -- the rest --------------------------------------------------------------------------------------


def test_namespaces_keep_apart_what_shares_an_engine(stores):
    if stores.place == "memory":
        pytest.skip("each store in memory has its own table")
    engine = stores.engine()
    caches = [stores(stores.tiers(engine), namespace=name) for name in ("", "a", "a:b", "a%3Ab")]
    for number, cache in enumerate(caches):
        cache.set("b:c", number, tags=["t"])
        cache.set("x", number)
    for number, cache in enumerate(caches):
        assert cache.get("b:c") == number
        assert sorted(cache.keys()) == ["b:c", "x"]
    caches[1].invalidate_tags("t")
    assert [cache.get("b:c") for cache in caches] == [0, None, 2, 3]
    caches[1].clear()
    assert [cache.get("x") for cache in caches] == [0, None, 2, 3]


def test_counts_are_of_look_ups_and_loads(store):
    store.set("a", 1)
    store.get("a"), store.get("b"), store.get_many(["a", "c", "d"])
    store.get_or_load("a", lambda: 2), store.get_or_load("e", lambda: 2)
    stats = store.stats()
    assert (stats.hits, stats.misses, stats.loads) == (3, 4, 1)


def test_ping_returns_while_it_can_serve(tc, stores):
    cache = stores()
    cache.ping()
    if stores.place != "memory":
        stores.engines[0].close()
        with pytest.raises(tc.EngineError):
            cache.ping()


def test_a_closed_store_says_so_and_what_can_compute_does(tc, store):
    store.set("a", 1)
    store.close()
    store.close()
    for use in (
        lambda: store.get("a"),
        lambda: store.set("a", 1),
        lambda: store.add("a", 1),
        lambda: store.delete("a"),
        lambda: store.touch("a"),
        lambda: store.incr("a"),
        lambda: store.keys(),
        lambda: store.clear(),
        lambda: store.ping(),
        lambda: store.invalidate_tags("t"),
    ):
        with pytest.raises(tc.EngineError, match="this cache is closed"):
            use()


def test_a_store_of_which_the_engine_fails_raises_but_where_it_can_compute(tc, stores):
    if stores.place == "memory":
        pytest.skip("memory doesn't fail")
    cache = stores()
    cache.set("a", 1)
    stores.engines[0].close()
    for use in (
        lambda: cache.get("b"),
        lambda: cache.get_many(["b"]),
        lambda: cache.set("b", 1),
        lambda: cache.set_many({"b": 1}),
        lambda: cache.add("b", 1),
        lambda: cache.delete("b"),
        lambda: cache.touch("b"),
        lambda: cache.incr("b"),
        lambda: cache.keys(),
        lambda: cache.clear(),
        lambda: cache.invalidate_tags("t"),
    ):
        with pytest.raises(tc.EngineError, match="closed"):
            use()
    assert cache.get_or_load("c", lambda: 3, tags=["t"]) == 3
    assert cache.get_many_or_load(["d"], lambda keys: {"d": 4}, tags=["t"]) == {"d": 4}
    assert cache.stats().engine_errors > 0


def test_a_value_that_can_not_be_written_is_an_error_where_it_is_set(tc, stores):
    if stores.place == "memory":
        pytest.skip("memory keeps anything")
    cache = stores()
    value = object()
    for use in (
        lambda: cache.set("a", value),
        lambda: cache.set_many({"b": 1, "a": value}),
        lambda: cache.add("a", value),
    ):
        with pytest.raises(tc.SerializationError):
            use()
    assert cache.get("b") is None


@pytest.mark.parametrize("many", [False, True])
def test_a_loaded_value_that_can_not_be_written_is_given_and_warned_of(tc, stores, many):
    if stores.place == "memory":
        pytest.skip("memory keeps anything")
    cache = stores()
    value = object()
    with pytest.warns(RuntimeWarning, match="can't be stored"):
        if many:
            found = cache.get_many_or_load(["a", "b"], lambda keys: {"a": value, "b": 1})
        else:
            found = {"a": cache.get_or_load("a", lambda: value)}
    assert found["a"] is value
    assert cache.get("b") == (1 if many else None)
    assert cache.stats().unstored == 1


def test_values_in_memory_are_themselves_or_copies(stores):
    if stores.place != "memory":
        pytest.skip("an engine's values come back new anyway")
    value = [1]
    plain, copying = stores(), stores(copy=True)
    for cache in (plain, copying):
        cache.set("a", value)
        cache.get_or_load("b", lambda: value)
    assert plain.get("a") is value
    for key in "ab":
        assert copying.get(key) == value
        assert copying.get(key) is not value


def test_memory_is_bounded_by_count_bytes_or_weight(stores):
    if stores.place != "memory":
        pytest.skip("an engine is bounded by options of its own")
    many = [str(number) for number in range(2_000)]

    def filled(**options):
        cache = stores(**options)
        cache.set_many(dict.fromkeys(many, "x" * 1_000))
        return len(list(cache.keys()))

    assert filled() == 1024
    assert filled(maxsize=10) == 10
    assert filled(maxsize=None) == 2_000
    assert 1 < filled(max_bytes="100kB") < 100
    assert filled(max_weight=5_000, weigher=len) == 5
    assert filled(memory_limit="100%") == 1024


def test_a_listener_hears_of_what_leaves_memory(stores, clock):
    if stores.place != "memory":
        pytest.skip("an engine doesn't tell")
    told = []
    cache = stores(maxsize=2, on_removal=lambda *what: told.append(what))
    cache.set_many({"a": 1, "b": 2, "c": 3})
    cache.delete("b")
    cache.set("c", 4)
    assert told == [("a", 1, "size"), ("b", 2, "explicit"), ("c", 3, "replaced")]
    cache.close()
    assert told[3:] == [("c", 4, "closed")]

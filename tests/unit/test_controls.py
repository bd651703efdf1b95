"""The controls of a decorated function: they take the arguments of the call they are about."""

from __future__ import annotations

import functools
from datetime import timedelta

import pytest


def add(a, b=2, *, c=3):
    return a + b + c


ALL = ["invalidate", "refresh", "peek", "contains", "cache_key"]


# -- each by itself ------------------------------------------------------------------------------


def test_invalidate_forgets_one_call_and_tells_whether_it_was_there(tc):
    f = tc.mcache(add)
    f(1), f(2)
    assert f.invalidate(a=1, b=2) is True
    assert f.invalidate(1) is False
    assert [key for key, _ in f.items()] == [(2, 2, 3)]
    assert f.stats().removals == 1


def test_refresh_computes_now_and_stores(tc):
    numbers = iter(range(10))
    f = tc.mcache(lambda x: next(numbers))
    assert [f(1), f.refresh(1), f(1), f.refresh(2), f(2)] == [0, 1, 1, 2, 2]
    assert f.cache_info()[:2] == (2, 1)


def test_a_refresh_that_fails_leaves_what_was_there(tc):
    answers = iter(["first"])
    f = tc.mcache(lambda x: next(answers))
    f(1)
    with pytest.raises(StopIteration):
        f.refresh(1)
    assert f(1) == "first"


def test_a_refresh_that_is_not_to_be_stored_leaves_what_was_there(tc):
    answers = iter(["first", None])
    f = tc.mcache(cache_if=lambda result, x: result is not None)(lambda x: next(answers))
    assert [f(1), f.refresh(1), f(1)] == ["first", None, "first"]


def test_a_refresh_starts_the_ttl_anew(tc, clock):
    f = tc.mcache(ttl=10, clock=clock)(lambda x: x)
    f(1)
    clock.advance(8)
    f.refresh(1)
    clock.advance(8)
    assert f.contains(1)
    clock.advance(3)
    assert not f.contains(1)


def test_peek_gives_the_value_and_changes_nothing(tc):
    f = tc.mcache(maxsize=2)(lambda x: None if x == 1 else x)
    f(1), f(2)
    before = f.stats()
    assert f.peek(1) is None
    assert f.peek(1, default_="none") is None
    assert f.peek(2) == 2
    assert f.peek(3) is None
    assert f.peek(3, default_="none") == "none"
    assert f.stats() == before
    f(3)
    assert not f.contains(1), "a peek is no use"


def test_contains_tells_whether_a_call_would_hit(tc, clock):
    f = tc.mcache(ttl=5, clock=clock)(lambda x: None)
    assert f.contains(1) is False
    f(1)
    before = f.cache_info()
    assert f.contains(1) is f.contains(x=1) is True
    clock.advance(6)
    assert f.contains(1) is False
    assert f.peek(1, default_="gone") == "gone"
    assert f.cache_info()[:2] == before[:2]


def test_put_stores_by_hand(tc):
    f = tc.mcache(add)
    assert f.put(100, 1, c=3) is None
    assert f(1) == 100
    f.put(200, 1)
    assert f(1) == 200
    assert f.stats()[:3] == (2, 0, 2)


def test_put_takes_parameters_of_any_name(tc):
    f = tc.mcache(lambda value, self, ttl=1, default=2: value)
    f.put("v", value=1, self=2, ttl=3, default=4)
    assert f(1, 2, 3, 4) == "v"
    assert f.peek(value=1, self=2, ttl=3, default=4) == "v"
    assert f.cache_key(self=2, value=1) == (1, 2, 1, 2)


@pytest.mark.parametrize("ttl", [5, "5s", timedelta(seconds=5), lambda value, x: value])
def test_put_takes_a_ttl_of_its_own(tc, clock, ttl):
    f = tc.mcache(ttl=100, clock=clock)(lambda x: x)
    f.put(5, 1, ttl_=ttl)
    f.put(7, 2)
    clock.advance(6)
    assert not f.contains(1)
    assert f.contains(2)


def test_put_asks_the_ttl_function_and_not_cache_if(tc, clock):
    f = tc.mcache(ttl=lambda r, x: r, cache_if=lambda r, x: False, clock=clock)(lambda x: x)
    f.put(5, 1), f.put(0, 2)
    assert f.contains(1)
    assert not f.contains(2)
    clock.advance(6)
    assert not f.contains(1)


def test_a_value_put_not_to_be_kept_leaves_no_older_one(tc):
    f = tc.mcache(ttl=lambda r, x: r)(lambda x: 5)
    f(1)
    f.put(0, 1)
    assert not f.contains(1)


@pytest.mark.parametrize("ttl", [0, -1, "soon", True])
def test_put_refuses_a_ttl_that_is_none(tc, ttl):
    f = tc.mcache(ttl=100)(lambda x: x)
    with pytest.raises(tc.ConfigurationError, match="ttl_="):
        f.put(1, 1, ttl_=ttl)


def test_put_refuses_a_ttl_where_the_table_has_no_deadlines(tc):
    f = tc.mcache(lambda x: x)
    with pytest.raises(tc.ConfigurationError, match="decorated without ttl="):
        f.put(1, 1, ttl_=5)
    assert f.cache_info().currsize == 0


def test_cache_key_gives_the_arguments_that_take_part(tc):
    assert tc.mcache(add).cache_key(1) == (1, 2, 3)
    assert tc.mcache(typed=True)(lambda x: x).cache_key(1) == (1, int)
    assert tc.mcache(ignore="b")(add).cache_key(1, c=5) == (1, 5)
    assert tc.mcache(key=lambda x: x + 1)(lambda x: x).cache_key(1) == (2,)


def test_items_are_listed_the_least_recently_used_first(tc):
    f = tc.mcache(lambda x: -x)
    f(1), f(2), f(3), f(1)
    assert f.items() == [((2,), -2), ((3,), -3), ((1,), -1)]


def test_stats_tell_all_that_was_counted(tc, clock):
    f = tc.mcache(maxsize=2, ttl=10, clock=clock)(lambda x: x)
    f(1), f(1), f(2), f(3), f.invalidate(3)
    clock.advance(11)
    f(2)
    stats = f.stats()
    assert stats._asdict() == {
        "hits": 1,
        "misses": 4,
        "stores": 4,
        "evictions": 1,
        "expirations": 1,
        "removals": 1,
        "collected": 0,
        "bypasses": 0,
        "currsize": 1,
        "maxsize": 2,
        "rejections": 0,
        "listener_errors": 0,
        "weight": 0,
        "max_weight": None,
        **dict.fromkeys(tc.Stats._fields[14:], 0),
    }
    assert stats.hit_ratio == 0.2


def test_cache_clear_forgets_entries_and_counts(tc):
    f = tc.mcache(lambda x: x)
    f(1), f(1)
    f.cache_clear()
    assert f.stats() == (0,) * 9 + (1024, 0, 0, 0, None) + (0,) * 10
    assert f.items() == []


def test_resize_drops_the_least_recently_used(tc):
    f = tc.mcache(lambda x: x)
    f(1), f(2), f(3), f(1)
    f.resize(2)
    assert [key for key, _ in f.items()] == [(3,), (1,)]
    assert f.cache_parameters()["maxsize"] == f.cache_info().maxsize == 2
    f.resize(None)
    for x in range(10):
        f(x)
    assert f.cache_info().currsize == 10
    f.resize(0)
    assert f.cache_info().currsize == 0


@pytest.mark.parametrize("maxsize", [-1, "big", 1.5, True])
def test_resize_refuses_what_the_decorator_refuses(tc, maxsize):
    with pytest.raises(tc.ConfigurationError, match="maxsize="):
        tc.mcache(add).resize(maxsize)


# -- arguments that don't fit, or can't be hashed ------------------------------------------------


@pytest.mark.parametrize("control", ALL)
def test_arguments_that_do_not_fit_are_told_with_the_functions_name(tc, control):
    f = tc.mcache(add)
    with pytest.raises(TypeError, match=r"^add\(\) missing a required argument: 'a'$"):
        getattr(f, control)()
    with pytest.raises(TypeError, match=r"^add\(\) .*unexpected keyword argument 'd'"):
        getattr(f, control)(1, d=1)
    with pytest.raises(TypeError, match=r"^add\(\) missing a required argument: 'a'$"):
        f.put("value")


@pytest.mark.parametrize("control", ALL)
def test_what_cannot_be_hashed_is_told(tc, control):
    with pytest.raises(tc.CacheKeyError, match=r"add\(\): the argument 'b' is of type list"):
        getattr(tc.mcache(add), control)(1, [])


def test_controls_know_digests(tc):
    f = tc.mcache(unhashable="digest")(lambda x: len(x))
    f.put(7, [1])
    assert f([1]) == f.peek([1]) == 7
    assert f.contains([1])
    assert f.refresh([1]) == f([1]) == 1
    assert f.invalidate([1])
    assert not f.contains([1])


def test_controls_know_that_a_bypassed_call_has_no_entry(tc):
    f = tc.mcache(unhashable="bypass")(lambda x: len(x))
    assert f.contains([1]) is f.invalidate([1]) is False
    assert f.peek([1], default_="none") == "none"
    assert f.refresh([1]) == 1
    assert f.stats().bypasses == 1
    for control in (f.cache_key, functools.partial(f.put, 5)):
        with pytest.raises(tc.CacheKeyError, match="bypass"):
            control([1])


# -- calls in flight -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.invalidate(1),
        lambda f: f.cache_clear(),
        lambda f: f.put("newer", 1),
        lambda f: f.resize(100),
    ],
)
@pytest.mark.parametrize("start", ["call", "refresh"])
def test_a_call_in_flight_across_a_change_does_not_store_its_older_result(tc, change, start):
    def slow(x):
        if changes:
            changes.pop()(f)
            return "older"
        return "newest"

    f = tc.mcache(slow)
    changes = [change]
    assert (f(1) if start == "call" else f.refresh(1)) == "older"
    assert f.peek(1) in (None, "newer")
    assert f(1) in ("newer", "newest")


def test_a_change_of_another_key_does_not_concern_a_call_in_flight(tc):
    def slow(x):
        f.invalidate(2)
        return x

    f = tc.mcache(slow)
    f(1)
    assert f.contains(1)


def test_a_refresh_replaces_what_arrived_meanwhile_by_a_call(tc):
    def slow(x):
        if outer:
            outer.pop()
            f(x)
            return "refreshed"
        return "called"

    outer = [1]
    f = tc.mcache(slow)
    assert f.refresh(1) == "refreshed"
    assert f(1) == "refreshed"


def test_a_refresh_that_is_interrupted_leaves_nothing_behind(tc):
    def stop(x):
        raise KeyboardInterrupt

    f = tc.mcache(stop)
    with pytest.raises(KeyboardInterrupt):
        f.refresh(1)
    assert f.stats().stores == 0
    f.put(5, 1)
    assert f(1) == 5


def test_no_name_of_the_house_hides_one_of_the_core(tc):
    async def coroutine_function(x):
        return x

    gate = vars(tc._core.Gate)
    for f in (tc.mcache(add), tc.acache(coroutine_function), tc.lru_cache(add)):
        ours = set().union(
            *(
                vars(cls)
                for cls in type(f).__mro__
                if cls.__module__ != "builtins" and cls is not tc._core.Gate
            ),
            vars(f),
        )
        assert {name for name in ours & set(gate) if not name.startswith("__")} == set()

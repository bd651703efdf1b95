"""`on_removal`: every entry that leaves is told, with its cause, and no error reaches a caller."""

from __future__ import annotations

import gc
import logging

import pytest

CAUSES = ("expired", "size", "explicit", "replaced", "collected", "closed")


@pytest.fixture
def told():
    """What a listener heard."""
    return []


@pytest.fixture
def make(tc, clock, told):
    """A decorated function with a listener."""

    def decorate(function=lambda x: -x, **options):
        hear = lambda key, value, cause: told.append((key, value, cause))
        return tc.mcache(on_removal=hear, **options)(function)

    return decorate


# -- the causes ----------------------------------------------------------------------------------


def test_an_entry_that_makes_room_left_for_its_size(make, told):
    f = make(maxsize=2)
    f(1), f(2), f(3)
    assert told == [((1,), -1, "size")]
    f.resize(0)
    assert told[1:] == [((2,), -2, "size"), ((3,), -3, "size")]


def test_an_entry_past_its_time_expired(make, told, clock):
    f = make(ttl=5, clock=clock)
    f(1)
    clock.advance(6)
    f(2)
    assert told == [((1,), -1, "expired")]


def test_a_sweep_tells_of_each(make, told, clock):
    f = make(ttl=5, clock=clock)
    f(1), f(2)
    clock.advance(5)
    assert f.sweep() == 2
    assert sorted(told) == [((1,), -1, "expired"), ((2,), -2, "expired")]


def test_an_entry_taken_out_by_hand_left_explicitly(make, told):
    f = make()
    f(1), f(2), f(3)
    f.invalidate(2)
    assert told == [((2,), -2, "explicit")]
    f.cache_clear()
    assert sorted(told[1:]) == [((1,), -1, "explicit"), ((3,), -3, "explicit")]


def test_a_value_stored_over_another_replaced_it(make, told):
    f = make()
    f(1)
    f.put(100, 1)
    assert told == [((1,), -1, "replaced")]
    f.refresh(1)
    assert told[1:] == [((1,), 100, "replaced")]


def test_an_entry_that_left_with_its_object_was_collected(tc, told):
    class Shop:
        @tc.mcache(on_removal=lambda *heard: told.append(heard))
        def price(self, item):
            return len(item)

    shop = Shop()
    shop.price("tea")
    del shop
    gc.collect()
    assert told == [((None, "tea"), 3, "collected")]


def test_an_entry_of_a_closed_cache_was_closed(make, told):
    f = make()
    f(1)
    f.close()
    assert told == [((1,), -1, "closed")]
    assert f(1) == -1, "it can still be used"
    assert f.cache_info()[:2] == (0, 1)


def test_a_cache_that_is_dropped_tells_nothing(make, told):
    f = make()
    f(1)
    del f
    gc.collect()
    assert told == []


def test_coroutine_functions_tell_as_well(tc, told):
    import asyncio

    @tc.acache(maxsize=1, on_removal=lambda *heard: told.append(heard))
    async def f(x):
        return -x

    async def main():
        await f(1)
        await f(2)
        await f.put(100, 2)
        await f.invalidate(2)

    asyncio.run(main())
    assert told == [((1,), -1, "size"), ((2,), -2, "replaced"), ((2,), 100, "explicit")]


def test_each_object_of_per_instance_tells(tc, told):
    class Shop:
        @tc.mcache(maxsize=1, per_instance=True, on_removal=lambda *heard: told.append(heard))
        def price(self, item):
            return len(item)

    one, two = Shop(), Shop()
    one.price("tea"), one.price("milk"), two.price("salt"), two.price("rice")
    assert told == [(("tea",), 3, "size"), (("salt",), 4, "size")]


# -- how it is told ------------------------------------------------------------------------------


def test_a_listener_finds_the_cache_as_it_is_afterwards(tc):
    seen = []
    f = tc.mcache(
        maxsize=1, on_removal=lambda key, value, cause: seen.append((f.contains(*key), f.items()))
    )(lambda x: x)
    f(1), f(2)
    assert seen == [(False, [((2,), 2)])]


def test_a_listener_may_use_the_cache(tc):
    kept = []

    def hear(key, value, cause):
        kept.append((value, cause))
        if len(kept) < 5:
            f(value + 10)  # which pushes out another

    f = tc.mcache(maxsize=1, on_removal=hear)(lambda x: x)
    f(1), f(2)
    assert [cause for _, cause in kept] == ["size"] * 5
    assert f.cache_info().currsize == 1


# -- one that raises -----------------------------------------------------------------------------


def failing(tc, errors, **options):
    """A cache with room for one, whose listener raises these in turn."""
    left = iter(errors)

    def hear(key, value, cause):
        raise next(left)

    return tc.mcache(maxsize=1, on_removal=hear, **options)(lambda x: x)


def test_its_errors_are_counted_and_nobody_sees_them(tc):
    f = failing(tc, [ValueError(), KeyError(), ValueError()])
    assert [f(1), f(2), f(3), f(4)] == [1, 2, 3, 4]
    assert f.stats().listener_errors == 3
    f.cache_clear()
    assert f.stats().listener_errors == 0


def test_its_errors_are_logged_once_for_each_class(tc, caplog):
    f = failing(tc, [ValueError("secret"), ValueError("secret"), KeyError("secret")], name="prices")
    with caplog.at_level(logging.ERROR, logger="twat_cache"):
        f(1), f(2), f(3), f(4)
    lines = [record.getMessage() for record in caplog.records]
    assert [record.name for record in caplog.records] == ["twat_cache"] * 2
    assert [line.split(" at ")[0] for line in lines] == [
        "prices(): on_removal raised ValueError",
        "prices(): on_removal raised KeyError",
    ]
    assert __file__ in lines[0] and "in hear" in lines[0]
    assert "secret" not in "".join(lines) + caplog.text


def test_close_forgets_them_too(tc):
    f = failing(tc, [ValueError(), ValueError()])
    f(1), f(2)
    assert f.stats().listener_errors == 1
    f.close()
    assert f.stats().listener_errors == 0


def test_the_errors_of_all_objects_are_added_up(tc):
    def hear(key, value, cause):
        raise ValueError

    class Shop:
        @tc.mcache(maxsize=1, per_instance=True, on_removal=hear)
        def price(self, item):
            return item

    one, two = Shop(), Shop()
    one.price(1), one.price(2), two.price(1), two.price(2), two.price(3)
    assert Shop.price.stats().listener_errors == 3
    assert two.price.stats().listener_errors == 2


def test_logging_is_loaded_only_once_something_is_to_be_said(core):
    import subprocess
    import sys

    from tests.fixtures import worlds

    code = (
        "import sys; from twat_cache import mcache\n"
        "f = mcache(maxsize=1, on_removal=lambda *args: None)(lambda x: x); f(1), f(2)\n"
        "assert 'logging' not in sys.modules\n"
        "g = mcache(maxsize=1, on_removal=lambda: None)(lambda x: x); g(1), g(2)\n"
        "assert 'logging' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], env=worlds.environment(core), check=True)

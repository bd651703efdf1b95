"""Times to live, per table and per entry; times to idle; jitter; sweeps."""

from __future__ import annotations

import asyncio

import pytest

SECOND = 1_000_000_000


def alive(f, many):
    """Which of the calls 0, 1, … have a fresh entry."""
    return [n for n in range(many) if f.contains(n)]


# -- time to idle --------------------------------------------------------------------------------


def test_an_entry_that_goes_unused_dies(tc, clock):
    f = tc.mcache(tti=10, clock=clock)(lambda x: x)
    f(0), f(1)
    for _ in range(5):
        clock.advance(6)
        f(0)
    assert f.cache_info()[:2] == (5, 2)
    assert alive(f, 2) == [0]


def test_a_look_is_no_use(tc, clock):
    f = tc.mcache(tti=10, clock=clock)(lambda x: x)
    f(0)
    clock.advance(6)
    assert f.peek(0) == 0
    assert f.contains(0)
    clock.advance(4)
    assert not f.contains(0)


def test_the_ttl_ends_it_however_much_it_is_used(tc, clock):
    f = tc.mcache(ttl=20, tti=10, clock=clock)(lambda x: x)
    f(0)
    for _ in range(3):
        clock.advance(6)
        f(0)
    assert f.cache_info()[:2] == (3, 1)
    clock.advance(2)
    assert not f.contains(0)


def test_the_tti_ends_it_before_its_ttl(tc, clock):
    f = tc.mcache(ttl=20, tti=10, clock=clock)(lambda x: x)
    f(0)
    clock.advance(10)
    assert not f.contains(0)


@pytest.mark.parametrize("tti", ["10s", 10, 10.0])
def test_a_tti_is_written_like_a_ttl(tc, clock, tti):
    f = tc.mcache(tti=tti, clock=clock)(lambda x: x)
    f(0)
    clock.advance(9)
    assert f.contains(0)
    clock.advance(1)
    assert not f.contains(0)


def test_put_may_give_a_ttl_where_there_is_a_tti(tc, clock):
    f = tc.mcache(tti=10, clock=clock)(lambda x: x)
    f.put("v", 0, ttl_=5)
    clock.advance(4)
    assert f(0) == "v"
    clock.advance(1)
    assert not f.contains(0)


def test_entries_of_coroutine_functions_idle_too(tc, clock):
    @tc.acache(tti=10, clock=clock)
    async def f(x):
        return x

    async def main():
        await f(0)
        clock.advance(6)
        await f(0)
        clock.advance(6)
        assert await f.contains(0)
        clock.advance(4)
        assert not await f.contains(0)

    asyncio.run(main())


# -- jitter --------------------------------------------------------------------------------------


def spread(f, clock, many=200):
    """How many of so many entries are alive 51 … 100 seconds after they were stored."""
    for n in range(many):
        f(n)
    clock.advance(50)
    counts = []
    for _ in range(50):
        clock.advance(1)
        counts.append(len(alive(f, many)))
    return counts


@pytest.mark.parametrize("ttl", [100, "100s", lambda result, x: 100])
def test_jitter_spreads_the_ends_and_only_shortens(tc, clock, ttl):
    f = tc.mcache(ttl=ttl, jitter=0.5, clock=clock)(lambda x: x)
    counts = spread(f, clock)
    assert counts[-1] == 0
    assert 60 < counts[24] < 140, "half of them in half of the time"
    assert 170 < counts[0] <= 200
    assert len(set(counts)) > 20


def test_none_of_them_ends_before_the_fraction(tc, clock):
    f = tc.mcache(ttl=100, jitter=0.1, clock=clock)(lambda x: x)
    for n in range(200):
        f(n)
    clock.advance(89)
    assert len(alive(f, 200)) == 200


def test_without_jitter_they_end_together(tc, clock):
    f = tc.mcache(ttl=100, jitter=0, clock=clock)(lambda x: x)
    assert set(spread(f, clock)) == {200, 0}


def test_jitter_takes_from_what_put_says_too(tc, clock):
    f = tc.mcache(ttl=5, jitter=0.5, clock=clock)(lambda x: x)
    for n in range(50):
        f.put(n, n, ttl_=100)
        f.put(n, n + 50, ttl_=lambda *args: 100)
        f.put(n, n + 100)
    clock.advance(6)
    assert alive(f, 150) == list(range(100))
    clock.advance(69)
    assert 10 < len(alive(f, 100)) < 90
    clock.advance(25)
    assert alive(f, 100) == []


def test_jitter_leaves_forever_and_never_as_they_are(tc, clock):
    f = tc.mcache(ttl=lambda result, x: None if x else 0, jitter=1.0, clock=clock)(lambda x: x)
    f(0), f(1)
    clock.advance(10**6)
    assert alive(f, 2) == [1]


def test_jitter_asks_cache_if_as_well(tc, clock):
    f = tc.mcache(ttl=10, jitter=0.5, cache_if=lambda result, x: x > 0, clock=clock)(lambda x: x)
    f(0), f(1)
    assert alive(f, 2) == [1]
    clock.advance(10)
    assert alive(f, 2) == []


def test_jitter_holds_for_refresh_and_coroutine_functions(tc, clock):
    @tc.acache(ttl=100, jitter=0.5, clock=clock)
    async def f(x):
        return x

    async def main():
        for n in range(60):
            await f(n)
            await f.refresh(n + 60)
        clock.advance(75)
        left = [n for n in range(120) if await f.contains(n)]
        assert 5 < sum(n < 60 for n in left) < 55
        assert 5 < sum(n >= 60 for n in left) < 55
        clock.advance(25)
        assert not any([await f.contains(n) for n in range(120)])

    asyncio.run(main())


# -- sweeps --------------------------------------------------------------------------------------


def test_a_sweep_removes_all_that_is_over_and_no_more(tc, clock):
    f = tc.mcache(ttl=lambda result, x: x or None, clock=clock)(lambda x: x)
    for n in range(10):
        f(n)
    clock.advance(5)
    assert f.sweep() == 5
    assert f.cache_info().currsize == 5
    assert [key[0] for key, _ in f.items()] == [0, 6, 7, 8, 9]
    assert f.stats().expirations == 5
    assert f.stats().evictions == 0
    assert f.sweep() == 0


def test_a_sweep_of_a_cache_without_times_finds_nothing(tc):
    f = tc.mcache(lambda x: x)
    f(1)
    assert f.sweep() == 0
    assert f.cache_info().currsize == 1


def test_what_is_over_leaves_as_others_are_stored(tc, clock):
    f = tc.mcache(maxsize=None, ttl=10, clock=clock)(lambda x: x)
    for n in range(100):
        f(n)
    clock.advance(11)
    for n in range(1000, 1020):
        f(n)
    assert f.cache_info().currsize == 20
    assert f.stats().expirations == 100


def test_an_entry_that_was_over_makes_room_as_an_expiration(tc, clock):
    f = tc.mcache(maxsize=2, ttl=10, clock=clock)(lambda x: x)
    f(1), f(2)
    clock.advance(11)
    f(3), f(4)
    stats = f.stats()
    assert (stats.evictions, stats.expirations) == (0, 2)


def test_a_sweep_of_a_method_is_of_all_objects(tc, clock):
    for per_instance in (False, True):

        class Shop:
            @tc.mcache(ttl=10, clock=clock, per_instance=per_instance)
            def price(self, item):
                return item

        one, two = Shop(), Shop()
        one.price(1), two.price(1), two.price(2)
        clock.advance(10)
        if per_instance:
            assert one.price.sweep() == 1
            assert Shop.price.sweep() == 2
        else:
            assert one.price.sweep() == 3


def test_a_sweep_of_a_coroutine_function_is_not_awaited(tc, clock):
    @tc.acache(ttl=10, clock=clock)
    async def f(x):
        return x

    asyncio.run(f(1))
    clock.advance(10)
    assert f.sweep() == 1

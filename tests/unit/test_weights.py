"""Bounds by weight: `max_weight` with a weigher, `max_bytes`, and what is too heavy."""

from __future__ import annotations

import asyncio
import sys

import pytest


def left(f):
    return sorted(key[0] for key, _ in f.items())


def weighed(tc, **options):
    """Results are what they weigh."""
    options = {"max_weight": 10, "weigher": lambda result, x: result} | options
    return tc.mcache(**options)(lambda x: x)


# -- a weigher -----------------------------------------------------------------------------------


def test_entries_leave_until_the_new_one_fits(tc):
    f = weighed(tc)
    f(3), f(4), f(2)
    assert (f.stats().weight, f.stats().max_weight) == (9, 10)
    f(5)
    assert left(f) == [2, 5]
    stats = f.stats()
    assert (stats.weight, stats.max_weight, stats.evictions) == (7, 10, 2)
    assert f.cache_info().maxsize is None


def test_a_result_that_is_too_heavy_is_given_and_not_stored(tc):
    f = weighed(tc)
    f(3), f(4)
    assert f(11) == f(11) == 11
    assert left(f) == [3, 4]
    stats = f.stats()
    assert (stats.rejections, stats.misses, stats.evictions) == (2, 4, 0)


def test_entries_without_weight_all_fit(tc):
    f = weighed(tc, max_weight=0, weigher=lambda result, x: 0 if x else 1)
    for n in range(50):
        f(n)
    assert left(f) == list(range(1, 50))
    assert f.stats().rejections == 1


def test_the_weight_bounds_instead_of_the_count(tc):
    f = weighed(tc, max_weight=5000, weigher=lambda result, x: 1)
    for n in range(2000):
        f(n)
    assert f.cache_info().currsize == 2000
    assert f.cache_parameters()["maxsize"] is None


@pytest.mark.parametrize("maxsize", [2, 1024])
def test_a_count_that_was_given_bounds_as_well(tc, maxsize):
    f = weighed(tc, maxsize=maxsize, max_weight=100_000)
    for n in range(1, 1030):
        f(n % 50)
        f(n)
    assert f.cache_info().maxsize == maxsize
    assert f.cache_info().currsize <= maxsize


def test_a_positional_maxsize_was_given(tc):
    f = tc.mcache(1024, max_weight=5, weigher=lambda result, x: 1)(lambda x: x)
    assert f.cache_info().maxsize == 1024


def test_the_weigher_gets_the_result_and_the_call(tc):
    heard = []

    def weigher(result, *args, **kwargs):
        heard.append((result, args, kwargs))
        return 1

    f = tc.mcache(max_weight=5, weigher=weigher)(lambda x, y=2, *, z=3: x + y + z)
    f(1), f(1, 2), f(1, z=4)
    assert heard == [(6, (1,), {}), (7, (1,), {"z": 4})]
    f.put(100, x=5)
    f.refresh(5)
    assert heard[2:] == [(100, (), {"x": 5}), (10, (5,), {})]


def test_the_weigher_is_not_asked_about_what_is_not_stored(tc):
    heard = []
    f = tc.mcache(
        max_weight=5, weigher=lambda *call: heard.append(call) or 1, cache_if=lambda *call: False
    )(lambda x: x)
    f(1), f.refresh(1)
    assert heard == []


def test_the_weigher_sees_the_result_itself_and_not_its_copy(tc):
    seen = []
    result = [1]
    f = tc.mcache(max_weight=5, weigher=lambda r, x: seen.append(r) or 1, copy=True)(
        lambda x: result
    )
    f(1)
    assert seen[0] is result


@pytest.mark.parametrize("answer", [-1, 1.5, None, "1"])
def test_an_answer_that_is_no_weight_is_refused(tc, answer):
    f = tc.mcache(max_weight=5, weigher=lambda result, x: answer)(lambda x: x)
    with pytest.raises(tc.ConfigurationError, match="weigher="):
        f(1)
    assert f.cache_info().currsize == 0


def test_what_the_weigher_raises_reaches_the_caller_and_stores_nothing(tc):
    f = tc.mcache(max_weight=5, weigher=lambda result, x: 1 // x)(lambda x: x)
    with pytest.raises(ZeroDivisionError):
        f(0)
    assert f(1) == 1
    assert left(f) == [1]


def test_a_heavier_value_pushes_others_out(tc):
    f = weighed(tc)
    f(3), f(4)
    f.put(8, 4)
    assert f.items() == [((4,), 8)]
    assert f.stats().weight == 8


def test_a_value_that_got_too_heavy_takes_the_older_one_along(tc):
    f = weighed(tc)
    f(3), f(4)
    f.put(11, 4)
    assert left(f) == [3]
    assert f.stats().rejections == 1


def test_every_policy_keeps_the_weight(tc):
    for policy in tc._core.POLICIES:
        f = weighed(tc, max_weight=50, weigher=lambda result, x: x % 7 + 1, policy=policy)
        for n in [*range(100), *range(50), *range(200)]:
            f(n)
            assert f.stats().weight <= 50
        assert f.stats().weight == sum(key[0] % 7 + 1 for key, _ in f.items())
        assert f.stats().weight > 35


def test_methods_and_coroutine_functions_weigh_too(tc):
    class Shop:
        @tc.mcache(max_weight=10, weigher=lambda result, self, item: result)
        def price(self, item):
            return item

        @tc.acache(max_weight=10, weigher=lambda result, self, item: result)
        async def fetch(self, item):
            return item

        @tc.mcache(max_weight=10, weigher=lambda result, self, item: result, per_instance=True)
        def own(self, item):
            return item

    async def fetch_all(shop):
        for n in (3, 4, 5, 11):
            assert await shop.fetch(n) == n
        await shop.fetch.put(2, 6)
        await shop.fetch.refresh(7)

    one, two = Shop(), Shop()
    for n in (3, 4, 5, 11):
        one.price(n), one.own(n), two.own(n)
    asyncio.run(fetch_all(one))
    assert sorted(key[1] for key, _ in one.price.items()) == [4, 5]
    assert sorted(key[1] for key, _ in one.fetch.items()) == [6, 7]
    assert one.fetch.stats().weight == 9
    stats = Shop.own.stats()
    assert (stats.weight, stats.max_weight, stats.rejections) == (18, 10, 2)


# -- resize --------------------------------------------------------------------------------------


def test_both_bounds_can_be_changed(tc):
    f = weighed(tc)
    f(3), f(4), f(2)
    f.resize(None, max_weight=6)
    assert left(f) == [2, 4]
    f.resize(1)
    assert left(f) == [2]
    assert f.stats().max_weight == 6
    f.resize(None, max_weight=0)
    assert left(f) == []


def test_a_weight_that_is_none_is_refused(tc):
    with pytest.raises(tc.ConfigurationError, match="max_weight=-1"):
        weighed(tc).resize(None, max_weight=-1)
    with pytest.raises(tc.ConfigurationError, match="entries have no weights"):
        tc.mcache(lambda x: x).resize(None, max_weight=5)


def test_bytes_are_resized_as_they_were_given(tc):
    f = tc.mcache(max_bytes="1MB")(lambda x: "x" * x)
    f(100_000), f(500_000)
    f.resize(None, max_weight="300kB")
    assert f.stats().max_weight == 300_000
    assert left(f) == []
    with pytest.raises(tc.ConfigurationError, match="max_weight='much'"):
        f.resize(None, max_weight="much")


def test_objects_to_come_get_the_new_bound(tc):
    class Shop:
        @tc.mcache(max_weight=10, weigher=lambda result, self, item: result, per_instance=True)
        def price(self, item):
            return item

    one = Shop()
    one.price(3), one.price(4)
    Shop.price.resize(None, max_weight=5)
    assert one.price.stats().weight == 4
    assert Shop().price.stats().max_weight == Shop.price.stats().max_weight == 5


# -- bytes ---------------------------------------------------------------------------------------


def test_bytes_bound_what_is_kept(tc):
    f = tc.mcache(max_bytes="1MB")(lambda x: "x" * 100_000)
    for n in range(30):
        f(n)
    stats = f.stats()
    assert stats.currsize == 9
    assert 900_000 < stats.weight <= stats.max_weight == 1_000_000
    assert stats.maxsize is None


def test_the_key_counts_as_well(tc):
    f = tc.mcache(max_bytes="1MB")(lambda text, *rest, **named: None)
    f("x" * 100_000)
    assert f.stats().weight == pytest.approx(100_000, abs=300)
    f("y", "z" * 50_000)
    f("y", name="z" * 50_000)
    assert f.stats().weight == pytest.approx(200_000, abs=900)


@pytest.mark.parametrize(
    "options", [{"ignore": ("big", "args", "kwargs")}, {"key": lambda key, *_, **__: key}]
)
def test_what_is_not_in_the_key_does_not_count(tc, options):
    f = tc.mcache(max_bytes="1MB", **options)(lambda key, big, *args, **kwargs: key)
    f(1, "x" * 100_000, "y" * 100_000, z="z" * 100_000)
    f(2, big="x" * 100_000)
    assert f.stats().weight < 500


def test_the_object_of_a_method_does_not_count(tc):
    class Holder:
        def __init__(self):
            self.data = "x" * 100_000

        @tc.mcache(max_bytes="1MB")
        def m(self, x):
            return x

        @tc.mcache(max_bytes="1MB", per_instance=True)
        def own(self, x):
            return x

    holder = Holder()
    holder.m(1), holder.own(1)
    assert holder.m.stats().weight < 300
    assert holder.own.stats().weight < 300


def test_an_entry_takes_something_even_if_it_holds_nothing(tc):
    f = tc.mcache(max_bytes=1000)(lambda x: None)
    for n in range(100):
        f(n)
    assert 5 <= f.cache_info().currsize <= 10


def test_numpy_arrays_are_told_by_their_buffer(tc):
    np = pytest.importorskip("numpy")
    f = tc.mcache(max_bytes="1MB")(lambda x: np.zeros(50_000, "u1"))
    for n in range(30):
        f(n)
    assert f.cache_info().currsize == 19


def test_a_value_of_more_bytes_than_all_is_rejected(tc):
    f = tc.mcache(max_bytes="10kB")(lambda x: "x" * x)
    f(100), f(20_000)
    assert left(f) == [100]
    assert f.stats().rejections == 1


# -- memory_limit --------------------------------------------------------------------------------


def test_above_the_limit_entries_leave_by_the_quarter(tc, clock):
    pytest.importorskip("psutil")
    gone = []
    f = tc.mcache(
        maxsize=None,
        memory_limit="1kB",
        clock=clock,
        on_removal=lambda key, value, cause: gone.append((key[0], cause)),
    )(lambda x: x)
    for n in range(1000):
        f(n)
    assert gone == [], "it was looked at once, when nothing was there yet"
    clock.advance(0.1)
    f(1000)
    assert gone == [(n, "size") for n in range(len(gone))], "the first ones first"
    assert 200 < len(gone) <= 250
    assert f.stats().evictions == len(gone)
    f(1001)
    assert f.cache_info().currsize == 1002 - len(gone), "within a tenth of a second once"


@pytest.mark.parametrize("limit", ["100%", "999 TB", 10**18])
def test_below_the_limit_nothing_leaves(tc, clock, limit):
    pytest.importorskip("psutil")
    f = tc.mcache(maxsize=None, memory_limit=limit, clock=clock)(lambda x: x)
    for n in range(100):
        f(n)
        clock.advance(1)
    assert f.cache_info().currsize == 100


def test_the_machine_is_asked_for_a_share(tc, clock):
    psutil = pytest.importorskip("psutil")
    if psutil.virtual_memory().percent < 1.0:
        pytest.skip("this machine is empty")
    f = tc.mcache(maxsize=None, memory_limit="0.1%", clock=clock)(lambda x: x)
    for n in range(100):
        f(n)
        clock.advance(1)
    assert f.cache_info().currsize < 50


def test_the_last_used_ones_stay(tc, clock):
    pytest.importorskip("psutil")
    f = tc.mcache(memory_limit="1kB", clock=clock)(lambda x: x)
    for n in range(100):
        f(n)
    for n in range(10):
        f(n)
    clock.advance(1)
    f(100)
    assert all(f.contains(n) for n in range(10))
    assert not f.contains(10)


def test_put_and_refresh_and_coroutine_functions_look_as_well(tc, clock):
    pytest.importorskip("psutil")

    @tc.acache(memory_limit="1kB", clock=clock)
    async def f(x):
        return x

    async def main():
        for n in range(100):
            await f(n)
        sizes = []
        for change in (lambda: f(100), lambda: f.put(1, 101), lambda: f.refresh(102)):
            clock.advance(1)
            await change()
            sizes.append(f.cache_info().currsize)
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[2] < 60

    asyncio.run(main())


def test_a_limit_stands_beside_weights(tc, clock):
    pytest.importorskip("psutil")
    f = weighed(tc, memory_limit="1kB", max_weight=1000, clock=clock)
    for n in range(10, 30):
        f(n)
    assert f.stats().weight == sum(range(10, 30))
    clock.advance(1)
    f(1)
    assert f.stats().weight < sum(range(10, 30))


@pytest.mark.parametrize("limit", ["0%", "101%", "much", "-1GB", 0, 1.5, "%", "nan%", True])
def test_a_limit_that_is_none_is_refused(tc, limit):
    pytest.importorskip("psutil")
    with pytest.raises(tc.ConfigurationError, match=r"^memory_limit=.*like \"80%\""):
        tc.mcache(memory_limit=limit)


def test_without_psutil_it_says_what_to_install(tc, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(tc.ConfigurationError, match=r"pip install 'twat-cache\[memory\]'"):
        tc.mcache(memory_limit="80%")
    tc.mcache(memory_limit=None)

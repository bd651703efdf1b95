"""cache_exceptions: some exceptions are answers, and kept for a while like values."""

from __future__ import annotations

import pytest

from tests.fixtures.colours import PATIENCE, SETTLED


class NotFound(LookupError):
    pass


class Gone(NotFound):
    pass


@pytest.fixture(params=["memory", "mapping"])
def place(request):
    return request.param


def test_a_kept_exception_is_raised_again_as_a_copy(shop, play, clock):
    shop = shop(cache_exceptions={NotFound: 5})
    error = shop.failing[1] = NotFound("it", 1)

    def script():
        with pytest.raises(NotFound) as first:
            yield shop
        assert first.value is error
        copies = []
        for _ in range(2):
            with pytest.raises(NotFound) as again:
                yield shop
            copies.append(again.value)
        assert [copy.args for copy in copies] == [("it", 1)] * 2
        assert copies[0] is not copies[1]
        assert error not in copies
        clock.advance(5.1)
        assert (yield shop) == "run 2"

    play(script)
    stats = shop.stats()
    assert (stats.loads, stats.load_failures, stats.hits) == (1, 1, 2)


def test_other_exceptions_are_not_kept(shop, play):
    shop = shop(cache_exceptions={NotFound: 5})
    shop.failing[1] = KeyError(1)

    def script():
        with pytest.raises(KeyError):
            yield shop
        assert (yield shop) == "run 2"

    play(script)


def test_of_several_classes_the_nearest_one_tells_the_time(shop, play, clock):
    shop = shop(cache_exceptions={LookupError: 5, NotFound: 50})
    shop.failing[1] = NotFound()

    def script():
        with pytest.raises(NotFound):
            yield shop
        clock.advance(40)
        with pytest.raises(NotFound):
            yield shop
        assert len(shop.runs) == 1

    play(script)


def test_in_memory_subclasses_are_kept_too_and_in_engines_only_the_class(shop, play, place):
    shop = shop(cache_exceptions={NotFound: 5})
    shop.failing.update({1: Gone(), 2: Gone()})

    def script():
        for _ in range(2):
            with pytest.raises(Gone):
                yield shop

    play(script)
    assert len(shop.runs) == (1 if place == "memory" else 2)


def test_a_kept_exception_takes_the_place_of_a_stale_value(shop, play, clock):
    shop = shop(ttl=10, stale=1000, cache_exceptions={NotFound: 5})
    shop.failing[2] = NotFound()

    def script():
        assert (yield shop) == "run 1"
        clock.advance(15)
        assert (yield shop) == "run 1"
        yield SETTLED
        with pytest.raises(NotFound):
            yield shop
        clock.advance(5.1)
        assert (yield shop) == "run 3"

    play(script)
    assert len(shop.runs) == 3


@pytest.mark.parametrize("place", ["memory", "mapping", "near"])
def test_one_that_is_computed_by_force_takes_the_place_of_a_value(shop, play):
    shop = shop(cache_exceptions={NotFound: 5})
    shop.failing[2] = NotFound()

    def script():
        assert (yield shop) == "run 1"
        for call in (lambda: shop.f.refresh(1), shop):
            with pytest.raises(NotFound):
                yield call

    play(script)
    assert len(shop.runs) == 2


def test_a_stale_value_does_not_hide_an_answer_that_comes_in_time(shop, play, clock):
    shop = shop(ttl=10, stale=1000, soft_timeout=PATIENCE, cache_exceptions={NotFound: 5})
    shop.failing[2] = NotFound()

    def script():
        yield shop
        clock.advance(15)
        with pytest.raises(NotFound):
            yield shop
        yield SETTLED

    play(script)


def test_an_early_refresh_that_raises_one_leaves_the_value_that_is_still_good(shop, play, clock):
    shop = shop(ttl=100, refresh_ahead=0.5, cache_exceptions={NotFound: 30})
    shop.failing.update({2: NotFound(), 3: NotFound(), 4: NotFound()})

    def script():
        assert (yield shop) == "run 1"
        clock.advance(60)
        for _ in range(2):
            assert (yield shop) == "run 1"
            yield SETTLED
        assert (yield lambda: shop.f.contains(1))
        assert len(shop.runs) == 3
        clock.advance(41)
        for _ in range(2):
            with pytest.raises(NotFound):
                yield shop
        assert len(shop.runs) == 4

    play(script)
    assert shop.stats().refresh_failures == 2


def test_an_early_refresh_that_raises_one_when_the_value_is_over_is_answered_by_it(
    shop, play, clock
):
    shop = shop(ttl=100, refresh_ahead=0.5, cache_exceptions={NotFound: 30})
    gate = shop.hold(2)
    shop.failing[2] = NotFound()

    def script():
        yield shop
        clock.advance(60)
        assert (yield shop) == "run 1"
        while len(shop.runs) < 2:
            yield 0.001
        clock.advance(41)
        gate.set()
        yield SETTLED
        with pytest.raises(NotFound):
            yield shop
        assert len(shop.runs) == 2

    play(script)


def test_a_value_past_its_time_gives_way_to_one_though_it_might_answer(shop, play, clock):
    shop = shop(ttl=100, stale=100, refresh_ahead=0.5, cache_exceptions={NotFound: 30})
    shop.failing[2] = NotFound()

    def script():
        yield shop
        clock.advance(101)
        assert (yield shop) == "run 1"
        yield SETTLED
        with pytest.raises(NotFound):
            yield shop
        assert len(shop.runs) == 2

    play(script)


def test_what_was_changed_meanwhile_keeps_no_exception(shop, play):
    shop = shop(cache_exceptions={NotFound: 5})
    shop.failing[1] = NotFound()

    def script():
        with pytest.raises(NotFound):
            yield shop
        yield lambda: shop.f.put("by hand", 1)
        assert (yield shop) == "by hand"
        yield lambda: shop.f.invalidate(1)
        assert (yield shop) == "run 2"

    play(script)


def test_a_stop_iteration_can_be_kept(decorator):
    runs = []

    @decorator(cache_exceptions={StopIteration: 5})
    def f(x):
        runs.append(x)
        return next(iter(()))

    for _ in range(3):
        with pytest.raises(StopIteration):
            f(1)
    assert runs == [1]


# -- what they weigh -------------------------------------------------------------------------------


def test_max_bytes_bounds_them_as_values(tc, colour, play, clock):
    def body(x):
        raise NotFound(str(x) * 10_000)

    options = {"max_bytes": 100_000, "cache_exceptions": {NotFound: 60}, "clock": clock}
    f = colour.cached(tc.mcache(**options), body)

    def script():
        for x in range(30):
            with pytest.raises(NotFound):
                yield lambda x=x: f(x)

    play(script)
    stats = f.stats()
    assert 0 < stats.currsize < 10
    assert 10_000 * stats.currsize < stats.weight <= 100_000
    assert stats.evictions > 0


def test_one_that_is_too_heavy_is_raised_and_not_kept(tc, colour, play):
    def body(x):
        runs.append(x)
        raise NotFound("x" * 10_000)

    runs = []
    f = colour.cached(tc.mcache(max_bytes=5_000, cache_exceptions={NotFound: 60}), body)

    def script():
        for _ in range(2):
            with pytest.raises(NotFound):
                yield lambda: f(1)

    play(script)
    assert runs == [1, 1]


def test_a_weigher_is_not_asked_about_them(tc, colour, play):
    """It knows results; an exception weighs 1."""

    def body(x):
        if x < 0:
            raise NotFound(x)
        return x

    options = {"max_weight": 10, "weigher": lambda result, x: result}
    f = colour.cached(tc.mcache(**options, cache_exceptions={NotFound: 60}), body)

    def script():
        yield lambda: f(7)
        for x in (-1, -2, -1, -2):
            with pytest.raises(NotFound):
                yield lambda x=x: f(x)

    play(script)
    assert f.stats().weight == 9
    assert f.stats().loads == 1
    assert f.stats().load_failures == 2


def test_max_bytes_of_a_store_in_memory_bounds_them_too(tc):
    def load():
        raise NotFound("x" * 10_000)

    cache = tc.Cache(max_bytes=100_000, cache_exceptions={NotFound: 60}, name="with exceptions")
    for x in range(30):
        with pytest.raises(NotFound):
            cache.get_or_load(f"key {x}", load)
    stats = cache.stats()
    assert 0 < stats.currsize < 10
    assert 10_000 * stats.currsize < stats.weight <= 100_000
    cache.close()

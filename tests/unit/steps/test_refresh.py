"""Stale values and early ones: answered at once, computed once behind the caller's back."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from random import seed

import pytest

from tests.fixtures.background import settle_threads
from tests.fixtures.colours import COLOURS, PATIENCE, SETTLED, Begin


class Failure(Exception):
    pass


@pytest.fixture(params=["memory", "mapping"])
def place(request):
    return request.param


def names(told):
    return [type(event).__name__ for event in told]


# -- stale -----------------------------------------------------------------------------------------


def test_a_stale_value_answers_while_a_new_one_is_computed(shop, play, clock, told):
    shop = shop(ttl=10, stale=20)

    def script():
        assert (yield shop) == "run 1"
        clock.advance(15)
        gate = shop.hold(2)
        for _ in range(5):
            assert (yield shop) == "run 1"  # and nobody waits
        gate.set()
        yield SETTLED
        assert (yield shop) == "run 2"
        assert len(shop.runs) == 2

    play(script)
    stats = shop.stats()
    assert (stats.stale_hits, stats.refreshes, stats.loads) == (5, 1, 2)
    stale = [event for event in told if type(event).__name__ == "StaleServed"]
    assert [(event.reason, event.age) for event in stale] == [("refreshing", 5.0)] * 5
    assert names(told).count("Refreshed") == 1


def test_past_its_stale_time_a_value_answers_no_more(shop, play, clock):
    shop = shop(ttl=10, stale=20)

    def script():
        yield shop
        clock.advance(30.1)
        assert (yield shop) == "run 2"

    play(script)
    assert shop.stats().refreshes == 0


def test_a_refresh_that_fails_leaves_the_stale_value(shop, play, clock, told):
    shop = shop(ttl=10, stale=20)
    shop.failing.update({2: Failure(), 3: Failure(), 4: Failure()})

    def script():
        yield shop
        clock.advance(11)
        for _ in range(2):
            assert (yield shop) == "run 1"
            yield SETTLED
        assert len(shop.runs) == 3  # each call tries again
        clock.advance(20)
        with pytest.raises(Failure):
            yield shop
        assert (yield shop) == "run 5"

    play(script)
    assert shop.stats().refresh_failures == 2
    failed = [event for event in told if type(event).__name__ == "RefreshFailed"]
    assert [event.error for event in failed] == ["Failure"] * 2


def test_a_call_that_finds_nothing_joins_the_refresh_that_is_on_its_way(shop, play, clock):
    shop = shop(ttl=10, stale=20)
    gate = shop.hold(2)

    def script():
        yield shop
        clock.advance(15)
        assert (yield shop) == "run 1"
        clock.advance(20)  # now it can't answer any more
        join = yield Begin(shop)
        yield 0.02
        gate.set()
        assert (yield join) == "run 2"
        assert len(shop.runs) == 2

    play(script)


def test_a_refresh_that_waits_for_a_thread_is_waited_for_by_nobody(tc, clock, monkeypatch):
    """It may be for the very call that keeps the thread: so that computes by itself."""
    apart = import_module(f"{tc.__name__}._run.apart")
    monkeypatch.setattr(apart, "_behind", apart.Workers(most=1, waiting=9))
    busy, gate = threading.Event(), threading.Event()
    runs = {"inner": 0, "outer": 0}

    @tc.mcache(ttl=10, stale=20, clock=clock)
    def inner(x):
        runs["inner"] += 1
        return f"inner {runs['inner']}"

    @tc.mcache(ttl=10, stale=20, clock=clock)
    def outer(x):
        runs["outer"] += 1
        if runs["outer"] == 1:
            return "outer"
        busy.set()
        gate.wait(PATIENCE)
        return inner(x)

    assert (inner(1), outer(1)) == ("inner 1", "outer")
    clock.advance(15)
    assert outer(1) == "outer"
    assert busy.wait(PATIENCE)
    assert inner(1) == "inner 1"  # its refresh waits for the one thread
    clock.advance(20)
    gate.set()
    assert COLOURS["def"].together(lambda: inner(1)) == ["inner 2"]
    settle_threads(apart)
    assert outer(1) == "inner 2"
    assert runs == {"inner": 2, "outer": 2}


def test_a_refresh_in_a_task_that_has_not_begun_is_taken_back_likewise(tc, clock):
    runs = []

    @tc.mcache(ttl=10, stale=20, clock=clock)
    async def f(x):
        runs.append(x)
        return f"run {len(runs)}"

    async def main():
        await f(1)
        clock.advance(15)
        assert await f(1) == "run 1"  # its task comes next
        clock.advance(20)
        assert await f(1) == "run 2"
        await asyncio.sleep(0.01)
        assert await f(1) == "run 2"

    asyncio.run(main())
    assert f.stats().refreshes == 0


def test_each_key_is_refreshed_by_itself(shop, play, clock):
    shop = shop(ttl=10, stale=20)

    def script():
        for x in range(10):
            yield lambda x=x: shop(x)
        clock.advance(15)
        for x in range(10):
            assert (yield lambda x=x: shop(x)) == f"run {x + 1}"
        yield SETTLED
        assert sorted(shop.runs) == sorted([*range(10)] * 2)

    play(script)


def test_a_forced_computation_does_not_fall_back(shop, play, clock):
    shop = shop(ttl=10, stale=20)
    shop.failing[2] = Failure()

    def script():
        yield shop
        clock.advance(15)
        with pytest.raises(Failure):
            yield lambda: shop.f.refresh(1)

    play(script)


def test_what_was_changed_meanwhile_is_not_refreshed(shop, play, clock):
    shop = shop(ttl=10, stale=20)
    gate = shop.hold(2)

    def script():
        yield shop
        clock.advance(15)
        yield shop
        while len(shop.runs) < 2:
            yield 0.001
        yield lambda: shop.f.put("by hand", 1)
        gate.set()
        yield SETTLED
        assert (yield shop) == "by hand"

    play(script)


def test_a_refresh_that_was_not_begun_when_the_value_was_changed_is_dropped(tc, play, clock):
    runs = []

    @tc.mcache(ttl=10, stale=20, clock=clock)
    async def f(x):
        runs.append(x)
        return len(runs)

    async def main():
        await f(1)
        clock.advance(15)
        assert await f(1) == 1  # its task comes next
        await f.put("by hand", 1)
        await asyncio.sleep(0.01)
        assert await f(1) == "by hand"

    asyncio.run(main())
    assert runs == [1]


def test_a_refresh_that_comes_upon_its_own_key_gets_the_stale_value(colour, decorator, play, clock):
    def body(n):
        runs.append(n)
        if len(runs) > 1:
            return ["new", (yield lambda: f(n))]
        return "old"

    runs = []
    f = colour.cached(decorator(ttl=10, stale=20), body)

    def script():
        assert (yield lambda: f(1)) == "old"
        clock.advance(15)
        assert (yield lambda: f(1)) == "old"
        yield SETTLED
        assert (yield lambda: f(1)) == ["new", "old"]

    play(script)
    assert runs == [1, 1]


def test_it_does_not_wait_for_the_call_that_waits_for_it(colour, decorator, play, clock):
    def body(n):
        runs.append(n)
        if len(runs) == 2:
            return ["new", (yield lambda: f(n))]
        return f"run {len(runs)}"

    runs = []
    f = colour.cached(decorator(ttl=10, stale=20, soft_timeout=PATIENCE), body)

    def script():
        yield lambda: f(1)
        clock.advance(15)
        assert (yield lambda: f(1)) == ["new", "run 3"]

    play(script)


def test_a_refresh_cut_off_with_its_event_loop_is_made_up_for(decorator, clock):
    """A script that runs several loops, one after the other: each ends with what goes on in it."""
    runs = []

    async def f(x):
        runs.append(x)
        await asyncio.sleep(0.01 if len(runs) > 1 else 0)
        return len(runs)

    f = decorator(ttl=10, stale=1000)(f)
    assert asyncio.run(f(1)) == 1
    clock.advance(15)
    for _ in range(3):
        assert asyncio.run(f(1)) == 1

    async def main():
        assert await f(1) == 1
        await asyncio.sleep(0.1)
        return await f(1)

    assert asyncio.run(main()) >= 2


def test_a_refresh_in_an_event_loop_that_has_stopped_is_made_up_for(decorator, clock):
    runs = []

    async def f(x):
        runs.append(x)
        if len(runs) == 2:
            await asyncio.Event().wait()
        return f"run {len(runs)}"

    f = decorator(ttl=10, stale=1000)(f)
    assert asyncio.run(f(1)) == "run 1"
    clock.advance(15)
    stopped = asyncio.new_event_loop()
    try:
        assert stopped.run_until_complete(f(1)) == "run 1"
        stopped.run_until_complete(asyncio.sleep(0.05))
        assert len(runs) == 2

        async def main():
            assert await f(1) == "run 1"
            await asyncio.sleep(0.1)
            return await f(1)

        assert asyncio.run(main()) == "run 3"
        for task in asyncio.all_tasks(stopped):
            task.cancel()
        stopped.run_until_complete(asyncio.sleep(0.01))
    finally:
        stopped.close()


def test_a_refresh_may_wait_for_who_began_it(tc, clock):
    """The call that found the stale value doesn't wait for the new one, so no circle closes."""
    runs = []

    @tc.mcache
    async def outer(x):
        runs.append("outer")
        assert await inner(x) == "old"
        await asyncio.sleep(0.05)
        return "outer"

    @tc.mcache(ttl=10, stale=20, clock=clock)
    async def inner(x):
        runs.append("inner")
        return "old" if runs == ["inner"] else ["new", await outer(x)]

    async def main():
        await inner(1)
        clock.advance(15)
        assert await outer(1) == "outer"
        await asyncio.sleep(0.01)
        assert await inner(1) == ["new", "outer"]

    asyncio.run(main())
    assert runs == ["inner", "outer", "inner"]


def test_without_an_event_loop_a_stale_value_is_computed_anew_at_once(decorator, clock):
    async def f(x):
        runs.append(x)
        if len(runs) == 3:
            raise Failure
        return len(runs)

    def by_hand(coroutine):
        with pytest.raises(StopIteration) as end:
            coroutine.send(None)
        return end.value.value

    runs = []
    f = decorator(ttl=10, stale=20)(f)
    assert by_hand(f(1)) == 1
    clock.advance(15)
    assert by_hand(f(1)) == 2
    clock.advance(15)
    assert by_hand(f(1)) == 2  # the third run failed


# -- soft_timeout ----------------------------------------------------------------------------------


def test_with_a_soft_timeout_the_new_value_answers_if_it_comes_in_time(shop, play, clock):
    shop = shop(ttl=10, stale=20, soft_timeout=PATIENCE)

    def script():
        yield shop
        clock.advance(15)
        assert (yield shop) == "run 2"
        yield SETTLED

    play(script)
    assert shop.stats().stale_hits == 0


def test_with_copy_each_who_waits_for_the_new_value_gets_its_own(tc, colour, play, clock):
    def body(x):
        runs.append(x)
        if len(runs) == 2:
            yield gate
        return [len(runs)]

    runs, gate = [], threading.Event()
    decorate = tc.mcache(ttl=10, stale=20, soft_timeout=PATIENCE, copy=True, clock=clock)
    f = colour.cached(decorate, body)

    def script():
        yield lambda: f(1)
        clock.advance(15)
        joins = []
        for _ in range(3):
            joins.append((yield Begin(lambda: f(1))))
        yield 0.05
        gate.set()
        answers = []
        for join in joins:
            answers.append((yield join))
        assert answers == [[2]] * 3
        answers[0].append("mine")
        assert answers[1:] == [[2]] * 2
        answers[1].append("mine")
        assert answers[2] == [2]
        assert (yield lambda: f(1)) == [2]

    play(script)


def test_after_a_soft_timeout_the_stale_value_answers_and_the_load_goes_on(shop, play, clock, told):
    shop = shop(ttl=10, stale=20, soft_timeout=0.02)
    gate = shop.hold(2)

    def script():
        yield shop
        clock.advance(15)
        assert (yield shop) == "run 1"
        gate.set()
        yield SETTLED
        assert (yield shop) == "run 2"

    play(script)
    assert [event.reason for event in told if type(event).__name__ == "StaleServed"] == ["slow"]


def test_a_failure_within_the_soft_timeout_is_answered_by_the_stale_value(shop, play, clock, told):
    shop = shop(ttl=10, stale=20, soft_timeout=PATIENCE)
    shop.failing[2] = Failure()

    def script():
        yield shop
        clock.advance(15)
        assert (yield shop) == "run 1"
        yield SETTLED

    play(script)
    assert [event.reason for event in told if type(event).__name__ == "StaleServed"] == ["failed"]
    assert shop.stats().stale_hits == 1


# -- early -----------------------------------------------------------------------------------------


def test_in_the_last_part_of_its_life_a_value_is_refreshed_ahead(shop, play, clock):
    shop = shop(ttl=100, refresh_ahead=0.8)

    def script():
        yield shop
        clock.advance(79)
        assert (yield shop) == "run 1"
        yield SETTLED
        assert len(shop.runs) == 1
        clock.advance(2)
        assert (yield shop) == "run 1"
        yield SETTLED
        assert (yield shop) == "run 2"
        clock.advance(79)
        assert (yield shop) == "run 2"  # its life began with the refresh
        assert len(shop.runs) == 2
        clock.advance(22)
        assert (yield shop) == "run 3"  # past its time, and not stale

    play(script)
    assert shop.stats().stale_hits == 0
    assert shop.stats().refreshes == 1


def test_an_early_refresh_that_fails_leaves_the_value(shop, play, clock):
    shop = shop(ttl=100, refresh_ahead=0.8)
    shop.failing[2] = Failure()

    def script():
        yield shop
        clock.advance(90)
        assert (yield shop) == "run 1"
        yield SETTLED
        assert (yield shop) == "run 1"
        yield SETTLED
        assert (yield shop) == "run 3"

    play(script)


@pytest.mark.thread_unsafe(reason="seeds the generator of random numbers")
def test_with_beta_what_took_long_is_computed_early(colour, decorator, play, clock):
    """The function takes 10 ms; with a beta of 100 it is due for some seconds before its end."""

    def body(x):
        runs.append(x)
        yield 0.01
        return len(runs)

    runs = []
    f = colour.cached(decorator(ttl=1000, beta=100), body)

    def script():
        yield lambda: f(1)
        clock.advance(900)
        for _ in range(20):
            assert (yield lambda: f(1)) == 1  # exp(-100): never
        yield SETTLED
        assert len(runs) == 1
        clock.advance(99.99)
        for _ in range(20):
            yield lambda: f(1)
        yield SETTLED
        assert len(runs) == 2
        assert (yield lambda: f(1)) == 2

    seed(4)
    play(script)


# -- bounds, and the end ---------------------------------------------------------------------------


def test_close_waits_for_what_goes_on_in_the_background(tc, clock, tmp_path):
    gate = threading.Event()
    runs = []

    @tc.ucache(f"sqlite:///{tmp_path}/store.db", ttl=10, stale=1000, clock=clock, name="slow")
    def f(x):
        runs.append(x)
        if len(runs) == 2:
            gate.wait(PATIENCE)
        return len(runs)

    assert f(1) == 1
    clock.advance(15)
    assert f(1) == 1
    threading.Timer(0.02, gate.set).start()
    f.close()
    assert f.stats().refreshes == 1
    assert f.stats().engine_errors == 0


@pytest.mark.parametrize("way", COLOURS)
def test_there_is_a_bound_to_what_goes_on_in_the_background(tc, way, clock, decorator, monkeypatch):
    """Past it stale values answer, and nothing is begun."""
    apart = import_module(f"{tc.__name__}._run.apart")
    gate = threading.Event()
    colour = COLOURS[way]
    runs = []

    def body(x):
        runs.append(x)
        if len(runs) > 20:
            yield gate
        return x

    f = colour.cached(decorator(ttl=10, stale=1000), body)
    monkeypatch.setattr(apart, "_MOST", 3)
    monkeypatch.setattr(apart, "_behind", apart.Workers(most=2, waiting=1))

    def script():
        for x in range(20):
            yield lambda x=x: f(x)
        clock.advance(15)
        for x in range(20):
            assert (yield lambda x=x: f(x)) == x
        yield 0.05
        gate.set()
        yield SETTLED
        assert len(runs) == 23
        assert (yield lambda: f(19)) == 19  # again, now that there is room
        yield SETTLED
        assert len(runs) == 24

    colour.play(script, apart)

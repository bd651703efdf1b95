"""Who waits for a flight, and who mustn't."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.fixtures.colours import PATIENCE, Def, until
from twat_cache._run.flight import HANDED_OVER, Flight, Flights, leave, running_loop
from twat_cache._run.join import Join


class Failure(Exception):
    pass


def led():
    """A flight that somebody else leads."""
    flight = Flight()
    flight.mark = object()
    return flight


def arun(effect):
    return asyncio.run(effect.arun())


@pytest.mark.parametrize("wait", [Join.run, arun])
def test_who_comes_late_does_not_wait(wait):
    flight = led()
    flight.value = 1
    flight.end()
    assert wait(Join(flight)) is True
    assert flight.outcome() == 1


@pytest.mark.parametrize("wait", [Join.run, arun])
def test_all_who_wait_are_woken(wait):
    flight = led()
    join = Def().start(*[lambda: wait(Join(flight))] * 5)
    until(lambda: len(flight.wakers) == 5)
    flight.end()
    assert join() == [True] * 5
    assert flight.wakers == []


@pytest.mark.parametrize("wait", [Join.run, arun])
def test_one_waits_for_no_longer_than_is_said_and_leaves_nothing(wait):
    flight = led()
    assert wait(Join(flight, 0.01)) is True
    assert not flight.is_over
    assert flight.wakers == []


def test_a_length_of_time_may_be_beyond_all_bounds():
    flight = led()
    join = Def().start(lambda: Join(flight, 1e12).run())
    until(lambda: flight.wakers)
    flight.end()
    assert join() == [True]


def test_an_outcome_is_a_value_or_a_copy_of_an_exception():
    flight = Flight()
    assert flight.outcome() is HANDED_OVER
    error = flight.error = Failure(1)
    with pytest.raises(Failure) as raised:
        flight.outcome()
    assert raised.value is not error
    assert raised.value.__cause__ is error


def test_a_thread_does_not_wait_for_itself():
    flight = Flight()
    flight.mark = threading.get_ident()
    assert Join(flight).run() is False


def test_two_threads_do_not_wait_for_each_other():
    """Whoever comes second is refused, whatever the moment."""
    for _ in range(50):
        flights = [Flight(), Flight()]
        ready = threading.Barrier(2)

        def work(mine, other):
            mine.mark = threading.get_ident()
            ready.wait(PATIENCE)
            joined = Join(other).run()
            mine.end()
            return joined

        came = Def().together(
            lambda: work(flights[0], flights[1]), lambda: work(flights[1], flights[0])
        )
        assert sorted(came) in ([False, True], [True, True])  # or it was over already


def test_a_coroutine_does_not_wait_for_itself_nor_do_its_tasks():
    async def main():
        flight = Flight()
        token = flight.lead(running_loop())
        assert await Join(flight).arun() is False
        assert await asyncio.ensure_future(Join(flight).arun()) is False
        assert await asyncio.to_thread(Join(flight).run) is False
        leave(token)
        waiting = asyncio.ensure_future(Join(flight).arun())
        await asyncio.sleep(0)
        flight.end()
        assert await waiting is True

    asyncio.run(main())


def test_a_mark_is_left_where_it_was_made():
    """A coroutine may be collected, and so ended, in any context."""
    flight = Flight()

    async def main():
        return flight.lead(running_loop())

    leave(asyncio.run(main()))


def test_flights_are_removed_by_who_put_them_there():
    flights, mine, other = Flights(), Flight(), Flight()
    flights["key"] = other
    flights.remove("key", mine)
    assert flights["key"] is other
    flights.remove("key", other)
    flights.remove("key", other)
    assert "key" not in flights


def test_collections_of_flights_are_told_by_identity():
    one, other = Flights(), Flights()
    assert not one == other
    assert len({one, other}) == 2


def test_there_is_no_loop_outside_of_one():
    assert running_loop() is None

    async def main():
        return running_loop() is asyncio.get_running_loop()

    assert asyncio.run(main())

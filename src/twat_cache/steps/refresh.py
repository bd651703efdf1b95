"""Answers at once and computes in the background: `stale=`, `refresh_ahead=`, `beta=`.

A value that is past its time, or near its end, answers while a new one is on its way, once for each
key. With `soft_timeout=`, a call that finds a stale value waits so long for the new one first. A
call that finds none waits for the one that is on its way, if it has begun: one that waits for a
thread may wait for those who wait for it.
"""

from __future__ import annotations

from time import perf_counter

from .. import events
from .._run.apart import Start
from .._run.call import LOADED, STALE, STORED
from .._run.drive import original
from .._run.flight import HANDED_OVER, Flight, Flights
from .._run.join import Join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._run.call import Call, Found, Store
    from .._run.drive import Steps
    from .._run.early import Early
    from .._run.tally import Tally

__all__ = ["refresh"]


def refresh(
    inner: Any,
    store: Store,
    flights: Flights,
    tally: Tally,
    *,
    early: Early | None = None,
    soft_timeout: float = 0.0,
    copier: Callable[[Any], Any] | None = None,
) -> Any:
    """Looks what there is, and has it made anew behind it."""
    begin, waits = _beginning(inner, flights, tally), store.waits

    def step(call: Call) -> Steps[Any]:
        if call.is_forced:
            return (yield from inner(call))
        call.is_looked_up = True
        found = call.found = (yield from store.look(call)) if waits else store.look(call)
        if found is not None and found.left > 0:
            call.origin = STORED
            if is_due(call, found):
                yield from begin(call)
            return found.answer()
        if call.is_alone:
            return (yield from inner(call))
        if found is None or found.raised:
            value = yield from new(_begun(call, flights), None)
            return (yield from inner(call)) if value is HANDED_OVER else value
        value = yield from new((yield from begin(call)), soft_timeout)
        return stale(call, found) if value is HANDED_OVER else value

    def is_due(call: Call, found: Found) -> bool:
        if early is None or call.is_alone or found.raised:
            return False
        return early.is_due(found.left, found.margin)

    def new(flight: Flight | None, seconds: float | None) -> Steps[Any]:
        """What the flight comes to in so many seconds, None being without end."""
        if flight is None or seconds == 0:
            return HANDED_OVER
        try:
            yield Join(flight, seconds)
            value = flight.outcome()
            return value if copier is None or value is HANDED_OVER else copier(value)
        finally:
            del flight  # exceptions refer to this frame, and it to one

    def stale(call: Call, found: Found) -> Any:
        call.origin = STALE
        if events.hooks:
            age, reason = max(-found.left, 0.0), "slow" if soft_timeout else "refreshing"
            events.emit(events.StaleServed(tally.name, tally.shown(call), age, reason))
        return found.value

    return step


def _begun(call: Call, flights: Flights) -> Flight | None:
    """The computation that is on its way; one that hasn't begun is taken back instead."""
    flight = flights.get(call.key)
    if flight is not None and flight.mark is None:
        flights.remove(call.key, flight)
        if flight.mark is None:  # so whoever begins it now finds that it is gone
            return None
    return flight


def _beginning(inner: Any, flights: Flights, tally: Tally) -> Any:
    """What has values computed in the background, each once at a time."""

    def begin(call: Call) -> Steps[Flight | None]:
        """The computation of the call; None if there is none, and too much of others."""
        mine = Flight()
        is_begun = False
        try:
            while (flight := flights.setdefault(call.key, mine)) is not mine:
                if not (flight.is_over or flight.is_stranded()):
                    return flight
                flights.remove(call.key, flight)
            is_begun = yield Start(behind(call.behind(), mine), mine)
        finally:
            if not is_begun:
                flights.remove(call.key, mine)
        return mine if is_begun else None

    def behind(call: Call, mine: Flight) -> Steps[Any]:
        start = perf_counter()
        try:
            if flights.get(call.key) is not mine:  # changed by hand before it could begin
                return HANDED_OVER
            value = yield from inner(call)
        except Exception as error:
            tally.refresh_failed()
            if events.hooks:
                took, name = perf_counter() - start, type(original(error)).__name__
                events.emit(events.RefreshFailed(tally.name, tally.shown(call), took, name))
            raise
        finally:
            flights.remove(call.key, mine)
            del mine  # exceptions refer to this frame, and it to one
        if call.origin == LOADED:  # and by no other process
            tally.refreshed()
            if events.hooks:
                took = perf_counter() - start
                events.emit(events.Refreshed(tally.name, tally.shown(call), took))
        return value

    return begin

"""Answers at once and computes in the background: `stale=`, `refresh_ahead=`, `beta=`.

A value that is past its time, or near its end, answers while a new one is on its way, once for each
key. With `soft_timeout=`, a call that finds a stale value waits so long for the new one first.
"""

from __future__ import annotations

from time import perf_counter

from .. import events
from .._run.call import STALE, STORED
from .._run.drive import Halted
from .._run.effects import Start
from .._run.flight import HANDED_OVER, Flight, Flights, Join, twin

TYPE_CHECKING = False
if TYPE_CHECKING:
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
) -> Any:
    """Looks what there is, and has it made anew behind it."""

    def step(call: Call) -> Steps[Any]:
        if call.is_forced:
            return (yield from inner(call))
        call.is_looked_up = True
        found = call.found = yield from store.look(call)
        if found is None or (found.raised and found.left <= 0):
            return (yield from inner(call))
        if found.left > 0:
            if found.raised:
                return (yield from inner(call))
            call.origin = STORED
            if early is not None and early.is_due(found.left, found.margin):
                yield from begin(call)
            return found.value
        flight = yield from begin(call)
        if flight is not None and soft_timeout and not flight.waits_for_me():
            yield Join(flight, soft_timeout)
            if flight.error is not None:
                raise twin(flight.error)
            if flight.value is not HANDED_OVER:
                return flight.value
        return stale(call, found, "slow" if soft_timeout else "refreshing")

    def begin(call: Call) -> Steps[Flight | None]:
        mine = Flight()
        flight = flights.setdefault(call.key, mine)
        if flight is mine:
            if (yield Start(behind(call.anew(), mine), mine)):
                return mine
            flights.remove(call.key, mine)
            return None
        return flight

    def behind(call: Call, mine: Flight) -> Steps[Any]:
        start = perf_counter()
        try:
            value = yield from inner(call)
        except Exception as error:
            tally.refresh_failed()
            if events.hooks:
                took = perf_counter() - start
                cause = error.error if type(error) is Halted else error
                name = type(cause).__name__
                events.emit(events.RefreshFailed(tally.name, tally.shown(call), took, name))
            raise
        finally:
            flights.remove(call.key, mine)
        tally.refreshed()
        if events.hooks:
            took = perf_counter() - start
            events.emit(events.Refreshed(tally.name, tally.shown(call), took))
        return value

    def stale(call: Call, found: Found, reason: str) -> Any:
        call.origin = STALE
        if events.hooks:
            age = max(-found.left, 0.0)
            events.emit(events.StaleServed(tally.name, tally.shown(call), age, reason))
        return found.value

    return step

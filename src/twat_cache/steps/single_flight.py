"""One computation for each key at a time, whoever asks: threads, tasks, event loops.

The first who misses a key *leads*; those who miss it meanwhile wait, and share what comes of it.

- An exception reaches all who wait, each a copy of its own, and is not kept.
- A leader that gives up (is cancelled, interrupted) hands over to one of those who wait. One who
  waits and gives up disturbs nobody.
- A computation that comes upon its own key, in its thread or task or in one that it started with
  its context, runs the function instead of waiting for itself; so does the second of two that would
  wait for each other. What comes of that is not kept.
- After `invalidate`, `put` or `cache_clear` nobody joins a computation that began before.
"""

from __future__ import annotations

from _thread import get_ident
from time import perf_counter

from .. import events
from .._run.call import JOINED, UNSEEN
from .._run.flight import HANDED_OVER, Flight, Flights, leave
from .._run.join import Join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.tally import Tally

__all__ = ["single_flight"]


def single_flight(
    inner: Any, flights: Flights, tally: Tally, copier: Callable[[Any], Any] | None = None
) -> Any:
    """Leads, or joins who leads already."""

    def step(call: Call) -> Steps[Any]:
        if call.is_alone:
            return (yield from inner(call))
        key = call.key
        mine = flight = Flight()
        token = None
        try:  # from here on, since nobody may find a flight that will never end
            if call.is_forced:
                flights[key] = mine
            while (flight := flights.setdefault(key, mine)) is not mine:
                call.glanced = UNSEEN
                start = perf_counter()
                if not (yield Join(flight)):
                    return (yield call)
                if flight.error is not None or flight.value is not HANDED_OVER:
                    return joined(call, flight, start)
                flights.remove(key, flight)
            if call.landed is not flights.landed:
                call.glanced = UNSEEN
            if call.loop is None:
                mine.mark = get_ident()
            else:
                token = mine.lead(call.loop)
            value = mine.value = yield from inner(call)
        except Exception as error:
            mine.error = error
            raise
        else:
            return value
        finally:
            if token is not None:
                leave(token)
            flights.landed = object()  # before anybody can lead after this
            if flights.get(key) is mine:
                flights.pop(key, None)  # or another's that came just now, which nobody joins then
            mine.end()
            del mine, flight  # exceptions refer to this frame, and they to exceptions

    def joined(call: Call, flight: Flight, start: float) -> Any:
        call.origin = JOINED
        if events.hooks:
            took = perf_counter() - start
            events.emit(events.Waited(tally.name, tally.shown(call), took))
        value = flight.outcome()
        return value if copier is None else copier(value)

    return step

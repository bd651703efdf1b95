"""One computation for each key at a time, whoever asks: threads, tasks, event loops.

The first who misses a key *leads*; those who miss it meanwhile wait, and share what comes of it.

- An exception reaches all who wait, each a copy of its own, and is not kept.
- A leader that gives up (is cancelled, interrupted) hands over to one of those who wait. One who
  waits and gives up disturbs nobody.
- A computation that comes upon its own key, in its thread or task or in one that it started, goes
  on by itself instead of waiting for itself; so do two that would wait for each other.
- After `invalidate`, `put` or `cache_clear` nobody joins a computation that began before.
"""

from __future__ import annotations

from time import perf_counter

from .. import events
from .._run.call import JOINED
from .._run.flight import HANDED_OVER, Flight, Flights, Join, twin

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
        mine = Flight()
        if call.is_forced:
            flights[key] = mine
            return (yield from lead(call, mine))
        while True:
            flight = flights.setdefault(key, mine)
            if flight is mine:
                return (yield from lead(call, mine))
            if flight.waits_for_me():
                return (yield from inner(call))
            start = perf_counter()
            yield Join(flight)
            if flight.error is not None:
                raise twin(flight.error)
            if flight.value is not HANDED_OVER:
                call.origin = JOINED
                if events.hooks:
                    took = perf_counter() - start
                    events.emit(events.Waited(tally.name, tally.shown(call), took))
                return flight.value if copier is None else copier(flight.value)
            flights.remove(key, flight)

    def lead(call: Call, mine: Flight) -> Steps[Any]:
        mine.lead()
        try:
            value = mine.value = yield from inner(call)
        except Exception as error:
            mine.error = error
            raise
        finally:
            mine.leave()
            flights.remove(call.key, mine)
            mine.end()
        return value

    return step

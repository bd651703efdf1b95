"""`hard_timeout=`: nobody waits longer than this for the function.

A function that takes longer goes on by itself, and what it comes to is stored: the next call may
find it. A `def` function runs in a thread of its own, in a copy of the caller's context; a
coroutine function in a task of its own, which is cancelled with the caller. Without an asyncio loop
there is no limit.
"""

from __future__ import annotations

from .._run.apart import Start
from .._run.flight import Flight
from .._run.join import Join
from ..errors import LoadTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.tally import Tally

__all__ = ["timeout"]


def timeout(inner: Any, seconds: float, tally: Tally) -> Any:
    """Raises `LoadTimeoutError` after so many seconds."""

    def step(call: Call) -> Steps[Any]:
        if call.is_alone:
            return (yield from inner(call))
        flight = Flight()
        try:
            if not (yield Start(inner(call.again()), flight, is_awaited=True)):
                raise LoadTimeoutError(
                    f"{tally.name}() was not called: too many calls before it go on past their "
                    f"hard_timeout={seconds:g} seconds"
                )
            try:
                yield Join(flight, seconds)
            except BaseException:
                flight.give_up()
                raise
            if not flight.is_over:
                raise LoadTimeoutError(
                    f"{tally.name}() took longer than hard_timeout={seconds:g} seconds. Give it "
                    "more, or stale= a time in which the value before may answer instead"
                )
            if flight.error is not None:
                raise flight.error
            return flight.value
        finally:
            del flight  # exceptions refer to this frame, and it to one

    return step

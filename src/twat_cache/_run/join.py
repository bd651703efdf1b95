"""Waiting for a flight, and never for oneself, at whatever remove.

Each flight bears its leader's *mark*: the number of a thread; or, of a coroutine, a bare object
that it leaves in its context, where its tasks and theirs find it, and threads that get a copy of
the context. Who waits notes for which flight, and on behalf of which marks; whoever would close a
circle is refused. The notes are made under a lock, so of two who would wait for each other the
second one sees the first.
"""

from __future__ import annotations

import os
from _thread import RLock, allocate_lock, get_ident

from .flight import led_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .flight import Flight, Marks

__all__ = ["Join"]

_LOOK_AGAIN = 0.25  # seconds between two looks at whether another loop still runs
_LONGEST = 4_000_000.0  # seconds, some 46 days: no platform's locks wait longer


class Join:
    """The effect of waiting until a flight is over, or stranded, or for so many seconds.

    The answer is False, at once, if that would be to wait for oneself.
    """

    __slots__ = ("_flight", "_seconds")

    def __init__(self, flight: Flight, seconds: float | None = None) -> None:
        """Waits for this flight; None is without end."""
        self._flight = flight
        self._seconds = None if seconds is None else min(seconds, _LONGEST)

    def run(self) -> bool:
        """Blocks this thread; for a thread, since no thread waits for a coroutine."""
        flight, seconds = self._flight, self._seconds
        marks = _begin_waiting(flight)
        if marks is None:
            return False
        gate = allocate_lock()
        gate.acquire()
        flight.wakers.append(gate.release)
        try:
            if not flight.is_over:
                gate.acquire(timeout=-1 if seconds is None else seconds)
            return True
        finally:
            _end_waiting(flight, marks, gate.release)

    async def arun(self) -> bool:
        """Suspends this task."""
        import asyncio

        flight, seconds = self._flight, self._seconds
        marks = _begin_waiting(flight)
        if marks is None:
            return False
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        thread = get_ident()

        def land() -> None:
            if not over.done():
                over.set_result(None)

        def wake() -> None:
            if get_ident() == thread:
                land()
                return
            try:
                loop.call_soon_threadsafe(land)
            except RuntimeError:  # closed: nobody waits there any more
                pass

        flight.wakers.append(wake)
        try:
            if flight.is_over:
                return True
            if seconds is None and flight.loop is loop:
                await over
                return True
            while True:
                await asyncio.wait([over], timeout=_LOOK_AGAIN if seconds is None else seconds)
                if over.done() or seconds is not None or flight.is_stranded():
                    return True
        finally:
            _end_waiting(flight, marks, wake)


# -- who waits for whom ----------------------------------------------------------------------------

_waits: dict[object, list[Flight]] = {}
"""For each mark of those who wait what they wait for."""
_noting = RLock()  # a signal's handler or a finalizer may come upon a cached function right here


def _begin_waiting(flight: Flight) -> Marks | None:
    """Notes that this context waits; None if it would wait for itself."""
    marks = (get_ident(), *led_here.get())
    with _noting:
        if _reaches(flight, marks):
            return None
        for mark in marks:
            _waits.setdefault(mark, []).append(flight)
    return marks


def _end_waiting(flight: Flight, marks: Marks, wake: Callable[[], object]) -> None:
    flight.wakers.remove(wake)
    with _noting:
        for mark in marks:
            waits = _waits.get(mark, [])
            if flight in waits:
                waits.remove(flight)
            if not waits:
                _waits.pop(mark, None)


def _reaches(flight: Flight, goals: Marks) -> bool:
    """Whether the flight waits for who bears one of the marks, or is led by one."""
    ahead, seen = [flight], set()
    while ahead:
        mark = ahead.pop().mark
        if mark in goals:
            return True
        if mark not in seen:
            seen.add(mark)
            ahead += _waits.get(mark, ())
    return False


def _forget_all() -> None:
    _noting.release()
    _waits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_noting.acquire, after_in_parent=_noting.release, after_in_child=_forget_all
    )

"""A computation on its way, and those who wait for it: threads and tasks, of any event loop.

Nobody may wait for himself, at whatever remove. So each flight bears its leader's *mark*: the
number of a thread; or, of a coroutine, a bare object that it leaves in its context, where its tasks
and theirs find it, and threads that get a copy of the context. Who waits notes for which flight,
and on behalf of which marks; whoever would close a circle is refused. The notes are made under a
lock, so of two who would wait for each other the second one sees the first.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, allocate_lock, get_ident
from contextvars import ContextVar
from weakref import WeakSet

from .exceptions import twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task
    from collections.abc import Callable, Hashable
    from contextvars import Token
    from typing import Any, TypeAlias

    Marks: TypeAlias = tuple[object, ...]

__all__ = ["HANDED_OVER", "Flight", "Flights", "Join", "leave", "running_loop", "stand_apart"]

HANDED_OVER: Any = type("_HandedOver", (), {"__repr__": lambda self: "HANDED_OVER"})()
"""What a flight comes to whose leader gave up: somebody else has to lead."""

_LOOK_AGAIN = 0.25  # seconds between two looks at whether another loop still runs
_LONGEST = 4_000_000.0  # seconds, some 46 days: no platform's locks wait longer
_led_here: ContextVar[Marks] = ContextVar("twat_cache.led_here", default=())


class Flight:
    """One computation: what it came to, and who waits.

    Attributes:
        value: What it came to; `HANDED_OVER` as long as, or if, that is nothing.
        error: Or what was raised.
        is_over: Whether it has ended.
        loop: The event loop that it depends on; None if there is none.
        task: The task that does nothing else.
        mark: The mark of its leader; a thread sets it to its number.
    """

    __slots__ = ("_wakers", "error", "is_over", "loop", "mark", "task", "value")

    def __init__(self) -> None:
        """Begins; who leads it says so."""
        self.value: Any = HANDED_OVER
        self.error: BaseException | None = None
        self.is_over = False
        self.loop: AbstractEventLoop | None = None
        self.task: Task[Any] | None = None
        self.mark: object = None
        self._wakers: list[Callable[[], object]] = []

    def lead(self, loop: AbstractEventLoop) -> Token[Marks]:
        """A coroutine computes; what it calls until `leave` is part of this flight."""
        self.loop, self.mark = loop, object()
        return _led_here.set((*_led_here.get(), self.mark))

    def end(self) -> None:
        """Wakes all who wait."""
        self.is_over = True  # first: who comes to wait after the copy was made sees this
        for wake in self._wakers.copy():
            wake()

    def outcome(self) -> Any:
        """What it came to; an exception is raised, as a copy."""
        if isinstance(self.error, Exception):
            raise twin(self.error)
        return self.value

    def is_stranded(self) -> bool:
        """Whether its leader is in another event loop, which has stopped."""
        loop = self.loop
        return loop is not None and loop is not running_loop() and not loop.is_running()

    def give_up(self) -> None:
        """Nobody wants it any more: its task is cancelled. A thread goes on."""
        if self.task is not None and self.loop is running_loop():
            self.task.cancel()


def leave(token: Token[Marks]) -> None:
    """Who called `lead` has computed."""
    try:
        _led_here.reset(token)
    except ValueError:  # a coroutine that nobody finishes ends wherever it is collected
        pass


if TYPE_CHECKING:
    _Dict = dict[Hashable, Flight]
else:
    _Dict = dict


class Flights(_Dict):
    """The flights of one cache, by key. Forgotten in a child process: their leaders stay behind."""

    __slots__ = ("__weakref__",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self) -> None:
        """Begins with none."""
        _everywhere.add(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def remove(self, key: Hashable, flight: Flight) -> None:
        """Nobody joins this flight any more."""
        if self.get(key) is flight:
            other = self.pop(key, flight)
            if other is not flight:  # it took the place between the two
                self.setdefault(key, other)


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
        flight._wakers.append(gate.release)
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

        flight._wakers.append(wake)
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


def stand_apart() -> None:
    """Nobody waits for what this context does from now on, so it may wait for whom it likes."""
    _led_here.set(())


def _begin_waiting(flight: Flight) -> Marks | None:
    """Notes that this context waits; None if it would wait for itself."""
    marks = (get_ident(), *_led_here.get())
    with _noting:
        if _reaches(flight, marks):
            return None
        for mark in marks:
            _waits.setdefault(mark, []).append(flight)
    return marks


def _end_waiting(flight: Flight, marks: Marks, wake: Callable[[], object]) -> None:
    flight._wakers.remove(wake)
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


_everywhere: WeakSet[Flights] = WeakSet()


def _forget_all() -> None:
    _noting.release()
    _waits.clear()
    for flights in list(_everywhere):
        flights.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_noting.acquire, after_in_parent=_noting.release, after_in_child=_forget_all
    )


def running_loop() -> AbstractEventLoop | None:
    """The asyncio loop that runs in this thread; None if there is none."""
    find = _find
    if find is None:
        asyncio = sys.modules.get("asyncio")  # where it isn't loaded, no loop of it runs
        find = getattr(asyncio, "_get_running_loop", None)  # or it is being loaded
        if find is None:
            return None
        globals()["_find"] = find
    return find()


_find: Callable[[], AbstractEventLoop | None] | None = None

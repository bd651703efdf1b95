"""A computation on its way, and those who wait for it: threads and tasks, of any event loop.

Nobody may wait for himself, at whatever remove. So a computation leaves its *mark* in the context
that it runs in, where all that it calls finds it: in its thread, in its tasks and theirs, and in
threads that were given a copy of the context. Who waits notes for which flight, and on behalf of
which marks; whoever would close a circle is refused. The notes are made under a lock, so of two who
would wait for each other the second one sees the first. Marks are bare objects: a context that
outlives the computation keeps no result alive.
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

__all__ = ["HANDED_OVER", "Flight", "Flights", "Join", "leave", "running_loop"]

HANDED_OVER: Any = type("_HandedOver", (), {"__repr__": lambda self: "HANDED_OVER"})()
"""What a flight comes to whose leader gave up: somebody else has to lead."""

_LOOK_AGAIN = 0.25  # seconds between two looks at whether another loop still runs
_LONGEST = 4_000_000.0  # seconds, some 46 days: no platform's locks wait longer
_led_here: ContextVar[Marks] = ContextVar("twat_cache._led_here", default=())


class Flight:
    """One computation: what it came to, and who waits.

    Attributes:
        value: What it came to; `HANDED_OVER` as long as, or if, that is nothing.
        error: Or what was raised.
        is_over: Whether it has ended.
        loop: The event loop that it depends on; None if there is none.
        task: The task that does nothing else.
        mark: What it leaves in the context.
    """

    value: Any = HANDED_OVER
    error: BaseException | None = None
    is_over = False
    loop: AbstractEventLoop | None = None
    task: Task[Any] | None = None

    def __init__(self) -> None:
        """Begins, led by whoever calls `lead` next."""
        self.mark = object()
        self._wakers: list[Callable[[], object]] = []

    def lead(self, *, apart: bool = False) -> Token[Marks]:
        """The caller computes; what it calls until `leave` is part of this flight.

        Args:
            apart: Whether nobody waits for it, so that it may wait for whom it likes.
        """
        self.loop = running_loop()
        return _led_here.set((self.mark,) if apart else (*_led_here.get(), self.mark))

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
        """Blocks this thread."""
        flight, seconds = self._flight, self._seconds
        marks = _begin_waiting(flight)
        if marks is None:
            return False
        gate = allocate_lock()
        gate.acquire()
        flight._wakers.append(gate.release)
        try:
            if flight.is_over:
                return True
            if seconds is not None:
                gate.acquire(timeout=seconds)
                return True
            while not gate.acquire(timeout=-1 if flight.loop is None else _LOOK_AGAIN):
                if flight.is_stranded():
                    break
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

_waits: dict[object, list[object]] = {}
"""For each mark of those who wait the marks of what they wait for."""
_noting = RLock()  # a signal's handler or a finalizer may come upon a cached function right here


def _begin_waiting(flight: Flight) -> Marks | None:
    """Notes that this context waits; None if it would wait for itself."""
    marks = _led_here.get()
    if marks:
        with _noting:
            if _reaches(flight.mark, marks):
                return None
            for mark in marks:
                _waits.setdefault(mark, []).append(flight.mark)
    return marks


def _end_waiting(flight: Flight, marks: Marks, wake: Callable[[], object]) -> None:
    flight._wakers.remove(wake)
    if marks:
        with _noting:
            for mark in marks:
                waits = _waits.get(mark, [])
                if flight.mark in waits:
                    waits.remove(flight.mark)
                if not waits:
                    _waits.pop(mark, None)


def _reaches(mark: object, goals: Marks) -> bool:
    """Whether who bears the mark waits for one of the goals, or is one."""
    ahead, seen = [mark], set()
    while ahead:
        one = ahead.pop()
        if one in goals:
            return True
        if one not in seen:
            seen.add(one)
            ahead += _waits.get(one, ())
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
    asyncio = sys.modules.get("asyncio")  # where it isn't loaded, no loop of it runs
    find = getattr(asyncio, "_get_running_loop", None)  # or it is being loaded
    loop: AbstractEventLoop | None = None if find is None else find()
    return loop

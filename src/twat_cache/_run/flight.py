"""A computation on its way, and those who wait for it: threads and tasks, of any event loop."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident
from contextvars import ContextVar
from weakref import WeakSet

from .exceptions import put_together, taken_apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Hashable
    from typing import Any

__all__ = ["HANDED_OVER", "Flight", "Flights", "Join", "running_loop", "twin"]

HANDED_OVER: Any = type("_HandedOver", (), {"__repr__": lambda self: "HANDED_OVER"})()
"""What a flight comes to whose leader gave up: somebody else has to lead."""

_LOOK_AGAIN = 0.25  # seconds between two looks at whether another loop still runs
_turn = allocate_lock()  # for all flights: it is held for some nanoseconds
_led_here: ContextVar[tuple[Flight, ...]] = ContextVar("twat_cache._led_here", default=())


class Flight:
    """One computation: who leads it, who waits, and what it came to.

    Attributes:
        value: What it came to; `HANDED_OVER` as long as, or if, that is nothing.
        error: Or what was raised.
        is_over: Whether it has ended.
    """

    __slots__ = ("_loop", "_waits_for", "_wakers", "_within", "error", "is_over", "value")

    def __init__(self) -> None:
        """Begins, led by whoever calls `lead` next."""
        self.value: Any = HANDED_OVER
        self.error: BaseException | None = None
        self.is_over = False
        self._wakers: list[Callable[[], object]] | None = None
        self._waits_for: Flight | None = None
        self._within: tuple[Flight, ...] = ()
        self._loop: AbstractEventLoop | None = None

    def lead(self) -> None:
        """The caller computes; until `leave`, what it calls is known to be part of this flight."""
        self._loop = running_loop()
        self._within = _led_here.get()
        _led_here.set((*self._within, self))

    def leave(self) -> None:
        """The caller has computed."""
        _led_here.set(self._within)

    def waits_for_me(self) -> bool:
        """Whether to join would be to wait for oneself, at whatever remove."""
        mine = _led_here.get()
        if not mine:
            return False
        flight: Flight | None = self
        for _ in range(100):
            if flight is None:
                return False
            if flight in mine:
                return True
            flight = flight._waits_for
        return True

    def end(self) -> None:
        """Wakes all who wait."""
        with _turn:
            self.is_over = True
            wakers, self._wakers = self._wakers, None
        for wake in wakers or ():
            wake()

    def when_over(self, wake: Callable[[], object]) -> bool:
        """Calls back at the end, from any thread; False if that has been."""
        with _turn:
            if self.is_over:
                return False
            if self._wakers is None:
                self._wakers = []
            self._wakers.append(wake)
            return True

    def is_stranded(self, loop: AbstractEventLoop | None) -> bool:
        """Whether its leader is in another event loop, which has stopped."""
        return self._loop is not None and self._loop is not loop and not self._loop.is_running()


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
            self.pop(key, None)  # another thread may have forgotten it just now


_everywhere: WeakSet[Flights] = WeakSet()


def _forget_all() -> None:
    _turn.release()
    for flights in list(_everywhere):
        flights.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_turn.acquire, after_in_parent=_turn.release, after_in_child=_forget_all
    )


class Join:
    """The effect of waiting until a flight is over, or so many seconds; whether it is over."""

    __slots__ = ("_flight", "_seconds")

    def __init__(self, flight: Flight, seconds: float | None = None) -> None:
        """Waits for this flight; None is without end."""
        self._flight = flight
        self._seconds = seconds

    def run(self) -> bool:
        """Blocks this thread."""
        flight, seconds = self._flight, self._seconds
        gate = allocate_lock()
        gate.acquire()
        if not flight.when_over(gate.release):
            return True
        mine = _led_here.get()
        for led in mine[-1:]:
            led._waits_for = flight
        try:
            if seconds is not None:
                return gate.acquire(timeout=seconds)
            while not gate.acquire(timeout=_LOOK_AGAIN if flight._loop else -1):
                if flight.is_stranded(None):
                    return False
            return True
        finally:
            for led in mine[-1:]:
                led._waits_for = None

    async def arun(self) -> bool:
        """Suspends this task."""
        import asyncio

        flight, seconds = self._flight, self._seconds
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        thread = get_ident()

        def land() -> None:
            if not over.done():
                over.set_result(None)

        def wake() -> None:
            if get_ident() == thread:
                land()
            elif not loop.is_closed():
                try:
                    loop.call_soon_threadsafe(land)
                except RuntimeError:
                    return  # closed just now: nobody waits there any more

        if not flight.when_over(wake):
            return True
        mine = _led_here.get()
        for led in mine[-1:]:
            led._waits_for = flight
        try:
            if seconds is None and (flight._loop is None or flight._loop is loop):
                await over
                return True
            while True:
                await asyncio.wait([over], timeout=_LOOK_AGAIN if seconds is None else seconds)
                if over.done() or seconds is not None or flight.is_stranded(loop):
                    return over.done()
        finally:
            for led in mine[-1:]:
                led._waits_for = None


def running_loop() -> AbstractEventLoop | None:
    """The asyncio loop that runs in this thread; None if there is none."""
    asyncio = sys.modules.get("asyncio")  # where it isn't loaded, no loop of it runs
    if asyncio is None:
        return None
    loop: AbstractEventLoop | None = asyncio._get_running_loop()
    return loop


def twin(error: BaseException) -> BaseException:
    """A copy of an exception, caused by it; the exception itself if it can't be copied well."""
    other = put_together(type(error), taken_apart(error))
    if other is None:
        return error
    other.__cause__ = error
    return other

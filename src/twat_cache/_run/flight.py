"""A computation on its way, which others may join: threads and tasks, of any event loop."""

from __future__ import annotations

import os
import sys
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

__all__ = [
    "HANDED_OVER",
    "Flight",
    "Flights",
    "leave",
    "led_here",
    "running_loop",
    "stand_apart",
]

HANDED_OVER: Any = type("_HandedOver", (), {"__repr__": lambda self: "HANDED_OVER"})()
"""What a flight comes to whose leader gave up: somebody else has to lead."""

led_here: ContextVar[Marks] = ContextVar("twat_cache.led_here", default=())
"""The marks of the coroutines of whose computations this is a part; see `join`."""


class Flight:
    """One computation: what it came to, and who waits.

    Attributes:
        value: What it came to; `HANDED_OVER` as long as, or if, that is nothing.
        error: Or what was raised.
        is_over: Whether it has ended.
        loop: The event loop that it depends on; None if there is none.
        task: The task that does nothing else.
        mark: The mark of its leader; a thread sets it to its number. See `join`.
        wakers: What wakes those who wait.
    """

    __slots__ = ("error", "is_over", "loop", "mark", "task", "value", "wakers")

    def __init__(self) -> None:
        """Begins; who leads it says so."""
        self.value: Any = HANDED_OVER
        self.error: BaseException | None = None
        self.is_over = False
        self.loop: AbstractEventLoop | None = None
        self.task: Task[Any] | None = None
        self.mark: object = None
        self.wakers: list[Callable[[], object]] = []

    def lead(self, loop: AbstractEventLoop) -> Token[Marks]:
        """A coroutine computes; what it calls until `leave` is part of this flight."""
        self.loop, self.mark = loop, object()
        return led_here.set((*led_here.get(), self.mark))

    def end(self) -> None:
        """Wakes all who wait."""
        self.is_over = True  # first: who comes to wait after the copy was made sees this
        for wake in self.wakers.copy():
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
        led_here.reset(token)
    except ValueError:  # a coroutine that nobody finishes ends wherever it is collected
        pass


if TYPE_CHECKING:
    _Dict = dict[Hashable, Flight]
else:
    _Dict = dict


class Flights(_Dict):
    """The flights of one cache, by key. Forgotten in a child process: their leaders stay behind.

    Attributes:
        landed: Another object after each landing, and whenever something was forgotten: what was
            read before is no longer all there is to know.
    """

    __slots__ = ("__weakref__", "landed")
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self) -> None:
        """Begins with none."""
        self.landed = object()
        _everywhere.add(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def remove(self, key: Hashable, flight: Flight) -> None:
        """Nobody joins this flight any more."""
        if self.get(key) is flight:
            other = self.pop(key, flight)
            if other is not flight:  # it took the place between the two
                self.setdefault(key, other)


def stand_apart() -> None:
    """Nobody waits for what this context does from now on, so it may wait for whom it likes."""
    led_here.set(())


_everywhere: WeakSet[Flights] = WeakSet()


def _forget_all() -> None:
    for flights in list(_everywhere):
        flights.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


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

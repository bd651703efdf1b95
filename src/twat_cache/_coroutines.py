"""The miss of a coroutine function: one computation for each key at a time.

The first task that misses a key *leads*: it runs the function and stores the result. Tasks of the
same event loop that miss the key meanwhile wait for it and share what it gives. Another event
loop, or a driver that isn't asyncio, computes for itself.

- An exception reaches all who wait, each a copy of its own, and is not kept.
- A leader that is cancelled hands over to one of those who wait. One who waits and is cancelled
  disturbs nobody.
- A computation that comes upon its own key, in its task or in one that it started, runs the
  function again instead of waiting for itself.
- After `invalidate`, `put` or `cache_clear` nobody joins a computation that began before.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Hashable
    from typing import Any, TypeAlias

    from .async_cached import AsyncCached

    Place: TypeAlias = tuple[AbstractEventLoop, Hashable]

__all__ = ["Leader", "answer", "forget_leaders"]

_MISSING = object()
_HANDED_OVER = object()


class Leader:
    """A task that computes for a key, and those who wait for what it gives."""

    __slots__ = ("error", "result", "waiting")

    def __init__(self) -> None:
        """Starts with nobody waiting; without an end it hands over."""
        self.waiting: list[Future[None]] = []
        self.result: Any = _HANDED_OVER
        self.error: Exception | None = None

    def end(self) -> None:
        """Wakes all who wait."""
        for waiter in self.waiting:
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)


_led_here: ContextVar[tuple[Leader, ...]] = ContextVar("twat_cache._led_here", default=())


async def answer(
    gate: AsyncCached, key: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Answers a miss: computes, or waits for whoever computes already. A core's `on_miss` hook."""
    loop = _running_loop()
    if loop is None:
        return await _compute(gate, key, args, kwargs, None)
    place = (loop, _identity(gate, key))
    while True:
        value = gate.table.peek(key, _MISSING)  # stored since the call was made?
        if value is not _MISSING:
            return gate._copied(value)
        leader = gate._leaders.get(place)
        if leader is None:
            return await _lead(gate, place, key, args, kwargs)
        if leader in _led_here.get():
            return await gate.function(*args, **kwargs)
        waiter = loop.create_future()
        leader.waiting.append(waiter)
        await waiter
        if leader.error is not None:
            raise _twin(leader.error)
        if leader.result is not _HANDED_OVER:
            return gate._copied(leader.result)


async def _lead(
    gate: AsyncCached,
    place: Place,
    key: tuple[Any, ...],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    leaders = gate._leaders
    leader = leaders[place] = Leader()
    outer = _led_here.get()
    _led_here.set((*outer, leader))
    try:
        return await _compute(gate, key, args, kwargs, leader)
    except Exception as error:
        leader.error = error
        raise
    finally:
        _led_here.set(outer)
        if leaders.get(place) is leader:
            leaders.pop(place, None)  # another thread may have forgotten it just now
        leader.end()


async def _compute(
    gate: AsyncCached,
    key: tuple[Any, ...],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    leader: Leader | None,
) -> Any:
    """Runs the function and stores its result, as the core does for other functions."""
    table = gate.table
    flight = table.depart(key)
    try:
        result = await gate.function(*args, **kwargs)
        lasts, weight = gate._terms(result, args, kwargs)
        kept = gate._copied(result)
        if lasts is None or lasts >= 0:
            table.land(flight, kept, lasts, weight=weight)
    finally:
        table.abandon(flight)
    if leader is not None:
        leader.result = kept
    return result


def forget_leaders(gate: AsyncCached, key: tuple[Any, ...]) -> None:
    """Lets nobody else join the computations for a key that are on their way."""
    leaders = gate._leaders
    identity = _identity(gate, key)
    for loop in {loop for loop, _ in list(leaders)}:  # one step, also without the GIL
        leaders.pop((loop, identity), None)


def _identity(gate: AsyncCached, key: tuple[Any, ...]) -> Hashable:
    """The key as a dict may have it: an object that is held weakly is told by identity."""
    return (id(key[0]), *key[1:]) if gate._weak else key


def _running_loop() -> AbstractEventLoop | None:
    asyncio = sys.modules.get("asyncio")  # where it isn't loaded, no loop of it runs
    if asyncio is None:
        return None
    try:
        loop: AbstractEventLoop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    return loop


def _twin(error: Exception) -> Exception:
    """A copy of an exception, caused by it; the exception itself if it can't be copied well."""
    from copy import copy

    try:
        twin = copy(error)
    except Exception:  # an __init__ that takes other arguments than it passes on
        return error
    if twin is error or type(twin) is not type(error) or len(twin.args) != len(error.args):
        return error
    if any(mine is not its for mine, its in zip(twin.args, error.args, strict=True)):
        return error
    twin.__cause__ = error
    return twin

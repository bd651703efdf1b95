"""Generators that are cached: what one gave is recorded, and given again to each caller.

A generator gives its items once, so what a cache keeps of a call is a *recording*: all the items,
and what the generator returned at its end. Each caller gets a generator of its own over it.

    f(x) ── miss ──►  recorded(f)(x) ── Recording ──►  table, engine
      ◄── replayed(recording)                            │
      ◄── replayed(recording) ◄──────────── hit ─────────┘

A recording is complete: the items are collected to the end before the first is given, and what is
raised on the way is raised to the caller and nothing is kept. A generator without an end never
gets there. What is replayed is a real generator, but nothing of the function runs in it: a value
that is sent to it is an `AttributeError`, an exception that is thrown into it ends it.
"""

from __future__ import annotations

from functools import wraps

from ._kinds import is_async_generator_function
from .codecs.recordings import Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        Awaitable,
        Callable,
        Generator,
        Iterable,
    )
    from typing import Any, ParamSpec

    P = ParamSpec("P")

__all__ = [
    "pass_for_generator_function",
    "record",
    "record_awaited",
    "recorded",
    "replayed",
    "replayed_async",
    "replayed_later",
]

_CODE = ("__code__", "__defaults__", "__kwdefaults__")


def record(items: Iterable[Any]) -> Recording:
    """The recording of a generator, or of any iterable; runs it to its end."""
    if type(items) is Recording:
        return items
    returned: list[Any] = []

    def run() -> Generator[Any, Any, None]:
        end: Any = yield from items  # type: ignore[func-returns-value]
        returned.append(end)

    return Recording(tuple(run()), *returned)


async def record_awaited(items: AsyncIterable[Any] | Iterable[Any]) -> Recording:
    """The recording of an async generator, or of any iterable; runs it to its end."""
    if hasattr(items, "__aiter__"):
        return Recording([item async for item in items])
    return record(items)


def recorded(function: Callable[P, Any]) -> Callable[P, Any]:
    """A function that gives recordings of what the generator function gives.

    For an async generator function it is a coroutine function. Name and arguments are the same.
    """
    if is_async_generator_function(function):

        @wraps(function)
        async def awaited(*args: P.args, **kwargs: P.kwargs) -> Recording:
            return await record_awaited(function(*args, **kwargs))

        return awaited

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> Recording:
        return record(function(*args, **kwargs))

    return called


def replayed(recording: Recording) -> Generator[Any, None, Any]:
    """A new generator over a recording, which returns what was returned."""
    yield from recording
    return recording.returned


async def replayed_async(recording: Recording) -> AsyncGenerator[Any, None]:
    """A new async generator over a recording."""
    for item in recording:
        yield item


async def replayed_later(load: Callable[[], Awaitable[Recording]]) -> AsyncGenerator[Any, None]:
    """A new async generator over a recording that is made, or waited for, when it is begun."""
    for item in await load():
        yield item


def pass_for_generator_function(gate: object, function: Any) -> None:
    """Makes `inspect` see in the gate what it sees in the function.

    That asks whatever is called like a function for a function's attributes.
    """
    for name in _CODE:
        if hasattr(function, name):
            gate.__dict__[name] = getattr(function, name)

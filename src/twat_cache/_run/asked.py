"""A get from an engine that is to be awaited: in a task, or as the future that it is.

    await it, create_task(it)              a coroutine: asks, and computes on a miss, in that task
    gather(it, …), ensure_future(it)       a future: asks with all that are asked in this turn of
                                           the loop; a task computes on a miss, and only then

`gather` and the like make a task of each coroutine, which takes as long as all else about a hit
that came in a batch (3 of 6 µs, measured with CPython 3.11 in November 2026), but a future they
take as it is. They look first for what marks a future of asyncio, the attribute
`_asyncio_future_blocking`: at that moment what could have been either becomes a future, for good,
and asks. Elsewhere than in its own running loop it hasn't that mark, and so is a coroutine.

Like a task, it runs what it runs in a copy of the context in which it became one, and to cancel it
cancels that. Like a coroutine, it does nothing until then, and tells who forgets it.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError, Future, _get_running_loop
from contextvars import copy_context
from typing import Any
from warnings import warn

from .._missing import MISSING
from .exceptions import twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Coroutine, Generator, Mapping
    from contextvars import Context
    from typing import Protocol, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])
    _Future = Future[Any]

    class Groups(Protocol):
        """What all that a cache has in an engine depends on."""

        keys: tuple[str, ...]

    class Shelf(Protocol):
        """What reads an engine's bytes."""

        groups: Groups

        def plain(self, place: str, data: Any, tokens: list[Any]) -> Any:
            """The value, or `MISSING` if there is more to it."""

        def plain_values(
            self, names: list[Any], places: list[str], data: list[Any], tokens: list[Any]
        ) -> tuple[dict[Any, Any], list[int]]:
            """The same for many, by name; and the indices of those to which there is more."""

    class Owner(Protocol):
        """A cache that asks an engine, and what it asks about: a place in it, and more."""

        _far: Shelf

        def _found(self, many: int) -> None:
            """So many calls were answered by what there is."""

        def _lacking(self, about: Any) -> Any:
            """The answer to a call for which there is nothing; or `MISSING`."""

        def _go_on(self, place: str, about: Any, found: Any) -> Coroutine[Any, Any, Any]:
            """Answers where the bytes and tokens, or what was raised instead, don't do."""
else:
    _Future = Future

__all__ = ["Asked", "Asking", "ask", "asking", "fail", "pass_for_coroutine_function", "tell"]


async def ask(engine: Any, owner: Owner, place: str, about: Any) -> Any:
    """Asks, and goes on if the answer doesn't do."""
    found: Any
    try:
        far = owner._far
        found = await engine.get((place, *far.groups.keys))
        if found[0] is None:
            value = owner._lacking(about)
        else:
            value = far.plain(place, found[0], found[1:])
            if value is not MISSING:
                owner._found(1)
    except Exception as error:
        found = error
    else:
        if value is not MISSING:
            return value
    try:
        return await owner._go_on(place, about, found)
    finally:
        del found  # an exception refers to this frame


def asking(engine: Any, owner: Owner, place: str, about: Any) -> Coroutine[Any, Any, Any]:
    """The same, to be awaited as a future, too; the engine lets one `join` a batch."""
    loop = _get_running_loop()
    if loop is None:
        return ask(engine, owner, place, about)
    it = Asking(loop=loop)
    it._of = engine, owner, place, about
    it._going = None
    return it


class Asked(_Future):
    """A get that is on its way."""

    __slots__ = ("_context", "_going", "_of")

    _of: tuple[Any, Owner, str, Any]
    _context: Context
    _going: Any  # what goes on: a task, or a coroutine as long as it is none

    def cancel(self, msg: Any = None) -> bool:
        """As that of a task."""
        task = self._going
        return super().cancel(msg) if task is None else bool(task.cancel(msg))

    def go_on(self, found: Any) -> None:
        """What was found, or was raised instead, doesn't do."""
        if self.done():
            return
        _, owner, place, about = self._of
        steps = owner._go_on(place, about, found)
        task = self._going = self._context.run(self.get_loop().create_task, steps)
        task.add_done_callback(self._landed)

    def lack(self, tokens: list[Any]) -> None:
        """There is nothing."""
        if self.done():
            return
        _, owner, _, about = self._of
        value = owner._lacking(about)
        if value is MISSING:
            self.go_on([None, *tokens])
        else:
            self.set_result(value)

    def _landed(self, task: Task[Any]) -> None:
        if task.cancelled():
            try:
                task.result()
            except CancelledError as end:
                super().cancel(_why(end))
        elif (error := task.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(task.result())


def _why(error: BaseException) -> Any:
    """What `cancel` was told, by which anyio knows its own; Python 3.10 has it further inside."""
    while not error.args and isinstance(error.__context__, CancelledError):
        error = error.__context__
    return error.args[0] if error.args else None


def tell(owner: Owner, askers: list[Asked], found: Mapping[str, Any]) -> None:
    """Answers what one cache has asked, by what the engine has under each key."""
    far = owner._far
    places = [it._of[2] for it in askers]
    data = [found[place] for place in places]
    tokens = [found[key] for key in far.groups.keys]
    try:
        values, others = far.plain_values(askers, places, data, tokens)
    except Exception as error:
        fail(askers, error)
        return
    many = 0
    for it, value in values.items():
        if not it.done():  # it was cancelled
            it.set_result(value)
            many += 1
    owner._found(many)
    if len(values) < len(askers):
        for it, one in zip(askers, data, strict=True):
            if one is None:
                it.lack(tokens)
        for at in others:
            askers[at].go_on([data[at], *tokens])


def fail(askers: list[Asked], error: Exception) -> None:
    """Tells those who have asked that it can't be told."""
    for it in askers:
        it.go_on(twin(error))


class Asking(Asked):
    """A get that hasn't begun, or that has as a coroutine."""

    __slots__ = ()

    def _become_a_future(self) -> bool | None:
        loop = self._loop
        if self._going is not None or _get_running_loop() is not loop:
            return None
        self.__class__ = Asked  # type: ignore[assignment]
        self._context = copy_context()
        engine, owner, place, _ = self._of
        engine.join(place, self, owner, loop)
        return False

    _asyncio_future_blocking: Any = property(_become_a_future)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._coroutine().__await__()  # type: ignore[no-any-return]

    __iter__ = __await__

    def add_done_callback(self, fn: Any, *, context: Any = None) -> None:
        """For those who know a future by its class, and don't look for its mark."""
        self._become_a_future()
        Asked.add_done_callback(self, fn, context=context)  # it is none of this class any more

    def send(self, value: Any) -> Any:
        """As that of a coroutine."""
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        """As that of a coroutine."""
        return self._coroutine().throw(*error)

    def close(self) -> None:
        """As that of a coroutine."""
        self._coroutine().close()

    def _coroutine(self) -> Any:
        if self._going is None:
            self._going = ask(*self._of)
        return self._going

    def __del__(self) -> None:
        if self._going is None:
            owner = self._of[1]
            name = getattr(owner, "__qualname__", type(owner).__qualname__)
            warn(f"a call of {name} was never awaited", RuntimeWarning, stacklevel=2)


def pass_for_coroutine_function(function: F) -> F:
    """A function that gives what `asking` gives, marked as what it stands for."""
    if sys.version_info >= (3, 12):
        from inspect import markcoroutinefunction

        return markcoroutinefunction(function)
    from asyncio import coroutines

    function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
    return function

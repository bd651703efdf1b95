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
from asyncio import Future, _get_running_loop
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

    class Owner(Protocol):
        """A cache that asks an engine, and what it asks about: a place in it, and more."""

        def _asked_engine(self) -> Any:
            """The engine: one whose methods are coroutine functions."""

        def _answer_to(self, place: str, about: Any, data: Any) -> Any:
            """The answer that the bytes make, or None for that there are none; or `MISSING`."""

        async def _go_on(self, place: str, about: Any, found: Any) -> Any:
            """Answers where the bytes, or an exception that was raised instead, didn't do."""
else:
    _Future = Future

__all__ = ["Asked", "Asking", "ask", "asking", "pass_for_coroutine_function"]


async def ask(owner: Owner, place: str, about: Any) -> Any:
    """Asks, and goes on if the answer doesn't do."""
    found: Any
    try:
        (found,) = await owner._asked_engine().get((place,))
        value = owner._answer_to(place, about, found)
    except Exception as error:
        found = error
    else:
        if value is not MISSING:
            return value
    try:
        return await owner._go_on(place, about, found)
    finally:
        del found  # an exception refers to this frame


def asking(owner: Owner, place: str, about: Any) -> Coroutine[Any, Any, Any]:
    """The same, to be awaited as a future, too."""
    loop = _get_running_loop()
    if loop is None:
        return ask(owner, place, about)
    it = Asking(loop=loop)
    it._owner = owner
    it._place = place
    it._about = about
    it._going = None
    return it


class Asked(_Future):
    """A get that is on its way."""

    __slots__ = ("_about", "_context", "_going", "_owner", "_place")

    _owner: Owner
    _place: str
    _about: Any
    _context: Context
    _going: Any  # what goes on: a task, or a coroutine as long as it is none

    def told(self, found: Mapping[str, Any]) -> None:
        """The engine has answered; it has told of this place, among others."""
        if self.done():
            return
        data = found[self._place]
        try:
            value = self._owner._answer_to(self._place, self._about, data)
        except Exception as error:
            self._go_on(error)
            return
        if value is MISSING:
            self._go_on(data)
        else:
            self.set_result(value)

    def failed(self, error: Exception) -> None:
        """The engine couldn't answer."""
        if not self.done():
            self._go_on(twin(error))

    def cancel(self, msg: Any = None) -> bool:
        """As that of a task."""
        task = self._going
        return super().cancel(msg) if task is None else bool(task.cancel(msg))

    def _go_on(self, found: Any) -> None:
        steps = self._owner._go_on(self._place, self._about, found)
        task = self._going = self._context.run(self.get_loop().create_task, steps)
        task.add_done_callback(self._landed)

    def _landed(self, task: Task[Any]) -> None:
        if task.cancelled():
            super().cancel()
        elif (error := task.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(task.result())


class Asking(Asked):
    """A get that hasn't begun, or that has as a coroutine."""

    __slots__ = ()

    def _become_a_future(self) -> bool | None:
        loop = self._loop
        if self._going is not None or _get_running_loop() is not loop:
            return None
        try:
            join = self._owner._asked_engine().join
        except AttributeError:  # it is closed, and another one in its place
            return None
        self.__class__ = Asked  # type: ignore[assignment]
        self._context = copy_context()
        join(self._place, self, loop)
        return False

    _asyncio_future_blocking: Any = property(_become_a_future)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._coroutine().__await__()  # type: ignore[no-any-return]

    __iter__ = __await__

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
            self._going = ask(self._owner, self._place, self._about)
        return self._going

    def __del__(self) -> None:
        if self._going is None:
            name = getattr(self._owner, "__qualname__", type(self._owner).__qualname__)
            warn(f"a call of {name} was never awaited", RuntimeWarning, stacklevel=2)


def pass_for_coroutine_function(function: F) -> F:
    """A function that gives what `asking` gives, marked as what it stands for."""
    if sys.version_info >= (3, 12):
        from inspect import markcoroutinefunction

        return markcoroutinefunction(function)
    from asyncio import coroutines

    function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
    return function

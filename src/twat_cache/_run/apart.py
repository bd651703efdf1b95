"""Computations that go on by themselves, in a thread or a task of their own.

There is a bound to how many may go on at a time. Threads do with four for all that nobody waits
for; what somebody waits for gets a thread at once.
"""

from __future__ import annotations

import os
from _thread import get_ident
from contextvars import copy_context

from .drive import arun, disguised, run
from .flight import stand_apart
from .workers import Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from typing import Any

    from .drive import Steps
    from .flight import Flight

__all__ = ["Start"]

_MOST = 1000
_behind = Workers(most=4, waiting=_MOST)
_beside = Workers(most=_MOST)
_tasks: dict[Task[Any], bool] = {}
"""All such tasks, which nobody else holds, and whether somebody waits for them."""


class Start:
    """The effect of having steps begun in a copy of this context; whether they were begun.

    Args:
        steps: What to do.
        flight: Ends with what they come to.
        is_awaited: Whether somebody waits for that.
    """

    __slots__ = ("_flight", "_is_awaited", "_steps")

    def __init__(self, steps: Steps[Any], flight: Flight, *, is_awaited: bool = False) -> None:
        self._steps = steps
        self._flight = flight
        self._is_awaited = is_awaited

    def run(self) -> bool:
        """Leaves them to a thread."""
        context, is_apart = copy_context(), not self._is_awaited
        steps, flight = self._steps, self._flight
        pool = _behind if is_apart else _beside
        return pool.submit(lambda: context.run(_go, steps, flight, is_apart))

    async def arun(self) -> bool:
        """Leaves them to a task."""
        import asyncio

        if len(_tasks) >= _MOST and not _has_let_go():
            return False
        flight, is_apart = self._flight, not self._is_awaited
        flight.loop = loop = asyncio.get_running_loop()
        flight.task = task = loop.create_task(_ago(self._steps, flight, is_apart))
        _tasks[task] = self._is_awaited

        def landed(_: Any) -> None:  # called for a task that is cancelled before it begins, too
            _tasks.pop(task, None)
            flight.task = None
            if not task.cancelled():
                flight.error = task.exception()
                if flight.error is None:
                    flight.value = task.result()
            flight.end()

        task.add_done_callback(landed)
        return True


def _has_let_go() -> bool:
    """Lets go of tasks that a closed event loop has left unfinished; whether there were some."""
    lost = [task for task in list(_tasks) if task.get_loop().is_closed()]
    for task in lost:
        _tasks.pop(task, None)
    return bool(lost)


def _go(steps: Steps[Any], flight: Flight, is_apart: bool) -> None:
    try:
        if is_apart:
            stand_apart()
        flight.mark = get_ident()
        flight.value = run(steps)
    except BaseException as error:
        flight.error = disguised(error)
    finally:
        flight.end()
        del flight  # the exception refers to this frame


async def _ago(steps: Steps[Any], flight: Flight, is_apart: bool) -> Any:
    if is_apart:
        stand_apart()
    if flight.loop is not None:
        flight.lead(flight.loop)
    del flight  # as above
    return await arun(steps)


_of_parents: list[object] = []


def _begin_anew() -> None:
    """In a child process; its parent's tasks are held on to, or their `finally` would run here."""
    _of_parents.append(_tasks.copy())
    _tasks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

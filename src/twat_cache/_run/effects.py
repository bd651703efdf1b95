"""What steps wait for, each in both colours; see `drive`."""

from __future__ import annotations

from contextvars import copy_context

from ..errors import LoadTimeoutError
from .drive import arun, run
from .flight import Flight, Join, running_loop
from .workers import Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .drive import Steps

__all__ = ["Ask", "Scan", "Sleep", "Start", "Within", "ask", "drain_tasks", "drain_threads"]

_behind = Workers(most=4, waiting=1000)
_beside = Workers()
_MOST_TASKS = 1000
_tasks: set[Any] = set()


class Ask:
    """A method of a blocking engine, called in a thread by a coroutine."""

    __slots__ = ("_args", "_method")

    def __init__(self, method: Callable[..., Any], *args: Any) -> None:
        """Takes the method, and what it is called with."""
        self._method = method
        self._args = args

    def run(self) -> Any:
        """Calls it."""
        return self._method(*self._args)

    async def arun(self) -> Any:
        """Calls it in a thread."""
        import asyncio

        return await asyncio.to_thread(self._method, *self._args)


class AskAsync(Ask):
    """A method of an engine whose methods are coroutine functions."""

    __slots__ = ()

    async def arun(self) -> Any:
        """Awaits it."""
        return await self._method(*self._args)


def ask(engine: Any, method: str, *args: Any) -> Ask:
    """The effect of calling a method of an engine of either colour."""
    kind = AskAsync if engine.capabilities.async_ else Ask
    return kind(getattr(engine, method), *args)


class Scan:
    """All keys of an engine that begin so."""

    __slots__ = ("_engine", "_prefix")

    def __init__(self, engine: Any, prefix: str) -> None:
        """Takes the engine, and what the keys begin with."""
        self._engine = engine
        self._prefix = prefix

    def run(self) -> list[str]:
        """Lists them."""
        return list(self._engine.scan(self._prefix))

    async def arun(self) -> list[str]:
        """Lists them, in a thread if the engine blocks."""
        if self._engine.capabilities.async_:
            return [key async for key in self._engine.scan(self._prefix)]
        import asyncio

        return await asyncio.to_thread(self.run)


class Sleep:
    """So many seconds."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        """Takes how many."""
        self._seconds = seconds

    def run(self) -> None:
        """Blocks this thread."""
        from time import sleep

        sleep(self._seconds)

    async def arun(self) -> None:
        """Suspends this task."""
        from asyncio import sleep

        await sleep(self._seconds)


class Start:
    """Steps that go on in the background, by a thread or a task of their own.

    The answer is whether they were begun: there is a bound to what may go on at a time. `flight`
    ends with what they come to.
    """

    __slots__ = ("_flight", "_steps")

    def __init__(self, steps: Steps[Any], flight: Flight) -> None:
        """Takes what to do, and where to tell what came of it."""
        self._steps = steps
        self._flight = flight

    def run(self) -> bool:
        """Leaves it to a thread."""
        context = copy_context()

        def work() -> None:
            context.run(self._go)

        return _behind.submit(work)

    def _go(self) -> None:
        flight = self._flight
        flight.lead()
        try:
            flight.value = run(self._steps)
        except BaseException as error:
            flight.error = error
        finally:
            flight.end()

    async def arun(self) -> bool:
        """Leaves it to a task, which is held until it is done."""
        import asyncio

        if len(_tasks) >= _MOST_TASKS:
            return False
        task = asyncio.get_running_loop().create_task(self._ago())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return True

    async def _ago(self) -> None:
        flight = self._flight
        flight.lead()
        try:
            flight.value = await arun(self._steps)
        except Exception as error:
            flight.error = error
        finally:
            flight.end()


class Within:
    """Steps that may take so many seconds.

    A thread can't be stopped: a `def` function goes on by itself, and nobody gets its result.

    Raises:
        LoadTimeoutError: They took longer.
    """

    __slots__ = ("_label", "_seconds", "_steps")

    def __init__(self, steps: Steps[Any], seconds: float, label: str) -> None:
        """Takes what to do, how long it may take, and what it is called."""
        self._steps = steps
        self._seconds = seconds
        self._label = label

    def run(self) -> Any:
        """Has it done by a thread, in a copy of this context."""
        flight = Flight()
        context = copy_context()

        def work() -> None:
            try:
                flight.value = context.run(run, self._steps)
            except BaseException as error:
                flight.error = error
            finally:
                flight.end()

        if not _beside.submit(work):
            return run(self._steps)
        if not Join(flight, self._seconds).run():
            raise self._late()
        if flight.error is not None:
            raise flight.error
        return flight.value

    async def arun(self) -> Any:
        """Cancels it when the time is over."""
        import asyncio

        if running_loop() is None:
            return await arun(self._steps)
        task = asyncio.ensure_future(arun(self._steps))
        try:
            done, _ = await asyncio.wait([task], timeout=self._seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        task.cancel()
        await asyncio.wait([task])
        raise self._late()

    def _late(self) -> LoadTimeoutError:
        return LoadTimeoutError(
            f"{self._label}() took longer than hard_timeout={self._seconds:g} seconds. Give it "
            "more, or stale= a time in which the value before may answer instead"
        )


def drain_threads(seconds: float | None = None) -> bool:
    """Waits until nothing goes on in the threads; tells whether that came within the time."""
    return _behind.drain(seconds)


async def drain_tasks(seconds: float | None = None) -> bool:
    """Awaits what goes on in the background of this event loop; tells whether all ended."""
    import asyncio

    loop = asyncio.get_running_loop()
    mine = [task for task in list(_tasks) if task.get_loop() is loop]
    if not mine:
        return True
    _, pending = await asyncio.wait(mine, timeout=seconds)
    return not pending

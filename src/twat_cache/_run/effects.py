"""What steps ask of engines and of time, in both colours; see `drive`.

Where no asyncio loop runs, as under another library's, a coroutine calls what blocks as it is.
"""

from __future__ import annotations

from ..errors import EngineError
from .drive import arun, run
from .flight import running_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable
    from typing import Any

    from .drive import Steps

__all__ = ["Ask", "AskAsync", "Scan", "Sleep", "Whole", "ask", "blocking", "itself"]


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
        if running_loop() is None:
            return self.run()
        import asyncio

        return await asyncio.to_thread(self._method, *self._args)


class AskAsync:
    """A method of an engine whose methods are coroutine functions."""

    __slots__ = ("_args", "_engine", "_method")

    def __init__(self, engine: Any, method: str, *args: Any) -> None:
        """Takes the engine, the name of its method, and what it is called with."""
        self._engine = engine
        self._method = method
        self._args = args

    def run(self) -> Any:
        """Calls that of the engine's blocking twin."""
        return getattr(blocking(self._engine), self._method)(*self._args)

    async def arun(self) -> Any:
        """Awaits it."""
        return await getattr(self._engine, self._method)(*self._args)


def ask(engine: Any, method: str, *args: Any) -> Ask | AskAsync:
    """The effect of calling a method of an engine of either colour."""
    if engine.capabilities.async_:
        return AskAsync(engine, method, *args)
    return Ask(getattr(engine, method), *args)


def blocking(engine: Any) -> Any:
    """The engine, or the twin of an asynchronous one, for those who can't await.

    Raises:
        EngineError: It is asynchronous and has no `blocking`.
    """
    if not engine.capabilities.async_:
        return engine
    twin = getattr(engine, "blocking", None)
    if twin is None:
        kind = type(engine).__name__
        raise EngineError(
            f"a {kind} is asynchronous; await its methods, or those of an AsyncCache on it"
        )
    return twin


def itself(engine: Any) -> Any:
    """The engine behind all that stands before it as an engine."""
    while (behind := getattr(engine, "__dict__", {}).get("guarded")) is not None:
        engine = behind
    return engine


class Whole:
    """Steps that ask an engine, and that go on to their end if who waits for them is cancelled."""

    __slots__ = ("_engine", "_steps")

    def __init__(self, engine: Any, steps: Steps[Any]) -> None:
        """Takes the engine, and the steps, which ask no other."""
        self._engine = engine
        self._steps = steps

    def run(self) -> Any:
        """Goes through them."""
        return run(self._steps)

    async def arun(self) -> Any:
        """Goes through them in a thread, or in a task of their own if the engine is awaited."""
        if not self._engine.capabilities.async_:
            return await Ask(self.run).arun()
        if running_loop() is None:
            return await arun(self._steps)
        import asyncio

        task = asyncio.ensure_future(arun(self._steps))
        _going_on.add(task)
        task.add_done_callback(_over)
        await asyncio.wait([task])
        return task.result()


_going_on: set[Task[Any]] = set()  # a loop alone doesn't keep its tasks from being collected


def _over(task: Task[Any]) -> None:
    _going_on.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be there to be told


class Scan:
    """All keys of an engine that begin so, as a list."""

    __slots__ = ("_engine", "_prefix")

    def __init__(self, engine: Any, prefix: str) -> None:
        """Takes the engine, and what the keys begin with."""
        self._engine = engine
        self._prefix = prefix

    def run(self) -> list[str]:
        """Lists them."""
        return list(blocking(self._engine).scan(self._prefix))

    async def arun(self) -> list[str]:
        """Lists them, in a thread if the engine blocks."""
        if self._engine.capabilities.async_:
            return [key async for key in self._engine.scan(self._prefix)]
        keys: list[str] = await Ask(self.run).arun()
        return keys


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
        if running_loop() is None:
            self.run()
            return
        from asyncio import sleep

        await sleep(self._seconds)

"""The contract of engines, held against an engine whose methods are coroutine functions.

    class TestMyEngine(AsyncEngineSuite):
        async def make(self, clock):
            return await MyEngine.connect(clock=clock)

It is `EngineSuite` itself: the engine lives in an event loop in a thread of its own, and the tests
call it from outside. What they do in threads becomes tasks of that loop. To these promises come
those that only tasks can ask for.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import pytest

from .engine_suite import EngineSuite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    from .clock import FakeClock

__all__ = ["AsyncEngineSuite"]

TASKS = 8
PATIENCE = 120  # seconds, after which a call hangs


class EventLoop:
    """An event loop in a thread of its own."""

    def __enter__(self) -> EventLoop:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="engine-suite")
        self._loop = asyncio.new_event_loop()
        self._running = self._pool.submit(self._loop.run_forever)
        return self

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """What the work comes to, called and awaited in the loop."""

        async def call() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(PATIENCE)

    def __exit__(self, *_: object) -> None:
        self.run(self._loop.shutdown_asyncgens)
        self.run(self._loop.shutdown_default_executor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._running.result(PATIENCE)
        self._pool.shutdown()
        self._loop.close()


class Blocking:
    """An async engine as a blocking one sees it."""

    def __init__(self, engine: Any, loop: EventLoop) -> None:
        self.engine = engine
        self.loop = loop
        self.capabilities = engine.capabilities

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys, fetched one by one."""
        found = self.engine.scan(prefix)
        while True:
            try:
                yield self.loop.run(found.__anext__)
            except StopAsyncIteration:
                return

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.engine, name)
        return lambda *args: self.loop.run(lambda: method(*args))


class AsyncEngineSuite(EngineSuite):
    """Inherit it in a class whose name begins with `Test`, and write `make`."""

    is_async = True

    def make(self, clock: Callable[[], float]) -> Any:
        """A new, empty engine; called in the event loop, and awaited if it is an `async def`.

        Args:
            clock: The time in seconds, standing still, for an engine that takes one.
        """
        raise NotImplementedError("write async make(self, clock), which gives a new engine")

    @pytest.fixture
    def engine(self, clock: FakeClock, tmp_path: Path) -> Iterator[Any]:
        """The engine under test."""
        self.folder = tmp_path

        async def make() -> Any:
            made = self.make(clock.seconds)
            return await made if isawaitable(made) else made

        with EventLoop() as loop:
            engine = Blocking(loop.run(make), loop)
            yield engine
            engine.close()

    def in_tasks(self, engine: Any, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """Runs the work in the engine's loop."""
        return engine.loop.run(lambda: work(engine.engine))

    def test_one_task_is_served_while_another_waits(self, engine: Any) -> None:
        async def work(engine: Any) -> None:
            names = [f"key{number}" for number in range(TASKS)]
            await asyncio.gather(*(engine.put({name: name.encode()}, None) for name in names))
            found = await asyncio.gather(*(engine.get([name, "no"]) for name in names))
            assert found == [[name.encode(), None] for name in names]

        self.in_tasks(engine, work)

    def test_a_call_that_is_cancelled_takes_nothing_from_the_others(self, engine: Any) -> None:
        async def work(engine: Any) -> None:
            names = [f"key{number}" for number in range(TASKS)]
            await engine.put({name: name.encode() for name in names}, None)
            for turn in range(6 * TASKS):
                tasks = [asyncio.ensure_future(engine.get([name])) for name in names]
                for _ in range(turn // TASKS):
                    await asyncio.sleep(0)
                tasks[turn % TASKS].cancel()
                found = await asyncio.gather(*tasks, return_exceptions=True)
                for number, (name, value) in enumerate(zip(names, found, strict=True)):
                    if number != turn % TASKS or not isinstance(value, asyncio.CancelledError):
                        assert value == [name.encode()]
                assert await engine.get(names) == [name.encode() for name in names]

        self.in_tasks(engine, work)

    def test_a_cancelled_put_stores_all_of_a_value_or_nothing(self, engine: Any) -> None:
        async def work(engine: Any) -> None:
            for turn in range(20):
                value = b"%d" % turn * 5_000
                task = asyncio.ensure_future(engine.put({"key": value}, None))
                for _ in range(turn % 10):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                (found,) = await engine.get(["key"])
                assert found is None or bytes(found) in {b"%d" % n * 5_000 for n in range(turn + 1)}
            await engine.put({"key": b"last"}, None)
            assert await engine.get(["key"]) == [b"last"]

        self.in_tasks(engine, work)

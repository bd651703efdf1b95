"""Gets that are made at once go out as one batch.

    async   gets of one turn of the event loop      one trip, at the end of the turn
    blocking  gets made while another is on its way   one trip, when that is back

So a lone get is sent at once, and sixty-four that come together cost one trip instead of as many.
Nobody waits for longer than for the trip on its way and its own; if the one on its way found that
the engine doesn't answer, those who waited for it are told so, and don't wait once more.
"""

from __future__ import annotations

import os
from _thread import get_ident
from threading import Event
from typing import Any
from weakref import WeakSet

from .._fork_lock import ForkSafeLock, living
from .._run.exceptions import twin
from .._run.flight import running_loop
from ..errors import EngineConnectionError, EngineTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Task
    from collections.abc import Generator, Sequence

    Values = list[bytes | memoryview | None]

__all__ = ["AsyncCoalescingEngine", "CoalescingEngine"]

_MOST = 1000  # keys in a batch
_PATIENCE = 5.0  # seconds


class _Passing:
    """Passes on to the engine all but `get`."""

    def __init__(self, engine: Any) -> None:
        self.guarded = engine
        self.capabilities = engine.capabilities

    def __getattr__(self, name: str) -> Any:
        if name == "guarded":
            raise AttributeError(name)
        return getattr(self.guarded, name)


# -- blocking --------------------------------------------------------------------------------------


class _Waiting:
    """A thread that waits while another's get is on its way."""

    __slots__ = ("crew", "error", "event", "keys", "me", "values")

    def __init__(self, keys: Sequence[str], me: int) -> None:
        self.keys = keys
        self.me = me
        self.event = Event()
        self.crew: list[_Waiting] | None = None  # with which it is sent to fetch for all
        self.values: Values = []
        self.error: BaseException | None = None


class CoalescingEngine(_Passing):
    """Threads that get while another does wait for it, and one of them gets for all."""

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._lock = ForkSafeLock()
        self.begin_anew()
        _every.add(self)

    def begin_anew(self) -> None:
        """In a forked child nobody is out, and nobody waits."""
        self._out = 0
        self._waiting: list[_Waiting] = []

    def get(self, keys: Sequence[str]) -> Values:
        """The values, in the order of the keys."""
        me, mine = get_ident(), None
        with self._lock:
            if not self._out:
                self._out = me
            elif self._out != me:  # else its own destructor, or a signal's handler
                mine = _Waiting(keys, me)
                self._waiting.append(mine)
        if mine is None:
            return self._fetch([], keys)
        if not mine.event.wait(_PATIENCE):
            return self._go_alone(mine)
        if mine.crew is not None:
            return self._fetch(mine.crew, mine.keys)
        if mine.error is not None:
            raise mine.error
        return mine.values

    def _go_alone(self, mine: _Waiting) -> Values:
        """Who is out was interrupted at the worst moment: the next one needn't wait for it."""
        with self._lock:
            if mine in self._waiting:
                self._waiting.remove(mine)
            self._out = 0
        return self._fetch(mine.crew or [], mine.keys)

    def _fetch(self, crew: list[_Waiting], keys: Sequence[str]) -> Values:
        """Gets for oneself and for the crew; then sends the next one."""
        error: BaseException | None = None
        try:
            if not crew:
                values: Values = self.guarded.get(keys)
                return values
            every = dict.fromkeys(keys)
            for one in crew:
                every.update(dict.fromkeys(one.keys))
            found = dict(zip(every, self.guarded.get(list(every)), strict=True))
            for one in crew:
                one.values = [found[key] for key in one.keys]
            return [found[key] for key in keys]
        except BaseException as failure:
            error = failure
            for one in crew:
                one.error = twin(failure)
            raise
        finally:
            for one in crew:
                one.event.set()
            self._send_next(error)

    def _send_next(self, error: BaseException | None) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if not waiting or isinstance(error, (EngineTimeoutError, EngineConnectionError)):
                self._out = 0
                first = None
            else:
                first, *others = waiting
                many = len(first.keys)
                crew: list[_Waiting] = []
                for one in others:
                    many += len(one.keys)
                    (crew if many <= _MOST else self._waiting).append(one)
                first.crew, waiting = crew, []
                self._out = first.me
        if first is not None:
            first.event.set()
        for one in waiting:
            one.error = twin(error) if error is not None else None
            one.event.set()


_every: WeakSet[CoalescingEngine] = WeakSet()


def _after_fork() -> None:
    for engine in living(_every):
        engine.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# -- async -----------------------------------------------------------------------------------------


class _Batch:
    """What is got at the end of this turn of an event loop."""

    __slots__ = ("keys", "loop", "waiting")

    def __init__(self, loop: AbstractEventLoop, keys: Sequence[str]) -> None:
        self.loop = loop
        self.keys: dict[str, None] = dict.fromkeys(keys)
        self.waiting: list[tuple[Sequence[str], Future[Values]]] = []


class _Turn:
    """To be awaited until the event loop's next turn; `asyncio.sleep(0)`, without its detours."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_turn = _Turn()


class AsyncCoalescingEngine(_Passing):
    """Gets of one turn of an event loop are one.

    The first of a turn waits until it is over. If it is alone then, it gets by itself; or else a
    task gets for all, so that nobody depends on a task that others may cancel.
    """

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._batch: _Batch | None = None  # the one that is open; of any loop, lest there be a map
        self._tasks: set[Task[None]] = set()
        self._blocking: CoalescingEngine | None = None

    @property
    def blocking(self) -> Any:
        """The engine for those who can't await, with the same circuit."""
        twin = self._blocking
        if twin is None:
            twin = self._blocking = CoalescingEngine(self.guarded.blocking)
        return twin

    async def get(self, keys: Sequence[str]) -> Values:
        """The values, in the order of the keys."""
        loop = running_loop()
        values: Values
        if loop is None:  # another library's
            values = await self.guarded.get(keys)
            return values
        batch = self._batch
        if batch is not None and batch.loop is loop and len(batch.keys) + len(keys) <= _MOST:
            for key in keys:
                batch.keys[key] = None
            joined: Future[Values] = loop.create_future()
            batch.waiting.append((keys, joined))
            return await joined
        batch = self._batch = _Batch(loop, keys)
        try:
            await _turn
        except BaseException:
            if batch.waiting and not loop.is_closed():
                self._send(batch)
            raise
        finally:
            if self._batch is batch:
                self._batch = None
        if not batch.waiting:
            values = await self.guarded.get(keys)
            return values
        mine: Future[Values] = loop.create_future()
        batch.waiting.append((keys, mine))
        self._send(batch)
        return await mine

    def _send(self, batch: _Batch) -> None:
        task = batch.loop.create_task(self._fetch(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, batch: _Batch) -> None:
        try:
            found = dict(zip(batch.keys, await self.guarded.get(list(batch.keys)), strict=True))
        except Exception as error:
            for _, future in batch.waiting:
                if not future.done():
                    future.set_exception(twin(error))
        except BaseException:  # the loop ends
            for _, future in batch.waiting:
                future.cancel()
            raise
        else:
            for keys, future in batch.waiting:
                if not future.done():
                    future.set_result([found[key] for key in keys])

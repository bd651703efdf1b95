"""Gets of one turn of an event loop go out as one batch when it is over; see `coalescing`."""

from __future__ import annotations

from functools import partial
from typing import Any

from .._run.asked import fail, tell
from .._run.exceptions import twin
from .._run.flight import running_loop
from .coalescing import MOST, CoalescingEngine, Passing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, Task
    from collections.abc import Generator, Sequence

    from .._run.asked import Asked, Owner

    Values = list[bytes | memoryview | None]

__all__ = ["AsyncCoalescingEngine"]

_FEW = 64  # tasks


class _Batch:
    """What is got at the end of this turn of an event loop."""

    __slots__ = ("asked", "is_sent", "keys", "loop", "waiting")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.keys: dict[str, None] = {}
        self.waiting: list[tuple[Sequence[str], Future[Values]]] = []  # all but who opened it
        self.asked: dict[Owner, list[Asked]] = {}  # who doesn't await it, by cache
        self.is_sent = False

    @property
    def is_shared(self) -> bool:
        """Whether there is another one than who opened it."""
        return bool(self.waiting or self.asked)

    def told(self, found: dict[str, Any]) -> None:
        """Tells everybody what was found."""
        for keys, future in self.waiting:
            if not future.done():
                future.set_result([found[key] for key in keys])
        for owner, askers in self.asked.items():
            tell(owner, askers, found)

    def failed(self, error: Exception) -> None:
        """Tells everybody that nothing could be got."""
        for _, future in self.waiting:
            if not future.done():
                future.set_exception(twin(error))
        for askers in self.asked.values():
            fail(askers, error)

    def cancel(self) -> None:
        """The loop ends."""
        for _, future in self.waiting:
            future.cancel()
        for askers in self.asked.values():
            for one in askers:
                one.cancel()


class _Turn:
    """To be awaited until the event loop's next turn; `asyncio.sleep(0)`, without its detours."""

    def __await__(self) -> Generator[None, None, None]:
        yield


_turn = _Turn()


class AsyncCoalescingEngine(Passing):
    """Gets of one turn of an event loop are one.

    The first of a turn waits until it is over. If it is alone then, it gets by itself; or else a
    task gets for all, so that nobody depends on a task that others may cancel or leave undone.
    """

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._batch: _Batch | None = None  # the one that is open; of any loop, lest there be a map
        self._tasks: set[Task[None]] = set()
        self._many = _FEW
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
        is_mine = False
        if batch is None or batch.loop is not loop or len(batch.keys) + len(keys) > MOST:
            batch = self._batch = _Batch(loop)
            is_mine = True
        batch.keys.update(dict.fromkeys(keys))
        if is_mine:
            try:
                await _turn
            finally:
                if not batch.is_shared and self._batch is batch:
                    self._batch = None
            if batch.is_sent or not batch.is_shared:
                values = await self.guarded.get(keys)
                return values
        if not batch.is_shared:
            loop.call_soon(self._send, batch)
        mine: Future[Values] = loop.create_future()
        batch.waiting.append((keys, mine))
        return await mine

    def join(self, key: str, asker: Asked, owner: Owner, loop: AbstractEventLoop) -> None:
        """Gets one with the others of this turn, for who is in this loop and doesn't await."""
        batch = self._batch
        if batch is None or batch.loop is not loop or len(batch.keys) >= MOST:
            batch = self._batch = _Batch(loop)
        askers = batch.asked.get(owner)
        if askers is None:
            if not batch.is_shared:
                loop.call_soon(self._send, batch)
            askers = batch.asked[owner] = []
            batch.keys.update(dict.fromkeys(owner._far.groups.keys))
        askers.append(asker)
        batch.keys[key] = None

    def _send(self, batch: _Batch) -> None:
        batch.is_sent = True
        if self._batch is batch:
            self._batch = None
        task = batch.loop.create_task(self._fetch(batch))
        if len(self._tasks) > self._many:  # some may be of loops that were closed in the middle
            self._tasks = {one for one in list(self._tasks) if not one.get_loop().is_closed()}
            self._many = _FEW + 2 * len(self._tasks)  # to look at all for each is too much
        self._tasks.add(task)
        task.add_done_callback(partial(self._over, batch))

    def _over(self, batch: _Batch, task: Task[None]) -> None:
        self._tasks.discard(task)  # the set of now, which may be another than it was in
        if task.cancelled():  # also before it has begun
            batch.cancel()

    async def _fetch(self, batch: _Batch) -> None:
        try:
            keys = list(batch.keys)
            try:
                found = dict(zip(keys, await self.guarded.get(keys), strict=True))
            except Exception as error:
                batch.failed(error)
            else:
                batch.told(found)
        except BaseException:  # the loop ends
            batch.cancel()
            raise
        finally:
            del batch  # exceptions refer to this frame, and the circuit keeps one

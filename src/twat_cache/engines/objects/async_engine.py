"""The engine on object stores, for tasks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ...errors import EngineClosedError
from .engine import TIMEOUT, ObjectStoreEngine, capabilities_of
from .lifecycle import lifecycle_rule
from .place import Place, place_of
from .requests import Batch, listed_async
from .steps import ObjectSteps

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Semaphore
    from collections.abc import AsyncIterator, Mapping, Sequence
    from typing import TypeVar

    from ...engine_types import Bytes, Clock
    from .requests import Request
    from .steps import Steps

    T = TypeVar("T")

__all__ = ["AsyncObjectStoreEngine"]


class AsyncObjectStoreEngine:
    """As `ObjectStoreEngine`, with coroutine functions, for any number of event loops.

    Args:
        place: Where the objects are; made by `from_url`.
        clock: The wall-clock time in seconds.
    """

    def __init__(self, place: Place, *, clock: Clock = time.time) -> None:
        self.capabilities = capabilities_of(place, async_=True)
        self._place = place
        self._clock = clock
        self._steps = ObjectSteps(place, clock)
        self._free: dict[AbstractEventLoop, Semaphore] = {}
        self._twin: ObjectStoreEngine | None = None
        self._closed = False

    @classmethod
    def from_url(cls, url: str, **options: Any) -> AsyncObjectStoreEngine:
        """The engine at a URL, as by `ObjectStoreEngine.from_url`."""
        place, others = place_of(url, options, TIMEOUT)
        return cls(place, **others)

    def __repr__(self) -> str:
        return f"<AsyncObjectStoreEngine {self._place}>"

    @property
    def blocking(self) -> ObjectStoreEngine:
        """The engine on the same place for those who can't await."""
        if self._twin is None:
            self._twin = ObjectStoreEngine(self._place, clock=self._clock)
            if self._closed:
                self._twin.close()
        return self._twin

    async def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, fetched some at a time."""
        return await self._run(self._steps.get(keys))

    async def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values, some at a time."""
        await self._run(self._steps.put(items, ttl))

    async def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none; see `ObjectStoreEngine.add`."""
        return await self._run(self._steps.add(key, value, ttl))

    async def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there; see `ObjectStoreEngine.drop`."""
        return await self._run(self._steps.drop(keys))

    async def scan(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin so and aren't past their time; all objects are listed."""
        self._check()
        async for names in listed_async(self._place):
            for key in await self._run(self._steps.among(names, prefix)):
                yield key

    async def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there.

        Raises:
            EngineError: The server ignores conditions.
        """
        return await self._run(self._steps.swap(key, expected, value, ttl))

    async def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        return await self._run(self._steps.left(keys))

    async def close(self) -> None:
        """Sends no further requests."""
        self._closed = True
        if self._twin is not None:
            self._twin.close()

    async def ping(self) -> None:
        """Asks for an object that isn't there."""
        await self._run(self._steps.ping())

    def lifecycle_rule(self, days: int) -> dict[str, Any]:
        """A rule by which the bucket removes what is older; see `ObjectStoreEngine`."""
        return lifecycle_rule(self._place, days)

    def _check(self) -> None:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")

    async def _run(self, steps: Steps[T]) -> T:
        answers: Any = None
        try:
            while True:
                self._check()
                answers = await self._asked(steps.send(answers))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    async def _asked(self, requests: Sequence[Request]) -> list[Any]:
        loop = asyncio.get_running_loop()
        free = self._free.get(loop)
        if free is None:
            for other in list(self._free):  # a semaphore knows its loop, so none goes by itself
                if other.is_closed():
                    self._free.pop(other, None)
            free = self._free.setdefault(loop, asyncio.Semaphore(self._place.pool_size))
        if len(requests) == 1:
            async with free:
                return [await requests[0].arun()]
        batch = Batch()

        async def asked(request: Request) -> Any:
            async with free:
                return await batch.arun(request)

        answers = await asyncio.gather(*map(asked, requests), return_exceptions=True)
        for error in batch.errors:
            raise error
        return answers


ObjectStoreEngine.awaited = AsyncObjectStoreEngine

"""Bytes in a table of PostgreSQL, for the tasks of any number of event loops."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from ...errors import EngineError
from ..forks import ForkSafeLock
from .drivers import arun
from .engine import PostgresqlEngine
from .links import LoopLinks
from .settled import FAILURES, Settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from ...engine_types import Bytes
    from .drivers import Talk

__all__ = ["AsyncPostgresqlEngine"]

T = TypeVar("T")


class AsyncPostgresqlEngine(Settled):
    """As `PostgresqlEngine`, with coroutine functions, and the same options.

    Each event loop has connections of its own, `pool_size` at most. On Windows a loop that can
    watch sockets is needed: `asyncio.SelectorEventLoop`. A call that is cancelled ends its
    connection.
    """

    capabilities = PostgresqlEngine.capabilities._replace(async_=True)

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._given = (url, options)
        self._lock = ForkSafeLock()
        self._blocking: PostgresqlEngine | None = None
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopLinks] = WeakKeyDictionary()

    @property
    def blocking(self) -> PostgresqlEngine:
        """The engine on the same table for those who can't await; closed with this one."""
        with self._lock:
            self._check()
            if self._blocking is None:
                url, options = self._given
                self._blocking = PostgresqlEngine(url, **options)
            return self._blocking

    async def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, in one trip."""
        return await self._serve(self._commands.get, keys)

    async def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values by one statement for each 16 MB; one above 256 MB is left out."""
        deadline = monotonic() + self._timeout
        await self._serve(self._commands.put, items, ttl)
        await self._sweep(deadline)

    async def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        deadline = monotonic() + self._timeout
        is_added = await self._serve(self._commands.add, key, value, ttl)
        await self._sweep(deadline)
        return is_added

    async def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys by one statement; tells how many of them were there."""
        return await self._serve(self._commands.drop, keys)

    async def scan(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin so, a thousand in one trip."""
        start = prefix.encode("utf-8", "surrogatepass")
        after: bytes | None = b""
        while after is not None:
            keys, after = await self._serve(self._commands.page, start, after)
            for key in keys:
                yield key

    async def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        return await self._serve(self._commands.swap, key, expected, value, ttl)

    async def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        return await self._serve(self._commands.touch, keys, ttl)

    async def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have, by the server's clock."""
        return await self._serve(self._commands.left, keys)

    async def close(self) -> None:
        """Ends the connections of all loops; those in use, when their calls end."""
        with self._lock:
            self._close()
            every = list(self._loops.values())
            twin = self._blocking
        for links in every:
            links.close()
        if twin is not None:
            twin.close()

    async def ping(self) -> None:
        """Reads from the table, made if it isn't there; looks whether it can be written to."""
        await self._serve(self._commands.ping)

    def abandon(self) -> None:
        """In a child, right after the fork: leaves all connections to the parent."""
        for links in list(self._loops.values()):
            links.abandon()

    def _links(self) -> LoopLinks:
        loop = asyncio.get_running_loop()
        links = self._loops.get(loop)
        if links is None:
            with self._lock:
                for other in [other for other in self._loops if other.is_closed()]:
                    self._loops.pop(other).close()
                links = LoopLinks(self._place, self._size, prepare=self._prepare)
                self._loops[loop] = links
        return links

    async def _sweep(self, deadline: float) -> None:
        """Deletes some of what is past its time, if it is time for that and some is left."""
        if self._commands.is_time_to_sweep and deadline - monotonic() > self._timeout / 2:
            try:
                await self._serve(self._commands.sweep, deadline=deadline)
            except EngineError:  # it can wait
                pass

    async def _serve(
        self, work: Callable[..., Talk[T]], *args: Any, deadline: float | None = None
    ) -> T:
        self._check()
        if deadline is None:
            deadline = monotonic() + self._timeout
        try:
            links = self._links()
            link = await links.take(deadline)
            try:
                return await arun(work(link, *args), deadline)
            finally:
                links.give(link)
        except FAILURES as error:
            raise self._told(error) from error
        except NotImplementedError as error:
            raise EngineError(
                "this event loop can't watch sockets; run asyncio.SelectorEventLoop instead"
            ) from error

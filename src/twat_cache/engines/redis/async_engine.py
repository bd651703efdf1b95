"""The engine on a Redis or Valkey whose methods are coroutine functions."""

from __future__ import annotations

import asyncio
import sys
from threading import Lock

from ...errors import EngineClosedError, EngineError
from ..forks import leak, living
from . import commands
from .async_lines import async_line_to
from .engine import RedisEngine
from .failures import FAILURES, says, told
from .settled import CLOSED, Settled

if sys.version_info >= (3, 11, 3):
    from asyncio import timeout as time_limit  # type: ignore[attr-defined, unused-ignore]
else:
    from async_timeout import timeout as time_limit  # redis-py needs it there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
    from typing import TypeVar

    from ...engine_types import Bytes
    from .async_lines import AsyncCluster, AsyncSingle
    from .commands import Steps
    from .place import Place

    T = TypeVar("T")

__all__ = ["AsyncRedisEngine"]


class _Here:
    """What the engine has in one event loop; closed when the loop shuts down."""

    def __init__(self, place: Place) -> None:
        self.line: AsyncSingle | AsyncCluster = async_line_to(place)
        self._end = self._until_the_end()

    async def begin(self) -> None:
        """Asks the loop to close the connections at its end."""
        await self._end.__anext__()

    async def close(self) -> None:
        """Closes the connections."""
        await self._end.aclose()
        self.line.close()

    async def _until_the_end(self) -> AsyncGenerator[None, None]:
        line = self.line
        try:
            yield  # `loop.shutdown_asyncgens`, which `asyncio.run` calls, ends it here
        finally:
            line.close()
            await asyncio.sleep(0)  # for the transports to hear of it


class AsyncRedisEngine(Settled):
    """Keeps bytes in a Redis or Valkey, awaited; see `RedisEngine`.

    Any number of event loops may use it, one after the other and at once: each has connections of
    its own.

    Args:
        client: A client of redis-py, blocking or not: its addresses, credentials and TLS are
            taken, the connections are the engine's own, and the client is never closed.
        timeout: How many seconds an operation may take, with all that belongs to it.
        pool_size: How many connections there may be to one server from one event loop.
    """

    capabilities = RedisEngine.capabilities._replace(async_=True)

    def _open(self, place: Place) -> None:
        super()._open(place)
        self._in: dict[asyncio.AbstractEventLoop, _Here] = {}
        self._lock = Lock()
        self._blocking: RedisEngine | None = None

    @property
    def blocking(self) -> RedisEngine:
        """The engine on the same place for those who can't await; closed with this one."""
        with self._lock:
            if self._closed:
                raise EngineClosedError(CLOSED)
            if self._blocking is None:
                self._blocking = RedisEngine.at(self._place)
            return self._blocking

    async def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values."""
        return await self._run(commands.get(keys, self._whole))

    async def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; one above 512 MB is left out."""
        await self._run(commands.put(items, ttl, self._whole))

    async def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        return await self._run(commands.add(key, value, ttl))

    async def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there."""
        return await self._run(commands.drop(keys, self._whole))

    async def scan(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin so, in pages that are fetched as they are wanted."""
        seen: set[bytes] = set()
        for node in await self._run(commands.nodes()):
            cursor = b""
            while cursor != b"0":
                cursor, found = await self._run(commands.page(node, cursor or b"0", prefix))
                for key in commands.fresh(found, seen):
                    yield key

    async def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        return await self._run(commands.swap(key, expected, value, ttl))

    async def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        return await self._run(commands.touch(keys, ttl))

    async def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        return await self._run(commands.left(keys))

    async def ping(self) -> None:
        """Returns if every server that has keys answers."""
        await self._run(commands.ping())

    async def close(self) -> None:
        """Closes the connections; those of other loops when these come to it."""
        with self._lock:
            self._closed = True
            every, self._in = self._in, {}
            blocking, self._blocking = self._blocking, None
        for stream in living(self._streams):
            stream.close()
        if blocking is not None:
            blocking.close()
        here = every.pop(asyncio.get_running_loop(), None)
        for loop, there in every.items():
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(there.close(), loop)
        if here is not None:
            await here.close()

    async def _run(self, steps: Steps[T]) -> T:
        if self._closed:
            raise EngineClosedError(CLOSED)
        failure: EngineError
        cause: BaseException | None
        line = None
        loop, bound = asyncio.get_running_loop(), self._place.timeout
        try:
            request = next(steps)
            here = self._in.get(loop)
            if here is not None and (asked := here.line.at_once(request)) is not None:
                line, start = here.line, loop.time()
                request = steps.send(await asked)  # most are done with this, and need no limit
                bound -= loop.time() - start
            async with time_limit(bound):
                line = await self._line(loop)
                while True:
                    request = steps.send(await line.ask(request))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except FAILURES as error:
            if line is not None and says(error, "READONLY"):
                line.forget()
            failure, cause = told(error, self._place)
        raise failure from cause  # out here, where it has no other context

    async def _line(self, loop: asyncio.AbstractEventLoop) -> AsyncSingle | AsyncCluster:
        here = self._in.get(loop)
        if here is None:
            here = _Here(self._place)
            with self._lock:
                if self._closed:
                    raise EngineClosedError(CLOSED)
                for other in [other for other in self._in if other.is_closed()]:
                    del self._in[other]
                self._in[loop] = here
            await here.begin()
        return here.line

    def _renew(self) -> None:
        leak(self._in)  # to close them here would reach into the parent's event loops
        self._in = {}
        self._lock = Lock()


RedisEngine.awaited = AsyncRedisEngine

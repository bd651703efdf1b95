"""The ways to a Redis for those who await, from one event loop; see `pool` and `lines`.

A call is bounded as a whole by who makes it. One that is cancelled closes its connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Any

from redis.exceptions import ResponseError

from .commands import NODES
from .failures import FAILURES
from .pool import greet, greeting, packed
from .routes import FOLLOWING, Sentinels, Slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeVar

    from ..network import Node
    from .commands import Command, Request
    from .place import Place
    from .routes import Route, Sending

    T = TypeVar("T")

__all__ = ["AsyncCluster", "AsyncSingle", "async_line_to"]

_RESTED = 1.0  # seconds


class AsyncPool:
    """Connections to one server, as many as are needed at once, up to a bound."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._idle: deque[tuple[Any, float]] = deque()
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to the commands; those that are errors are among them, not raised."""
        connection = await self._take()
        replies = []
        try:
            await connection.send_packed_command(packed(connection, commands), check_health=False)
            for _ in commands:
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        except BaseException as error:
            await self._drop(connection)
            if isinstance(error, FAILURES):
                await self.forget()
            raise
        self._idle.append((connection, monotonic()))
        if self._closed:
            await self.forget()
        elif self._waiting:
            self._wake()
        return replies

    async def forget(self) -> None:
        """Closes all that are idle."""
        while self._idle:
            await self._drop(self._idle.pop()[0])

    async def close(self) -> None:
        """Closes all, those in use when they come back."""
        self._closed = True
        await self.forget()

    async def _take(self) -> Any:
        while True:
            while self._idle:
                connection, since = self._idle.pop()
                if monotonic() - since < _RESTED or not await self._ended(connection):
                    return connection
                await self._drop(connection)
            if self._open < self._size:
                break
            await self._turn()
        self._open += 1
        try:
            return await self._connect()
        except BaseException:
            self._open -= 1
            self._wake()
            raise

    async def _turn(self) -> None:
        """Waits until a connection may be free."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # it was this one's turn, who won't take it
            raise

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    async def _ended(self, connection: Any) -> bool:
        look = getattr(connection, "can_read", None) or connection.can_read_destructive
        try:
            return bool(await look())
        except FAILURES:
            return True
        except BaseException:
            await self._drop(connection)
            raise

    async def _drop(self, connection: Any) -> None:
        self._open -= 1
        self._wake()
        with suppress(*FAILURES):
            await connection.disconnect()


class AsyncPools:
    """A pool for each node, made when it is first asked."""

    def __init__(self, place: Place, *, sentinel: bool = False) -> None:
        self._place = place
        self._sentinel = sentinel
        self._of: dict[Node, AsyncPool] = {}

    async def run(self, route: Route[T]) -> T:
        """Goes where the route leads."""
        try:
            sending = next(route)
            while True:
                try:
                    answers = await self._send(sending)
                except FAILURES as error:
                    sending = route.throw(error)
                else:
                    sending = route.send(answers)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def _send(self, sending: Sending) -> list[list[Any]]:
        if len(sending) == 1:
            ((node, commands),) = sending
            return [await self._pool(node).ask(commands)]
        asked = (self._pool(node).ask(commands) for node, commands in sending)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers  # type: ignore[return-value]

    def _pool(self, node: Node) -> AsyncPool:
        pool = self._of.get(node)
        if pool is None:
            pool = self._of[node] = self._made(node)
        return pool

    def _made(self, node: Node) -> AsyncPool:
        place = self._place

        async def connect() -> Any:
            made = place.connection(node, awaited=True, sentinel=self._sentinel)
            return await connected(made, master=False)

        return AsyncPool(connect, place.pool_size)

    async def forget(self) -> None:
        """Closes what is idle."""
        for pool in self._of.values():
            await pool.forget()

    async def close(self) -> None:
        """Closes all."""
        for pool in self._of.values():
            await pool.close()


class AsyncSingle:
    """The way to one server, which sentinels name if there are any."""

    whole = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._sentinels = None
        if place.kind == "sentinel":
            self._sentinels = Sentinels(place.nodes, place.service)
            self._pools = AsyncPools(place, sentinel=True)
        self._master: Node | None = None
        self._follow_at = 0.0
        self._pool = AsyncPool(self._connect, place.pool_size)

    async def ask(self, request: Request) -> list[Any]:
        """The replies."""
        if request is NODES:
            return [None]
        if self._sentinels is not None and monotonic() >= self._follow_at:
            await self._follow(self._sentinels)
        return await self._pool.ask(request[0])

    async def _follow(self, sentinels: Sentinels) -> None:
        self._follow_at = monotonic() + FOLLOWING
        try:
            master = await self._pools.run(sentinels.master())
        except FAILURES:
            return  # what is connected may serve all the same
        if master != self._master:
            self._master = master
            old, self._pool = self._pool, AsyncPool(self._connect, self._place.pool_size)
            await old.close()

    async def _connect(self) -> Any:
        place = self._place
        if self._sentinels is None:
            return await connected(place.connection(place.nodes[0], awaited=True), master=False)
        node = await self._pools.run(self._sentinels.master())
        return await connected(place.connection(node, awaited=True), master=True)

    async def forget(self) -> None:
        """Closes what is idle, since the server isn't what it was."""
        await self._pool.forget()

    async def close(self) -> None:
        """Closes all connections."""
        await self._pool.close()
        if self._sentinels is not None:
            await self._pools.close()


class AsyncCluster(AsyncPools):
    """The ways to the nodes of a cluster."""

    whole = False

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._slots = Slots(place.nodes)

    async def ask(self, request: Request) -> list[Any]:
        """The replies."""
        return await self.run(self._slots.route(request))

    async def forget(self) -> None:
        """Closes what is idle, and learns anew who has what."""
        self._slots.known = False
        await super().forget()


def async_line_to(place: Place) -> AsyncSingle | AsyncCluster:
    """The way to a place."""
    return AsyncCluster(place) if place.kind == "cluster" else AsyncSingle(place)


async def connected(connection: Any, *, master: bool) -> Any:
    """The connection, which has greeted the server."""
    try:
        await connection.connect()
        await connection.send_command(*greeting(master=master), check_health=False)
        try:
            reply = await connection.read_response()
        except FAILURES as error:
            reply = error
        greet(reply, master=master)
    except BaseException:
        with suppress(*FAILURES):
            await connection.disconnect()
        raise
    return connection

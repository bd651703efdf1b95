"""The ways to a Redis for those who await, from one event loop; see `link`, `pool` and `lines`.

A call is bounded as a whole by who makes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Any

from .commands import NODES
from .failures import FAILURES
from .link import Link
from .pool import greet, greeting
from .routes import FOLLOWING, GLANCE, Sentinels, Slots

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
    """Links to one server, as many as are needed at once, up to a bound."""

    def __init__(self, connect: Callable[[], Awaitable[Link]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._idle: deque[Link] = deque()
        self._all: set[Link] = set()
        self._coming = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def at_once(self, commands: Sequence[Command]) -> Awaitable[list[Any]] | None:
        """What `ask` gives, bounded by its link's time-out; None if no link is at hand."""
        idle = self._idle
        if not (idle and commands) or asyncio.get_running_loop().time() - idle[-1].since >= _RESTED:
            return None
        return idle.pop().ask(commands)

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to the commands; those that are errors are among them, not raised."""
        return await (await self._take()).ask(commands) if commands else []

    def forget(self) -> None:
        """Closes all that are idle."""
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        """Closes all, those that somebody waits for when they have answered."""
        self._closed = True
        for link in list(self._all):
            if not link.is_asked:
                link.close()

    async def _take(self) -> Link:
        while True:
            while self._idle:
                link = self._idle.pop()
                if link.since + _RESTED < asyncio.get_running_loop().time():
                    try:
                        for _ in range(2):  # for the loop to hear that the server hung up
                            await asyncio.sleep(0)
                    except BaseException:
                        self._back(link, None)
                        raise
                if not link.is_closed:
                    return link
            if len(self._all) + self._coming < self._size:
                break
            await self._turn()
        self._coming += 1
        try:
            link = await self._connect()
        finally:
            self._coming -= 1
            self._wake()  # if it is in vain another may try
        self._all.add(link)
        link.idle = self._back
        return link

    async def _turn(self) -> None:
        """Waits until a link may be free."""
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

    def _back(self, link: Link, error: BaseException | None) -> None:
        """A link has answered, or is no more; if it broke, those that are idle are no better."""
        if link.is_closed:
            self._all.discard(link)
            with suppress(ValueError):
                self._idle.remove(link)
            if error is not None:
                self.forget()
        elif self._closed:
            link.close()
        else:
            self._idle.append(link)
        if self._waiting:
            self._wake()


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

        async def connect() -> Link:
            made = place.connection(node, awaited=True, sentinel=self._sentinel)
            return await connected(made, place.timeout, master=False)

        return AsyncPool(connect, place.pool_size)

    def forget(self) -> None:
        """Closes what is idle."""
        for pool in self._of.values():
            pool.forget()

    def close(self) -> None:
        """Closes all."""
        for pool in self._of.values():
            pool.close()


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
        self._asking: asyncio.Future[None] | None = None
        self._pool = AsyncPool(self._connect, place.pool_size)

    def at_once(self, request: Request) -> Awaitable[list[Any]] | None:
        """The replies, where one trip on a link that is at hand will do; that bounds it itself."""
        if request is NODES or self._sentinels is not None:
            return None
        return self._pool.at_once(request[0])

    async def ask(self, request: Request) -> list[Any]:
        """The replies."""
        if request is NODES:
            return [None]
        if self._sentinels is not None and monotonic() >= self._follow_at:
            await self._follow(self._sentinels)
        return await self._pool.ask(request[0])

    async def _follow(self, sentinels: Sentinels) -> None:
        self._follow_at = monotonic() + FOLLOWING
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._learn(sentinels))
            await asyncio.wait([self._asking], timeout=self._place.timeout * GLANCE)

    async def _learn(self, sentinels: Sentinels) -> None:
        try:
            master = await asyncio.wait_for(
                self._pools.run(sentinels.master()), self._place.timeout
            )
        except FAILURES:
            return  # what is connected may serve all the same
        if master != self._master:
            self._master = master
            old, self._pool = self._pool, AsyncPool(self._connect, self._place.pool_size)
            old.close()

    async def _connect(self) -> Link:
        place, sentinels = self._place, self._sentinels
        is_named = sentinels is not None
        node = place.nodes[0] if sentinels is None else await self._pools.run(sentinels.master())
        made = place.connection(node, awaited=True)
        return await connected(made, place.timeout, master=is_named)

    def forget(self) -> None:
        """Closes what is idle, since the server isn't what it was."""
        self._pool.forget()

    def close(self) -> None:
        """Closes all connections."""
        self._pool.close()
        if self._asking is not None:
            self._asking.cancel()
        if self._sentinels is not None:
            self._pools.close()


class AsyncCluster(AsyncPools):
    """The ways to the nodes of a cluster."""

    whole = False

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._slots = Slots(place.nodes)

    def at_once(self, _: Request) -> None:
        """Never: it may have to go on to another node."""

    async def ask(self, request: Request) -> list[Any]:
        """The replies."""
        return await self.run(self._slots.route(request))

    def forget(self) -> None:
        """Closes what is idle, and learns anew who has what."""
        self._slots.known = False
        super().forget()


def async_line_to(place: Place) -> AsyncSingle | AsyncCluster:
    """The way to a place."""
    return AsyncCluster(place) if place.kind == "cluster" else AsyncSingle(place)


async def connected(connection: Any, timeout: float, *, master: bool) -> Link:
    """A link by a connection of the library's, which has greeted the server."""
    link = None
    try:
        await connection.connect()
        link = Link(connection, timeout)
        (reply,) = await link.ask([greeting(master=master)])
        greet(reply, master=master)
    except BaseException:
        if link is not None:
            link.close()
        with suppress(*FAILURES):
            await connection.disconnect()
        raise
    return link

"""A proxy that does to a connection what a network does on a bad day."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import threading
from contextlib import suppress
from math import isfinite, log, log1p
from random import Random
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType
    from typing import Any

    # What one side said: when it is passed on, what is set when that may be at once, the bytes.
    _Way = asyncio.Queue[tuple[float, asyncio.Event, bytes]]

__all__ = ["ChaosProxy"]

_HOST = "127.0.0.1"
_CHUNK = 65536
_CHUNKS = 32  # so many per direction wait for their delay before the sender has to wait as well
# SO_LINGER of 0 s: closing sends a reset and forgets what is unsent.
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_PATIENCE = 30.0


class ChaosProxy:
    """A TCP proxy on a free loopback port that can be told to fail.

    It serves from the moment it is made, in a thread of its own, until `close` or the end of its
    `with` block. What it is told holds when the call returns; troubles add up until `heal`. All
    methods may be called from any thread. A forked child has no part in it, and closes its copies
    of the sockets.

    Args:
        target_host: Where the server is; looked up once, here.
        target_port: Its port. Whether somebody listens there matters for each connection anew: if
            nobody does, a client's connection is reset.
    """

    host: str
    """Where it listens: `127.0.0.1`."""
    port: int
    """The port that it listens on; it stays its own while it refuses connections."""
    accepted: int
    """How many connections it has taken since it was made."""

    def __init__(self, target_host: str, target_port: int) -> None:
        looked_up = socket.getaddrinfo(target_host, target_port, type=socket.SOCK_STREAM)[0]
        self._family, self._target = looked_up[0], looked_up[4]
        self.host, self.accepted = _HOST, 0
        self._delay, self._is_stalled, self._is_refusing = 0.0, False, False
        self._corruption: tuple[float, object] | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._healed = asyncio.Event()
        self._is_closed, self._lock = False, threading.Lock()
        self._listener = _bound(0)
        self.port = self._listener.getsockname()[1]
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"chaos-proxy-{self.port}", daemon=True
        )
        self._thread.start()
        _PROXIES.add(self)
        self._do(self._listen())

    @property
    def address(self) -> str:
        """Where it listens, as URLs write it: `127.0.0.1:` and the port."""
        return f"{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._links)

    def delay(self, seconds: float) -> None:
        """Holds back each chunk of bytes, either way: an answer takes twice as long.

        What was on its way before goes out as it was to.

        Args:
            seconds: For how long; 0 ends it.

        Raises:
            ValueError: It is negative or not finite.
        """
        if not (isfinite(seconds) and seconds >= 0):
            raise ValueError(f"a delay is 0 seconds or more, not {seconds!r}")
        self._delay = seconds

    def cut(self) -> None:
        """Resets all connections, on both sides; new ones are taken."""
        self._do(self._cut(list(self._links)))

    def refuse(self) -> None:
        """Refuses new connections, as where no server listens; those that are there go on."""
        self._do(self._refuse())

    def stall(self) -> None:
        """Becomes a black hole: it takes connections and reads, but passes nothing on, either way.

        What was sent meanwhile is lost, so `heal` resets the connections that lost something.
        """
        self._do(self._stall())

    def corrupt(self, rate: float, seed: object = 0) -> None:
        """Changes bytes that come from the server.

        Args:
            rate: The chance of each byte to become another one, above 0 and up to 1.
            seed: A number or text; with the same one the same bytes of the first, second …
                connection are changed in the same way.

        Raises:
            ValueError: The rate is outside its range.
        """
        if not 0 < rate <= 1:
            raise ValueError(f"a rate of corruption is above 0 and up to 1, not {rate!r}")
        self._corruption = rate, seed

    def heal(self) -> None:
        """Ends all troubles: what is held back goes out, new connections are taken."""
        self._do(self._heal())

    def close(self) -> None:
        """Resets all connections and ends; a second time it does nothing."""
        if self._is_closed or not self._thread.is_alive():
            return
        self._do(self._end())
        self._is_closed = True
        _PROXIES.discard(self)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> ChaosProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        target = ":".join(str(part) for part in self._target[:2])
        return f"<ChaosProxy {self.address} before {target}>"

    # What follows, but for `_do`, runs in the thread of the loop.

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        if self._is_closed or not self._thread.is_alive():
            work.close()
            raise RuntimeError(f"{self!r} is closed, or was made by the process that forked this")
        with self._lock:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    async def _listen(self) -> None:
        self._listener.listen(128)
        self._loop.add_reader(self._listener, self._accept)

    async def _refuse(self) -> None:
        if self._is_refusing:
            return
        self._loop.remove_reader(self._listener)
        self._listener.close()
        # A socket that is bound and doesn't listen: connections are refused, the port stays ours.
        self._listener = _bound(self.port)
        self._is_refusing = True

    async def _stall(self) -> None:
        self._is_stalled = True

    async def _heal(self) -> None:
        self._delay, self._corruption, self._is_stalled = 0.0, None, False
        self._healed.set()
        self._healed = asyncio.Event()
        await self._cut([task for task, link in self._links.items() if link.is_lossy])
        if self._is_refusing:
            self._is_refusing = False
            await self._listen()

    async def _cut(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _end(self) -> None:
        if not self._is_refusing:
            self._loop.remove_reader(self._listener)
        self._listener.close()
        await self._cut(list(self._links))

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # it gave up before it was taken
            return
        self.accepted += 1
        link = _Link(client, socket.socket(self._family, socket.SOCK_STREAM), self.accepted)
        task = self._loop.create_task(self._serve(link))
        self._links[task] = link
        task.add_done_callback(self._ended)  # which is called even if the task never began

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._links.pop(task).close()

    async def _serve(self, link: _Link) -> None:
        with suppress(OSError):
            if self._is_stalled:
                link.is_lossy = True
                while await self._loop.sock_recv(link.client, _CHUNK):
                    pass
                return
            await self._loop.sock_connect(link.server, self._target)
            up: _Way = asyncio.Queue(_CHUNKS)
            down: _Way = asyncio.Queue(_CHUNKS)
            await _together(
                self._read(link, link.client, up),
                self._write(link, link.server, up),
                self._read(link, link.server, down),
                self._write(link, link.client, down),
            )
            link.is_over = True

    async def _read(self, link: _Link, source: socket.socket, way: _Way) -> None:
        data = b"?"
        while data:
            data = await self._loop.sock_recv(source, _CHUNK)
            if self._is_stalled:
                if not data and source is link.client:
                    raise ConnectionResetError("nobody waits for the black hole any more")
                link.is_lossy = True
                continue
            if source is link.server and self._corruption:
                data = link.corrupted(data, self._corruption)
            await way.put((self._loop.time() + self._delay, self._healed, data))

    async def _write(self, link: _Link, sink: socket.socket, way: _Way) -> None:
        data = b"?"
        while data:
            due, healed, data = await way.get()
            wait = due - self._loop.time()
            if wait > 0:
                await _until(healed, wait)
            if self._is_stalled:
                link.is_lossy = True
            elif data:
                await self._loop.sock_sendall(sink, data)
            else:
                sink.shutdown(socket.SHUT_WR)


class _Link:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket, number: int) -> None:
        self.client, self.server = client, server
        self.is_over = False  # both sides have said all
        self.is_lossy = False  # bytes were thrown away
        self._number = number
        self._corruption: _Corruption | None = None
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def corrupted(self, data: bytes, how: tuple[float, object]) -> bytes:
        if self._corruption is None or self._corruption.how is not how:
            self._corruption = _Corruption(how, self._number)
        return self._corruption(data)

    def close(self) -> None:
        for end in (self.client, self.server):
            if not self.is_over:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()


class _Corruption:
    """Changes bytes of one connection, whatever the chunks that they come in."""

    def __init__(self, how: tuple[float, object], number: int) -> None:
        self.how = how
        self._random = Random(f"{how[1]}/{number}")
        self._good = self._spared()  # so many bytes until the next bad one

    def _spared(self) -> int:
        rate = self.how[0]
        return 0 if rate == 1 else int(min(log(1 - self._random.random()) / log1p(-rate), 2**62))

    def __call__(self, data: bytes) -> bytes:
        changed, at = bytearray(data), self._good
        while at < len(changed):
            changed[at] ^= self._random.randrange(1, 256)
            at += 1 + self._spared()
        self._good = at - len(changed)
        return bytes(changed)


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Waits for the event, for so long at most.

    Not by `wait_for`, which before Python 3.12 takes no notice of being cancelled as the event
    comes, so that a connection couldn't be cut.
    """
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([waiting], timeout=seconds)
    finally:
        waiting.cancel()


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """Does all at once; where one fails the others are ended before its error goes on."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setblocking(False)
        # So that it can be bound again beside its connections. On Windows it would let others take
        # the port of a listener.
        if port or sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((_HOST, port))
    except BaseException:
        bound.close()
        raise
    return bound


_PROXIES: WeakSet[ChaosProxy] = WeakSet()


def _let_go() -> None:
    """Closes the copies in a forked child: one would keep the connection open that is reset."""
    for proxy in list(_PROXIES):
        proxy._listener.close()
        for link in list(proxy._links.values()):
            link.client.close()
            link.server.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

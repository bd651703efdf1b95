"""One memcached server: its connections, and what its errors mean.

pymemcache's pool isn't used, since it raises where one should wait for a connection. A connection
asks for the server's version before anything else: to another kind of server, a value that is sent
would be commands.

With others beside it, a server that is away isn't asked for a while. What couldn't be written or
dropped meanwhile is forgotten as soon as it is back, before anything else is asked of it.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections import deque
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import Any, TypeVar
from weakref import WeakSet

from ...errors import (
    EngineConnectionError,
    EngineError,
    EngineTimeoutError,
)
from ..forks import ForkSafeLock, living
from ..network import in_time, is_name, look_up
from .connection import (
    Connection,
    MemcacheClientError,
    MemcacheError,
    MemcacheUnexpectedCloseError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from ..network import Node

    T = TypeVar("T")

__all__ = ["Server"]

_MOST_DUE = 100_000  # names that are kept to be forgotten; about 10 MB

_every: WeakSet[Server] = WeakSet()


class Server:
    """The connections to one server.

    Args:
        node: Host and port.
        login: User and password, with a space between them.
        tls: How to encrypt; None is not at all.
        timeout: Seconds that a call may take, from waiting for a connection to the last answer.
        pool_size: How many connections there may be.
        rest: Seconds for which it isn't asked if it is away.
    """

    def __init__(
        self,
        node: Node,
        *,
        login: str | None,
        tls: ssl.SSLContext | None,
        timeout: float,
        pool_size: int,
        rest: float,
    ) -> None:
        self.node = node
        self.limit: int | None = None
        """The length of a value from which on the server takes none; None is not known yet."""
        self._login = login
        self._tls = tls
        self._timeout = timeout
        self._size = pool_size
        self._rest = rest
        self._awake = 0.0  # from when on it is asked
        self._is_away = False
        self._due: dict[bytes, None] = {}  # what is to be forgotten before anything else
        self._lock = ForkSafeLock()
        self._closed = False
        self._begin()
        _every.add(self)

    @property
    def rests(self) -> bool:
        """Whether it was away a moment ago and isn't asked."""
        return monotonic() < self._awake

    def call(self, work: Callable[..., T], *args: Any) -> T:
        """What the work comes to with a connection, which it has for itself.

        Raises:
            EngineError: It failed, for a reason that the message names.
        """
        now = monotonic()
        if now < self._awake:
            raise EngineConnectionError(
                f"the memcached at {self.node} was away a moment ago; it is asked again after"
                f" {self._rest:g} s"
            )
        deadline = now + self._timeout
        connection = None
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._another(deadline)
            connection.deadline = deadline
            if self._due:
                self._settle(connection)
            result = work(connection, *args)
        except BaseException as error:
            if connection is not None:
                self._forget(connection)
                self._places.put(True)
            if isinstance(error, EngineError) or not isinstance(error, Exception):
                raise
            raise self._failed(error) from error
        self._is_away = False
        self._idle.append(connection)
        if self._closed:
            self._leave_idle()
        elif self._waiting:
            self._places.put(False)
            sleep(0)  # or this thread could take it again, and again, before who waits is awake
        return result

    def owe(self, names: Iterable[bytes]) -> bool:
        """Whether the server will forget the names before it is asked for anything else.

        It won't if they are too many to be kept.
        """
        with self._lock:
            self._due.update(dict.fromkeys(names))
            return len(self._due) <= _MOST_DUE

    def _settle(self, connection: Connection) -> None:
        with self._lock:  # others must wait, or they would get what is to be forgotten
            commands = [b"delete %b\r\n" % name for name in self._due]
            connection.pipeline(b"delete", commands)
            self._due.clear()

    def close(self) -> None:
        """Closes what isn't in use, and the rest when it is given back."""
        self._closed = True
        self._leave_idle()

    def __del__(self) -> None:
        self._end()

    def _begin(self) -> None:
        self._places: SimpleQueue[bool] = SimpleQueue()  # see `_another`
        for _ in range(self._size):
            self._places.put(True)
        self._waiting: list[None] = []
        self._idle: deque[Connection] = deque()
        self._made: set[Connection] = set()

    def _end(self) -> None:
        for connection in list(self._made):
            connection.close()

    def _after_fork(self) -> None:
        """A child leaves its parent's connections to it; to close its own ends breaks none."""
        self._end()
        self._begin()

    def _another(self, deadline: float) -> Connection:
        """A connection that is given back, or a new one as long as there may be more.

        In the queue are places for further connections, as True, and signs to look whether one is
        idle. Who waits is known before it looks, so who gives one back later gives a sign.
        """
        self._waiting.append(None)
        try:
            while True:
                try:
                    return self._idle.pop()
                except IndexError:
                    if self._places.get(True, max(0.0, deadline - monotonic())):
                        break
        except Empty:
            raise EngineTimeoutError(
                f"all {self._size} connections to the memcached at {self.node} were in use for"
                f" {self._timeout:g} s; allow more by pool_size="
            ) from None
        finally:
            self._waiting.pop()
        try:
            return self._connect(deadline)
        except BaseException:
            self._places.put(True)
            raise

    def _connect(self, deadline: float) -> Connection:
        """A connection to a server that has said that it is a memcached.

        Of a host's addresses the first that answers is taken; pymemcache would try one only.
        """
        failure = OSError("the name has no address")
        try:
            host, port = self.node
            look = partial(look_up, host, port)
            for address in in_time(look, deadline - monotonic()) if is_name(host) else [host]:
                try:
                    return self._greet((address, port), deadline)
                except OSError as error:
                    failure = error
            raise failure
        except OSError as error:
            self._rest_after(error)
            raise self._failed(error) from error

    def _rest_after(self, error: Exception) -> None:
        if not self._rest:
            return
        self._awake = monotonic() + self._rest
        if not self._is_away:
            self._is_away = True
            _log.warning(
                "the memcached at %s is away, and its keys aren't cached until it is back: %r",
                self.node,
                error,
            )

    def _greet(self, address: tuple[str, int], deadline: float) -> Connection:
        tls = None if self._tls is None else _Named(self._tls, self.node.host)
        connection = Connection(address, tls)
        connection.deadline = deadline
        self._made.add(connection)
        try:
            try:
                connection.version()
            except MemcacheClientError:
                if self._login is None:
                    raise
                # Only who wants a password takes it for one; others would keep it as a value.
                connection.bound()
                connection.set("login", self._login.encode("utf-8"))
                connection.version()
            if self.limit is None:
                connection.bound()
                settings = connection.stats("settings")
                self.limit = int(settings.get(b"item_size_max") or _UNLIMITED)
        except BaseException:
            self._forget(connection)
            raise
        return connection

    def _forget(self, connection: Connection) -> None:
        connection.close()
        self._made.discard(connection)

    def _leave_idle(self) -> None:
        while self._idle:
            try:
                self._forget(self._idle.pop())
            except IndexError:  # another thread has just taken the last one
                return
            self._places.put(True)

    def _failed(self, error: Exception) -> EngineError:
        """What the library's error means."""
        where = f"the memcached at {self.node}"
        if isinstance(error, TimeoutError):
            self._rest_after(error)
            return EngineTimeoutError(
                f"{where} didn't answer within {self._timeout:g} s; more time is given by timeout="
            )
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            return EngineError(
                f"no TLS with {where} ({error.reason or error}); give tls= only for a server that"
                " speaks it, and a context that trusts its certificate"
            )
        if isinstance(error, (OSError, MemcacheUnexpectedCloseError)):
            self._leave_idle()  # they are most likely broken, too
            reason = "the connection broke" if not isinstance(error, OSError) else str(error)
            return EngineConnectionError(
                f"{where} can't be reached: {reason}; see whether it runs and the port is right"
            )
        text = _said(error)
        if "auth" in text:
            return EngineError(
                f"{where} wants a user and a password that it knows: memcached://user:password@…"
                f" (it said: {text})"
            )
        return EngineError(
            f"{where} failed, or it is no memcached: {type(error).__name__}: {text};"
            " see what listens on the port"
        )


class _Named:
    """Begins TLS with the name of the host, where pymemcache has an address."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._context = context
        self._host = host

    def wrap_socket(self, sock: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        del server_hostname
        return self._context.wrap_socket(sock, server_hostname=self._host)


_log = logging.getLogger("twat_cache")
_UNLIMITED = 1 << 62


def _said(error: Exception) -> str:
    """What the server answered; nothing of what it was sent."""
    if isinstance(error, MemcacheError) and error.args:
        said = error.args[0]
        return said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)
    return str(error)


def _after_fork() -> None:
    for server in living(_every):
        server._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

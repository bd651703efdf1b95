"""Connections to one server, for threads: the library's, kept in a pool of ours.

The library's own pool and client take about as long over a command as the command takes (20 µs of
40, measured with redis-py 8.1 in November 2026): so a command goes straight to a connection, the
one that was used last.

- A connection is handed out to one thread at a time. Whatever goes wrong while it is out, it is
  closed, since the next one would read the rest of this one's answer.
- One that has been idle for a second is looked at before it is used: the server may have hung up.
- When one breaks or doesn't answer, those that are idle are most likely no better: all are closed.
- Who finds none free waits as long as an operation may take.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import Condition
from time import monotonic, sleep
from typing import Any

from redis import exceptions as theirs

from .failures import FAILURES, Busy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .commands import Command

__all__ = ["Pool", "Talk", "greet", "greeting", "packed"]

_RESTED = 1.0  # seconds


def packed(connection: Any, commands: Sequence[Command]) -> Any:
    """The commands as bytes that go out in one piece."""
    pack = connection.pack_command
    if len(commands) == 1:
        return pack(*commands[0])
    return [b"".join([piece for command in commands for piece in pack(*command)])]


def greeting(*, master: bool) -> Command:
    """What is said first, lest a server of another kind takes values for commands."""
    return (b"ROLE",) if master else (b"PING",)


def greet(reply: Any, *, master: bool) -> None:
    """Hears whether it is a Redis that can serve, and, if it must be, a master."""
    if isinstance(reply, theirs.RedisError) and not isinstance(reply, theirs.NoPermissionError):
        raise reply
    if master and isinstance(reply, list) and reply[:1] != [b"master"]:
        raise theirs.ConnectionError("READONLY it is no master, or not any more")


class Talk:
    """Commands that are on their way, and a connection that waits for the replies."""

    __slots__ = ("_connection", "_number", "_pool")

    def __init__(self, pool: Pool, commands: Sequence[Command]) -> None:
        self._pool = pool
        self._number = len(commands)
        self._connection = connection = pool.take()
        try:
            connection.send_packed_command(packed(connection, commands), check_health=False)
        except BaseException as error:
            self.drop(error)
            raise

    def replies(self) -> list[Any]:
        """The replies; those that are errors are among them, not raised."""
        connection = self._connection
        replies = []
        try:
            for _ in range(self._number):
                try:
                    replies.append(connection.read_response())
                except theirs.ResponseError as error:
                    replies.append(error)
        except BaseException as error:
            self.drop(error)
            raise
        self._connection = None
        self._pool.give(connection)
        return replies

    def drop(self, error: BaseException | None = None) -> None:
        """Closes the connection if it still waits."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.drop(connection, error)


class Pool:
    """As many connections as are needed at once, up to a bound."""

    def __init__(self, connect: Callable[[], Any], size: int, timeout: float) -> None:
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self.renew()

    def renew(self) -> None:
        """Forgets all connections without touching them, as a child does after a fork."""
        self._closed = False
        self._idle: deque[tuple[Any, float]] = deque()
        self._open = 0
        self._waiting = 0
        self._freed = Condition()

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to the commands, which go out in one piece."""
        return Talk(self, commands).replies()

    def take(self) -> Any:
        """A connection that nobody else has."""
        while True:
            try:
                connection, since = self._idle.pop()
            except IndexError:
                return self._another()
            if monotonic() - since < _RESTED or not _ended(connection):
                return connection
            self.drop(connection, None)

    def give(self, connection: Any) -> None:
        """Takes it back; whoever has waited longest needn't be the one who gets it."""
        self._idle.append((connection, monotonic()))
        if self._closed:
            self.forget()
        elif self._waiting:
            with self._freed:
                self._freed.notify()
            sleep(0)  # or this thread could take it again, and again, before who waits is awake

    def drop(self, connection: Any, error: BaseException | None) -> None:
        """Closes it, and those that are idle if it failed."""
        with suppress(*FAILURES):
            connection.disconnect()
        with self._freed:
            self._open -= 1
            self._freed.notify()
        if isinstance(error, FAILURES):
            self.forget()

    def forget(self) -> None:
        """Closes all that are idle."""
        while self._idle:
            try:
                connection, _ = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            self.drop(connection, None)

    def close(self) -> None:
        """Closes all connections, those in use when they come back."""
        self._closed = True
        self.forget()

    def _another(self) -> Any:
        deadline = monotonic() + self._timeout
        with self._freed:
            self._waiting += 1  # before it looks: who gives one back later sees it
            try:
                while True:
                    with suppress(IndexError):
                        return self._idle.pop()[0]
                    if self._open < self._size:
                        self._open += 1
                        break
                    if not self._freed.wait(max(0.0, deadline - monotonic())):
                        raise Busy
            finally:
                self._waiting -= 1
        try:
            return self._connect()
        except BaseException:
            with self._freed:
                self._open -= 1
                self._freed.notify()
            raise


def _ended(connection: Any) -> bool:
    """Whether the server hung up, or has something to say that nobody asked for."""
    try:
        return bool(connection.can_read(timeout=0))
    except FAILURES:
        return True

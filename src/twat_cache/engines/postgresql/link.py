"""One connection: statements go out prepared and in binary, results come as libpq has them."""

from __future__ import annotations

import os
import re
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from ..forks import leak
from .drivers import READ, WRITE, is_readable
from .library import errors, pq

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .drivers import Talk

__all__ = ["Link", "Statement", "connect"]

_BINARY = 1
_ALL_BINARY = [[_BINARY] * count for count in range(8)]
_DONE = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}
_NAMED = re.compile(r'\b(user|role) "[^"]*"')


class Statement(NamedTuple):
    """SQL with `$1`, `$2`, …, and a name under which it is prepared, the same for the same SQL."""

    name: bytes
    sql: bytes
    types: tuple[int, ...]
    """The object ids of the parameters' types."""


def connect(conninfo: str, *, prepare: bool) -> Talk[Link]:
    """A new connection.

    Raises:
        psycopg.OperationalError: There is none to be had; its text names no user.
    """
    conn = pq.PGconn.connect_start(conninfo.encode())
    del conninfo  # some who report errors tell the variables, too
    try:
        yield from _connected(conn)
    except BaseException:
        conn.finish()
        raise
    return Link(conn, prepare=prepare)


def _connected(conn: Any) -> Talk[None]:
    while conn.status != pq.ConnStatus.BAD:
        status = conn.connect_poll()
        if status == pq.PollingStatus.OK:
            conn.nonblocking = 1
            return
        if status == pq.PollingStatus.FAILED:
            break
        yield conn.socket, READ if status == pq.PollingStatus.READING else WRITE
    raise _refused(conn)


class Link:
    """A connection, used by one thread or task at a time."""

    __slots__ = ("_conn", "_prepare", "_prepared", "_reading", "_socket", "_writing", "used")

    def __init__(self, conn: Any, *, prepare: bool) -> None:
        self._conn = conn
        self._prepare = prepare
        self._prepared: set[bytes] = set()
        self._socket = conn.socket
        self._reading = (self._socket, READ)
        self._writing = (self._socket, READ | WRITE)
        self.used = monotonic()

    def ask(self, statement: Statement, values: Sequence[Any] = ()) -> Talk[Any]:
        """The result of a statement, in binary, of values in binary.

        Raises:
            psycopg.Error: The server refused it, and can be asked something else; or the
                connection is lost.
        """
        formats = _ALL_BINARY[len(values)]
        values = list(values)  # of which psycopg 3.2 takes no other sequence
        if not self._prepare:
            self._conn.send_query_params(statement.sql, values, statement.types, formats, _BINARY)
        else:
            if statement.name not in self._prepared:
                yield from self._prepared_on_server(statement)
                self._prepared.add(statement.name)
            self._conn.send_query_prepared(statement.name, values, formats, _BINARY)
        return (yield from self._answer())

    def tell(self, sql: str) -> Talk[Any]:
        """The last result of one or more statements, which are one transaction."""
        self._conn.send_query(sql.encode())
        return (yield from self._answer())

    @property
    def socket(self) -> int:
        """The number of its socket."""
        number: int = self._socket
        return number

    def receive(self) -> None:
        """Takes what has come.

        Raises:
            psycopg.OperationalError: The connection is lost.
        """
        self._conn.consume_input()

    def notes(self) -> list[tuple[str, str]]:
        """The notifications that have been received, each with its channel."""
        found = []
        while (one := self._conn.notifies()) is not None:
            found.append((one.relname.decode(), one.extra.decode("utf-8", "replace")))
        return found

    def unprepare(self) -> None:
        """Takes note that the server knows of no prepared statement."""
        self._prepared.clear()

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way on it, so that it can be used again."""
        conn = self._conn
        return bool(
            conn.status == pq.ConnStatus.OK and conn.transaction_status == pq.TransactionStatus.IDLE
        )

    def is_sound(self) -> bool:
        """Whether it is still open, as far as can be told without asking the server.

        What comes unasked is the end, or its announcement, or so rare that a connection may go.
        """
        return not is_readable(self._socket)

    def close(self) -> None:
        """Ends it."""
        self._conn.finish()

    def abandon(self) -> None:
        """Closes a child's copy of the socket, which says nothing to the server."""
        leak(self._conn)  # whose end would be told to the server, on the parent's connection
        try:
            os.close(self._socket)
        except OSError:
            pass

    def _prepared_on_server(self, statement: Statement) -> Talk[None]:
        self._conn.send_prepare(statement.name, statement.sql, statement.types)
        try:
            yield from self._answer()
        except errors.DuplicatePreparedStatement:  # a pooler gave us a connection that has it
            pass

    def _answer(self) -> Talk[Any]:
        conn = self._conn
        while conn.flush():
            if (yield self._writing) & READ:
                conn.consume_input()
        last = None
        while True:
            while conn.is_busy():
                yield self._reading
                conn.consume_input()
            result = conn.get_result()
            if result is None:
                break
            last = result
        if last is None:
            raise errors.OperationalError("the server gave no result")
        if last.status not in _DONE:
            raise _failed(last)
        return last


def _failed(result: Any) -> Exception:
    state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
    text = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message
    try:
        kind: type[Exception] = errors.lookup(state.decode())
    except KeyError:
        kind = errors.DatabaseError
    return kind(_cleaned(text))


def _refused(conn: Any) -> Exception:
    text = _cleaned(conn.error_message)
    try:
        user = conn.user.decode("utf-8", "replace")
    except errors.Error:  # so broken that it has none
        user = ""
    return errors.OperationalError(text.replace(f'"{user}"', '"…"') if user else text)


def _cleaned(text: bytes) -> str:
    return _NAMED.sub(r'\1 "…"', " ".join(text.decode("utf-8", "replace").split()))

"""What an engine does on one connection, as talks: written once for threads and for tasks."""

from __future__ import annotations

from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...errors import EngineError
from .library import errors
from .statements import (
    Statements,
    array,
    key_text,
    limit,
    read_seconds,
    read_whole,
    row_of,
    seconds,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...engine_types import Bytes
    from .drivers import Talk
    from .link import Link, Statement

__all__ = ["Commands"]

_KEYS = 20_000  # in one statement
_PAGE = 1_000  # keys of a scan
_PORTION = 16 << 20  # bytes in one statement
_LARGEST = 256 << 20  # bytes of a value: a message of the server's has at most 1 GB
_SWEEP_ROWS = 256
_SWEEP_SECONDS = 10.0
_SWEEP_MOST = 10_000
_SWEEP_TIME = 0.05  # seconds that one should take

_MADE_MEANWHILE = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject)


class Commands:
    """The commands on one table; they also know when it is time to sweep it.

    Args:
        table: Its name.
        schema: Where it is; None is the first of the server's search path.
    """

    def __init__(self, table: str, schema: str | None) -> None:
        self._sql = Statements(table, schema)
        self.table = self._sql.table
        self._written = 0
        self._swept = monotonic()
        self._most = _SWEEP_MOST  # rows in one sweep, fewer where they are large

    def ping(self, link: Link) -> Talk[None]:
        """Reads from the table."""
        result = yield from self._ask(link, self._sql.ping)
        if result.get_value(0, 0) == b"\x01":
            raise errors.ReadOnlySqlTransaction("it takes no writes")

    def get(self, link: Link, keys: Sequence[str]) -> Talk[list[Any]]:
        """The values in the order of the keys."""
        if len(keys) == 1:
            result = yield from self._ask(link, self._sql.get, (row_of(keys[0])[0],))
            return [result.get_value(0, 0) if result.ntuples else None]
        rows = [row_of(key)[0] for key in keys]
        found = yield from self._found(link, self._sql.get_many, rows)
        return [found.get(row) for row in rows]

    def put(self, link: Link, items: Mapping[str, Bytes], ttl: float | None) -> Talk[None]:
        """Stores the values, in the order of rows, so that no two batches wait in a circle."""
        if ttl is not None and not ttl > 0:
            yield from self.drop(link, list(items))
            return
        until = seconds(ttl)
        if len(items) == 1:
            ((key, value),) = items.items()
            if len(value) <= _LARGEST:
                yield from self._ask(link, self._sql.put, (*row_of(key), value, until))
                self._written += 1
                return
        too_large = [key for key, value in items.items() if len(value) > _LARGEST]
        rows = [(*row_of(k), value) for k, value in items.items() if len(value) <= _LARGEST]
        rows.sort(key=_first)
        for portion in _portions(rows):
            columns = [array(column) for column in zip(*portion, strict=True)]
            yield from self._ask(link, self._sql.put_many, (*columns, until))
            self._written += len(portion)
        if too_large:
            yield from self.drop(link, too_large)

    def add(self, link: Link, key: str, value: Bytes, ttl: float | None) -> Talk[bool]:
        """Stores the value if there is none."""
        if len(value) > _LARGEST or (ttl is not None and not ttl > 0):
            return False
        values = (*row_of(key), value, seconds(ttl))
        result = yield from self._ask(link, self._sql.add, values)
        self._written += 1
        return bool(result.command_tuples)

    def drop(self, link: Link, keys: Sequence[str]) -> Talk[int]:
        """Forgets the keys; counts those that were alive."""
        count = 0
        for some in _chunks(sorted({row_of(key)[0] for key in keys})):
            result = yield from self._ask(link, self._sql.drop, (array(some),))
            count += read_whole(result.get_value(0, 0))
        return count

    def swap(
        self, link: Link, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> Talk[bool]:
        """Stores or forgets if the expected value, or none, is there."""
        is_nothing = value is None or (ttl is not None and not ttl > 0)
        if expected is None:
            if value is not None and not is_nothing:
                return (yield from self.add(link, key, value, ttl))
            (found,) = yield from self.get(link, [key])
            return found is None
        row, _ = row_of(key)
        if value is None or is_nothing:
            result = yield from self._ask(link, self._sql.swap_for_nothing, (row, expected))
        elif len(value) > _LARGEST:
            return False
        else:
            values = (row, expected, value, seconds(ttl))
            result = yield from self._ask(link, self._sql.swap, values)
        return bool(result.command_tuples)

    def touch(self, link: Link, keys: Sequence[str], ttl: float | None) -> Talk[int]:
        """Gives those that are alive a new time; counts them."""
        if ttl is not None and not ttl > 0:
            return (yield from self.drop(link, keys))
        count = 0
        for some in _chunks(sorted({row_of(key)[0] for key in keys})):
            result = yield from self._ask(link, self._sql.touch, (array(some), seconds(ttl)))
            count += result.command_tuples
        return count

    def left(self, link: Link, keys: Sequence[str]) -> Talk[list[float | None]]:
        """The seconds that they still have."""
        rows = [row_of(key)[0] for key in keys]
        found = yield from self._found(link, self._sql.left, rows)
        return [read_seconds(found[row]) if row in found else None for row in rows]

    def page(self, link: Link, prefix: bytes, after: bytes) -> Talk[tuple[list[str], bytes | None]]:
        """Some of the keys that begin so; and what to go on with, None if that was all.

        Args:
            link: The connection.
            prefix: What they begin with.
            after: What the page before gave to go on with; at first nothing.
        """
        start, end = limit(prefix)
        values = (max(start, after), end, whole(_PAGE))
        result = yield from self._ask(link, self._sql.scan, values)
        keys = []
        row = after
        for number in range(result.ntuples):
            row = result.get_value(number, 0)
            name = result.get_value(number, 1)
            name = row if name is None else name
            if name.startswith(prefix):
                keys.append(key_text(name))
        return keys, row + b"\0" if result.ntuples == _PAGE else None

    @property
    def is_time_to_sweep(self) -> bool:
        """Whether so much was written, or so long ago was the last time."""
        return self._written >= _SWEEP_ROWS or (
            self._written > 0 and monotonic() - self._swept > _SWEEP_SECONDS
        )

    def sweep(self, link: Link) -> Talk[None]:
        """Deletes some of what is past its time: more than was written since the last time.

        Unless that takes too long: one that isn't done in time has deleted nothing.
        """
        written, self._written = self._written, 0
        start = self._swept = monotonic()
        bound = min(4 * max(written, _SWEEP_ROWS), self._most)
        self._most = max(1, bound // 8)  # if this one fails
        result = yield from self._ask(link, self._sql.sweep, (whole(bound),))
        scale = _SWEEP_TIME / max(monotonic() - start, 1e-6)
        if result.command_tuples == bound:
            self._most = min(max(1, int(bound * min(scale, 2.0))), _SWEEP_MOST)
            self._written += _SWEEP_ROWS  # there is more
        else:
            self._most = bound

    def _found(self, link: Link, statement: Statement, rows: list[bytes]) -> Talk[dict[Any, Any]]:
        found: dict[Any, Any] = {}
        for some in _chunks(rows):
            result = yield from self._ask(link, statement, (array(some),))
            value = result.get_value
            found.update((value(n, 0), value(n, 1)) for n in range(result.ntuples))
        return found

    def _ask(self, link: Link, statement: Statement, values: tuple[Any, ...] = ()) -> Talk[Any]:
        try:
            return (yield from link.ask(statement, values))
        except errors.UndefinedTable:
            yield from self._create(link)
        except errors.InvalidSqlStatementName:  # DISCARD ALL, or a pooler gave us another one
            link.unprepare()
        return (yield from link.ask(statement, values))

    def _create(self, link: Link) -> Talk[None]:
        try:
            yield from link.tell(self._sql.create)
        except _MADE_MEANWHILE:
            pass
        except errors.ReadOnlySqlTransaction:
            raise
        except errors.InsufficientPrivilege as error:
            raise EngineError(
                f"the table {self.table} isn't there, and the user may not make it ({error}): grant"
                f" CREATE on its schema, or have it made: {' '.join(self._sql.create.split())}"
            ) from error


def _first(row: tuple[Any, ...]) -> Any:
    return row[0]


def _chunks(rows: list[bytes]) -> Iterator[list[bytes]]:
    waiting = iter(rows)
    while some := list(islice(waiting, _KEYS)):
        yield some


def _portions(rows: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    portion: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        if portion and (size + len(row[2]) > _PORTION or len(portion) >= _KEYS):
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += len(row[2]) + len(row[0])
    if portion:
        yield portion

"""Bytes in an SQLite file: shared by threads and processes, and still there after a restart."""

from __future__ import annotations

import os
import time
from itertools import groupby
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from ..._size import read_size
from ...engine_types import Bytes, Capabilities, Clock
from ..address import entries, file_of, options_of, seconds
from ..private import private_file, private_folder
from . import statements as sql
from .database import MEMORY, transaction
from .log import Log
from .runner import Runner
from .upkeep import Upkeep

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["SqliteEngine"]

T = TypeVar("T")

_CHUNK = 500


class SqliteEngine:
    """Keeps bytes in one SQLite file, `sqlite:///path.db`, or in memory, `sqlite:///:memory:`.

    A file is made with mode 0600 in a folder with mode 0700 and written through SQLite's log: what
    was put outlives the process, also if it is killed; when the machine itself fails, the last puts
    may be lost, never the file. Any number of threads and processes of one machine may share it;
    keep it off network folders. A damaged file is set aside as `….damaged` and a new one begun.

    Args:
        path: The file, or `":memory:"` for a database that all threads of this process share.
        max_bytes: A bound on the file, as `100_000_000` or `"100MB"`; its log, which is 32 MB long
            and at times twice that, comes on top. The least recently used entries leave first.
            None is unbounded.
        maxsize: A bound on the number of entries, as `1000` or `"1000"`; the least recently used
            leave first. At times there are more, by a sixteenth of it for each process that
            writes; a bound below 16 is exact. None is unbounded.
        timeout: How many seconds to wait for a lock that another process holds.
        clock: The wall-clock time in seconds.
    """

    _setup: tuple[str, ...] = ()
    _get = sql.GET
    _put = sql.PUT
    _beside: Callable[[sqlite3.Connection], int] | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = None,
        maxsize: int | str | None = None,
        timeout: float | str = 5.0,
        clock: Clock = time.time,
    ) -> None:
        path = os.fspath(path)
        self._path = path if path == MEMORY else os.path.abspath(path)
        bound = None if max_bytes is None else read_size(max_bytes, option="max_bytes")
        self._clock = clock
        self._bound = inf if bound is None else bound
        self._upkeep = Upkeep(bound, entries(maxsize), self._beside)
        self._bounded = self._upkeep.is_bounded
        setup = (*self._setup, sql.CREATE_RECENCY) if self._bounded else self._setup
        if self._path != MEMORY:
            private_folder(os.path.dirname(self._path))
            private_file(self._path)
        self._log = Log(self._path)
        self._runner = Runner(self._path, setup, seconds(timeout))
        self.capabilities = Capabilities(
            swap=True, touch=True, left=True, shared=self._path != MEMORY, local=True
        )
        self.ping()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> SqliteEngine:
        """The engine at `sqlite:///relative/path` or `sqlite:////absolute/path`.

        Args:
            url: `max_bytes`, `maxsize` and `timeout` may stand in it, as in `?max_bytes=1GB`.
            options: Those of the class; they go before those in the URL.
        """
        given = options_of(url, frozenset({"max_bytes", "maxsize", "timeout"}))
        return cls(file_of(url), **{**given, **options})

    @property
    def maxsize(self) -> int | None:
        """The bound on the number of entries; None if there is none."""
        return self._upkeep.maxsize

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, read in one transaction."""
        if len(keys) != 1:
            self._runner.look()
            values, is_time = self._runner.read(self._get_all, keys)
            if is_time:
                self._runner.write_if_free(self._upkeep.flush)
            return values
        row, name = sql.row_of(keys[0])
        found = self._runner.first(self._get, (row,))
        if found is not None and not self._bounded:
            stored, value, expires = found
            if expires == inf and stored == name and type(value) is bytes:
                return [value]
        now = self._clock()
        value = sql.live(found, name, now)
        if self._bounded and value is not None and self._upkeep.used(row, now):
            self._runner.write_if_free(self._upkeep.flush)
        return [value]

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; one that is larger than the bound is left out.

        Without `max_bytes` it is one transaction, with it as many as the bound asks for.
        """
        if len(items) != 1 or (ttl is not None and not ttl > 0):
            self._put_all(items, ttl)
            return
        now = self._clock()
        for key, value in items.items():
            row = sql.row_for(key, value, now, inf if ttl is None else now + ttl)
            self._upkeep.credit -= self._upkeep.cost + len(row[4])
            if self._upkeep.credit > 0:
                self._runner.change(self._put, row)
            else:
                self._put_all(items, ttl)

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none, in one statement."""
        now = self._clock()
        if ttl is not None and not ttl > 0:
            self.ping()
            return False
        row = self._row(key, value, now, inf if ttl is None else now + ttl)
        return self._write_one(row, _execute, self._statement(row) + sql.IF_NONE, row) == 1

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys in one transaction; tells how many of them were there."""
        now = self._clock()
        rows = [(*sql.bound(key), now) for key in keys]
        if len(rows) == 1:
            return self._runner.write(_execute, sql.DROP, rows[0])
        return self._runner.write(_execute_all, sql.DROP, rows)

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, read by the hundred: no lock is held between them."""
        self.ping()
        return self._scan(prefix.encode("utf-8", "surrogatepass"))

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there; one transaction."""
        now = self._clock()
        if value is None or (ttl is not None and not ttl > 0):
            return self._runner.write(self._swap, key, now, expected, None)
        row = self._row(key, value, now, inf if ttl is None else now + ttl)
        return self._write_one(row, self._swap, key, now, expected, row) is True

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        if ttl is not None and not ttl > 0:
            return self.drop(keys)
        now = self._clock()
        expires = inf if ttl is None else now + ttl
        return self._runner.write(
            _execute_all, sql.TOUCH, [(expires, *sql.bound(key), now) for key in keys]
        )

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        return [self._left(key) for key in keys]

    def close(self) -> None:
        """Closes the connections of all threads, each when it is at rest."""
        if self._bounded:
            self._runner.write_if_free(self._upkeep.flush)
        self._runner.close()

    def ping(self) -> None:
        """Reads from the database; opens it anew if its file was deleted."""
        self._runner.look(now=True)
        self._runner.first("SELECT count(*) FROM (SELECT 1 FROM entries LIMIT 1)", ())

    def _row(self, key: str, value: Any, now: float, expires: float) -> tuple[Any, ...]:
        """What the statement for it takes."""
        return sql.row_for(key, value, now, expires)

    def _size(self, row: tuple[Any, ...]) -> int:
        """What the row takes, in bytes, about."""
        return sql.ROW_BYTES + len(row[1]) + len(row[4])

    def _statement(self, row: tuple[Any, ...]) -> str:  # noqa: ARG002
        """The statement that puts the row."""
        return self._put

    def _write_one(self, row: tuple[Any, ...], work: Callable[..., T], *args: Any) -> T | None:
        """Runs the write of the row; None if it doesn't fit at all."""
        size = self._size(row)
        if size > self._bound:
            self.ping()
            return None
        is_due = self._upkeep.due(size)
        if is_due:
            self._work(size)
        result = self._runner.write(work, *args)
        if is_due:
            self._trim(1)
        return result

    def _work(self, size: int) -> None:
        self._runner.write(self._upkeep.work, self._clock(), size)
        self._log.shorten(self._runner.write)

    def _trim(self, written: int) -> None:
        if self._upkeep.maxsize is not None:
            self._runner.write(self._upkeep.trim, written)

    def _put_all(self, items: Mapping[str, Any], ttl: float | None) -> None:
        """At once, or a part of the bound after the other."""
        if ttl is not None and not ttl > 0:
            self.drop(list(items))
            return
        now = self._clock()
        expires = inf if ttl is None else now + ttl
        rows: list[tuple[Any, ...]] = []
        total = 0
        for key, value in items.items():
            row = self._row(key, value, now, expires)
            size = self._size(row)
            if size > self._bound:
                self.drop([key])
                continue
            if rows and total + size > self._bound / 8:
                self._put_portion(rows, total)
                rows, total = [], 0
            rows.append(row)
            total += size
        if rows:
            self._put_portion(rows, total)

    def _put_portion(self, rows: list[tuple[Any, ...]], size: int) -> None:
        is_due = self._upkeep.due(size, len(rows))
        if is_due:
            self._work(size)
        self._runner.write(self._write_all, rows)
        if is_due:
            self._trim(len(rows))

    def _write_all(self, db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
        with transaction(db):
            for statement, some in groupby(rows, self._statement):
                db.executemany(statement, some)

    def _get_all(self, db: sqlite3.Connection, keys: Sequence[str]) -> tuple[list[Any], bool]:
        """The values, and whether it's time to write down that they were used."""
        now = self._clock()
        values = []
        is_time = False
        with transaction(db, "DEFERRED"):
            for key in keys:
                row, name = sql.row_of(key)
                value = sql.live(db.execute(self._get, (row,)).fetchone(), name, now)
                values.append(value)
                if self._bounded and value is not None:
                    is_time |= self._upkeep.used(row, now)
        return values, is_time

    def _left(self, key: str) -> float | None:
        row, name = sql.row_of(key)
        found = self._runner.first(sql.EXPIRES, (row,))
        now = self._clock()
        if sql.live(found, name, now) is None:
            return None
        left: float = found[2] - now
        return left

    def _scan(self, prefix: bytes) -> Iterator[str]:
        start = -(1 << 63)
        while True:
            values = (start, self._clock(), len(prefix), prefix, _CHUNK)
            found = self._runner.read(_all, sql.SCAN, values)
            for _, name in found:
                key = sql.key_text(name)
                if key is not None:
                    yield key
            if len(found) < _CHUNK or found[-1][0] == (1 << 63) - 1:
                return
            start = found[-1][0] + 1

    def _swap(
        self,
        db: sqlite3.Connection,
        key: str,
        now: float,
        expected: Any,
        row: tuple[Any, ...] | None,
    ) -> bool:
        number, name = sql.row_of(key)
        with transaction(db):
            if sql.live(db.execute(self._get, (number,)).fetchone(), name, now) != expected:
                return False
            if row is None:
                db.execute(sql.DROP, (*sql.bound(key), now))
            else:
                db.execute(self._statement(row), row)
            return True


def _all(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> list[Any]:
    return db.execute(statement, values).fetchall()


def _execute(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> int:
    return db.execute(statement, values).rowcount


def _execute_all(db: sqlite3.Connection, statement: str, rows: list[tuple[Any, ...]]) -> int:
    with transaction(db):
        return db.executemany(statement, rows).rowcount

"""Bytes in an SQLite file: shared by threads and processes, and still there after a restart."""

from __future__ import annotations

import os
import time
from math import inf
from typing import Any

from ..._size import read_size
from ...engine_types import Bytes, Capabilities, Clock
from ..address import file_of, options_of, seconds
from ..private import private_file, private_folder
from . import statements as sql
from .database import MEMORY, transaction
from .runner import Runner
from .upkeep import Upkeep

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["SqliteEngine"]

_CHUNK = 500
_ROW = 40  # what a row takes beside its key and value, about


class SqliteEngine:
    """Keeps bytes in one SQLite file, `sqlite:///path.db`, or in memory, `sqlite:///:memory:`.

    A file is made with mode 0600 in a folder with mode 0700 and written through SQLite's log: what
    was put outlives the process, also if it is killed; when the machine itself fails, the last puts
    may be lost, never the file. Any number of threads and processes of one machine may share it;
    keep it off network folders. A damaged file is set aside as `….damaged` and a new one begun.

    Args:
        path: The file, or `":memory:"` for a database that all threads of this process share.
        max_bytes: A bound on the file, as `100_000_000` or `"100MB"`; its log, which is cut at
            32 MB, comes on top. The least recently used entries leave first. None is unbounded.
        timeout: How many seconds to wait for a lock that another process holds.
        clock: The wall-clock time in seconds.
    """

    _setup: tuple[str, ...] = ()
    _beside: Callable[[sqlite3.Connection], int] | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = None,
        timeout: float | str = 5.0,
        clock: Clock = time.time,
    ) -> None:
        path = os.fspath(path)
        self._path = path if path == MEMORY else os.path.abspath(path)
        bound = None if max_bytes is None else read_size(max_bytes, option="max_bytes")
        self._clock = clock
        self._bounded = bound is not None
        setup = (*self._setup, sql.CREATE_RECENCY) if self._bounded else self._setup
        if self._path != MEMORY:
            private_folder(os.path.dirname(self._path))
            private_file(self._path)
        self._upkeep = Upkeep(bound, self._beside)
        self._runner = Runner(self._path, setup, seconds(timeout))
        self.capabilities = Capabilities(
            swap=True, touch=True, left=True, shared=self._path != MEMORY
        )
        self.ping()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> SqliteEngine:
        """The engine at `sqlite:///relative/path` or `sqlite:////absolute/path`.

        Args:
            url: `max_bytes` and `timeout` may stand in it, as in `?max_bytes=1GB`.
            options: Those of the class; they go before those in the URL.
        """
        return cls(
            file_of(url), **{**options_of(url, frozenset({"max_bytes", "timeout"})), **options}
        )

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, read in one transaction."""
        now = self._clock()
        if len(keys) != 1:
            self._runner.look()
            return self._runner.read(self._get_all, keys, now)
        key = keys[0].encode("utf-8", "surrogatepass")
        row = sql.id_of(key)
        found: tuple[bytes] | None = self._runner.first(sql.GET, (row, key, now))
        if found is None:
            return [None]
        if self._bounded and self._upkeep.used(row, now):
            self._runner.write_if_free(self._upkeep.flush)
        return [found[0]]

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; one that is larger than the bound is left out.

        Without `max_bytes` it is one transaction, with it as many as the bound asks for.
        """
        if ttl is not None and ttl <= 0:
            self.drop(list(items))
            return
        now = self._clock()
        expires = None if ttl is None else now + ttl
        rows = [self._row(key, value, now, expires) for key, value in items.items()]
        if self._bounded:
            fitting = [row for row in rows if self._fits(row)]
            if len(fitting) < len(rows):
                self.drop([sql.key_text(row[1]) for row in rows if not self._fits(row)])
                rows = fitting
        for portion in self._portions(rows):
            self._make_room(len(portion), sum(row[4] for row in portion))
            if len(portion) == 1:
                self._runner.write(_execute, sql.PUT, portion[0])
            else:
                self._runner.write(_execute_all, sql.PUT, portion)

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none, in one statement."""
        now = self._clock()
        if ttl is not None and ttl <= 0:
            self.ping()
            return False
        row = self._row(key, value, now, None if ttl is None else now + ttl)
        if not self._fits(row):
            self.ping()
            return False
        self._make_room(1, row[4])
        return self._runner.write(_execute, sql.ADD, row) == 1

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys in one transaction; tells how many of them were there."""
        now = self._clock()
        rows = [(*_named(key), now) for key in keys]
        if len(rows) == 1:
            return self._runner.write(_execute, sql.DROP, rows[0])
        return self._runner.write(_execute_all, sql.DROP, rows)

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, read by the hundred: no lock is held between them."""
        self.ping()
        return self._scan(sql.key_bytes(prefix))

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there; one transaction."""
        now = self._clock()
        row = None
        if value is not None and (ttl is None or ttl > 0):
            row = self._row(key, value, now, None if ttl is None else now + ttl)
            if not self._fits(row):
                return False
            self._make_room(1, row[4])
        return self._runner.write(_swap, (*_named(key), now), expected, row)

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        if ttl is not None and ttl <= 0:
            return self.drop(keys)
        now = self._clock()
        expires = None if ttl is None else now + ttl
        return self._runner.write(
            _execute_all, sql.TOUCH, [(*_named(key), now, expires) for key in keys]
        )

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        now = self._clock()
        names = [(*_named(key), now) for key in keys]
        rows = [self._runner.first(sql.EXPIRES, name) for name in names]
        return [row and (inf if row[0] is None else row[0] - now) for row in rows]

    def close(self) -> None:
        """Closes the connections of all threads, each when it is at rest."""
        if self._bounded:
            self._runner.write_if_free(self._upkeep.flush)
        self._runner.close()

    def ping(self) -> None:
        """Reads from the database; opens it anew if its file was deleted."""
        self._runner.look(now=True)
        self._runner.first("SELECT count(*) FROM (SELECT 1 FROM entries LIMIT 1)", ())

    def _row(self, key: str, value: Bytes, now: float, expires: float | None) -> tuple[Any, ...]:
        name = key.encode("utf-8", "surrogatepass")
        return sql.id_of(name), name, now, expires, len(name) + _size(value) + _ROW, value

    def _fits(self, row: tuple[Any, ...]) -> bool:
        bound = self._upkeep.max_bytes
        return bound is None or row[4] <= bound

    def _get_all(
        self, db: sqlite3.Connection, keys: Sequence[str], now: float
    ) -> list[bytes | memoryview | None]:
        values: list[bytes | memoryview | None] = []
        with transaction(db, "DEFERRED"):
            for key in keys:
                row, name = _named(key)
                found = db.execute(sql.GET, (row, name, now)).fetchone()
                values.append(found and found[0])
                if found and self._bounded:
                    self._upkeep.used(row, now)
        return values

    def _scan(self, prefix: bytes) -> Iterator[str]:
        start = -(1 << 63)
        while True:
            values = (start, len(prefix), prefix, self._clock(), _CHUNK)
            found = self._runner.read(_all, sql.SCAN, values)
            for _, key in found:
                yield sql.key_text(key)
            if len(found) < _CHUNK or found[-1][0] == (1 << 63) - 1:
                return
            start = found[-1][0] + 1

    def _portions(self, rows: list[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
        """The rows as they are written: at once, or a part of the bound after the other."""
        bound = self._upkeep.max_bytes
        if bound is None or len(rows) < 2:
            if rows:
                yield rows
            return
        portion: list[tuple[Any, ...]] = []
        size = 0
        for row in rows:
            if portion and size + row[4] > bound // 8:
                yield portion
                portion, size = [], 0
            portion.append(row)
            size += row[4]
        if portion:
            yield portion

    def _make_room(self, writes: int, size: int) -> None:
        if self._upkeep.due(writes, size):
            self._runner.write(self._upkeep.work, self._clock(), size)


def _all(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> list[Any]:
    return db.execute(statement, values).fetchall()


def _execute(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> int:
    return db.execute(statement, values).rowcount


def _execute_all(db: sqlite3.Connection, statement: str, rows: list[tuple[Any, ...]]) -> int:
    with transaction(db):
        return db.executemany(statement, rows).rowcount


def _swap(
    db: sqlite3.Connection,
    name: tuple[int, bytes, float],
    expected: Bytes | None,
    row: tuple[Any, ...] | None,
) -> bool:
    with transaction(db):
        found = db.execute(sql.GET, name).fetchone()
        if (found and found[0]) != expected:
            return False
        if row is None:
            db.execute(sql.DROP, name)
        else:
            db.execute(sql.PUT, row)
        return True


def _named(key: str) -> tuple[int, bytes]:
    name = key.encode("utf-8", "surrogatepass")
    return sql.id_of(name), name


def _size(value: Bytes) -> int:
    return value.nbytes if isinstance(value, memoryview) else len(value)

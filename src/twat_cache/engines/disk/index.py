"""The index: an SQLite engine that knows which of its values lie in files.

Whatever takes a row away, be it a later put, a drop, the end of its time, a cull, in any process, a
trigger notes the file that the row pointed to, in the same transaction. So a file is deleted after
its row is gone for good, and also if the process was killed in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..sqlite import SqliteEngine
from ..sqlite import statements as sql
from ..sqlite.database import transaction
from .pointer import parse, row_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from ...engine_types import Bytes

__all__ = ["STEP", "Index"]

_LENGTH = "coalesce(CAST(substr({}.file, 34) AS INTEGER), 0)"
_NEW, _OLD = _LENGTH.format("new"), _LENGTH.format("old")
_INSERTED = f"""
CREATE TRIGGER IF NOT EXISTS inserted AFTER INSERT ON entries WHEN new.file IS NOT NULL
BEGIN
    UPDATE spilled SET bytes = bytes + {_NEW};
END
"""  # noqa: S608
_DELETED = f"""
CREATE TRIGGER IF NOT EXISTS deleted AFTER DELETE ON entries WHEN old.file IS NOT NULL
BEGIN
    INSERT INTO orphans (pointer) VALUES (old.file);
    UPDATE spilled SET bytes = bytes - {_OLD};
END
"""  # noqa: S608
_CHANGED = f"""
CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE OF file ON entries
WHEN old.file IS NOT NULL OR new.file IS NOT NULL
BEGIN
    INSERT INTO orphans (pointer) SELECT old.file WHERE old.file IS NOT NULL;
    UPDATE spilled SET bytes = bytes + {_NEW} - {_OLD};
END
"""  # noqa: S608
# No trigger may name the value: then each put would first read the old one.

_GET = "SELECT key, coalesce(file, value), expires FROM entries WHERE id = ?"
_PUT = f"{sql.PUT}, file = NULL"
_PUT_FILE = (
    "INSERT INTO entries (id, key, expires, used, value, file) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET key = excluded.key, expires = excluded.expires,"
    " used = excluded.used, value = excluded.value, file = excluded.file"
)

_FORGET = "DELETE FROM orphans WHERE rowid = ? AND CAST(pointer AS BLOB) = ?"

STEP = 200


def _spilled_bytes(db: sqlite3.Connection) -> int:
    row: tuple[int] = db.execute("SELECT bytes FROM spilled").fetchone()
    return row[0]


class Index(SqliteEngine):
    """Its values are bytes, or texts: those of `pointer`."""

    _setup = (
        "CREATE TABLE IF NOT EXISTS orphans (pointer TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS spilled AS SELECT 0 AS bytes",
        _INSERTED,
        _DELETED,
        _CHANGED,
    )
    _get = _GET
    _put = _PUT
    _beside = staticmethod(_spilled_bytes)

    def put_placed(self, items: Mapping[str, Bytes | str], ttl: float | None) -> None:
        """As `put`, for values that may be pointers."""
        self._put_all(items, ttl)

    def orphans(self) -> list[tuple[int, bytearray]]:
        """Rows and pointers of files that no entry points to any more, `STEP` of them at most."""
        return self._runner.read(_orphans)

    def forget_orphans(self, orphans: list[tuple[int, bytearray]]) -> None:
        """To be called when their files are deleted."""
        self._runner.write(_forget, orphans)

    def wants(self, name: str) -> bool:
        """Whether a row points to the file."""
        return self._runner.read(_wants, name)

    def _row(self, key: str, value: Any, now: float, expires: float) -> tuple[Any, ...]:
        if type(value) is str:
            return *sql.bound(key), expires, now, b"", value
        return super()._row(key, value, now, expires)

    def _size(self, row: tuple[Any, ...]) -> int:
        pointed = parse(row[5]) if len(row) > 5 else None
        return super()._size(row) + (pointed[1] if pointed else 0)

    def _statement(self, row: tuple[Any, ...]) -> str:
        return _PUT_FILE if len(row) > 5 else _PUT


def _orphans(db: sqlite3.Connection) -> list[tuple[int, bytearray]]:
    return db.execute("SELECT rowid, pointer FROM orphans LIMIT ?", (STEP,)).fetchall()


def _forget(db: sqlite3.Connection, orphans: list[tuple[int, bytearray]]) -> None:
    with transaction(db):  # a row that others have emptied meanwhile may be another orphan's now
        db.executemany(_FORGET, orphans)


def _wants(db: sqlite3.Connection, name: str) -> bool:
    found = db.execute("SELECT file FROM entries WHERE id = ?", (row_of(name),)).fetchone()
    pointed = found and found[0] and parse(found[0])
    return bool(pointed and pointed[0] == name)


assert sql.FORMAT == 2, "the triggers know the table's columns"  # noqa: S101

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
from .pointer import length_of, name_of, row_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from ...engine_types import Bytes

__all__ = ["Index"]

_OLD_LEFT = """
BEGIN
    INSERT INTO orphans (name) VALUES (old.file);
    UPDATE spilled SET bytes = bytes - old.value;
END
"""
_NEW_CAME = "BEGIN UPDATE spilled SET bytes = bytes + new.value; END"
_OLD = "old.file IS NOT NULL"
_NEW = "new.file IS NOT NULL"
_TRIGGER = "CREATE TRIGGER IF NOT EXISTS"
_GET = (
    "SELECT key, CASE WHEN file IS NULL THEN value ELSE file || ' ' || value END, expires"
    " FROM entries WHERE id = ?1"
)
_PUT = f"{sql.PUT}, file = NULL"
_PUT_FILE = (
    "INSERT INTO entries (id, key, expires, used, value, file) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    " ON CONFLICT (id) DO UPDATE SET key = ?2, expires = ?3, used = ?4, value = ?5, file = ?6"
)

_STEP = 200


def _spilled_bytes(db: sqlite3.Connection) -> int:
    row: tuple[int] = db.execute("SELECT bytes FROM spilled").fetchone()
    return row[0]


class Index(SqliteEngine):
    """Its values are bytes, or texts: those of `pointer`."""

    _setup = (
        "CREATE TABLE IF NOT EXISTS orphans (name TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS spilled AS SELECT 0 AS bytes",
        f"{_TRIGGER} deleted AFTER DELETE ON entries WHEN {_OLD} {_OLD_LEFT}",
        f"{_TRIGGER} inserted AFTER INSERT ON entries WHEN {_NEW} {_NEW_CAME}",
        f"{_TRIGGER} changed_old AFTER UPDATE OF file ON entries WHEN {_OLD} {_OLD_LEFT}",
        f"{_TRIGGER} changed_new AFTER UPDATE OF file ON entries WHEN {_NEW} {_NEW_CAME}",
    )
    _get = _GET
    _put = _PUT
    _beside = staticmethod(_spilled_bytes)

    def put_placed(self, items: Mapping[str, Bytes | str], ttl: float | None) -> None:
        """As `put`, for values that may be pointers."""
        self._put_all(items, ttl)

    def orphans(self) -> list[str]:
        """The names of files that no row points to any more, a number of them."""
        return self._runner.read(_orphans)

    def forget_orphans(self, names: list[str]) -> None:
        """To be called when their files are deleted."""
        self._runner.write(_forget, names)

    def wants(self, name: str) -> bool:
        """Whether a row points to the file."""
        return self._runner.read(_wants, name)

    def _row(self, key: str, value: Any, now: float, expires: float) -> tuple[Any, ...]:
        if type(value) is str:
            return *sql.row_of(key), expires, now, length_of(value), name_of(value)
        return super()._row(key, value, now, expires)

    def _statement(self, row: tuple[Any, ...]) -> str:
        return _PUT if len(row) == 5 else _PUT_FILE


def _orphans(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM orphans LIMIT ?", (_STEP,))]


def _forget(db: sqlite3.Connection, names: list[str]) -> None:
    gone = set(names)
    with transaction(db):
        found = db.execute("SELECT rowid, name FROM orphans LIMIT ?", (2 * _STEP,)).fetchall()
        rows = [(row,) for row, name in found if name in gone]
        db.executemany("DELETE FROM orphans WHERE rowid = ?", rows)


def _wants(db: sqlite3.Connection, name: str) -> bool:
    found = db.execute("SELECT file FROM entries WHERE id = ?", (row_of(name),)).fetchone()
    return bool(found == (name,))


assert sql.FORMAT == 2, "the triggers know the table's columns"  # noqa: S101

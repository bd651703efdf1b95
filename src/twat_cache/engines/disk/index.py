"""The index: an SQLite engine that knows which of its values point to files.

Whatever takes a row away, be it a later put, a drop, the end of its time, a cull, in any process, a
trigger notes the file that the row pointed to, in the same transaction. So a file is deleted after
its row is gone for good, and also if the process was killed in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..sqlite import SqliteEngine
from ..sqlite import statements as sql
from ..sqlite.database import transaction
from .pointer import is_spilled, length_of, name_of, row_of

if TYPE_CHECKING:
    import sqlite3

    from ...engine_types import Bytes

__all__ = ["Index"]

_OLD_LEFT = """
BEGIN
    INSERT INTO orphans (pointer) VALUES (old.value);
    UPDATE spilled SET bytes = bytes - old.size;
END
"""
_NEW_CAME = "BEGIN UPDATE spilled SET bytes = bytes + new.size; END"
_OLD = "substr(old.value, 1, 1) = x'01'"
_NEW = "substr(new.value, 1, 1) = x'01'"
_TRIGGER = "CREATE TRIGGER IF NOT EXISTS"

_STEP = 200


def _spilled_bytes(db: sqlite3.Connection) -> int:
    row: tuple[int] = db.execute("SELECT bytes FROM spilled").fetchone()
    return row[0]


class Index(SqliteEngine):
    """Values are those of `pointer`: 0 and the value, or 1 and a file."""

    _setup = (
        "CREATE TABLE IF NOT EXISTS orphans (pointer BLOB NOT NULL)",
        "CREATE TABLE IF NOT EXISTS spilled AS SELECT 0 AS bytes",
        f"{_TRIGGER} deleted AFTER DELETE ON entries WHEN {_OLD} {_OLD_LEFT}",
        f"{_TRIGGER} inserted AFTER INSERT ON entries WHEN {_NEW} {_NEW_CAME}",
        f"{_TRIGGER} changed_old AFTER UPDATE OF value ON entries WHEN {_OLD} {_OLD_LEFT}",
        f"{_TRIGGER} changed_new AFTER UPDATE OF value ON entries WHEN {_NEW} {_NEW_CAME}",
    )
    _beside = staticmethod(_spilled_bytes)

    def orphans(self) -> list[str]:
        """The names of files that no row points to any more, a number of them."""
        return self._runner.read(_orphans)

    def forget_orphans(self, names: list[str]) -> None:
        """To be called when their files are deleted."""
        self._runner.write(_forget, names)

    def wants(self, name: str) -> bool:
        """Whether a row points to the file."""
        return self._runner.read(_wants, name)

    def _row(self, key: str, value: Bytes, now: float, expires: float | None) -> tuple[Any, ...]:
        row, name, used, until, size, pointer = super()._row(key, value, now, expires)
        if is_spilled(value):
            size += length_of(value)
        return row, name, used, until, size, pointer


def _orphans(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT pointer FROM orphans LIMIT ?", (_STEP,))
    return [name_of(pointer) for (pointer,) in found]


def _forget(db: sqlite3.Connection, names: list[str]) -> None:
    gone = set(names)
    with transaction(db):
        found = db.execute("SELECT rowid, pointer FROM orphans LIMIT ?", (2 * _STEP,)).fetchall()
        rows = [(row,) for row, pointer in found if name_of(pointer) in gone]
        db.executemany("DELETE FROM orphans WHERE rowid = ?", rows)


def _wants(db: sqlite3.Connection, name: str) -> bool:
    found = db.execute("SELECT value FROM entries WHERE id = ?", (row_of(name),)).fetchone()
    return found is not None and is_spilled(found[0]) and name_of(found[0]) == name


assert sql.FORMAT == 1, "the triggers know the table's columns"  # noqa: S101

"""What is done beside the writes, a little at a time: times of use, expired rows, the size.

The size is counted in pages in use, which costs nothing to know. Rows are dropped by their own
size, the least recently used first, by as much as the pages are too many. Small rows leave gaps
rather than free pages; new rows fill them, and the pages stay where they are.

Room in bytes is made before a write, so that the file keeps within its bound. Rows are counted
after it, since only then is it known which of them are new: of as many rows as the bound allows,
none leaves when one is written anew. They are counted when a process has written a sixteenth of the
bound.

A process does all of this with its first write, too, so that those that write little and end don't
add up.
"""

from __future__ import annotations

from ..forks import ForkSafeLock
from . import statements as sql
from .database import transaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import Any

__all__ = ["Upkeep", "bytes_in_use"]

_WRITES = 256
_BYTES = 1 << 20
_USES = 1_000
_STEP = 1_000
_FEW_PAGES = 64
_MANY = 1 << 62  # rows, more than there can be
_LONGEST = 1.0  # seconds that a time of use waits; another process may be about to drop that row


class Upkeep:
    """Knows what there is to do, and does it when it is worth a transaction.

    Args:
        max_bytes: The bound on bytes, or None.
        maxsize: The bound on rows, or None. Without any bound no times of use are kept.
        beside: Gives the bytes that are kept outside of the database, from a connection.
    """

    def __init__(
        self,
        max_bytes: int | None,
        maxsize: int | None,
        beside: Callable[[Any], int] | None = None,
    ) -> None:
        self.max_bytes = max_bytes
        self.maxsize = maxsize
        self.is_bounded = max_bytes is not None or maxsize is not None
        self._beside = beside
        self._every = _BYTES if max_bytes is None else min(_BYTES, max_bytes // 16 + 1)
        writes = _WRITES if maxsize is None else min(_WRITES, maxsize // 16 + 1)
        self.credit = 0
        """What may be written before there is work to do: in bytes, and `cost` for each write."""
        self.cost = self._every // writes + sql.ROW_BYTES
        self._uses: dict[int, float] = {}
        self._since = 0.0
        self._lock = ForkSafeLock()

    def used(self, row: int, now: float) -> bool:
        """Remembers that the row was read; tells whether it's time to write that down."""
        if not self._uses:
            self._since = now
        self._uses[row] = now
        if now - self._since >= _LONGEST:
            self._since = now  # whoever can't write now tries again as late
            return True
        return len(self._uses) >= _USES

    def due(self, size: int, writes: int = 1) -> bool:
        """Counts what is about to be written; tells whether there is work to do before."""
        self.credit -= size + writes * self.cost
        return self.credit < 0

    def work(self, db: sqlite3.Connection, now: float, room: int) -> None:
        """Does what is due, in small steps, and makes room for so many bytes."""
        self.credit = self._every - room
        excess = 0
        if self.max_bytes is not None:
            excess = bytes_in_use(db) + max(room, self._every) - self.max_bytes
            if self._beside:
                excess += self._beside(db)
        self.flush(db)
        if excess > 0 or db.execute(sql.HAS_EXPIRED, (now,)).fetchone():
            with transaction(db):
                db.execute(sql.DROP_EXPIRED, (now, _STEP))
                if excess > 0:  # else no index says who is oldest
                    _cull(db, excess)
        _give_back(db)

    def trim(self, db: sqlite3.Connection, written: int) -> None:
        """Drops the rows that are too many, after so many were written.

        A store that was larger when it was opened shrinks by a part with each write.
        """
        most = written + _STEP
        bound = min(self.maxsize or _MANY, _MANY)  # as large an int as SQLite takes
        if db.execute(sql.DROP_SURPLUS, (most, bound)).rowcount == most:
            self.credit = 0

    def flush(self, db: sqlite3.Connection) -> None:
        """Writes down the times of use."""
        with self._lock:
            uses, self._uses = self._uses, {}
        if not uses:
            return
        rows = [(used, row) for row, used in uses.copy().items()]  # a reader may still be adding
        try:
            with transaction(db):
                db.executemany(sql.USED, rows)
        except BaseException:
            with self._lock:
                self._uses = {**uses, **self._uses}
            raise


def _cull(db: sqlite3.Connection, excess: int) -> None:
    leaving = []
    for row, size in db.execute(sql.OLDEST, (_STEP,)):
        if excess <= 0:
            break
        leaving.append((row,))
        excess -= size
    db.executemany(sql.DROP_ID, leaving)


def bytes_in_use(db: sqlite3.Connection) -> int:
    """The bytes of all pages that hold something."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _give_back(db: sqlite3.Connection) -> None:
    """Cuts a part of the free pages off the file, if they are many."""
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    if free <= _FEW_PAGES:
        return
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    if free > pages // 8:
        # as a script: `execute` takes one step of a pragma that gives no columns, one page
        db.executescript(f"PRAGMA incremental_vacuum({max(_FEW_PAGES, free // 8)})")

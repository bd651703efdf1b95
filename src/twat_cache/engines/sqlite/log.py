"""SQLite's log, and how it is kept short although others write and read all the time.

SQLite copies the log into the database when it is `PAGES` long, and begins it anew when all of it
is copied and nobody reads from it. With several writers that may never happen, as there is always
something new in it: a gigabyte in half a minute was seen. So a log of more than twice the length is
copied while nobody else may write.
"""

from __future__ import annotations

import os
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

__all__ = ["BYTES", "PAGES", "PAGE_SIZE", "Log"]

PAGE_SIZE = 4096  # a put of a few bytes writes a page
PAGES = 8_000  # a checkpoint waits for the disk, and comes as much more rarely
BYTES = PAGES * PAGE_SIZE
_TRIES = 10
_PAUSE = 0.003  # seconds; an idle process holds its snapshot for seven times as long
_REST = 0.3


class Log:
    """The log of one database.

    Args:
        path: The database, or `:memory:`, which has none.
    """

    def __init__(self, path: str) -> None:
        self._path = path + "-wal"
        self._rest_until = 0.0

    def shorten(self, write: Callable[[Callable[[sqlite3.Connection], bool]], bool]) -> None:
        """Cuts the log off if it is too long; gives up for a while if somebody stays in it.

        Args:
            write: Runs a write. After each, readers take new snapshots, which are no longer of
                the log once all of it is copied.
        """
        if monotonic() < self._rest_until or not self._is_long():
            return
        for _ in range(_TRIES):
            if write(_cut):
                return
            sleep(_PAUSE)
        self._rest_until = monotonic() + _REST

    def _is_long(self) -> bool:
        try:
            return os.stat(self._path).st_size > 2 * BYTES
        except OSError:
            return False


def _cut(db: sqlite3.Connection) -> bool:
    (is_busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy

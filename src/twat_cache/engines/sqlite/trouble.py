"""What SQLite's errors mean, and how to wait for a lock.

SQLite's own busy handler sleeps 1, 2, 5, 10 … 100 ms, although a lock of ours is held for some ten
microseconds: with two writers every collision cost milliseconds. So its time-out is zero here, and
`Patience` waits instead: not at all at first, then 20 µs and more.
"""

from __future__ import annotations

import sqlite3
import time
from random import random

from ...errors import EngineError, EngineTimeoutError

__all__ = ["ERRORS", "Patience", "is_busy", "is_damage", "reentered", "translated"]

ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What `sqlite3` raises; the second of a file so damaged that its own names are no text."""

_BUSY = {5, 6}  # SQLITE_BUSY, SQLITE_LOCKED
_DAMAGE = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB
_TRIES = 12  # of about 8 µs; the shortest sleep takes 80
_SHORTEST = 0.000_02
_LONGEST = 0.002


class Patience:
    """Tries at once, then sleeps a little longer each time, until its time is over.

    Args:
        seconds: How long to wait in all.
    """

    __slots__ = ("_end", "_seconds", "_step", "_tries")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._step = _SHORTEST
        self._tries = _TRIES

    def wait(self, error: BaseException) -> None:
        """Sleeps, if trying at once wasn't enough.

        Raises:
            EngineTimeoutError: There is no time left; its cause is the error.
        """
        left = self.left()
        if left <= 0:
            raise EngineTimeoutError(
                f"the database was locked for {self._seconds} s; give a longer timeout=, or find"
                " the process that keeps a transaction open"
            ) from error
        if self._tries:
            self._tries -= 1
            return
        time.sleep(min(left, self._step * (0.5 + random())))
        self._step = min(self._step * 1.5, _LONGEST)

    def left(self) -> float:
        """The seconds that are left."""
        return self._end - time.monotonic()


def is_busy(error: Exception) -> bool:
    """Whether somebody else holds the lock, so that another try may succeed."""
    code = _code(error)
    return code in _BUSY if code is not None else "is locked" in str(error)


def is_damage(error: Exception) -> bool:
    """Whether the file is no sound database."""
    if isinstance(error, UnicodeDecodeError):
        return True
    code = _code(error)
    if code is not None:
        return code in _DAMAGE
    return "malformed" in str(error) or "not a database" in str(error)


def translated(error: Exception, place: str) -> EngineError:
    """The error to be raised from SQLite's own, or from that of the file system."""
    return EngineError(f"the database {place} failed: {error}")


def reentered(place: str) -> EngineError:
    """The error of a thread that asks for something in the middle of something else."""
    return EngineError(
        f"the database {place} is being used by this very thread: a finaliser or a signal handler"
        " that interrupted it can't use it now"
    )


def _code(error: Exception) -> int | None:
    """The primary result code; None before Python 3.11, which tells it by its text only."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF

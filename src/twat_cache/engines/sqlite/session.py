"""A connection, the lock under which it is used, and the snapshot that it may hold.

While a thread is in the middle of a statement, the garbage collector may run a finaliser in it, or
a signal its handler, and that may ask the engine for something. There is no way on from there: the
lock is the thread's own, and so is the transaction. The lock is one that knows its thread, so that
whoever comes from outside asks `inside()` first.
"""

from __future__ import annotations

from math import inf
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING

from .holding import holders
from .word import numbers

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

__all__ = ["Session"]

_STEADY = 8  # times in a row that nobody else wrote; then the next snapshot is held
_SURE = 1.0  # seconds between two looks at the file
_HOLD = "SELECT 1 FROM sqlite_master"


class Session:
    """What one thread has; others close it or have it let go of its snapshot.

    Args:
        db: The connection.
        identity: What tells the file from another one of its name.
        word: The `word` of the database; without it no snapshot is held.
    """

    __slots__ = (
        "__weakref__", "_cursor", "_enough", "_held", "_known", "_new_number", "_steady", "db",
        "execute", "identity", "inside", "lock", "mine", "retired", "seen",
        "sure_until", "word",
    )  # fmt: skip

    def __init__(self, db: sqlite3.Connection, identity: object, word: memoryview | None) -> None:
        self.db = db
        self.identity = identity
        self.new_lock()
        self.retired = False
        self.sure_until = monotonic() + _SURE
        """When to look whether the file is still there, or whether this one is retired."""
        self._cursor = db.cursor()
        self.execute = self._cursor.execute
        self.word: memoryview | list[int] = [0] if word is None else word
        self.seen: int | None = None
        """With this number in the word, reads from the snapshot that is held are right."""
        self.mine: int | None = None
        """With this number in the word, a write from it will succeed."""
        self._known: int | None = None
        self._new_number = numbers()
        self._held: sqlite3.Cursor | None = None
        self._steady = 0
        self._enough = inf if word is None else _STEADY

    def new_lock(self) -> None:
        """Gives it a lock that nobody has."""
        self.lock = RLock()
        self.inside: Callable[[], bool] = self.lock._is_owned  # type: ignore[attr-defined]
        """Whether this thread is in the middle of using it."""

    def look(self) -> bool:
        """To be called when the snapshot isn't right: lets go of it, or takes one.

        Returns:
            False when it is time to look whether the file is still there.
        """
        if monotonic() > self.sure_until:
            return False
        number = self.word[0]
        if number != self._known:
            self._known = number
            self._steady = 0
        elif self._steady < self._enough:
            self._steady += 1
        else:
            self._hold(number)
            return True
        if self._held is not None:
            with self.lock:
                self.leave()
        return True

    def stay(self) -> None:
        """To be called when the file was looked at."""
        if not self.retired:
            self.sure_until = monotonic() + _SURE

    def _hold(self, number: int) -> None:
        with self.lock:
            self.settle()
            self._held = self.db.cursor()  # known before it is used: an interrupt may come anywhere
            try:
                self._held.execute(_HOLD)  # the first of two rows: the transaction stays open
                self.seen = self.mine = number
                holders.add(self)
            except RuntimeError:
                self.leave()
                self._enough = inf
            except BaseException:
                self.leave()
                raise

    def wrote(self) -> None:
        """To be called after a commit: makes the snapshots of others old; under the lock."""
        self.word[0] = self._known = number = self._new_number()
        self.seen = None
        if self.mine is not None:
            self.mine = number

    def leave(self) -> None:
        """Lets go of the snapshot; for those who have the lock."""
        if self._held is not None:
            self.seen = self.mine = None
            self._held.close()
            self._held = None

    def settle(self) -> None:
        """As `leave`; what an interrupt left open ends, too, since its snapshot would be ours."""
        self.leave()
        self._cursor.fetchall()

    def let_go(self) -> bool:
        """Lets go of the snapshot; tells whether it did.

        Of a session that is in use only the numbers go, which needs no lock: its thread finds the
        snapshot old with what it does next, and takes another.
        """
        if not self.lock.acquire(blocking=False):
            self.seen = self.mine = None
            return False
        try:
            self.leave()
            self._steady = 0
        finally:
            self.lock.release()
        return True

    def retire(self, seconds: float = -1) -> bool:
        """Closes the connection once it is at rest; tells whether it came to rest in time."""
        if self.inside() or not self.lock.acquire(timeout=seconds):
            return False
        try:
            self._close()
        finally:
            self.lock.release()
        return True

    def _close(self) -> None:
        if not self.retired:
            self.retired = True
            self.sure_until = -inf
            self.leave()
            self._cursor.close()  # else its statement would keep the file open
            self.db.close()
            self.word = [0]

    def __del__(self) -> None:
        self._close()  # its thread has ended

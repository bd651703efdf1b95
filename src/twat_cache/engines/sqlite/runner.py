"""Runs work on the database: waits for locks, mends what is damaged, translates errors."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, TypeVar

from ...errors import EngineError, EngineTimeoutError, PathError
from .database import MEMORY
from .sessions import Session, Sessions
from .trouble import Patience, is_busy, is_damage, translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Runner"]

T = TypeVar("T")

_LOOK = 1.0
_UNREACHABLE = (OSError, PathError)
"""What opening the file raises where it can't even be looked at."""


class Runner:
    """Work is a function of a connection; it may be run again after it failed, so it must either
    be one statement or undo what it did.

    Args:
        path: The file, or `:memory:`.
        setup: Statements that each new connection begins with.
        timeout: How many seconds to wait for a lock.
    """  # noqa: D205

    def __init__(self, path: str, setup: Sequence[str], timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._sessions = Sessions(path, setup)
        self._looked = time.monotonic()

    def first(self, statement: str, values: tuple[Any, ...]) -> Any:
        """The first row, or None: the short way to what is asked most often."""
        if time.monotonic() - self._looked > _LOOK:
            self.look()
        try:
            session = self._sessions.mine()
            with session.lock:
                return session.db.execute(statement, values).fetchone()
        except (sqlite3.Error, *_UNREACHABLE):
            return self.read(_first, statement, values)  # again, with patience

    def read(self, work: Callable[..., T], *args: Any) -> T:
        """What the work gives, run on this thread's connection."""
        patience: Patience | None = None
        mended = False
        while True:
            session = self._session()
            try:
                with session.lock:
                    return work(session.db, *args)
            except sqlite3.Error as error:
                if session.retired:
                    continue  # closed meanwhile, for a fork or by another thread
                if is_busy(error):
                    patience = patience or Patience(self._timeout)
                    patience.wait(error)
                elif is_damage(error) and not mended and self._path != MEMORY:
                    mended = True
                    self._sessions.renew(damaged=session)
                else:
                    raise translated(error, self._path) from error

    def write(self, work: Callable[..., T], *args: Any) -> T:
        """As `read`, one thread at a time, since SQLite has one writer."""
        writing = self._sessions.writing
        if not writing.acquire(timeout=self._timeout):
            raise EngineTimeoutError(f"other threads have been writing for {self._timeout} s")
        try:
            return self.read(work, *args)
        finally:
            writing.release()

    def write_if_free(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Runs the work unless others are writing; it isn't worth waiting or failing for."""
        writing = self._sessions.writing
        if not writing.acquire(blocking=False):
            return
        try:
            session = self._sessions.mine()
            with session.lock:
                work(session.db)
        except (sqlite3.Error, EngineError, *_UNREACHABLE):
            pass
        finally:
            writing.release()

    def look(self, *, now: bool = False) -> None:
        """Once a second: whether the file is still there; if not, a new one is begun."""
        if now or time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            if self._sessions.replaced(self._session()):
                self._sessions.renew()

    def close(self) -> None:
        """Closes the connections of all threads, each when it is at rest."""
        self._sessions.close()

    def _session(self) -> Session:
        patience: Patience | None = None
        mended = False
        while True:
            try:
                return self._sessions.mine()
            except sqlite3.Error as error:
                if is_busy(error):
                    patience = patience or Patience(self._timeout)
                    patience.wait(error)
                elif is_damage(error) and not mended and self._path != MEMORY:
                    mended = True
                    self._sessions.set_aside()
                else:
                    raise translated(error, self._path) from error
            except _UNREACHABLE as error:
                raise translated(error, self._path) from error


def _first(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> Any:
    return db.execute(statement, values).fetchone()

"""Runs work on the database: waits for locks, mends what is damaged, translates errors."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import EngineError, EngineTimeoutError, PathError
from .database import MEMORY
from .sessions import Sessions
from .trouble import ERRORS, Patience, is_busy, is_damage, reentered, translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from .session import Session

__all__ = ["Runner"]

T = TypeVar("T")

_UNREACHABLE = (OSError, PathError)
"""What opening the file raises where it can't even be looked at."""
_MENDS = 3
"""Times in a row that a damaged file is replaced; others may find it, or the next one, as well."""
_FAILURES = (*ERRORS, *_UNREACHABLE)


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
        self._here = self._sessions.here

    def first(self, statement: str, values: tuple[Any, ...]) -> Any:
        """The first row, or None: the short way to what is asked most often."""
        try:
            session = self._here.session
            if session.inside():
                raise reentered(self._path)
            if session.seen != session.word[0] and not session.look():
                session = self._renewed()
            with session.lock:
                return session.execute(statement, values).fetchone()
        except _FAILURES:
            return self.read(_first, statement, values)  # again, with patience

    def change(self, statement: str, values: tuple[Any, ...]) -> None:
        """Runs a statement that writes: the short way of a put."""
        writing = self._sessions.writing
        try:
            session = self._here.session
            if session.inside():
                raise reentered(self._path)
            if session.mine != session.word[0] and not session.look():
                session = self._renewed()
            if writing.acquire(False):
                try:
                    with session.lock:
                        session.execute(statement, values)
                        session.wrote()
                        return
                finally:
                    writing.release()
        except _FAILURES:
            pass
        self.write(_change, statement, values)  # again, with patience

    def read(self, work: Callable[..., T], *args: Any) -> T:
        """What the work gives, run on this thread's connection."""
        return self._run(work, args, writes=False)

    def write(self, work: Callable[..., T], *args: Any) -> T:
        """As `read`, one thread at a time, since SQLite has one writer."""
        writing = self._sessions.writing
        if self._here.session.inside():
            raise reentered(self._path)
        if not writing.acquire(timeout=self._timeout):
            raise EngineTimeoutError(f"other threads have been writing for {self._timeout} s")
        try:
            return self._run(work, args, writes=True)
        finally:
            writing.release()

    def write_if_free(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Runs the work unless others are writing; it isn't worth waiting or failing for."""
        writing = self._sessions.writing
        if not writing.acquire(blocking=False):
            return
        try:
            session = self._sessions.mine()
            if session.inside():
                return
            with session.lock:
                session.settle()
                work(session.db)
                session.wrote()
        except (EngineError, *_FAILURES):
            pass
        finally:
            writing.release()

    def look(self, *, now: bool = False) -> None:
        """Once a second: whether the file is still there; if not, a new one is begun."""
        if now or monotonic() > self._here.session.sure_until:
            self._sessions.renew_if_replaced()

    def close(self) -> None:
        """Closes the connections of all threads, each when it is at rest."""
        self._sessions.close()

    def _renewed(self) -> Session:
        """This thread's session, if the file is still there; else a new one on a new file."""
        self._sessions.renew_if_replaced()
        session = self._sessions.mine()
        with session.lock:
            session.leave()
        return session

    def _run(self, work: Callable[..., T], args: tuple[Any, ...], *, writes: bool) -> T:
        patience: Patience | None = None
        mends = 0
        while True:
            session: Session | None = None
            try:
                session = self._sessions.mine()
                if session.inside():
                    raise reentered(self._path)
                with session.lock:
                    session.settle()
                    result = work(session.db, *args)
                    if writes:
                        session.wrote()
                    return result
            except ERRORS as error:
                if session is not None and session.retired:
                    continue  # closed meanwhile, for a fork or by another thread
                if is_busy(error):
                    patience = patience or Patience(self._timeout)
                    patience.wait(error)
                elif mends < _MENDS and self._mended(error):
                    mends += 1
                else:
                    raise translated(error, self._path) from error
            except EngineError:
                raise  # a time-out is an OSError, too
            except _UNREACHABLE as error:
                raise translated(error, self._path) from error

    def _mended(self, error: Exception) -> bool:
        """Whether it's worth another try, since there is, or will be, another file."""
        if is_damage(error) and self._path != MEMORY:
            self._sessions.set_aside()
            return True
        return self._sessions.renew_if_replaced()  # what failed may be due to that


def _first(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> Any:
    return db.execute(statement, values).fetchone()


def _change(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> None:
    db.execute(statement, values)

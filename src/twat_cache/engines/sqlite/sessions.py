"""One connection per thread, none of which ever crosses a fork.

SQLite keeps what a process has locked in tables of that process, by file. A child of a fork
inherits these tables but not the locks: connections that it opens later believe in locks that
aren't held, and closing or using an inherited one can damage the file. So before a fork all
connections are closed, each as soon as it is at rest, and parent and child open their own anew. One
that is not at rest within a second is left to the parent; the child keeps it for ever, untouched.
The database in memory, which has no file, is copied by the fork as it is, at rest.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

from ...errors import EngineError
from .database import MEMORY, connect, identity, set_aside

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


__all__ = ["Session", "Sessions"]

_AT_REST = 1.0  # seconds; operations take microseconds
_leaked: list[sqlite3.Connection] = []


class Session:
    """A connection and the lock under which it is used."""

    __slots__ = ("__weakref__", "db", "identity", "lock", "retired")

    def __init__(self, db: sqlite3.Connection, identity: tuple[int, int] | None) -> None:
        self.db = db
        self.identity = identity
        self.lock = threading.Lock()
        self.retired = False

    def retire(self, seconds: float = -1) -> bool:
        """Closes the connection once it is at rest; tells whether it came to rest in time."""
        if not self.lock.acquire(timeout=seconds):
            return False
        try:
            self._close()
        finally:
            self.lock.release()
        return True

    def _close(self) -> None:
        if not self.retired:
            self.retired = True
            self.db.close()

    def __del__(self) -> None:
        self._close()  # its thread has ended


class Sessions:
    """The connections to one database.

    Args:
        path: The file, or `:memory:`.
        setup: Statements that each new connection begins with.
    """

    def __init__(self, path: str, setup: Sequence[str]) -> None:
        self.path = path
        self._setup = setup
        self._mine = threading.local()
        self._all: WeakSet[Session] = WeakSet()
        self._lock = threading.Lock()
        self.writing = threading.Lock()
        """Held by the thread that writes: threads queue here, not at the file."""
        self._closed = False
        self._paused = False
        self._shared = Session(connect(path, setup), None) if path == MEMORY else None
        _every.add(self)

    def mine(self) -> Session:
        """The session of this thread.

        Raises:
            EngineError: The engine is closed.
            sqlite3.Error: A new connection can't be made now.
        """
        session: Session | None = self._shared or getattr(self._mine, "session", None)
        if session is None or session.retired:
            session = self._open()
        return session

    def _open(self) -> Session:
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed; open another one")
            db = connect(self.path, self._setup)
            session = Session(db, identity(self.path))
            self._all.add(session)
            self._mine.session = session
            return session

    def replaced(self, session: Session) -> bool:
        """Whether the file was deleted, or another one stands in its place."""
        return session is not self._shared and session.identity != identity(self.path)

    def renew(self, *, damaged: Session | None = None) -> None:
        """Closes all connections; threads open new ones when they need them.

        Args:
            damaged: The session that found its file damaged; the file is set aside, unless
                another process did so before.
        """
        with self._lock:
            self._retire()
            if damaged is not None and damaged.identity == identity(self.path):
                set_aside(self.path)

    def set_aside(self) -> None:
        """As `renew`, for a file that is damaged too much for a first connection.

        It is ours by its header, else it would have been refused.
        """
        with self._lock:
            self._retire()
            set_aside(self.path)

    def close(self) -> None:
        """Closes all connections, each when it is at rest."""
        with self._lock:
            self._closed = True
            self._retire()
            if self._shared:
                self._shared.retire()

    def _retire(self) -> None:
        for session in list(self._all):
            session.retire()
        self._all.clear()

    def before_fork(self) -> None:
        """Brings everything to rest; what has a file is closed."""
        self._lock.acquire()
        for session in list(self._all):
            if session.retire(_AT_REST):
                self._all.discard(session)
        if self._shared:
            self._paused = self._shared.lock.acquire(timeout=_AT_REST)

    def after_fork(self, *, child: bool) -> None:
        """Goes on; the child with locks of its own."""
        if self._shared and child:
            self._shared.lock = threading.Lock()
        elif self._shared and self._paused:
            self._shared.lock.release()
        if child:
            for session in list(self._all):
                session.retired = True
                _leak(session.db)
            self._all.clear()
            self._mine = threading.local()
            self.writing = threading.Lock()
            self._lock = threading.Lock()
        else:
            self._lock.release()


def _leak(db: sqlite3.Connection) -> None:
    """Keeps the connection beyond the end of the interpreter, which would close it."""
    _leaked.append(db)
    try:
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))
    except (ImportError, AttributeError):  # no ctypes, or not CPython
        pass


_every: WeakSet[Sessions] = WeakSet()
_forking: list[Sessions] = []


def _before_fork() -> None:
    _forking[:] = list(_every)
    for sessions in _forking:
        sessions.before_fork()


def _after_fork_in_parent() -> None:
    for sessions in _forking:
        sessions.after_fork(child=False)
    _forking.clear()


def _after_fork_in_child() -> None:
    for sessions in _forking:
        sessions.after_fork(child=True)
    _forking.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )

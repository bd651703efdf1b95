"""One connection per thread, none of which ever crosses a fork.

SQLite keeps what a process has locked in tables of that process, by file. A child of a fork
inherits these tables but not the locks: connections that it opens later believe in locks that
aren't held, and closing or using an inherited one can damage the file. So before a fork all
connections are closed, each as soon as it is at rest, and parent and child open their own anew. One
that is not at rest within a second is left to the parent; the child keeps it for ever, untouched.
The database in memory, which has no file, is copied by the fork as it is, at rest.

Nor do locks keep two connections of one process apart. If a file was deleted and another is begun
under its name, the new connection takes itself for the first one and cuts the `-shm` file to
nothing, which the old one has mapped: the process dies of a bus error. So all engines of one path
share a lock, under which connections are opened, and before any is, those to a file that is gone
are closed, whichever engine's they are.

Who has that lock may wait until another thread is at rest. So a thread that isn't, since a
finaliser or a signal handler came in between, never waits for it, but is refused.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING
from weakref import WeakSet

from ...errors import EngineClosedError
from ..forks import leak, living
from .database import MEMORY, connect, identity, set_aside
from .holding import holders
from .opening import opening
from .session import Session
from .trouble import reentered
from .word import SUFFIX, open_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


__all__ = ["Sessions"]

_AT_REST = 1.0  # seconds; operations take microseconds


class _NoSession:
    """Stands for a session where a thread has none yet: it must get one first."""

    seen = mine = None
    word = (0,)
    retired = True
    sure_until = -inf

    def look(self) -> bool:
        return False

    def inside(self) -> bool:
        return False


class _Here(threading.local):
    session: Session = _NoSession()  # type: ignore[assignment]
    file: object = None
    """What tells the file that this thread opened last, or failed to open, from another one."""


class Sessions:
    """The connections to one database.

    Args:
        path: The file, or `:memory:`.
        setup: Statements that each new connection begins with.
    """

    def __init__(self, path: str, setup: Sequence[str]) -> None:
        self.path = path
        self._setup = setup
        self.here = _Here()
        """Has this thread's session; an old one may stand there, or none."""
        self._word: memoryview | None = None
        self._all: WeakSet[Session] = WeakSet()
        self.writing = threading.RLock()
        """Held by the thread that writes: threads queue here, not at the file."""
        self._closed = False
        self._paused = False
        self._shared: Session | None = None
        if path == MEMORY:
            self._shared = Session(connect(path, setup), None, None)
            self._shared.sure_until = inf
        self._place = path if path == MEMORY else os.path.realpath(path)
        with _joining:
            peers = [] if path == MEMORY else self._peers()
            self._lock: threading.RLock = peers[0]._lock if peers else threading.RLock()
            _every.add(self)

    def mine(self) -> Session:
        """The session of this thread.

        Raises:
            EngineClosedError: The engine is closed.
            sqlite3.Error: A new connection can't be made now.
        """
        session = self.here.session
        if session.retired:
            session = self.here.session = self._open()
        return session

    def _open(self) -> Session:
        with self._alone():
            if self._closed:
                raise EngineClosedError("the engine is closed; open another one")
            if self._shared:
                return self._shared
            self._renew()
            with opening(self.path):
                try:
                    db = connect(self.path, self._setup)
                finally:
                    self.here.file = identity(self.path)
                self._word = self._word or open_word(self.path)
                session = Session(db, self._identity(), self._word)
            self._all.add(session)
            return session

    def _identity(self) -> object:
        return identity(self.path), identity(self.path + SUFFIX)

    def _peers(self) -> list[Sessions]:
        """Those of all engines of this process that have this path, of this one, too."""
        return [one for one in living(_every) if one._place == self._place]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the lock of the path.

        Raises:
            EngineError: This thread holds it already, or is in the middle of a statement.
        """
        here = [self] if self._shared else self._peers()
        is_mine = self._lock._is_owned()  # type: ignore[attr-defined]
        if is_mine or any(one.here.session.inside() for one in here):
            raise reentered(self.path)
        with self._lock:
            yield

    def renew_if_replaced(self) -> bool:
        """Closes all connections if the file was deleted, or another one stands in its place.

        Returns:
            Whether it was.
        """
        with self._alone():
            return self._renew()

    def _renew(self) -> bool:
        if self._shared:
            return False
        identity = self._identity()
        peers = self._peers()
        if any(session.identity != identity for one in peers for session in one._all):
            for one in peers:
                one._retire()
            return True
        for session in self._all:
            session.stay()
        return False

    def set_aside(self) -> None:
        """Gives the file that this thread opened last, and found damaged, another name.

        Another process may have done so before; then the file of that name is a new one, and stays.
        Threads open new connections when they need them.
        """
        with self._alone():
            for one in self._peers():
                one._retire()
            with opening(self.path, alone=True):
                if self.here.file == identity(self.path):
                    set_aside(self.path)

    def close(self) -> None:
        """Closes all connections, each when it is at rest."""
        with self._alone():
            self._closed = True
            self._retire()
            if self._shared:
                self._shared.retire()

    def _retire(self) -> None:
        for session in list(self._all):
            session.retire()
        self._all.clear()
        self._word = None

    def before_fork(self) -> None:
        """Brings everything to rest; what has a file is closed."""
        for session in living(self._all):
            if session.retire(_AT_REST):
                self._all.discard(session)
        self._word = None
        if self._shared:
            self._paused = self._shared.lock.acquire(timeout=_AT_REST)

    def after_fork(self, *, child: bool) -> None:
        """Goes on; the child with locks of its own."""
        if self._shared and child:
            self._shared.new_lock()
        elif self._shared and self._paused:
            self._shared.lock.release()
        if child:
            for session in living(self._all):
                session.retired = True
                session.sure_until = -inf
                leak(session)
            self._all.clear()
            self.here.session = _Here.session  # other threads are not here
            self.writing = threading.RLock()


_every: WeakSet[Sessions] = WeakSet()
_joining = threading.RLock()
"""Held while an engine becomes one of all."""
_forking: list[Sessions] = []
_taken: list[threading.RLock] = []


def _before_fork() -> None:
    holders.end_thread()
    _take(_joining)
    _forking[:] = living(_every)
    for lock in {sessions._lock for sessions in _forking}:
        _take(lock)
    for sessions in _forking:
        sessions.before_fork()


def _take(lock: threading.RLock) -> None:
    if lock.acquire(timeout=_AT_REST):
        _taken.append(lock)


def _after_fork_in_parent() -> None:
    for sessions in _forking:
        sessions.after_fork(child=False)
    _forking.clear()
    while _taken:
        _taken.pop().release()


def _after_fork_in_child() -> None:
    global _joining  # noqa: PLW0603
    locks: defaultdict[threading.RLock, threading.RLock] = defaultdict(threading.RLock)
    for sessions in _forking:
        sessions.after_fork(child=True)
        sessions._lock = locks[sessions._lock]
    _joining = threading.RLock()
    _forking.clear()
    _taken.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )

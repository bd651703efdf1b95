"""Snapshots are held from one statement to the next, but not for long.

Of the 4 µs of a get, 2 go into the system calls that lock and unlock the log; of the 11 µs of a
put, 3. So a session that is asked again and again keeps its read transaction open, and what comes
next does without those calls. What keeps this right:

* A reader compares the `word`, which it read before it took its snapshot, and every writer changes
  it after its commit. So a snapshot under the word's present number lacks no write that has
  returned.
* A writer need not know: SQLite refuses a write from a snapshot that isn't the newest. After its
  own write it can't tell whether another's number was in the word before its own, so to a reader
  the snapshot counts as old.
* No snapshot is used for longer than `_LONGEST`. That bounds what a held one costs, a log that
  can't be begun anew, and how late a write is seen that changed no word: that of a process killed
  between its commit and the word, that of a program that isn't ours.

A thread sees to the last point. A session that is in use when its time comes isn't waited for: it
is told that its snapshot is old, and asked again later, should it be idle then. For a thread that
reads all the time is nearly always met in the middle of a statement. The thread that sees to it
ends when nothing was held for a second, and before a fork.
"""

from __future__ import annotations

import os
from threading import Event, RLock, Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .session import Session

__all__ = ["holders"]

_LONGEST = 0.02  # seconds
_QUIET = 50  # times that nothing was held


class Holders:
    """The sessions that hold a snapshot, and the thread that has them let go of it."""

    def __init__(self) -> None:
        self._lock = RLock()  # a finaliser may run anywhere, and read until a snapshot is held
        self._sessions: set[Session] = set()
        self._ending = Event()
        self._thread: Thread | None = None

    def add(self, session: Session) -> None:
        """Has the session let go of its snapshot in time.

        Raises:
            RuntimeError: No thread can be started, on this platform or so near to the end.
        """
        with self._lock:
            if self._thread is None:
                ending = self._ending = Event()
                thread = Thread(target=self._run, args=(ending,), name="twat_cache", daemon=True)
                self._thread = thread
                try:
                    thread.start()
                except BaseException:
                    self._thread = None
                    ending.set()  # an interrupt may come when it runs already
                    raise
            self._sessions.add(session)

    def end_thread(self) -> None:
        """Ends the thread, until there is a snapshot again."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._ending.set()
        if thread is not None:
            thread.join()

    def _run(self, ending: Event) -> None:
        quiet = 0
        while not ending.wait(_LONGEST):
            with self._lock:
                sessions, self._sessions = self._sessions, set()
                quiet = 0 if sessions else quiet + 1
                if quiet == _QUIET and not ending.is_set():
                    self._thread = None
                    return
            busy = [session for session in sessions if not session.let_go()]
            if busy:
                with self._lock:
                    self._sessions.update(busy)


holders = Holders()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=holders.__init__)  # type: ignore[misc]

"""Locks between threads and processes, one per shard, that no death leaves held.

The system lets go of a process's `flock` when the process ends. The lock's file is opened for each
use, because a file that is open across a fork would be locked by both sides at once.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager

from ...errors import EngineTimeoutError
from ..private import private_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
if os.name == "nt" and not TYPE_CHECKING:
    import msvcrt

    def _lock(file):
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _unlock(file):
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)  # a fork meanwhile may have left the child a copy


__all__ = ["Locks"]

_SHORTEST = 0.000_05
_LONGEST = 0.005
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


class Locks:
    """The locks of one folder.

    Args:
        folder: Where their files are; made anew if it is missing.
        timeout: How many seconds to wait for one.
    """

    def __init__(self, folder: str, timeout: float) -> None:
        self._folder = folder
        self._timeout = timeout
        self._threads: dict[str, threading.Lock] = {}
        self._process = os.getpid()

    @contextmanager
    def held(self, shard: str) -> Iterator[None]:
        """Holds the shard's lock; not to be nested.

        Raises:
            EngineTimeoutError: Others hold it for too long.
            OSError: Its file can't be opened.
            PathError: The folder is missing and can't be made.
        """
        end = time.monotonic() + self._timeout
        if self._process != os.getpid():  # threads that held one are not in this child
            self._threads = {}
            self._process = os.getpid()
        lock = self._threads.setdefault(shard, threading.Lock())
        if not lock.acquire(timeout=self._timeout):
            raise self._too_long(None)
        try:
            file = self._open(shard)
            try:
                self._wait(file, end)
                try:
                    yield
                finally:
                    _unlock(file)
            finally:
                os.close(file)
        finally:
            lock.release()

    def _open(self, shard: str) -> int:
        path = os.path.join(self._folder, shard)
        try:
            return os.open(path, _OPEN, 0o600)
        except FileNotFoundError:  # somebody has deleted the folder
            private_folder(self._folder)
            return os.open(path, _OPEN, 0o600)

    def _wait(self, file: int, end: float) -> None:
        pause = _SHORTEST
        while True:
            try:
                return _lock(file)
            except (BlockingIOError, PermissionError) as error:
                if time.monotonic() >= end:
                    raise self._too_long(error) from error
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST)

    def _too_long(self, cause: OSError | None) -> EngineTimeoutError:
        return EngineTimeoutError(
            f"a part of {self._folder} was locked for {self._timeout} s; give a longer timeout=, or"
            f" find the process that is stopped within a write{'' if cause else ' (a thread here)'}"
        )

"""Processes open a database together, and each sets a damaged one aside alone.

A database and its log are two names, which can't be changed in one step. Who opened them while
another renames them would take the old log for the new database, or begin a new log for the old
one; and of two who find the same damage the second would rename the new database that the first
has begun. So who opens a database shares a lock, and who sets it aside has it alone.

The lock is the system's, which lets go of it when a process ends. It is taken on the file of the
`word`, and not at all where there is no such file yet or no such lock: then only what is looked at
before the renaming protects the new database.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

from ...errors import EngineTimeoutError
from .word import SUFFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
if os.name == "nt" and not TYPE_CHECKING:

    def _take(file, alone):
        """An open file can't be renamed there anyway."""

    def _give_back(file):
        pass

else:
    import fcntl

    def _take(file: int, alone: bool) -> None:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)

    def _give_back(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)  # a fork meanwhile may have left the child a copy


__all__ = ["opening"]

_SECONDS = 5.0  # to open takes milliseconds, to rename less
_PAUSE = 0.001
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def opening(path: str, *, alone: bool = False) -> Iterator[None]:
    """Holds the lock that belongs to the database of this path.

    Args:
        path: The database.
        alone: Whether no other process may have it, too.

    Raises:
        EngineTimeoutError: Another process is stopped while it has it.
    """
    try:
        file = os.open(path + SUFFIX, _FLAGS)
    except OSError:
        yield
        return
    try:
        _wait(file, path, alone)
        try:
            yield
        finally:
            _give_back(file)
    finally:
        os.close(file)


def _wait(file: int, path: str, alone: bool) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            return _take(file, alone)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise EngineTimeoutError(
                    f"another process has been opening or replacing {path} for {_SECONDS} s;"
                    " find the one that is stopped"
                ) from error
        except OSError:
            return None  # this file system has no such lock
        time.sleep(_PAUSE)

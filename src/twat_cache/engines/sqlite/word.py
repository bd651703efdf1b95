"""A word of memory that all processes share and every write changes.

Whoever compares it knows without a system call whether anyone has written. It lies in a file of its
own beside the database, `….db-gen`: to close one of SQLite's own files would drop the locks that
this process holds on it.

What is put there is a number that was never there before, since each session counts upwards from a
random one. So nobody has to read and write in one step, which Python can't do between processes: of
two who write at the same time, either's number is news to everybody else.
"""

from __future__ import annotations

import mmap
import os
from itertools import count

from ...errors import PathError
from ..private import private_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SUFFIX", "numbers", "open_word"]

SUFFIX = "-gen"
_SIZE = 8
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def open_word(path: str) -> memoryview | None:
    """The word that belongs to the database of this path, as an array of one number.

    None if there can't be one, as on a disk that is full.
    """
    path += SUFFIX
    try:
        private_file(path)
        file = os.open(path, _FLAGS)
        try:
            if os.fstat(file).st_size < _SIZE:
                # written, not stretched: a page without a place on the disk kills who touches it
                os.write(file, os.urandom(_SIZE))
            return memoryview(mmap.mmap(file, _SIZE)).cast("Q")
        finally:
            os.close(file)
    except (OSError, ValueError, PathError):
        return None


def numbers() -> Callable[[], int]:
    """Gives numbers that nobody else puts into a word."""
    return count(int.from_bytes(os.urandom(7), "little")).__next__

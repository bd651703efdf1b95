"""One entry in one file.

    magic (4)  version (1)  zeros (3)  deadline (8)  length of the key (8)  length of the value (8)
    key  zeros up to a multiple of 64  value

A file takes its place by being renamed when it is complete. Its lengths tell one that a failing
machine left short; what lies within the value is checked by who put it there. The value begins at a
multiple of 64, so that an array can be used where it lies.
"""

from __future__ import annotations

import os
from math import inf
from struct import Struct

from ..mapped import MAPPED, mapped, read_rest
from ..pieces import write_pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NamedTuple

    class Head(NamedTuple):
        """What stands before the value."""

        deadline: float
        key: bytes
        start: int
        end: int
else:
    from collections import namedtuple

    Head = namedtuple("Head", ("deadline", "key", "start", "end"))

__all__ = ["Head", "prolong", "read_head", "read_value", "write_new"]

_HEAD = Struct("<4sB3xdQQ")
_DEADLINE = Struct("<d")
_DEADLINE_AT = 8
_MAGIC = b"twaF"
_VERSION = 1
_ALIGNED = 64
_FIRST = 4096
"""The first read takes the head and, of most small entries, all."""

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NEW = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
)


def write_new(
    path: str, key: bytes, value: Sequence[memoryview], deadline: float | None, *, fsync: bool
) -> None:
    """Writes a file that isn't there yet."""
    until = inf if deadline is None else deadline
    head = _HEAD.pack(_MAGIC, _VERSION, until, len(key), sum(map(len, value))) + key
    file = os.open(path, _NEW, 0o600)
    try:
        write_pieces(file, [head, bytes(-len(head) % _ALIGNED), *value])
        if fsync:
            os.fsync(file)
    finally:
        os.close(file)


def read_head(path: str) -> Head | None:
    """The head alone; None if the file is damaged or not ours.

    Raises:
        FileNotFoundError: There is no such file.
    """
    file = os.open(path, _READ)
    try:
        return _parse(file, os.read(file, _FIRST))
    finally:
        os.close(file)


def read_value(path: str, key: bytes, now: float) -> bytes | memoryview | None:
    """The value, if the file is this key's and its time isn't over; large ones are mapped.

    Raises:
        FileNotFoundError: There is no such file.
    """
    file = os.open(path, _READ)
    try:
        begin = os.read(file, _FIRST)
        head = _parse(file, begin)
        if head is None or head.key != key or head.deadline <= now:
            return None
        if head.end <= len(begin):
            return memoryview(begin)[head.start : head.end]
        if head.end - head.start >= MAPPED and (whole := mapped(file, head.end)) is not None:
            return whole[head.start : head.end]
        rest = read_rest(file, head.end - len(begin))
        return None if rest is None else memoryview(begin + rest)[head.start : head.end]
    finally:
        os.close(file)


def prolong(path: str, deadline: float | None) -> None:
    """Writes another deadline into the file; the value stays as it is for who has it mapped."""
    file = os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        os.lseek(file, _DEADLINE_AT, os.SEEK_SET)
        os.write(file, _DEADLINE.pack(inf if deadline is None else deadline))
    finally:
        os.close(file)


def _parse(file: int, begin: bytes) -> Head | None:
    if len(begin) < _HEAD.size:
        return None
    magic, version, deadline, key_size, size = _HEAD.unpack_from(begin)
    end_of_key = _HEAD.size + key_size
    start = end_of_key + -end_of_key % _ALIGNED
    if (magic, version) != (_MAGIC, _VERSION) or start + size != os.fstat(file).st_size:
        return None
    while len(begin) < end_of_key:
        part = os.read(file, end_of_key - len(begin))
        if not part:
            return None
        begin += part
    os.lseek(file, min(len(begin), _FIRST), os.SEEK_SET)
    return Head(deadline, begin[_HEAD.size : end_of_key], start, start + size)

"""A file of records that is whole or isn't there, and that knows when it was damaged.

    magic (8 bytes)  version (2)  record  record  …  end  checksum (16)

A record is its length (8 bytes, the highest first) and so many bytes; the end is a length of 0. The
checksum is the BLAKE2b of all before it. It finds accidents; whoever can write the file can also
make it match, so what reads the records must trust none of them.

Writing goes to a new file in the same folder, readable by its owner only, which takes the place of
the old one in one step when all of it is on the disk. Reading checks the whole file first, piece by
piece, and then gives one record after the other: no length in the file decides how much memory is
taken.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from stat import S_ISREG

from .errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from os import PathLike
    from typing import BinaryIO

__all__ = ["read_records", "write_records"]

_MAGIC = b"\x89twat\r\n\x1a"  # no text, and damaged by whatever changes the ends of lines
_VERSION = 1
_HEAD = len(_MAGIC) + 2
_LENGTH = 8
_CHECKSUM = 16
_PIECE = 1 << 20


def write_records(path: str | PathLike[str], records: Iterable[bytes]) -> None:
    """Writes the records, none of them empty, in the place of what was there.

    Raises:
        OSError: The file can't be written; an older one is still there.
    """
    from tempfile import mkstemp

    path = os.path.abspath(os.fsdecode(path))
    folder, name = os.path.split(path)
    handle, new = mkstemp(prefix=f".{name}.", suffix=".new", dir=folder)  # mode 0600
    try:
        with open(handle, "wb") as file:
            checksum = blake2b(digest_size=_CHECKSUM)

            def write(data: bytes) -> None:
                file.write(data)
                checksum.update(data)

            write(_MAGIC + _VERSION.to_bytes(2, "big"))
            for record in records:
                write(len(record).to_bytes(_LENGTH, "big"))
                write(record)
            write(bytes(_LENGTH))
            file.write(checksum.digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        _remove(new)
        raise
    _keep_name(folder)


def read_records(path: str | PathLike[str]) -> Generator[bytes, None, None]:
    """The records, once the whole file has been found to be sound; close the iterator early or not.

    Raises:
        SerializationError: The file is damaged, of another kind, or of a newer version.
        OSError: The file can't be read.
    """
    with open(path, "rb") as file:
        shown = os.fsdecode(path)
        size = _checked_size(file, shown)
        file.seek(_HEAD)
        while length := int.from_bytes(file.read(_LENGTH), "big"):
            record = file.read(length) if length <= size else b""
            if len(record) != length:
                raise _damaged(shown)
            yield record


def _checked_size(file: BinaryIO, shown: str) -> int:
    """The length of the file, if it is what was written, and no other."""
    status = os.fstat(file.fileno())
    head = file.read(_HEAD) if S_ISREG(status.st_mode) else b""
    if not head.startswith(_MAGIC):
        raise SerializationError(f"{shown} isn't a saved cache")
    version = int.from_bytes(head[len(_MAGIC) :], "big")
    if version > _VERSION:
        raise SerializationError(
            f"{shown} was saved by a newer twat-cache, in format {version}; this one reads up to "
            f"{_VERSION}: update it, or save the cache anew"
        )
    checksum = blake2b(head, digest_size=_CHECKSUM)
    left = status.st_size - _HEAD - _CHECKSUM
    while left > 0:
        piece = file.read(min(left, _PIECE))
        if not piece:
            break
        checksum.update(piece)
        left -= len(piece)
    if left or len(head) < _HEAD or file.read(_CHECKSUM + 1) != checksum.digest():
        raise _damaged(shown)
    return status.st_size


def _damaged(shown: str) -> SerializationError:
    return SerializationError(f"{shown} is damaged or cut off: delete it and save the cache anew")


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _keep_name(folder: str) -> None:
    """Brings the folder to the disk as well, where the system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # such as on Windows
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)

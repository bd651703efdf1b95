"""The files of large values: each is written once, under a name of its own, and never changed."""

from __future__ import annotations

import os
import random
import time

from ..mapped import MAPPED, mapped, read_rest
from ..pieces import write_pieces
from ..private import private_folder
from .pointer import is_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Files"]

_ABANDONED = 3600.0
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Files:
    """A folder of files, sharded by the first two digits of their names.

    Args:
        path: The folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def write(self, name: str, value: Sequence[memoryview]) -> None:
        """Writes the file, which nobody looks for until the index names it."""
        path = self._place(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
        try:
            file = os.open(path, flags, 0o600)
        except FileNotFoundError:
            private_folder(os.path.dirname(path))
            file = os.open(path, flags, 0o600)
        try:
            write_pieces(file, value)
        except BaseException:
            os.close(file)
            os.unlink(path)
            raise
        os.close(file)

    def read(self, name: str, length: int) -> bytes | memoryview | None:
        """The value, mapped if it is large; None if it isn't there, or not of that length."""
        try:
            file = os.open(self._place(name), os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return None
        try:
            if os.fstat(file).st_size != length:
                return None
            if length >= MAPPED and (whole := mapped(file, length)) is not None:
                return whole
            return read_rest(file, length)
        finally:
            os.close(file)

    def delete(self, name: str) -> None:
        """Deletes the file, if it is there."""
        try:
            os.unlink(self._place(name))
        except FileNotFoundError:
            pass

    def abandoned(self) -> Iterator[str]:
        """The names in a shard, any one, that are old enough for the index to know them."""
        oldest = time.time() - _ABANDONED
        try:
            with os.scandir(os.path.join(self._path, f"{random.randrange(256):02x}")) as found:
                names = [e.name for e in found if is_name(e.name) and e.stat().st_mtime < oldest]
        except FileNotFoundError:
            return
        yield from names

    def _place(self, name: str) -> str:
        return os.path.join(self._path, name[:2], name)

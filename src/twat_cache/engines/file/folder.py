"""The folder: names, shards, and what else lies in it.

    twat-cache-files    says that the folder is ours
    00 … ff             the entries, named by the digests of their keys
    locks               one file per shard that was ever written to
    new                 what is being written

The name of an entry is a digest, so no key leads out of the folder, and its size gives nothing
away. A folder with other things in it is refused, since entries that are too many are deleted.
"""

from __future__ import annotations

import os
import time
from binascii import hexlify
from hashlib import blake2b
from itertools import count

from ...errors import EngineError
from ..private import private_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SHARDS", "Folder"]

SHARDS = [f"{number:02x}" for number in range(256)]

_MARK = "twat-cache-files"
_FORMAT = b"1\n"
_ABANDONED = 3600.0
_DIGEST = 20


class Folder:
    """The paths of a store, made when they are needed, with modes 0700 and 0600.

    Args:
        path: The folder; made if it is missing.

    Raises:
        EngineError: The folder isn't empty, and not ours.
        PathError: It can't be made.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.locks = os.path.join(path, "locks")
        self._new = os.path.join(path, "new")
        self._mark = os.path.join(path, _MARK)
        self._numbers = count()
        self.make()
        self._tidy()

    def make(self) -> None:
        """Makes what is missing of the folder."""
        private_folder(self.path)
        try:
            with open(self._mark, "rb") as file:
                mark = file.read(100)
        except FileNotFoundError:
            if set(os.listdir(self.path)) - {_MARK, "locks", "new"}:
                raise EngineError(
                    f"{self.path} has other things in it, and was left as it is; choose an empty"
                    " folder"
                ) from None
            mark = b""
        if mark not in {b"", _FORMAT}:
            raise EngineError(f"{self.path} has another format; choose another folder")
        private_folder(self.locks)
        private_folder(self._new)
        if not mark:
            file_number = os.open(self._mark, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(file_number, _FORMAT)
            finally:
                os.close(file_number)

    def is_there(self) -> bool:
        """Whether nobody has deleted it."""
        return os.path.exists(self._mark)

    def place(self, key: bytes) -> tuple[str, str]:
        """The shard and the path of the key's entry."""
        name = blake2b(key, digest_size=_DIGEST).hexdigest()
        return name[:2], os.path.join(self.path, name[:2], name[2:])

    def new(self) -> str:
        """A path for a file that is to be renamed; no other process and thread has it."""
        unique = hexlify(os.urandom(6)).decode()
        return os.path.join(self._new, f"{os.getpid()}-{next(self._numbers)}-{unique}")

    def take(self, new: str, path: str, *, fsync: bool) -> None:
        """Gives a new file its place, in one step."""
        try:
            os.replace(new, path)
        except FileNotFoundError:
            private_folder(os.path.dirname(path))
            os.replace(new, path)
        if fsync:
            _sync_folder(os.path.dirname(path))

    def entries(self, shard: str) -> Iterator[os.DirEntry[str]]:
        """The files of the shard."""
        try:
            with os.scandir(os.path.join(self.path, shard)) as found:
                yield from [entry for entry in found if len(entry.name) == 2 * _DIGEST - 2]
        except FileNotFoundError:
            return

    def _tidy(self) -> None:
        """Deletes what writers that were killed have left behind."""
        oldest = time.time() - _ABANDONED
        with os.scandir(self._new) as found:
            for entry in found:
                try:
                    if entry.stat().st_mtime < oldest:
                        os.unlink(entry.path)
                except FileNotFoundError:
                    pass


def _sync_folder(path: str) -> None:
    if os.name != "nt":  # where a folder can't be opened
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

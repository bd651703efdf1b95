"""The bounds on all files, their bytes and their number, kept by deleting the least recently used.

What a process writes it counts. What other processes write it learns by walking through the folder,
with its first write and then each time that it has itself written a sixteenth of the bound; so a
folder that `n` processes write to may grow beyond the bound by `n` sixteenths.

Room in bytes is made before a file is written. Files are counted after it, since only then is it
known whether it is one more.
"""

from __future__ import annotations

import os
from math import inf

from ..forks import ForkSafeLock
from .folder import SHARDS, Folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Size"]

_LOOKED = 1.0  # seconds: uses that are nearer to each other are one


class Size:
    """Counts, and culls.

    Args:
        folder: The store.
        max_bytes: The bound on bytes; None is unbounded.
        maxsize: The bound on files; None is unbounded.
    """

    def __init__(self, folder: Folder, max_bytes: int | None, maxsize: int | None) -> None:
        self.max_bytes = inf if max_bytes is None else max_bytes
        self.maxsize = maxsize
        self.is_bounded = max_bytes is not None or maxsize is not None
        self._folder = folder
        self._room = 0.0
        self._writes = 0
        self._lock = ForkSafeLock()

    def used(self, path: str, now: float) -> None:
        """Notes the time of use as the file's time of change: the system keeps that of access,
        which looking for expired files would spoil.
        """  # noqa: D205
        try:
            status = os.stat(path)
            if abs(now - status.st_mtime) >= _LOOKED:
                os.utime(path, ns=(int(now * 1e9), int(now * 1e9)))
        except OSError:
            pass  # gone, or not to be changed by us: then it is as old as it was

    def make_room(self, size: int) -> None:
        """Sees to it that so many bytes can be written."""
        if self.max_bytes == inf:
            return
        with self._lock:
            self._room -= size
            if self._room < 0:
                self._room = self._cull(size) - size

    def trim(self) -> None:
        """To be called when a file was written: deletes those that are too many."""
        if self.maxsize is None:
            return
        with self._lock:
            self._writes -= 1
            if self._writes < 0:
                self._writes = self.maxsize // 16
                found = self._oldest_first()
                _delete(path for _, _, path in found[: max(0, len(found) - self.maxsize)])

    def _cull(self, size: int) -> float:
        """Deletes until so many bytes and a step more are free; gives how many may be written."""
        step = self.max_bytes // 16
        found = self._oldest_first()
        total = sum(its for _, its, _ in found)
        if total > self.max_bytes - size:
            leaving = []
            for _, its, path in found:
                if total <= self.max_bytes - size - step:
                    break
                leaving.append(path)
                total -= its
            _delete(leaving)
        return max(size, min(self.max_bytes - total, step))

    def _oldest_first(self) -> list[tuple[int, int, str]]:
        """Of all files the time of use, the size and the path."""
        found = []
        for shard in SHARDS:
            for entry in self._folder.entries(shard):
                try:
                    status = entry.stat()
                except OSError:
                    continue
                found.append((status.st_mtime_ns, status.st_size, entry.path))
        return sorted(found)


def _delete(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

"""The bound on the bytes of all files, kept by deleting the least recently used.

What a process writes it counts. What other processes write it learns by walking through the folder,
each time that it has itself written a sixteenth of the bound; so a folder that `n` processes write
to may grow beyond the bound by `n` sixteenths.
"""

from __future__ import annotations

import os
from threading import Lock

from .folder import SHARDS, Folder

__all__ = ["Size"]

_LOOKED = 1.0  # seconds: uses that are nearer to each other are one


class Size:
    """Counts, and culls.

    Args:
        folder: The store.
        max_bytes: The bound.
    """

    def __init__(self, folder: Folder, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._folder = folder
        self._step = max_bytes // 16
        self._room = 0
        self._lock = Lock()

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
        with self._lock:
            self._room -= size
            if self._room < 0:
                self._room = self._cull(size) - size

    def _cull(self, size: int) -> int:
        """Deletes until so many bytes and a step more are free; gives how many may be written."""
        found = []
        total = 0
        for shard in SHARDS:
            for entry in self._folder.entries(shard):
                try:
                    status = entry.stat()
                except OSError:
                    continue
                found.append((status.st_mtime_ns, status.st_size, entry.path))
                total += status.st_size
        wanted = self.max_bytes - size - self._step
        if total > self.max_bytes - size:
            for _, its, path in sorted(found):
                if total <= wanted:
                    break
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass
                total -= its
        return max(size, min(self.max_bytes - total, self._step))

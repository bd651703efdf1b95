"""Large values as they lie in their files: mapped into memory, not copied.

Before Python 3.13 each map keeps a descriptor of its own. So there at most half as many are alive
as the process may have open files, and what is read beyond that is copied.
"""

from __future__ import annotations

import mmap
import os
import sys

TYPE_CHECKING = False

__all__ = ["MAPPED", "mapped", "read_rest"]

MAPPED = 256 * 1024
"""From this size on, a value is mapped: reading it would cost more than mapping it."""


if sys.version_info >= (3, 13):

    def _map(file: int, size: int) -> mmap.mmap | None:
        return mmap.mmap(file, size, access=mmap.ACCESS_READ, trackfd=False)

elif os.name == "nt":  # which has no such bound

    def _map(file: int, size: int) -> mmap.mmap | None:
        return mmap.mmap(file, size, access=mmap.ACCESS_READ)

else:
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
    from weakref import WeakSet

    _alive: WeakSet[mmap.mmap] = WeakSet()

    def _map(file: int, size: int) -> mmap.mmap | None:
        most, _ = getrlimit(RLIMIT_NOFILE)
        if most != RLIM_INFINITY and len(_alive) >= most // 2:
            return None
        made = mmap.mmap(file, size, access=mmap.ACCESS_READ)
        _alive.add(made)
        return made


def mapped(file: int, size: int) -> memoryview | None:
    """A view of the file's first bytes, so many; None if it is to be read instead."""
    try:
        made = _map(file, size)
    except (OSError, ValueError):  # out of descriptors or maps, or cut short meanwhile
        return None
    return None if made is None else memoryview(made)


def read_rest(file: int, size: int) -> bytes | None:
    """The next bytes of the file, so many; None if it ends before."""
    parts = []
    while size:
        part = os.read(file, size)
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)

"""S3-FIFO: three queues, so that what is used once leaves early and what comes back stays.

After Yang, Zhang, Qiu, Yue and Rashmi, "FIFO Queues are All You Need for Cache Eviction" (SOSP
2023), Algorithm 1. Most entries of most caches are never used again. They pass through a *small*
queue, a tenth of the cache, and are gone. An entry that was used more than once while it was there
goes on to the *main* queue. Of those that had to leave, a *ghost* queue remembers the hashes of
their keys; who comes again while it does, enters the main queue at once. The main queue is a FIFO
that reinserts: an entry at its end that was used since it came is let in again at the other, with
one use less to its name; any other leaves for good.

A hit only counts, up to three (`entry.hits`); nothing is moved.

Exactly. `size` is the number of entries when somebody has to leave. If the small queue has at least
a tenth of them, and at least one, it is asked first: its last entry goes on to main with its count
set back to zero if that was more than one, else it leaves and its hash joins the ghosts; and so on
until one has left or the small queue is empty. Otherwise, and then, the main queue is asked. The
ghosts are as many as the main queue is meant to be: the latest nine tenths of `size`, at least one.
A ghost that comes back is none any more. An entry that leaves in another way leaves no ghost.

Where the paper's text and its figures leave a choice, its pseudo-code was followed.
"""

from __future__ import annotations

from collections import OrderedDict

from . import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..store import Entry

__all__ = ["S3FIFO"]

_MOST = 3


class S3FIFO(Policy):
    """Used once, out of the small queue; else out of the main one."""

    counts = _MOST
    hashes = True

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        super().__init__(entries, maxsize)
        self._small: OrderedDict[Entry, None] = OrderedDict()
        self._main: OrderedDict[Entry, None] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()

    def added(self, entry: Entry) -> None:
        """Into the small queue, or the main one if it was here lately."""
        entry.hits = 0
        if entry.hash in self._ghosts:
            del self._ghosts[entry.hash]
            self._main[entry] = None
        else:
            self._small[entry] = None

    def used(self, entry: Entry) -> None:
        """Stored again: as good as a hit."""
        entry.hits = min(entry.hits + 1, _MOST)

    def left(self, entry: Entry) -> None:
        """Out of its queue."""
        queue = self._small if entry in self._small else self._main
        del queue[entry]

    def victim(self) -> Entry | None:
        """The last entry of a queue that nothing speaks for."""
        small, main = self._small, self._main
        size = len(small) + len(main)
        if len(small) * 10 >= max(10, size):
            while small:
                entry = next(iter(small))
                if entry.hits <= 1:
                    self._haunt(entry.hash, max(1, size * 9 // 10))
                    return entry
                del small[entry]
                main[entry] = None
                entry.hits = 0
        while main:
            entry = next(iter(main))
            if entry.hits == 0:
                return entry
            main.move_to_end(entry)
            entry.hits -= 1
        return None

    def _haunt(self, ghost: int, most: int) -> None:
        """Remembers a hash as the latest of so many."""
        self._ghosts[ghost] = None
        self._ghosts.move_to_end(ghost)
        while len(self._ghosts) > most:
            self._ghosts.popitem(last=False)

    def order(self) -> list[Entry]:
        """The small queue, then the main one, each oldest first."""
        return [*self._small, *self._main]

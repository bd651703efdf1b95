"""LRU: the entry that was not used for the longest time leaves. Exact.

Nothing is moved on a hit. Each use draws the next tick of the table's clock of use and leaves it in
`entry.used`; that is the whole price. The order of use is the order of these ticks, and is sorted
out only when somebody has to leave, for many entries at once:

The queue has the entries that were known when it was made, and when each had been used last; the
one used the longest ago is at its end. Entries used or stored since then have later ticks than all
that stands in it. So an entry from its end that has not been used since, is exactly the least
recently used of all; and one that has been, or is gone, is none to remove. An empty queue is made
anew. Each place in it is paid for by an eviction, a removal or a hit: a hit costs O(log n) in the
long run, and most of that in a sort of nearly sorted numbers.

Kept by threads that never meet, and by signal handlers: drawing a tick is one C call, so is leaving
it. The queue holds entries weakly: what left is not kept by having been in line.
"""

from __future__ import annotations

from _weakref import ref
from operator import attrgetter, itemgetter

from . import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..store import Entry

__all__ = ["LRU"]


class LRU(Policy):
    """Least recently used first."""

    tick = attrgetter("used")

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        super().__init__(entries, maxsize)
        self._queue: list[tuple[int, ref[Entry]]] = []

    def victim(self) -> Entry | None:
        """The entry with the lowest tick."""
        tick = self.tick
        while self._queue or self._line_up():
            since, watched = self._queue.pop()
            entry = watched()
            if entry is not None and not entry.gone and tick(entry) == since:
                return entry
        return None

    def _line_up(self) -> bool:
        tick, entries = self.tick, list(self.entries.values())
        queue = [(tick(entry), ref(entry)) for entry in entries if entry.home is self]
        queue.sort(key=itemgetter(0), reverse=True)
        self._queue = queue
        return bool(queue)

    def order(self) -> list[Entry]:
        """By tick."""
        return sorted(list(self.entries.values()), key=self.tick)  # noqa: C414 - one step

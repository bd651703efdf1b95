"""Who dies when: each entry that has a deadline stands in the bucket of a moment in time.

Time is cut into *ticks* of 2^27 ns, 134 ms; all entries that die in one tick are in one bucket. A
write has the table look at a few entries of the oldest bucket whose tick is wholly over, and remove
them; so what has expired leaves in the order of its expiry at the cost of the writes, without a
thread and without looking at anything else. A sweep empties all those buckets, and looks through
that of the running tick.

If an entry's end (`Entry.end`) comes to lie later, because it was stored again or is used before
its time to idle is over, it stays in its bucket. Only when the bucket's turn has come is it seen
that the entry belongs to another one. So a hit moves nothing. If the end comes to lie earlier, the
entry changes its bucket at once.

The compiled core has a hierarchical timing wheel (Varghese and Lauck, 1987). Here the buckets are
in a dict and their ticks in a heap: O(log n), but n is the number of ticks, and it is in C. A
bucket that became empty is gone; its tick stays in the heap until it is over, or until there are
more such than others.

Used by one at a time, in the table's turn.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .store import Entry

__all__ = ["Deadlines"]

_FEW = 64


class Deadlines:
    """The entries of a table that will die, by the tick in which it is looked whether they did."""

    def __init__(self, tick_bits: int) -> None:
        self._bits = tick_bits
        self._buckets: dict[int, dict[Entry, None]] = {}
        self._ticks: list[int] = []
        self._crowd = _FEW
        self.first: float = inf
        """The earliest tick, or an earlier one that is empty by now; may be read out of turn."""

    def set(self, entry: Entry) -> None:
        """Sees to it that the entry's end will not be missed."""
        end = entry.end()
        if end is None:
            self.drop(entry)
            return
        tick = end >> self._bits
        if entry.alarm is None or tick < entry.alarm:
            self.drop(entry)
            bucket = self._buckets.get(tick)
            if bucket is None:
                bucket = self._buckets[tick] = {}
                self._add(tick)
            bucket[entry] = None
            entry.alarm = tick

    def drop(self, entry: Entry) -> None:
        """Takes an entry out, if it is in."""
        tick = entry.alarm
        if tick is not None:
            entry.alarm = None
            bucket = self._buckets[tick]
            del bucket[entry]
            if not bucket:
                del self._buckets[tick]

    def pop(self, before: int) -> tuple[Entry, bool] | None:
        """Takes out an entry of the oldest bucket before a tick.

        Returns:
            The entry, and whether it is dead; else it was used meanwhile. None if there is none.
        """
        ticks = self._ticks
        while ticks and (tick := ticks[0]) < before:
            bucket = self._buckets.get(tick)
            if bucket is not None:
                entry, _ = bucket.popitem()
                if not bucket:
                    del self._buckets[tick]
                entry.alarm = None
                end = entry.end()
                return entry, end is not None and end >> self._bits == tick
            heappop(ticks)
            self.first = ticks[0] if ticks else inf
        return None

    def within(self, tick: int) -> list[Entry]:
        """The entries of one bucket, which stay in it."""
        return list(self._buckets.get(tick, ()))

    def _add(self, tick: int) -> None:
        heappush(self._ticks, tick)
        if len(self._ticks) > self._crowd:
            self._ticks = list(self._buckets)
            heapify(self._ticks)
            self._crowd = 2 * len(self._ticks) + _FEW
        self.first = self._ticks[0]

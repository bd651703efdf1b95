"""SIEVE: a queue, one bit for each entry, and a hand that forgives once.

After Zhang, Yang, Yue, Vigfusson and Rashmi, "SIEVE is Simpler than LRU: an Efficient Turn-Key
Eviction Algorithm for Web Caches" (NSDI 2024). New entries join the queue at its head. A hit marks
its entry as visited and moves nothing. The hand goes from the tail towards the head: it takes the
mark from visited entries and leaves them where they are, and the first without a mark has to go;
there the hand stays. Past the head it starts again from the tail. So entries that are never used
again leave soon after the hand has come to them, and popular ones stay, old among the new: unlike
in CLOCK nothing is reinserted at the head, and the newcomers stay together.

The queue is kept in two parts, so that the hand needs no pointer into it: those that the hand has
*passed*, and those *ahead* of it, both oldest first. The hand stands at the first of those ahead.
Going past an entry moves it from the beginning of the one to the end of the other; new ones are
last of those ahead. Whenever nobody is ahead any more, all are: the hand is at the tail again.

The mark costs a hit nothing. It has left its tick in `entry.used`; `entry.place` has the tick up to
which the hand knows about the entry. If they differ, it was visited.
"""

from __future__ import annotations

from collections import OrderedDict

from . import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..store import Entry

__all__ = ["SIEVE"]


class SIEVE(Policy):
    """Not visited since the hand came by."""

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        super().__init__(entries, maxsize)
        self._passed: OrderedDict[Entry, None] = OrderedDict()
        self._ahead: OrderedDict[Entry, None] = OrderedDict()

    def added(self, entry: Entry) -> None:
        """At the head, not visited."""
        entry.place = entry.used
        self._ahead[entry] = None

    def left(self, entry: Entry) -> None:
        """Out of the queue; if the hand stood there, it is at the next one now."""
        if entry in self._passed:
            del self._passed[entry]
        else:
            del self._ahead[entry]
            self._turn()

    def victim(self) -> Entry | None:
        """Where the hand comes to rest."""
        while self._ahead:
            entry = next(iter(self._ahead))
            if entry.used == entry.place:
                return entry
            entry.place = entry.used
            del self._ahead[entry]
            self._passed[entry] = None
            self._turn()
        return None

    def _turn(self) -> None:
        """Past the head the hand is at the tail again."""
        if not self._ahead:
            self._ahead, self._passed = self._passed, self._ahead

    def order(self) -> list[Entry]:
        """From the tail to the head, wherever the hand is."""
        return [*self._passed, *self._ahead]

"""W-TinyLFU with an adaptive window: who was seen more often lately stays; newcomers get a chance.

After Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy" (ACM
Transactions on Storage, 2017), and, for the idea of fitting the window to the workload, Einziger,
Eytan, Friedman and Manes, "Adaptive Software Cache Management" (Middleware 2018). Three parts,
three files:

    sketch       how often a key was seen lately, whether it is in the cache or not
    segments     window, probation and protected: the queues, and who leaves them
    simulation   how large the window should be: it tries 1 %, 25 % and all of the cache

Here they are put together. Each use of an entry is counted in the sketch, takes the entry to its
queue's end, and is shown to the simulation, which follows one key in so many and sets the window's
share. Deterministic: no random numbers, integers only; the compiled core does the same steps.

While there is room for all, everything that comes is let in and says little about what will be
wanted. So when somebody has to leave for the first time, all counts are halved, as if that were ten
counts an entry ago. That is worth one and a half points on short traces.

Measured, hit ratios in percent: LRU, W-TinyLFU with a fixed window of 1 %, with hill climbing,
this.

    trace                       size    LRU   fixed  climbing   this
    multi2                      1200   48.1    59.0      58.9   59.9
    loop                         512    0.0    50.0      49.9   50.0
    sprite                       800   88.6    81.5      86.2   87.5
    OLTP                        2000   42.5    41.8      46.4   46.9
    zipf 1.0, popularity moves  1000   34.6    15.3      30.1   34.5
"""

from __future__ import annotations

from . import Policy
from .segments import Segments
from .simulation import Simulation
from .sketch import Sketch, spread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..store import Entry

__all__ = ["TINYLFU"]


class TINYLFU(Policy):
    """Rarely seen lately, out first. An entry's `place` is its hash, spread."""

    notes = True
    hashes = True

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        super().__init__(entries, maxsize)
        self._sketch = Sketch()
        self._simulation = Simulation(self._sketch)
        self._segments = Segments(self._simulation.parts)
        self._was_full = False

    def added(self, entry: Entry) -> None:
        """Seen once more; into the window."""
        entry.place = spread(entry.hash)
        size = len(self._segments) + 1
        self._sketch.fit(size)
        self._sketch.count(entry.place, size)
        self._segments.add(entry, size)
        self._follow(entry, size)

    def used(self, entry: Entry) -> None:
        """Seen once more; up to the end of its queue, or out of probation."""
        size = len(self._segments)
        self._sketch.count(entry.place, size)
        self._segments.use(entry, size)
        self._follow(entry, size)

    def _follow(self, entry: Entry, size: int) -> None:
        self._simulation.see(entry.place, size)
        self._segments.parts = self._simulation.parts

    def left(self, entry: Entry) -> None:
        """Out of its queue; its counts stay."""
        self._segments.remove(entry)

    def victim(self) -> Entry | None:
        """Who was seen less often lately, of two."""
        if not self._was_full:
            self._was_full = True
            self._sketch.halve()
        segments = self._segments
        found: Entry | None = segments.victim(len(segments), self._frequency)
        return found

    def _frequency(self, entry: Entry) -> int:
        return self._sketch.frequency(entry.place)

    def order(self) -> list[Entry]:
        """Window, probation, protected, each least recently used first."""
        segments = self._segments
        return [*segments.window, *segments.probation, *segments.protected]

"""W-TinyLFU with an adaptive window: who was seen more often lately stays; newcomers get a chance.

After Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy" (ACM
Transactions on Storage, 2017), and, for the idea of fitting the window to the workload, Einziger,
Eytan, Friedman and Manes, "Adaptive Software Cache Management" (Middleware 2018). Three parts,
three files:

    sketch       how often keys were seen that are in the cache no more
    segments     window, probation and protected: the queues, and who leaves them
    simulation   how large the window should be: it tries 1 %, 25 % and all of the cache

Here they are put together. Deterministic: no random numbers, integers only; the compiled core does
the same steps.

Counts. In the papers each request is counted in a sketch, a table of counters far from the entries.
Here an entry counts its own uses, up to 15; it has to be touched anyway, to take it to its queue's
end, so most hits touch no memory but entries. No other key raises its count either, as keys do that
share a sketch's counters. The sketch is a memory of those who have left: it is told an entry's
count when it goes, and a key that comes back starts with that and one more. Keys that the
simulation follows are kept up in the sketch too: it holds hashes, and has nothing else to ask. A
newcomer stays if its count is ahead by two or more: a lead of one may come from a counter that it
shared, or from halving an odd count, and proves nothing.

Ages. When there were ten uses for each entry, a new *age* begins: all counts are halved, those of
the sketch as well, so that old popularity fades, and a loop's requests don't fall into step. Nobody
waits for it. A count has the age that it is of, and if that has passed, half of it is meant, and
half again for each age more. The compiled core has room for two bits of the age only, so it visits
all entries, 16 with each change or hit, and halves what is left to be halved. The next age waits
until that is over, and until the sketch's halving is; this is why there is a number of the
`unvisited` here too, although nobody is visited.

While there is room for all, everything that comes is let in and says little about what will be
wanted. So when somebody has to leave for the first time, an age begins. That is worth up to one
point on short traces.

Settled. Each newcomer and each use of a key that takes part is shown to the simulation. It learns
from newcomers: if all that is asked for is here, each candidate holds it too. So if none came for
two uses of each key that takes part, nothing more is shown until one does.

Measured, hit ratios in percent: LRU, W-TinyLFU with a fixed window of 1 %, with hill climbing,
this.

    trace                       size    LRU   fixed  climbing   this
    multi2                      1200   48.1    59.0      58.9   59.9
    loop                         512    0.0    50.0      49.9   50.0
    sprite                       800   88.6    81.5      86.2   88.1
    OLTP                        2000   42.5    41.8      46.4   47.0
    zipf 1.0, popularity moves  1000   34.6    15.3      30.1      –
    zipf, shifting              1000   51.5       –         –   51.4

The stream of the last row but one is no longer at hand, that of the last is the benchmarks' own.
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

_TIMES = 15  # a count as a mask, and the most there is
_AGE = 16
_COUNTS = 10  # uses for each entry, until a new age begins
_VISITS = 16  # entries visited with one change or hit, while one begins
_ENOUGH = 2  # uses of each entry without a newcomer, until all looks settled


class TINYLFU(Policy):
    """Rarely seen lately, out first.

    An entry's `place` is its hash, spread. Its `hits` are its count, and 16 times the age of that.
    """

    notes = True
    hashes = True

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        super().__init__(entries, maxsize)
        self._sketch = Sketch()
        self._simulation = Simulation(self._sketch)
        self._segments = Segments(self._simulation.parts)
        self._size = 0
        self._age = 0  # as in an entry: times 16
        self._unvisited = 0  # so many entries may be of the age before
        self._counts = 0
        self._limit = 0  # when the counts come to it, there is something to do
        self._shown = 0  # uses shown to the simulation since a newcomer was
        self._was_full = False

    # -- counts -----------------------------------------------------------------------------------

    def _of_age(self, mark: int) -> int:
        """A count with its age, as it is in this one."""
        return self._age | (mark & _TIMES) >> (self._age // _AGE - mark // _AGE)

    def _times_seen(self, entry: Entry) -> int:
        return self._of_age(entry.hits) & _TIMES

    def _is_begun(self) -> bool:
        """Whether the age has begun for everybody."""
        return self._unvisited == 0 and not self._sketch.halving

    def _set_limit(self) -> None:
        self._limit = _COUNTS * self._size if self._is_begun() else 0

    def _begin_age(self) -> None:
        """Halves all counts, unless it is still at it."""
        if self._is_begun():
            self._age += _AGE
            self._counts = min(self._counts, _COUNTS * self._size) // 2
            self._unvisited = self._size
            self._sketch.halve()
            self._set_limit()

    def _keep_age(self) -> None:
        """Goes on with the beginning of an age, or sees that it is time for the next."""
        if self._is_begun():
            self._begin_age()
            return
        self._unvisited = max(min(self._unvisited, self._size) - _VISITS, 0)
        if self._sketch.halving:
            self._sketch.halve_some()
        self._set_limit()

    # -- the policy -------------------------------------------------------------------------------

    def added(self, entry: Entry) -> None:
        """Seen once more than before; into the window."""
        sketch = self._sketch
        entry.place = x = spread(entry.hash)
        times = min(sketch.frequency(x) + 1, _TIMES)
        entry.hits = self._age | times
        self._size = size = self._size + 1
        self._counts += 1
        self._segments.add(entry, size)
        self._shown = 0
        if not x & self._simulation.rest:
            self._show(x, times)
        sketch.fit(size)
        self._set_limit()
        if self._counts >= self._limit:
            self._keep_age()

    def used(self, entry: Entry) -> None:
        """Seen once more; up to the end of its queue, or out of probation."""
        mark, size, simulation = entry.hits, self._size, self._simulation
        if mark < self._age:
            mark = self._of_age(mark)
        if mark & _TIMES < _TIMES:
            mark += 1
            self._counts += 1
        entry.hits = mark
        self._segments.use(entry, size)
        x = entry.place
        if not x & simulation.rest and self._shown < _ENOUGH * (size >> simulation.shift):
            self._shown += 1
            self._show(x, mark & _TIMES)
        if self._counts >= self._limit:
            self._keep_age()

    def _show(self, x: int, times: int) -> None:
        """Lets the simulation see a key that takes part in it."""
        self._sketch.raise_to(x, times)
        self._simulation.look_on(x, self._size)
        self._segments.parts = self._simulation.parts

    def left(self, entry: Entry) -> None:
        """Out of its queue; the sketch remembers it."""
        self._sketch.raise_to(entry.place, self._times_seen(entry))
        self._segments.remove(entry)
        self._size -= 1

    def victim(self) -> Entry | None:
        """Who was seen less often lately, of two."""
        if not self._was_full:
            self._was_full = True
            self._begin_age()
        found: Entry | None = self._segments.victim(self._size, self._times_seen)
        return found

    def order(self) -> list[Entry]:
        """Window, probation, protected, each least recently used first."""
        segments = self._segments
        return [*segments.window, *segments.probation, *segments.protected]

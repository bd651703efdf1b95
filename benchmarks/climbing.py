"""Plain W-TinyLFU whose window follows a hill climber: what `tinylfu` is measured against.

After Einziger, Eytan, Friedman and Manes, "Adaptive Software Cache Management" (Middleware 2018),
with the parameters of Caffeine's climber: the window begins with 1 % of the cache; after every ten
requests an entry the hit ratio is compared with the last one's, and the window goes on by a step
if it rose, and back if it fell. A step is 6.25 % of the cache, shrinks by 2 % each time, and is
whole again when the ratio changes by 5 points. Counts are exact where Caffeine has a sketch, which
can only help. For hit ratios alone: it stores no values, and takes its time.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Sequence

MOST = 15  # of a count
SAMPLE = 10  # requests for each entry
STEP, DECAY, RESTART = 0.0625, 0.98, 0.05
PROTECTED = 0.8  # of the main part

Queue = OrderedDict[Hashable, None]


class Climbing:
    """Which keys would be in a cache of so many entries."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.room = max(1.0, size / 100)  # the window's
        self.window, self.probation, self.protected = Queue(), Queue(), Queue()
        self.counts: Counter[Hashable] = Counter()
        self.counted = 0
        self.step = STEP * size
        self.asked = self.hits = 0
        self.ratio = 0.0

    def request(self, key: Hashable) -> bool:
        """Sees to one request; whether the key was there."""
        self._count(key)
        found = self._use(key)
        if not found:
            self.window[key] = None
            self._settle()
        self.hits += found
        self.asked += 1
        if self.asked == SAMPLE * self.size:
            self._climb()
        return found

    def _count(self, key: Hashable) -> None:
        if self.counts[key] < MOST:
            self.counts[key] += 1
            self.counted += 1
        if self.counted >= SAMPLE * self.size:
            self.counts = Counter({k: n // 2 for k, n in self.counts.items() if n > 1})
            self.counted = self.counts.total()

    def _use(self, key: Hashable) -> bool:
        if key in self.window:
            self.window.move_to_end(key)
        elif key in self.protected:
            self.protected.move_to_end(key)
        elif key in self.probation:
            del self.probation[key]
            self.protected[key] = None
            if len(self.protected) > PROTECTED * (self.size - self.room):
                self.probation[self.protected.popitem(last=False)[0]] = None
        else:
            return False
        return True

    def _settle(self) -> None:
        """Who is too many in the window goes on; of two, who was seen less often leaves."""
        while len(self.window) > self.room:
            self.probation[self.window.popitem(last=False)[0]] = None
        while len(self.window) + len(self.probation) + len(self.protected) > self.size:
            main = self.probation or self.protected or self.window
            victim, newcomer = next(iter(main)), next(reversed(main))
            leaves = newcomer if self.counts[newcomer] <= self.counts[victim] else victim
            del main[leaves]

    def _climb(self) -> None:
        ratio = self.hits / self.asked
        change, self.ratio = ratio - self.ratio, ratio
        self.asked = self.hits = 0
        if change < 0:
            self.step = -self.step
        self.room = min(max(1.0, self.room + self.step), max(1.0, self.size - 1.0))
        if abs(change) >= RESTART:
            self.step = STEP * self.size * (1 if self.step > 0 else -1)
        else:
            self.step *= DECAY
        for queue in (self.probation, self.protected):
            while queue and len(self.window) + 1 <= self.room and self.step > 0:
                key = queue.popitem(last=False)[0]
                self.window[key] = None
                self.window.move_to_end(key, last=False)


def hit_ratio(keys: Sequence[Hashable], size: int) -> float:
    """Percent of the requests that it answers."""
    cache = Climbing(size)
    return 100 * sum(map(cache.request, keys)) / len(keys)

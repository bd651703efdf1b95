"""Which share of the window is best just now? Small caches that hold nothing but hashes try it out.

Recency or frequency, no share suits all workloads: with a window of 1 % W-TinyLFU withstands scans
and loops, but where popularity moves quickly it falls behind LRU by 20 points of hit ratio and
more, and a window of 100 % is LRU. Climbing towards the better hit ratio (Einziger, Eytan, Friedman
and Manes, "Adaptive Software Cache Management", Middleware 2018) needs many periods of ten times
the cache's size to get from one to the other, and cannot tell a change of its own making from one
of the workload. So here the candidates run side by side, on the same requests, and the one in the
lead is followed: the 2018 paper's other scheme, the mini-simulation, where what is simulated is
cheap.

Cheap. Only keys whose hash ends in so many zeros take part: a cache of m entries that sees one in
2^k of the keys behaves like one of m * 2^k entries that sees all of them (Waldspurger et al.,
SHARDS, FAST 2015). A simulation has 96 to 192 entries, or all of the cache's if those are fewer:
they work on a hash that has been made, and the counts of the real cache's sketch, which is told how
often each key was seen that takes part. So in a cache of 10,000 one request in 64 takes part, and
costs three look-ups more. Of hits it is shown as many as can teach it something (see `tinylfu`).

Who leads. Each candidate's hits are counted against the leader's, and never stand below minus a
fifth of m, so that long good service doesn't delay what is due: a CUSUM chart (Page, Biometrika,
1954). The first to be ahead by more than three fifths of m takes over. Less would follow noise, and
in a loop the part of it that one of them happens to hold; more would be late where the workload
changes. Between half and one and a half of these values mean hit ratios change by a tenth of a
point.

Three candidates: 1 %, 25 % and all. OLTP logs want the one in the middle: five points more there.

As the cache grows, fewer of its keys take part, and as it shrinks, more; in between there is slack,
so that a cache whose size swings doesn't keep forgetting.
"""

from __future__ import annotations

from .segments import Segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sketch import Sketch

__all__ = ["Simulation"]

_PARTS = (100, 4, 1)
_MOST = 192
_FEWEST = 64
_SAMPLED = 32  # the bit of a hash at which sampling looks


class Simulation:
    """Three caches of hashes, and who of them leads.

    Attributes:
        parts: The leader's share of the window: one part in so many.
        shift: One key in 2^shift takes part.
        rest: The bits that are 0 in the hash, spread, of a key that does.
    """

    def __init__(self, sketch: Sketch) -> None:
        self._frequency = sketch.frequency
        self._caches = [Segments(parts) for parts in _PARTS]
        self._ahead = [0, 0, 0]  # of the leader, in hits
        self._leader = 0
        self.parts = _PARTS[0]
        self.shift = 0
        self.rest = 0

    def look_on(self, x: int, size: int) -> None:
        """Lets a request pass by, of a key that takes part as far as `rest` tells.

        `x` is the key's hash, spread; `size` is the real cache's.
        """
        m = size >> self.shift
        if m > _MOST or (m < _FEWEST and self.shift):
            self._sample(size)
            m = size >> self.shift
            if x & self.rest:
                return
        hits = [self._hits(cache, x, m) for cache in self._caches]
        if any(hits) and not all(hits):
            self._judge(hits, m)

    def _judge(self, hits: list[bool], m: int) -> None:
        """Somebody hit where somebody else missed."""
        ahead, leader = self._ahead, self._leader
        least = -(m // 5)
        best = leader
        for k in range(3):
            ahead[k] = max(ahead[k] + hits[k] - hits[leader], least)
            if ahead[k] > ahead[best]:
                best = k
        most = ahead[best]
        if most > 3 * m // 5:
            self._ahead = [max(points - most, least) for points in ahead]
            self._leader = best
            self.parts = _PARTS[best]

    def _hits(self, cache: Segments, x: int, m: int) -> bool:
        if cache.use(x, m):
            return True
        while len(cache) >= m:
            cache.remove(cache.victim(m, self._frequency))
        cache.add(x, m)
        return False

    def _sample(self, size: int) -> None:
        """Decides how many keys take part; those that no more do are forgotten."""
        shift = self.shift
        while size >> shift > _MOST:
            shift += 1
        while shift and size >> shift < _FEWEST:
            shift -= 1
        self.shift = shift
        self.rest = ((1 << shift) - 1) << _SAMPLED
        for cache in self._caches:
            for queue in (cache.window, cache.probation, cache.protected):
                for x in list(queue):
                    if x & self.rest:
                        del queue[x]

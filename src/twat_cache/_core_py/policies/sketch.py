"""How often keys were seen lately, in half a byte each: a count-min sketch that forgets.

A table of small counters, several for each key, chosen by its hash (Cormode and Muthukrishnan, "An
Improved Data Stream Summary: The Count-Min Sketch and its Applications", 2005). To count a key is
to raise all of its counters. Other keys share them and only raise them further, so the lowest is
the best guess. All are halved every now and then, so that old popularity fades: this is the sketch
of TinyLFU (Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM
Transactions on Storage, 2017).

Local. The counters of a key lie in one *block* of 128, a row of 32 for each of its four counters.
In the compiled core these are 4-bit counters, and a block one cache line: a look costs one miss at
most. Counters stop at 15.

As large as need be. There is a block for 8 entries of the cache (8 bytes an entry, compiled), and
as many again up to 2048 entries, since shared counters hurt small caches most and cost them least.
Blocks are made one by one and by copying: linear hashing (Litwin, VLDB 1980) splits block b - 2^k
into itself and b, and both have the counts of both. So nothing is forgotten by growing, and no step
takes longer than another.

Forgetting. When there were ten counts for each entry, all counters are halved; half of the counts
remain, less what the halving of odd counters lost. That also keeps it from falling into step with a
loop in the requests. Nor does this happen at once: the blocks are halved a few at a time, and one
whose turn is still to come is halved as it is read.

Counts are of what changed: where all four stood at 15, nothing did.
"""

from __future__ import annotations

__all__ = ["Sketch", "spread"]

_MASK = (1 << 64) - 1
_FACTOR = 0xD6E8FEB86659FD93  # odd, with bits all over it
_BLOCK = 128
_MOST = 15
_ENTRIES = 8  # for each block
_EXTRA = 256  # blocks more, for small caches
_COUNTS = 10  # for each entry, until all is halved
_STEP = 8  # blocks halved at a time
_HALVES = bytes([value >> 1 for value in range(256)])
_EVEN = bytes(range(0, 256, 2))


def spread(mixed: int) -> int:
    """A key's hash, with each bit depending on all of them."""
    mixed = (mixed ^ mixed >> 32) * _FACTOR & _MASK
    return mixed ^ mixed >> 32


class Sketch:
    """How often each key was counted lately, 0 to 15, never too low but for what was forgotten."""

    def __init__(self) -> None:
        self._counters = bytearray(_BLOCK)
        self._blocks = 1
        self._mask = 0
        self._counts = 0
        self._halved = -1  # blocks before it were halved already; -1: nothing is being halved
        self._odd = 0

    def _block(self, x: int) -> int:
        block = x & self._mask
        return block if block < self._blocks else block & self._mask >> 1

    def frequency(self, x: int) -> int:
        """How often a key was counted; `x` is its hash, spread."""
        block = self._block(x)
        at = block * _BLOCK
        counters = self._counters
        lowest = min(
            counters[at + (x >> 44 & 31)],
            counters[at + 32 + (x >> 49 & 31)],
            counters[at + 64 + (x >> 54 & 31)],
            counters[at + 96 + (x >> 59)],
        )
        return lowest >> 1 if 0 <= self._halved <= block else lowest

    def count(self, x: int, size: int) -> None:
        """Counts a key, in a cache of `size` entries."""
        at = self._block(x) * _BLOCK
        counters = self._counters
        is_new = False
        for place in (
            at + (x >> 44 & 31),
            at + 32 + (x >> 49 & 31),
            at + 64 + (x >> 54 & 31),
            at + 96 + (x >> 59),
        ):
            if counters[place] < _MOST:
                counters[place] += 1
                is_new = True
        self._counts += is_new
        if self._halved >= 0:
            self._halve_some()
        elif self._counts >= _COUNTS * size:
            self.halve()

    def halve(self) -> None:
        """Begins to halve all counters, unless it is at it."""
        if self._halved < 0:
            self._halved = self._odd = 0
            self._halve_some()

    def _halve_some(self) -> None:
        at = self._halved * _BLOCK
        self._halved = min(self._halved + _STEP, self._blocks)
        end = self._halved * _BLOCK
        some = self._counters[at:end]
        self._odd += len(some.translate(None, _EVEN))
        self._counters[at:end] = some.translate(_HALVES)
        if self._halved == self._blocks:
            self._halved = -1
            self._counts = max(0, self._counts // 2 - self._odd // 4)

    def fit(self, size: int) -> None:
        """Makes one block, or drops one, if a cache of `size` entries asks for it."""
        if self._halved >= 0:
            return
        wanted = size // _ENTRIES
        wanted += min(wanted, _EXTRA) + 1
        if self._blocks < wanted:
            if self._blocks > self._mask:
                self._mask = self._mask * 2 + 1
            at = (self._blocks & self._mask >> 1) * _BLOCK
            self._counters += self._counters[at : at + _BLOCK]
            self._blocks += 1
        elif self._blocks > 2 * wanted:
            self._blocks -= 1
            if self._blocks <= self._mask >> 1:
                self._mask >>= 1
            del self._counters[self._blocks * _BLOCK :]

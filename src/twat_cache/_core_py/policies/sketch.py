"""How often keys were seen that are gone, in half a byte each: a count-min sketch that forgets.

A table of small counters, several for each key, chosen by its hash (Cormode and Muthukrishnan, "An
Improved Data Stream Summary: The Count-Min Sketch and its Applications", 2005). Other keys share
them and can only raise them further, so the lowest is the best guess. All are halved every now and
then, so that old popularity fades: this is the sketch of TinyLFU (Einziger, Friedman, Manes,
"TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage, 2017).

Remembering, not counting. Who is in the cache counts for itself (see `tinylfu`). The sketch is told
the count of an entry that leaves, and those of the keys that the simulation follows. Being told is
to raise the key's counters *to* that count, where they are lower. A counter has thus the highest
count of the keys that share it, not their sum. This is what is called a conservative update (Estan
and Varghese, "New Directions in Traffic Measurement and Accounting", SIGCOMM 2002): no counter is
raised further than the key needs. To be told twice changes nothing.

Local. The counters of a key lie in one *block* of 128, a row of 32 for each of its four counters.
In the compiled core these are 4-bit counters, and a block one cache line: a look costs one miss at
most. Counters stop at 15.

As large as need be. There is a block for 8 entries of the cache (8 bytes an entry, compiled), and
as many again up to 2048 entries, since shared counters hurt small caches most and cost them least.
Blocks are made one by one and by copying: linear hashing (Litwin, VLDB 1980) splits block b - 2^k
into itself and b, and both have the counts of both. So nothing is forgotten by growing, and no step
takes longer than another.

Forgetting. When an age begins, all counters are halved, but not at once: the blocks are halved a
few at a time, and one whose turn is still to come is halved as it is read. What it is told it keeps
doubled till then; there is no room for more than 15, so of more than 7 only 7 remain.
"""

from __future__ import annotations

__all__ = ["Sketch", "spread"]

_MASK = (1 << 64) - 1
_FACTOR = 0xD6E8FEB86659FD93  # odd, with bits all over it
_BLOCK = 128
_MOST = 15
_ENTRIES = 8  # for each block
_EXTRA = 256  # blocks more, for small caches
_STEP = 8  # blocks halved at a time
_HALVES = bytes([value >> 1 for value in range(256)])


def spread(mixed: int) -> int:
    """A key's hash, with each bit depending on all of them."""
    mixed = (mixed ^ mixed >> 32) * _FACTOR & _MASK
    return mixed ^ mixed >> 32


class Sketch:
    """How often each key was seen lately, 0 to 15, as far as the sketch was told.

    Attributes:
        halving: Whether some counters are still to be halved.
    """

    def __init__(self) -> None:
        self._counters = bytearray(_BLOCK)
        self._blocks = 1
        self._mask = 0
        self.halving = False
        self._halved = 0  # while halving: blocks before it were halved already

    def _block(self, x: int) -> int:
        block = x & self._mask
        return block if block < self._blocks else block & self._mask >> 1

    def frequency(self, x: int) -> int:
        """How often a key was seen; `x` is its hash, spread."""
        block = self._block(x)
        at = block * _BLOCK
        counters = self._counters
        lowest = min(
            counters[at + (x >> 44 & 31)],
            counters[at + 32 + (x >> 49 & 31)],
            counters[at + 64 + (x >> 54 & 31)],
            counters[at + 96 + (x >> 59)],
        )
        return lowest >> 1 if self.halving and block >= self._halved else lowest

    def raise_to(self, x: int, least: int) -> None:
        """Sees to it that a key counts at least so much, 0 to 15; to be halved yet, 7 at most."""
        block = self._block(x)
        if self.halving and block >= self._halved:
            least = min(least * 2, _MOST)
        at = block * _BLOCK
        counters = self._counters
        for place in (
            at + (x >> 44 & 31),
            at + 32 + (x >> 49 & 31),
            at + 64 + (x >> 54 & 31),
            at + 96 + (x >> 59),
        ):
            counters[place] = max(counters[place], least)

    def halve(self) -> None:
        """Begins to halve all counters, unless it is at it."""
        if not self.halving:
            self._halved = 0
            self.halve_some()

    def halve_some(self) -> None:
        """Goes on with it."""
        at = self._halved * _BLOCK
        self._halved = min(self._halved + _STEP, self._blocks)
        end = self._halved * _BLOCK
        self._counters[at:end] = self._counters[at:end].translate(_HALVES)
        self.halving = self._halved < self._blocks

    def fit(self, size: int) -> None:
        """Makes one block, or drops one, if a cache of `size` entries asks for it."""
        if self.halving:
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

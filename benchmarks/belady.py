"""Belady's optimum: the hit ratio that no cache can beat which doesn't know the future.

To make room the optimal cache lets that entry go which is asked for again the latest, or never
(L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems
Journal 5(2), 1966). The new entry always stays, as under every policy that is measured beside it.

A heap holds the entries by the moment of their next use, the latest on top. A hit changes that
moment, so the entry is pushed anew and its old place is left in the heap. No harm: that moment is
over, so all entries of the cache, whose moments are to come, are above it. Each request pushes once
and pops once at most: O(n log n) for n requests, whatever the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush


def next_uses(keys: Sequence[int]) -> list[int]:
    """For each request the index of the next one of its key, or numbers beyond the end."""
    never = len(keys)
    following: dict[int, int] = {}
    uses = [0] * len(keys)
    for at in range(len(keys) - 1, -1, -1):
        uses[at] = following.get(keys[at], never + at)
        following[keys[at]] = at
    return uses


def optimum(keys: Sequence[int], size: int, uses: Sequence[int] | None = None) -> float:
    """The optimum's hit ratio, 0 to 1, in a cache of ``size`` entries (1 or more).

    Args:
        keys: The trace, one request at least.
        size: The bound.
        uses: What `next_uses` gives, if it is there already: it is the same for every size.
    """
    uses = next_uses(keys) if uses is None else uses
    kept: set[int] = set()
    latest: list[tuple[int, int]] = []
    hits = 0
    for key, use in zip(keys, uses, strict=True):
        if key in kept:
            hits += 1
        else:
            if len(kept) == size:
                kept.remove(heappop(latest)[1])
            kept.add(key)
        heappush(latest, (-use, key))
    return hits / len(keys)

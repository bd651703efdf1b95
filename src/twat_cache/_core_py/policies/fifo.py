"""FIFO: the entry that came first leaves first; hits and being stored again change nothing.

It is LRU by another number: the tick of an entry's arrival, which stays. Since such ticks never
change, each entry stands in the queue once, and a queue is sorted before it is sorted: the dict
that it is made from keeps the order of insertion.

It is the order of unbounded tables too, where only `shed` and `items` ask for one.
"""

from __future__ import annotations

from operator import attrgetter

from .lru import LRU

__all__ = ["FIFO"]


class FIFO(LRU):
    """First in, first out."""

    tick = attrgetter("since")

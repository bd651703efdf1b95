"""What a cache counts."""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class _CacheInfo(NamedTuple):
        hits: int
        misses: int
        maxsize: int | None
        currsize: int

    class _Stats(NamedTuple):
        hits: int
        misses: int
        stores: int
        evictions: int
        expirations: int
        removals: int
        collected: int
        bypasses: int
        currsize: int
        maxsize: int | None

else:  # typing is too slow an import for the decorated path
    _CacheInfo = namedtuple("_CacheInfo", "hits misses maxsize currsize")
    _Stats = namedtuple(
        "_Stats",
        "hits misses stores evictions expirations removals collected bypasses currsize maxsize",
    )

__all__ = ["CacheInfo", "Stats"]


class CacheInfo(_CacheInfo):
    """What `cache_info()` tells, field by field as `functools` does.

    Attributes:
        hits: Calls answered from the cache.
        misses: Calls that ran the function to fill the cache.
        maxsize: How many entries there is room for; None if there is no bound.
        currsize: How many entries there are.
    """

    __slots__ = ()


class Stats(_Stats):
    """All that one cache has counted since it was made or cleared.

    Attributes:
        hits: Calls answered from the cache.
        misses: Calls that ran the function to fill the cache.
        stores: Values put into the cache.
        evictions: Entries that left to make room.
        expirations: Entries found past their deadline.
        removals: Entries taken out by `invalidate`.
        collected: Entries that left with the object they belonged to.
        bypasses: Calls that the function answered without a look-up.
        currsize: How many entries there are.
        maxsize: How many entries there is room for; None if there is no bound.
    """

    __slots__ = ()

    @property
    def hit_ratio(self) -> float:
        """The share of look-ups that were hits, from 0 to 1; 0 before the first look-up."""
        looked_up = self.hits + self.misses
        return self.hits / looked_up if looked_up else 0.0

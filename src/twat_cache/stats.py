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
        rejections: int = 0
        listener_errors: int = 0
        weight: int = 0
        max_weight: int | None = None
        loads: int = 0
        load_failures: int = 0
        load_seconds: float = 0.0
        stale_hits: int = 0
        joined: int = 0
        refreshes: int = 0
        refresh_failures: int = 0
        engine_errors: int = 0
        refused_records: int = 0
        unstored: int = 0

    class _Warmed(NamedTuple):
        called: int
        loaded: int
        fresh: int
        failed: int
        error: Exception | None = None

else:  # typing is too slow an import for the decorated path
    _CacheInfo = namedtuple("_CacheInfo", "hits misses maxsize currsize")
    _Stats = namedtuple(
        "_Stats",
        "hits misses stores evictions expirations removals collected bypasses currsize maxsize"
        " rejections listener_errors weight max_weight loads load_failures load_seconds stale_hits"
        " joined refreshes refresh_failures engine_errors refused_records unstored",
        defaults=(0, 0, 0, None, 0, 0, 0.0, 0, 0, 0, 0, 0, 0, 0),
    )
    _Warmed = namedtuple("_Warmed", "called loaded fresh failed error", defaults=(None,))

__all__ = ["CacheInfo", "Stats", "Warmed"]


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
        expirations: Entries that left past their time.
        removals: Entries taken out by `invalidate`.
        collected: Entries that left with the object they belonged to.
        bypasses: Calls that the function answered without a look-up.
        currsize: How many entries there are.
        maxsize: How many entries there is room for; None if there is no bound.
        rejections: Results that were heavier than all entries may be together, and not stored.
        listener_errors: How often the listener raised.
        weight: What all entries weigh together; 0 if they have no weights.
        max_weight: What they may weigh together; None if there is no such bound.
        loads: How often the function, or a loader, returned; this and what follows is counted on
            the miss path, so not for a `def` function that only keeps its results in memory.
        load_failures: How often it raised.
        load_seconds: How many seconds that took in all.
        stale_hits: Calls that were answered by a value past its time, of the hits.
        joined: Calls that waited for another's computation, of the misses.
        refreshes: Values that were computed in the background.
        refresh_failures: Those that weren't, since the function raised.
        engine_errors: How often an engine couldn't serve.
        refused_records: Records of an engine that couldn't be used.
        unstored: Values that couldn't be stored.
    """

    __slots__ = ()

    @property
    def hit_ratio(self) -> float:
        """The share of look-ups that were hits, from 0 to 1; 0 before the first look-up."""
        looked_up = self.hits + self.misses
        return self.hits / looked_up if looked_up else 0.0


class Warmed(_Warmed):
    """What `warm()` did.

    Attributes:
        called: Calls that were made, since they had no fresh entry.
        loaded: Those whose results are in the cache now.
        fresh: Calls that weren't made, since they had one.
        failed: Those that raised.
        error: The first exception that was raised, to look into; None if there was none.
    """

    __slots__ = ()

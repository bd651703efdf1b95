"""What the miss path of one cache counts."""

from __future__ import annotations

from .. import events
from .._fork_lock import ForkSafeLock
from .call import JOINED, STALE, STORED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .call import Call

__all__ = ["Tally", "kind_of", "label"]

_MANY = 1000


class Tally:
    """Counts of one cache's miss path, and tells what happens there. Thread-safe.

    Args:
        name: What events call the cache.
        digest: Gives the digest by which events show a key of an engine; see `_keys.digests`.
            Without it they show none: keys in memory are arguments.

    Attributes:
        name: What events call the cache.
        found: Look-ups by hand that found a value.
        missed: Those that didn't.
        near: Answers from a store that the table counted, too.
        origins: How many answers came from each origin but the function; see `call`.
        failures: How often it raised.
        refreshes: Values that were computed in the background.
        failed_refreshes: Those that weren't, since the function raised.
        engine_errors: How often an engine couldn't serve.
        refused: Records that couldn't be used.
        unstored: Values that couldn't be stored.
    """

    __slots__ = (
        "_digest",
        "_hits",
        "_loads",
        "_lock",
        "_seconds",
        "_times",
        "engine_errors",
        "failed_refreshes",
        "failures",
        "found",
        "missed",
        "name",
        "near",
        "origins",
        "refreshes",
        "refused",
        "unstored",
    )

    def __init__(self, name: str, digest: Callable[[str], str] | None = None) -> None:
        self.name = name
        self._digest = digest
        self._lock = ForkSafeLock()  # a signal's handler or a finalizer may miss in here, too
        self._times: list[float] = []  # of loads that aren't counted yet: needs no lock
        self._hits: list[None] = []  # likewise
        self.reset()

    def reset(self) -> None:
        """All counts are zero."""
        self.origins = [0, 0, 0, 0]
        self._times.clear()
        self._hits.clear()
        self._loads = self.failures = self.refreshes = self.failed_refreshes = 0
        self.engine_errors = self.refused = self.unstored = self.found = self.missed = 0
        self.near = 0
        self._seconds = 0.0

    def shown(self, call: Call) -> str:
        """The call's key as events show it: a digest or nothing, never an argument."""
        return self._shown(call.place)

    def _shown(self, place: Any) -> str:
        return "" if self._digest is None else self._digest(place)

    def looked_up(self, found: int, missed: int) -> None:
        """Values were looked up by hand."""
        with self._lock:
            self.found += found
            self.missed += missed

    def found_near(self) -> None:
        """A call was answered from a store by a table that counted it."""
        with self._lock:
            self.near += 1

    def answered(self, origin: int, many: int = 1) -> None:
        """Calls got their answers."""
        with self._lock:
            self.origins[origin] += many

    def hit(self) -> None:
        """A call got its answer from a store, at once."""
        hits = self._hits
        hits.append(None)
        if len(hits) > _MANY:
            self._count_hits()

    def _count_hits(self) -> None:
        with self._lock:
            many = len(self._hits)
            del self._hits[:many]  # others only append
            self.origins[STORED] += many

    def loaded(self, seconds: float) -> None:
        """The function returned."""
        times = self._times
        times.append(seconds)
        if len(times) > _MANY:
            self._count_loads()

    def _count_loads(self) -> None:
        with self._lock:
            times = self._times.copy()
            del self._times[: len(times)]  # others only append
            self._loads += len(times)
            self._seconds += sum(times)

    def failed(self, seconds: float) -> None:
        """The function raised."""
        with self._lock:
            self.failures += 1
            self._seconds += seconds

    def refreshed(self) -> None:
        """A value was computed in the background."""
        with self._lock:
            self.refreshes += 1

    def refresh_failed(self) -> None:
        """A value wasn't computed in the background, since the function raised."""
        with self._lock:
            self.failed_refreshes += 1

    def engine_failed(self, engine: Any, key: str, operation: str, error: Exception) -> None:
        """An engine couldn't serve."""
        with self._lock:
            self.engine_errors += 1
        if events.hooks:
            what = type(error).__name__
            events.emit(
                events.EngineFailed(self.name, self._shown(key), label(engine), operation, what)
            )

    def record_refused(self, engine: Any, key: str, damage: str) -> None:
        """A record couldn't be used."""
        with self._lock:
            self.refused += 1
        if events.hooks:
            events.emit(events.RecordRefused(self.name, self._shown(key), label(engine), damage))

    def not_stored(self, key: str, value: object, why: str) -> None:
        """A value couldn't be stored."""
        with self._lock:
            self.unstored += 1
        if events.hooks:
            kind = type(value).__qualname__
            events.emit(events.NotStored(self.name, self._shown(key), kind, why))

    @property
    def loads(self) -> int:
        """How often the function returned."""
        self._count_loads()
        return self._loads

    @property
    def seconds(self) -> float:
        """How many seconds the function took in all."""
        self._count_loads()
        return self._seconds

    @property
    def hits(self) -> int:
        """Calls that missed in memory and were answered from a store."""
        self._count_hits()
        return self.origins[STORED] + self.origins[STALE]

    @property
    def stale(self) -> int:
        """Calls that got a value past its time."""
        return self.origins[STALE]

    @property
    def joined(self) -> int:
        """Calls that waited for another's computation."""
        return self.origins[JOINED]


def kind_of(engine: Any) -> str:
    """The class of an engine, or of that behind what stands before one."""
    while (behind := getattr(engine, "guarded", None)) is not None:
        engine = behind
    return type(engine).__name__


def label(engine: Any) -> str:
    """What events call an engine: `sqlite` for a `SqliteEngine`, `redis` for both of Redis."""
    return kind_of(engine).removesuffix("Engine").removeprefix("Async").lower()

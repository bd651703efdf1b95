"""Resident bytes per entry and the collector's work, beside ``functools.lru_cache``."""

from __future__ import annotations

from typing import ClassVar

from benchmarks import cores
from benchmarks.child import ROOM, measure_apart

SIZES = [1_000_000, 700_000, 1_100_000]  # on the pure core, which is slow, the first only
ARITIES = {"ours": 1, "ours-ttl": 1, "ours, two arguments": 2}


def _bytes(core: str, who: str, arity: int, entries: int) -> float:
    figure: float = measure_apart("rss", who, arity, entries, ROOM, env=cores.environment(core))
    return figure


class BytesPerEntry:
    """A process of its own for each figure; keys and values exist before the count."""

    params: ClassVar = [list(cores.NAMES), list(ARITIES), SIZES]
    param_names: ClassVar = ["core", "call", "entries"]
    timeout = 120

    def setup(self, core: str, call: str, entries: int) -> None:
        cores.load(core)
        if core == "pure" and entries != SIZES[0]:
            raise NotImplementedError

    def track_bytes(self, core: str, call: str, entries: int) -> float:
        return _bytes(core, call.partition(",")[0], ARITIES[call], entries)

    def track_ratio_bytes(self, core: str, call: str, entries: int) -> float:
        ours = self.track_bytes(core, call, entries)
        return round(ours / _bytes(core, "lru", ARITIES[call], entries), 3)

    track_bytes.unit = "bytes"  # type: ignore[attr-defined]
    track_ratio_bytes.unit = "ratio"  # type: ignore[attr-defined]


class Collection:
    """What a million entries add to a full garbage collection."""

    params: ClassVar = [list(cores.NAMES)]
    param_names: ClassVar = ["core"]
    timeout = 120

    def setup(self, core: str) -> None:
        cores.load(core)

    def track_nanoseconds(self, core: str) -> float:
        return self._added(core, "ours")

    def track_ratio_nanoseconds(self, core: str) -> float:
        return round(self._added(core, "ours") / self._added(core, "lru"), 3)

    def _added(self, core: str, who: str) -> float:
        env = cores.environment(core)
        figure: float = measure_apart("collection", who, 1_000_000, env=env)
        return figure

    track_nanoseconds.unit = "ns"  # type: ignore[attr-defined]
    track_ratio_nanoseconds.unit = "ratio"  # type: ignore[attr-defined]

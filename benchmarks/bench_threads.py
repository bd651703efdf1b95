"""Throughput of two threads on one cache, over that of one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from benchmarks import cases, cores
from benchmarks.measure import KEYS
from benchmarks.threads import elapsed, scaling


class TwoThreads:
    """Ours and functools'; with the GIL 1.0 is all there is, without it 2.0."""

    params: ClassVar = [[*cores.NAMES, "functools"]]
    param_names: ClassVar = ["who"]
    number = 1

    def setup(self, who: str) -> None:
        self.decorate: Any = (
            lru_cache(KEYS) if who == "functools" else cores.load(who).mcache(maxsize=KEYS)
        )
        self.made = cases.hits("int", self.decorate)

    def time_one_thread(self, who: str) -> None:
        elapsed(self.made, 1)

    def time_two_threads(self, who: str) -> None:
        elapsed(self.made, 2)

    def track_ratio_throughput(self, who: str) -> float:
        return round(scaling(self.decorate, 11).median, 3)

    track_ratio_throughput.unit = "ratio"  # type: ignore[attr-defined]

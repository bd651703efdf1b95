"""``import twat_cache`` and decorating, beside ``functools.lru_cache``."""

from __future__ import annotations

from functools import lru_cache
from statistics import median
from typing import Any, ClassVar

from benchmarks import cases, cores
from benchmarks.child import measure_functools, measure_import
from benchmarks.duels import Duel
from benchmarks.measure import Contender


class Decorating(Duel):
    """A new plain function decorated, bare."""

    params: ClassVar = [list(cores.NAMES), ["mcache", "lru_cache"]]

    def ours(self, package: Any, call: str) -> Contender:
        return cases.decorations(getattr(package, call))

    def baseline(self, call: str) -> Contender:
        return cases.decorations(lru_cache)


class Import:
    """A fresh interpreter that has functools imports the package and decorates a function."""

    params: ClassVar = [list(cores.NAMES)]
    param_names: ClassVar = ["core"]

    def setup(self, core: str) -> None:
        cores.load(core)
        measure_import(cores.environment(core))

    def track_milliseconds(self, core: str) -> float:
        env = cores.environment(core)
        figure: float = median(measure_import(env)["ns"] for _ in range(9)) / 1e6
        return figure

    def track_ratio_to_functools(self, core: str) -> float:
        """Over ``import functools`` in an interpreter that hasn't it yet."""
        env = cores.environment(core)
        ratios: list[float] = [measure_import(env)["ns"] / measure_functools() for _ in range(9)]
        return round(float(median(ratios)), 3)

    def track_modules(self, core: str) -> int:
        return len(measure_import(cores.environment(core))["modules"])

    track_milliseconds.unit = "ms"  # type: ignore[attr-defined]
    track_ratio_to_functools.unit = "ratio"  # type: ignore[attr-defined]
    track_modules.unit = "modules"  # type: ignore[attr-defined]

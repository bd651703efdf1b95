"""Hits of methods, weak in their instance, beside ``functools.lru_cache`` on the method."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from benchmarks import cases, cores
from benchmarks.duels import Duel
from benchmarks.measure import KEYS, Contender


class Method(Duel):
    """Ten instances, a hundred entries each; one table for all, or one per instance."""

    params: ClassVar = [list(cores.NAMES), ["shared", "per_instance"]]

    def ours(self, package: Any, call: str) -> Contender:
        if call == "per_instance":
            room = KEYS // cases.INSTANCES
            return cases.method_hits(package.mcache(maxsize=room, per_instance=True))
        return cases.method_hits(package.mcache(maxsize=KEYS))

    def baseline(self, call: str) -> Contender:
        return cases.method_hits(lru_cache(KEYS))

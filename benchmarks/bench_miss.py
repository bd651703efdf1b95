"""Misses that store their value and evict another, beside ``functools.lru_cache``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from benchmarks import cases, cores
from benchmarks.duels import Duel
from benchmarks.measure import KEYS, Contender


class Miss(Duel):
    """A trivial function, twice as many keys as there is room for, in a circle."""

    params: ClassVar = [list(cores.NAMES), ["mcache", "mcache with TTL", "lru_cache"]]

    def ours(self, package: Any, call: str) -> Contender:
        if call == "lru_cache":
            return cases.misses(package.lru_cache(KEYS))
        return cases.misses(package.mcache(maxsize=KEYS, ttl=3600 if "TTL" in call else None))

    def baseline(self, call: str) -> Contender:
        return cases.misses(lru_cache(KEYS))

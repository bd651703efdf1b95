"""Hits of each shape of call, beside ``functools.lru_cache``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from benchmarks import cases, cores
from benchmarks.duels import Duel
from benchmarks.measure import KEYS, Contender

CALLS = ["int", "str", "int_int", "mixed", "tuple", "none"]


class Hit(Duel):
    """``mcache()`` against ``lru_cache``, both full."""

    params: ClassVar = [list(cores.NAMES), CALLS]

    def ours(self, package: Any, call: str) -> Contender:
        return cases.hits(call, package.mcache(maxsize=KEYS))

    def baseline(self, call: str) -> Contender:
        return cases.hits(call, lru_cache(KEYS))


class HitWithTTL(Hit):
    """``mcache(ttl=…)`` against ``lru_cache``, which has no TTL."""

    params: ClassVar = [list(cores.NAMES), ["int", "mixed"]]

    def ours(self, package: Any, call: str) -> Contender:
        return cases.hits(call, package.mcache(maxsize=KEYS, ttl=3600))


class HitOfDropIn(Hit):
    """Our ``lru_cache`` against functools' own."""

    params: ClassVar = [list(cores.NAMES), ["int", "int_int"]]

    def ours(self, package: Any, call: str) -> Contender:
        return cases.hits(call, package.lru_cache(KEYS))

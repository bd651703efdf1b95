"""Hits and evicting misses under each policy, beside ``functools.lru_cache``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from benchmarks import cases, cores
from benchmarks.duels import Duel
from benchmarks.measure import KEYS, Contender
from benchmarks.threads import own_keys, throughput

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]


class HitUnder(Duel):
    """``mcache(policy=…)``, full, in random order of use."""

    params: ClassVar = [list(cores.NAMES), POLICIES]
    param_names: ClassVar = ["core", "policy"]

    def ours(self, package: Any, call: str) -> Contender:
        return cases.hits("int", package.mcache(maxsize=KEYS, policy=call))

    def baseline(self, call: str) -> Contender:
        return cases.hits("int", lru_cache(KEYS))


class EvictionUnder(HitUnder):
    """Keys that never come twice."""

    def ours(self, package: Any, call: str) -> Contender:
        return cases.insertions(package.mcache(maxsize=KEYS, policy=call))

    def baseline(self, call: str) -> Contender:
        return cases.insertions(lru_cache(KEYS))

    def time_twat_cache(self, core: str, policy: str) -> None:
        """One pass of ours, over keys that are new each time."""
        self.mine.run(self.mine.fresh())

    def time_baseline(self, core: str, policy: str) -> None:
        """One pass of the baseline, over keys that are new each time."""
        self.theirs.run(self.theirs.fresh())


class TwoThreadsApart:
    """Two threads on their own keys of one cache, over one thread; worth a look without the GIL."""

    params: ClassVar = [list(cores.NAMES), POLICIES]
    param_names: ClassVar = ["core", "policy"]

    def setup(self, core: str, policy: str) -> None:
        self.f = cores.load(core).mcache(maxsize=4 * KEYS, policy=policy)(lambda a: a)
        own_keys(self.f, 0)

    def track_ratio_throughput(self, core: str, policy: str) -> float:
        return round(throughput(self.f, 2) / throughput(self.f, 1), 3)

    track_ratio_throughput.unit = "ratio"  # type: ignore[attr-defined]

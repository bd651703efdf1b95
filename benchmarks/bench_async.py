"""Awaited hits, beside awaiting an empty ``async def``."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from benchmarks import cases, cores
from benchmarks.duels import Duel
from benchmarks.measure import KEYS, Contender


class AwaitedHit(Duel):
    """``await f(int)`` inside a running event loop, with and without a TTL."""

    params: ClassVar = [list(cores.NAMES), ["plain", "TTL"]]

    def setup(self, core: str, call: str) -> None:
        self.loop = asyncio.new_event_loop()
        super().setup(core, call)

    def teardown(self, core: str, call: str) -> None:
        self.loop.close()

    def ours(self, package: Any, call: str) -> Contender:
        ttl = 3600 if call == "TTL" else None
        return cases.awaited_hits(package.acache(maxsize=KEYS, ttl=ttl), self.loop)

    def baseline(self, call: str) -> Contender:
        return cases.awaited_nothing(self.loop)

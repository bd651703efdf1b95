"""Gets by our engine on Redis, beside the raw client and other libraries; see `engines`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

from benchmarks.engine_contestants import FIELDS, Field
from benchmarks.engines import RAW, launched
from benchmarks.measure import ratio

ROUNDS = 21


class OnServers:
    """Ours and a raw client on one server, in one process."""

    params: ClassVar = [["redis", "postgresql", "memcached"], [100, 10_000]]
    param_names: ClassVar = ["server", "bytes"]
    timeout = 120.0

    def setup(self, server: str, size: int) -> None:
        from tests.fixtures.servers import Missing

        self.stack = ExitStack()
        try:
            started = launched(server)
        except Missing as missing:
            raise NotImplementedError from missing  # asv skips it
        self.stack.callback(started.close)
        self.field: Field = self.stack.enter_context(FIELDS[server](started.url, size))

    def teardown(self, server: str, size: int) -> None:
        self.stack.close()

    def time_gets(self, server: str, size: int) -> None:
        """A hundred hits of `ucache`."""
        work, _ = self.field.races["get"]["ucache"]
        work()

    def track_ratio_get(self, server: str, size: int) -> float:
        """A hit over the raw client's get; less is faster."""
        return self.ratio("get", "ucache", RAW[server])

    def ratio(self, race: str, ours: str, peer: str) -> float:
        rounds = [self.field.race(race, turn) for turn in range(ROUNDS)]
        return round(ratio(*([took[name] for took in rounds] for name in (ours, peer))).median, 3)

    track_ratio_get.unit = "ratio"  # type: ignore[attr-defined]


class OnRedis(OnServers):
    """What is got at once or awaited."""

    params: ClassVar = [["redis"], [100, 10_000]]

    def track_ratio_64_tasks(self, server: str, size: int) -> float:
        """As many awaited gets at once, over redis.asyncio's."""
        return self.ratio("64 tasks", "AsyncCache", "redis.asyncio")

    def track_ratio_100_in_one(self, server: str, size: int) -> float:
        """`get_many` over MGET."""
        return self.ratio("100 in one", "Cache", "redis-py")

    def track_ratio_awaited_get(self, server: str, size: int) -> float:
        """One awaited get after the other, over aiocache's."""
        return self.ratio("awaited get", "AsyncCache", "aiocache")

    track_ratio_64_tasks.unit = "ratio"  # type: ignore[attr-defined]
    track_ratio_100_in_one.unit = "ratio"  # type: ignore[attr-defined]
    track_ratio_awaited_get.unit = "ratio"  # type: ignore[attr-defined]

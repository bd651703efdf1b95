"""Gets and puts of the local engines, beside the diskcache library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import ClassVar

from benchmarks.measure import ratio
from benchmarks.store_races import Field, Work

ROUNDS = 21


class Stores:
    """An engine and diskcache on stores of their own, in one process."""

    params: ClassVar = [["sqlite", "disk"], [100, 10_000]]
    param_names: ClassVar = ["engine", "bytes"]
    warmup_time = 0.05

    def setup(self, engine: str, size: int) -> None:
        self.stack = ExitStack()
        folder = self.stack.enter_context(TemporaryDirectory())
        names = [engine, "diskcache"]
        self.field = self.stack.enter_context(Field(folder, size, names, beside=False))
        self.keys = self.field.some_keys()
        self.items = self.field.other_bytes(self.keys)

    def teardown(self, engine: str, size: int) -> None:
        self.stack.close()

    def time_gets(self, engine: str, size: int) -> None:
        """Some hundred gets of ours."""
        self.field.stores[engine].read(self.keys)

    def time_puts(self, engine: str, size: int) -> None:
        """Some hundred puts of ours; the same bytes from the second time on."""
        self.field.stores[engine].write(self.items)

    def track_ratio_get(self, engine: str, size: int) -> float:
        """Ours over diskcache's; less is faster."""
        return self._ratio(engine, Field.gets)

    def track_ratio_set(self, engine: str, size: int) -> float:
        """The same for puts of other bytes."""
        return self._ratio(engine, Field.puts)

    def track_ratio_batched_set(self, engine: str, size: int) -> float:
        """The same for many in one put, and in one transaction."""
        return self._ratio(engine, Field.batches)

    def _ratio(self, engine: str, work: Callable[[Field], Work]) -> float:
        rounds = [self.field.race(work(self.field), turn) for turn in range(ROUNDS)]
        ours, theirs = ([fmean(took[name]) for took in rounds] for name in self.field.stores)
        return round(ratio(ours, theirs).median, 3)

    track_ratio_get.unit = "ratio"  # type: ignore[attr-defined]
    track_ratio_set.unit = "ratio"  # type: ignore[attr-defined]
    track_ratio_batched_set.unit = "ratio"  # type: ignore[attr-defined]

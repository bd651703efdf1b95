"""The form that the asv benchmarks share: ours, its baseline, and the ratio of the two.

asv's ``time_…`` run one pass over the look-ups (10,000 calls where the case has keys); the ratio
is made by `measure.duel`, loop cost subtracted. Results of different machines can't be
compared, their ratios can: those are what to watch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar

from benchmarks import cores
from benchmarks.measure import Contender, duel


class Duel(ABC):
    """Ours beside its baseline, on both cores. (asv passes over abstract classes.)"""

    params: ClassVar[Any] = [list(cores.NAMES), []]
    param_names: ClassVar[Any] = ["core", "call"]
    warmup_time = 0.05

    @abstractmethod
    def ours(self, package: Any, call: str) -> Contender:
        """Our contender, freshly made."""

    @abstractmethod
    def baseline(self, call: str) -> Contender:
        """The thing to beat, freshly made."""

    def setup(self, core: str, call: str) -> None:
        """Makes both, warm; skipped where that core isn't built."""
        self.package = cores.load(core)
        self.mine, self.theirs = self.ours(self.package, call), self.baseline(call)
        self.my_args, self.their_args = self.mine.fresh(), self.theirs.fresh()

    def time_twat_cache(self, core: str, call: str) -> None:
        """One pass of ours."""
        self.mine.run(self.my_args)

    def time_baseline(self, core: str, call: str) -> None:
        """One pass of the baseline."""
        self.theirs.run(self.their_args)

    def track_ratio_to_baseline(self, core: str, call: str) -> float:
        """Ours over the baseline; less is faster."""
        ours, baseline = partial(self.ours, self.package, call), partial(self.baseline, call)
        return round(duel(ours, baseline)[0].median, 3)

    track_ratio_to_baseline.unit = "ratio"  # type: ignore[attr-defined]

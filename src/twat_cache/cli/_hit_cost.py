"""What one hit costs, beside `functools.lru_cache`, measured so that the two can be compared.

The loops alternate within every round, so that a change of the processor's clock or a busy
neighbour meets both; the cost of the empty loop is subtracted round by round; the medians of all
rounds are given. The numbers of one run are comparable, those of two machines are not: take the
ratio with you.
"""

from __future__ import annotations

import functools
import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _stdlib_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._progress import Progress

ROUNDS = 31
CALLS = 10_000
UNDECORATED_FILES = 25


class HitCost(NamedTuple):
    """Nanoseconds per call: medians of all rounds; the mean over a few files for `undecorated`."""

    ours: float
    lru_cache: float
    undecorated: float


def _loop(call: Callable[[str], object], keys: list[str]) -> int:
    begun = time.perf_counter_ns()
    for key in keys:
        call(key)
    return time.perf_counter_ns() - begun


def _empty_loop(keys: list[str]) -> int:
    begun = time.perf_counter_ns()
    for _key in keys:
        pass
    return time.perf_counter_ns() - begun


def measure(
    ours: Callable[[str], object],
    undecorated: Callable[[str], object],
    answers: dict[str, Any],
    stream: list[str],
    progress: Progress,
) -> HitCost:
    """Measure hits of `ours` and of a `functools.lru_cache` that holds the same entries.

    Args:
        ours: The decorated function, its cache already filled with all of `answers`.
        undecorated: The function without its cache.
        answers: Every entry. The peer is filled from it, not by parsing all files again: a hit
            never reaches the function, so what is measured is the same.
        stream: The order of the look-ups.
        progress: Advanced once per round, `ROUNDS` times.
    """
    peer = functools.lru_cache(maxsize=_stdlib_index.CAPACITY)(answers.__getitem__)
    for path in answers:
        peer(path)
    keys = (stream * (CALLS // len(stream) + 1))[:CALLS]
    both: list[Callable[[str], object]] = [ours, peer]
    samples: list[list[float]] = [[], []]
    for turn in range(ROUNDS):
        empty = _empty_loop(keys)
        for which in (0, 1) if turn % 2 else (1, 0):
            samples[which].append((_loop(both[which], keys) - empty) / len(keys))
        progress.advance()
    few = list(answers)[:UNDECORATED_FILES]
    return HitCost(
        ours=statistics.median(samples[0]),
        lru_cache=statistics.median(samples[1]),
        undecorated=_loop(undecorated, few) / len(few),
    )

"""What the policies are tried on: recorded traces and made-up streams, and at which sizes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import streams
from benchmarks.traces import Trace, found, ranked, read

DATA = Path(__file__).parent / "data"
FRACTIONS = (0.01, 0.05, 0.20)  # of a trace's distinct keys, where no reference names sizes
MADE_UP_SIZES = (500, 2_000, 5_000)
REQUESTS, KEYS = 500_000, 50_000
MOONSHOT = ("zipf 0.8", "zipf 1.0", "zipf, scans", "zipf, shifting")


class Workload(NamedTuple):
    """A trace and the cache sizes, in entries, that it is tried at."""

    trace: Trace
    sizes: tuple[int, ...]


@cache
def reference() -> dict[tuple[str, int], dict[str, Any]]:
    """What others reached, in percent, by trace and size."""
    rows = json.loads((DATA / "reference.json").read_text(encoding="utf-8"))["rows"]
    return {(row["trace"], row["size"]): row for row in rows}


def sizes_for(trace: Trace) -> tuple[int, ...]:
    """The sizes of the reference, or fractions of the number of distinct keys."""
    named = tuple(sorted(size for name, size in reference() if name == trace.name))
    distinct = trace.distinct
    return named or tuple(sorted({max(1, round(distinct * part)) for part in FRACTIONS}))


def recorded(folders: Iterable[Path] = ()) -> Iterator[Workload]:
    """The traces that come along, then those of other folders that bear another name."""
    known: set[str] = set()
    for path in (path for folder in (DATA, *folders) for path in found(folder)):
        trace = read(path)
        if trace.name not in known:
            known.add(trace.name)
            yield Workload(trace, sizes_for(trace))


def made_up() -> Iterator[Workload]:
    """The made-up streams; those of `MOONSHOT` come first."""
    one = streams.zipf(REQUESTS, KEYS, 1.0)
    phase = REQUESTS // 8
    phases: list[int] = []
    for start in range(0, REQUESTS, 2 * phase):
        phases += one[start : start + phase]
        phases += streams.loop(phase, 3_000)
    made = {
        "zipf 0.8": streams.zipf(REQUESTS, KEYS, 0.8),
        "zipf 1.0": one,
        "zipf, scans": streams.with_scans(one, every=20_000, length=5_000),
        "zipf, shifting": streams.shifting(one, every=20, by=1),
        "zipf and loops": phases,
        "uniform": streams.uniform(REQUESTS, KEYS),
    }
    for name, keys in made.items():
        yield Workload(Trace(name, ranked(keys)), MADE_UP_SIZES)

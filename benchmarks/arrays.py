"""A large numpy array in the `file` engine, beside numpy's own file of it.

``python -m benchmarks.arrays [--check] [--json] [--megabytes 100] [--rounds 40] [--folder PATH]``.
In each round all take turns, on files that the system has in memory, so that what is compared is
the work and not the disk. The rows, with what they are compared with:

* ``open, sum of a slice``: the engine, the codec, and 800 kB of the array are read; beside
  ``np.load(mmap_mode="r")`` and the same sum.
* ``open, sum of all``: the same, all of it read.
* ``decorated``: a function decorated with ``ucache`` answers from the engine; beside the same.
* ``write``: encoded, written and renamed; beside ``np.save`` and a rename. numpy has the file's
  room allocated beforehand, which this library doesn't: a machine that fails would then leave a
  file of the right length with zeros in it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import machine
from benchmarks.measure import Spread, quiet, ratio
from benchmarks.tables import render
from twat_cache import open_engine, ucache
from twat_cache.codecs.transcoder import Transcoder

KEY = "array"
SLICE, ALL = slice(1_000, 101_000), slice(None)
# What is promised, as a ratio to numpy.
PROMISES = {"open, sum of a slice": 1.2, "open, sum of all": 1.2, "decorated": 1.2}


class Row(NamedTuple):
    """What is raced: ours and numpy's, and which part of the arrays that they give is summed."""

    ours: Callable[[], Any]
    numpys: Callable[[], Any]
    part: slice | None = None

    def run(self, contender: Callable[[], Any], repeats: int) -> float:
        """Milliseconds."""
        start = perf_counter_ns()
        for _ in range(repeats):
            array = contender()
            if self.part is not None:
                array[self.part].sum()
        return (perf_counter_ns() - start) / repeats / 1e6


class Figure(NamedTuple):
    """Milliseconds of ours and of numpy, and the ratio round by round."""

    name: str
    ours: float
    numpy: float
    ratio: Spread

    @property
    def is_kept(self) -> bool:
        """Whether the promise is kept, if there is one."""
        return self.ratio.median <= PROMISES.get(self.name, float("inf"))


def rows(folder: Path, size: int) -> dict[str, Row]:
    """The rows by name."""
    array = np.random.default_rng(1).random(size // 8)
    engine: Any = open_engine(f"file://{folder}/engine")
    transcoder = Transcoder()
    saved, new = folder / "saved.npy", folder / "new.npy"

    @ucache(f"file://{folder}/decorated")
    def decorated() -> Any:
        return array

    def write() -> None:
        engine.put({KEY: transcoder.pieces(KEY, array, now=time.time())}, None)

    def save() -> None:
        with open(new, "wb") as file:
            np.save(file, array)
        os.replace(new, saved)

    def read() -> Any:
        (data,) = engine.get([KEY])
        return transcoder.load(KEY, data).value

    def load() -> Any:
        return np.load(saved, mmap_mode="r")

    write()
    save()
    decorated()
    for made in (read(), decorated()):
        if not (made == array).all():
            raise SystemExit("what was read isn't what was written")
    return {
        "open, sum of a slice": Row(read, load, SLICE),
        "open, sum of all": Row(read, load, ALL),
        "decorated": Row(decorated, load, SLICE),
        "write": Row(write, save),
    }


def measure(folder: Path, size: int, rounds: int) -> list[Figure]:
    """All rows, the contenders in turns."""
    figures = []
    for name, row in rows(folder, size).items():
        took: tuple[list[float], list[float]] = [], []
        repeats = 20 if row.part == SLICE else 1
        with quiet():
            for turn in range(rounds):
                for place in (0, 1) if turn % 2 else (1, 0):
                    took[place].append(row.run((row.ours, row.numpys)[place], repeats))
        figures.append(Figure(name, median(took[0]), median(took[1]), ratio(*took)))
    return figures


def main(argv: list[str] | None = None) -> int:
    """Measures and prints; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="status 1 if a promise is broken")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="where to write; else the temporary one")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(Path(folder), int(options.megabytes * 1e6), options.rounds)
    if options.json:
        made = [{**one._asdict(), "ratio": one.ratio._asdict()} for one in figures]
        print(json.dumps({"machine": machine(), "figures": made}, indent=1))
    else:
        lines = [["", "ms", "numpy's ms", "ratio", "p10", "p90", "at most"]]
        for one in figures:
            most = f"{PROMISES[one.name]:g}" if one.name in PROMISES else ""
            spread = [f"{figure:.2f}" for figure in one.ratio]
            lines.append([one.name, f"{one.ours:.3f}", f"{one.numpy:.3f}", *spread, most])
        print(", ".join(machine().values()), render(lines), sep="\n\n")
    return 1 if options.check and not all(one.is_kept for one in figures) else 0


if __name__ == "__main__":
    raise SystemExit(main())

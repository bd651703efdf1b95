"""The promises of the local stores: our engines beside diskcache, sqlite3 itself and plain files.

Run it from the repository: ``python -m benchmarks.stores [--check] [--json] [--rounds 25]
[--only SIZE] [--folder PATH]``. A figure is our time over the peer's: median, p10 and p90 of the
ratios within each round, and the ratio of all rounds together, in which the checkpoints count that
come now and then. With ``--check`` the exit status is 1 if a median is beyond its bound.

The peers are ``diskcache`` with its defaults, ``sqlite3`` (one statement tuned by hand, nothing
around it), and ``rename`` (a file written under another name and renamed). A ``set`` puts other
bytes than are there, unless it says ``same bytes``, of which SQLite writes almost nothing; a
``batched set`` is a hundredth of a put of 100 keys, and its peer one set by itself, or one within a
transaction. In rows with ``two``, a second process gets and puts in the same store as fast as it
can.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from statistics import fmean, quantiles
from typing import Any, NamedTuple

from benchmarks.machine import machine
from benchmarks.measure import Spread, ratio
from benchmarks.store_contestants import NAMES
from benchmarks.store_races import Field, Work
from benchmarks.tables import render

ROUNDS = 25
SIZES = {"100 B": 100, "10 KB": 10_000, "1 MB": 1_000_000}
HEAD = ["store", "value", "what", "peer", "bound", "moon", "median", "p10–p90", "all", "", "µs"]


class Race(NamedTuple):
    """What is raced: a work of a field, alone or beside the second process."""

    work: Callable[[Field], Work]
    beside: bool = False


RACES = {
    "get": Race(Field.gets),
    "set": Race(Field.puts),
    "set, same bytes": Race(Field.puts_again),
    "batched set": Race(Field.batches),
    "two: get": Race(Field.gets, beside=True),
    "two: set": Race(Field.puts_timed, beside=True),
}

Times = dict[tuple[str, str], list[list[float]]]
"""By race and store: the nanoseconds of the calls of each round."""


class Row(NamedTuple):
    """One ratio: ours in the race over the peer's, which may be another race's."""

    store: str
    size: str
    race: str
    peer: str
    bound: float | None = None
    moonshot: float | None = None
    against: str = ""
    p99: bool = False

    def figures(self, times: Times) -> tuple[Spread, float, str]:
        """The ratio by rounds, that of all rounds together, and the plain microseconds."""
        ours = times[self.race, self.store]
        theirs = times[self.against or self.race, self.peer]
        if self.p99:
            a, b = last_percentile(ours), last_percentile(theirs)
            return Spread.of([a / b]), a / b, f"{a / 1e3:.0f} : {b / 1e3:.0f}"
        mine, other = [fmean(x) for x in ours], [fmean(x) for x in theirs]
        spread = ratio(mine, other)
        micros = f"{Spread.of(mine).median / 1e3:.1f} : {Spread.of(other).median / 1e3:.1f}"
        return spread, sum(mine) / sum(other), micros


def last_percentile(rounds: list[list[float]]) -> float:
    """What one call in a hundred exceeds."""
    return quantiles([took for calls in rounds for took in calls], n=100)[-1]


def rows_for(store: str, size: str) -> Iterator[Row]:
    """What is promised of a store at a size, and what is worth a look beside it."""
    if store == "disk" and size == "1 MB":  # in files of their own
        yield Row(store, size, "set", "rename", 1.2)
        yield Row(store, size, "get", "rename")
        yield Row(store, size, "set", "diskcache")
        yield Row(store, size, "get", "diskcache")
        return
    for race in ("get", "two: get"):
        yield Row(store, size, race, "diskcache", 0.75, 0.55)
    for race in ("set", "set, same bytes", "two: set"):
        yield Row(store, size, race, "diskcache", 0.2)
    yield Row(store, size, "two: set", "diskcache", 0.1, p99=True)
    yield Row(store, size, "batched set", "diskcache", 0.1, against="set")
    yield Row(store, size, "batched set", "diskcache")
    for race in ("get", "set"):
        yield Row(store, size, race, "sqlite3", 1.4)
    for race in ("two: get", "two: set", "batched set"):
        yield Row(store, size, race, "sqlite3")


def measure(size: str, rounds: int, folder: str) -> Times:
    """All races at a size, one round of each after the other."""
    times: Times = {}
    with ExitStack() as stack:
        fields = {}
        for beside in (False, True):
            field = Field(os.path.join(folder, str(beside)), SIZES[size], NAMES, beside=beside)
            fields[beside] = stack.enter_context(field)
        for turn in range(rounds):
            print(f"\r{size}: round {turn + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
            for name, race in RACES.items():
                field = fields[race.beside]
                for store, calls in field.race(race.work(field), turn).items():
                    times.setdefault((name, store), []).append(calls)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)
    return times


def judge(row: Row, times: Times) -> dict[str, Any]:
    """One row's figures, and whether they keep its promise."""
    spread, together, micros = row.figures(times)
    kept = row.bound is None or spread.median <= row.bound
    return row._asdict() | spread._asdict() | {"all": together, "micros": micros, "passed": kept}


def line(result: dict[str, Any]) -> list[str]:
    """The row as printed."""
    what = result["race"] + (" p99" if result["p99"] else "")
    if result["race"].startswith("batched"):
        what += " : set" if result["against"] else " : in transaction"
    bound, moon = ("" if x is None else f"{x:g}" for x in (result["bound"], result["moonshot"]))
    verdict = "" if result["bound"] is None else "pass" if result["passed"] else "FAIL"
    return [
        result["store"], result["size"], what, result["peer"], bound, moon,
        f"{result['median']:.3f}", f"{result['p10']:.2f}–{result['p90']:.2f}",
        f"{result['all']:.3f}", verdict, result["micros"],
    ]  # fmt: skip


def report(results: list[dict[str, Any]], *, check: bool, as_json: bool) -> int:
    """Prints the rows; gives the exit status."""
    failed = [result for result in results if not result["passed"]]
    if as_json:
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        told = {"date": when, "machine": machine(), "rows": results}
        print(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        print("  ".join(f"{name}: {value}" for name, value in machine().items()))
        print(render([HEAD, *map(line, results)]))
        print(f"{len(results)} rows, {len(failed)} beyond their bound")
    return 1 if check and failed else 0


def main(argv: list[str] | None = None) -> int:
    """Prints the table; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail if a row is beyond its bound")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=SIZES, help="values of this size")
    parser.add_argument("--folder", help="where to make the stores; the default is for temporaries")
    options = parser.parse_args(argv)
    results = []
    for size in [options.only] if options.only else SIZES:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            times = measure(size, options.rounds, folder)
        for store in ("sqlite", "disk"):
            results += [judge(row, times) for row in rows_for(store, size)]
    return report(results, check=options.check, as_json=options.json)


if __name__ == "__main__":
    raise SystemExit(main())

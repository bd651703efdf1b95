"""What a miss costs by the steps that it takes, over the function's own time.

``python -m benchmarks.miss_path [--check] [--json] [--rounds N] [--core pure]``. A trivial function
is called with twice as many keys as there is room for, in a circle, so each call misses, is stored
and pushes another out. The bare function takes part in every round, and its time is subtracted
within the round. See `measure` for how a figure is made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from benchmarks import cores
from benchmarks.cases import misses
from benchmarks.machine import machine
from benchmarks.measure import AWAITED, KEYS, ROUNDS, Contender, Spread, contender, race, ratio
from benchmarks.tables import render

OFF = {
    "stale": None, "refresh_ahead": None, "beta": None, "soft_timeout": None, "hard_timeout": None,
    "retry": None, "cache_exceptions": None, "tags": None, "context": (),
}  # fmt: skip
ALL = {
    "single_flight": True, "ttl": 60, "stale": 60, "soft_timeout": 1, "retry": 3,
    "cache_exceptions": {KeyError: 1},
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "no step": {},
    "all steps off": OFF,
    "single_flight": {"single_flight": True},
    "stale": {"ttl": 60, "stale": 60},
    "refresh_ahead": {"ttl": 60, "refresh_ahead": 0.8},
    "beta": {"ttl": 60, "beta": 1},
    "cache_exceptions": {"cache_exceptions": {KeyError: 1}},
    "tags": {"tags": ["tag"]},
    "retry": {"retry": 3},
    "hard_timeout": {"hard_timeout": 60},
    "all but hard_timeout": ALL,
}
COLOURS = ("def", "async def")
BARE = "the function"


class Promise(NamedTuple):
    """Most microseconds over the function's own time, or most times another row's time."""

    row: str
    most: float
    against: str | None = None


PROMISES = [
    Promise("single_flight", 3.0),
    Promise("all steps off", 1.1, "no step"),
]
"""Of `def` functions: coroutine functions have a row of each, and no promise."""


def awaited_misses(decorate: Callable[..., Any], loop: asyncio.AbstractEventLoop) -> Contender:
    """As `cases.misses`, awaited inside a running event loop."""

    async def one(a: Any) -> Any:
        return a

    calls = range(KEYS, 3 * KEYS)
    made = contender(AWAITED, decorate(one), calls, loop.run_until_complete)
    made.run(made.fresh())
    return made


def measure(package: Any, colour: str, rounds: int) -> dict[str, list[float]]:
    """Nanoseconds for each call, by row and round; the bare function among them."""
    loop = asyncio.new_event_loop()

    def maker(options: dict[str, Any] | None) -> Callable[[], Contender]:
        def decorate(function: Any) -> Any:
            if options is None:
                return function
            return package.mcache(maxsize=KEYS, **options)(function)

        if colour == "def":
            return lambda: misses(decorate)
        return lambda: awaited_misses(decorate, loop)

    try:
        return race({BARE: maker(None), **{row: maker(o) for row, o in OPTIONS.items()}}, rounds)
    finally:
        loop.close()


def over(times: dict[str, list[float]], row: str) -> Spread:
    """Microseconds over the function's own time, round by round."""
    pairs = zip(times[row], times[BARE], strict=True)
    return Spread.of([(ours - bare) / 1000 for ours, bare in pairs])


def judge(times: dict[str, list[float]]) -> Iterator[dict[str, Any]]:
    """Each promise, and whether it is kept."""
    for promise in PROMISES:
        if promise.against is None:
            figure = over(times, promise.row).median
        else:
            figure = ratio(times[promise.row], times[promise.against]).median
        yield promise._asdict() | {"figure": figure, "passed": figure <= promise.most}


def main(argv: list[str] | None = None) -> int:
    """Prints the table; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail if a promise is broken")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--core", choices=cores.NAMES, default="compiled")
    options = parser.parse_args(argv)
    try:
        package = cores.load(options.core)
    except cores.CoreMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    times = {colour: measure(package, colour, options.rounds) for colour in COLOURS}
    table = {
        colour: {row: over(times[colour], row)._asdict() for row in OPTIONS} for colour in COLOURS
    }
    promises = list(judge(times["def"]))
    if options.json:
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        report = {"date": when, "machine": machine(), "table": table, "promises": promises}
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        print("  ".join(f"{name}: {value}" for name, value in machine().items()))
        lines = [["µs over the function", *COLOURS]]
        for row in OPTIONS:
            spreads = [table[colour][row] for colour in COLOURS]
            lines.append([row, *(f"{s['median']:.2f} ({s['p10']:.2f})" for s in spreads)])
        print(render(lines))
        for one in promises:
            what = f"{one['row']}: {one['figure']:.2f} of {one['most']:g}"
            unit = "µs" if one["against"] is None else f"× {one['against']}"
            print(f"{'pass' if one['passed'] else 'FAIL'}  {what} {unit}")
    return 1 if options.check and not all(one["passed"] for one in promises) else 0


if __name__ == "__main__":
    raise SystemExit(main())

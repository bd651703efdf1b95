"""The staircase from a Python wrapper to vectorcall: what a hit costs on each step.

``python benchmarks/staircase.py [--rounds N] [--json] [--into PAGE]`` prints the Markdown table
that ``src_docs/user-guide/how-a-call-travels.md`` shows; ``--into`` writes it there, too. All
steps take turns within every round (see `measure` for how), both of our cores in one process; a
step that can't be had here is left out, with a word why on stderr. The keys looked up are equal
to the stored ones, but other objects.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import cases, cores
from benchmarks.cases import Decorate
from benchmarks.machine import machine
from benchmarks.measure import KEYS, ROUNDS, Contender, Spread, contender, race, ratio, shuffled
from benchmarks.tables import render, write_into

BASELINE = "`functools.lru_cache`"
BARE = "the bare function, no cache"
SHAPES = {"f(int)": "int_copy", "f(str, int, kw=int)": "mixed_copy"}
Costs = dict[str, tuple[Spread, float]]


def with_dict(function: Callable[..., Any]) -> Callable[..., Any]:
    """The wrapper everyone writes first: a dict that only grows."""
    stored: dict[Any, Any] = {}

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = (args, tuple(sorted(kwargs.items()))) if kwargs else args
        try:
            return stored[key]
        except KeyError:
            value = stored[key] = function(*args, **kwargs)
            return value

    return wrapper


def with_lock_and_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same after its first two bug reports: bounded, in order of use, locked."""
    stored: OrderedDict[Any, Any] = OrderedDict()
    lock = threading.RLock()

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        key = (args, tuple(sorted(kwargs.items()))) if kwargs else args
        with lock:
            if key in stored:
                stored.move_to_end(key)
                return stored[key]
        value = function(*args, **kwargs)
        with lock:
            stored[key] = value
            if len(stored) > KEYS:
                stored.popitem(last=False)
        return value

    return wrapper


def cachetools() -> Decorate:
    """cachetools' `cached` with an `LRUCache`, and the lock that threads need."""
    tools: Any = import_module("cachetools")
    decorate: Decorate = tools.cached(tools.LRUCache(KEYS), lock=threading.RLock())
    return decorate


# What gives the decorator of each step, from the top of the staircase down.
STEPS: dict[str, Callable[[], Decorate]] = {
    "cachetools: Python wrapper, lock, `LRUCache`": cachetools,
    "`mcache`, pure core": lambda: cores.load("pure").mcache(maxsize=KEYS),
    "Python wrapper, lock, `OrderedDict`": lambda: with_lock_and_order,
    "Python wrapper, dict that only grows": lambda: with_dict,
    BASELINE: lambda: functools.lru_cache(KEYS),
    '`mcache(ttl="1h")`': lambda: cores.load("compiled").mcache(maxsize=KEYS, ttl="1h"),
    "`mcache`": lambda: cores.load("compiled").mcache(maxsize=KEYS),
    "our `lru_cache`": lambda: cores.load("compiled").lru_cache(KEYS),
}


def bare(case: str) -> Contender:
    """The function itself, called in the same shape: the floor under every cache."""
    shape, _, looked_up = cases.CASES[case]

    def one(a: Any) -> Any:
        return a

    def three(s: Any, i: Any, kw: Any = 0) -> Any:
        return i

    return contender(shape, one if case == "int_copy" else three, shuffled(looked_up))


def available() -> list[str]:
    """The steps that can be built here."""
    names = []
    for name, step in STEPS.items():
        try:
            step()
        except (ImportError, cores.CoreMissing) as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
        else:
            names.append(name)
    return names


def costs(case: str, names: list[str], rounds: int) -> Costs:
    """Ratio to `functools.lru_cache` and nanoseconds of every step, for one shape of call."""
    makers: dict[str, Callable[[], Contender]] = {
        name: lambda step=STEPS[name]: cases.hits(case, step())  # type: ignore[misc]
        for name in names
    }
    makers[BARE] = lambda: bare(case)
    times = race(makers, rounds)
    return {name: (ratio(took, times[BASELINE]), median(took)) for name, took in times.items()}


def markdown(table: dict[str, Costs]) -> str:
    """The table that the docs show."""
    shapes = list(table)
    lines = [["step", *(f"`{shape}`" for shape in shapes)]]
    for name in table[shapes[0]]:
        cells = [
            f"{spread.median:.2f} ({nanoseconds:.0f} ns)"
            for spread, nanoseconds in (table[shape][name] for shape in shapes)
        ]
        lines.append([name, *cells])
    return render(lines, markdown=True)


def main(argv: list[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="one JSON document instead")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="write the table into a page")
    options = parser.parse_args(argv)
    names = available()
    table = {shape: costs(case, names, options.rounds) for shape, case in SHAPES.items()}
    about = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", **machine()}
    if options.json:
        figures = {
            shape: {name: {**spread._asdict(), "ns": ns} for name, (spread, ns) in row.items()}
            for shape, row in table.items()
        }
        print(json.dumps({**about, "rounds": options.rounds, "ratios": figures}, indent=1))
    else:
        below = f"{', '.join(about.values())}; medians of {options.rounds} rounds."
        text = f"{markdown(table)}\n\n{below}"
        print(text)
        if options.into:
            write_into(options.into, "staircase", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Hit ratio and speed together: our policies beside W-TinyLFU elsewhere, on one Zipf stream.

``python benchmarks/policy_peers.py [--exponent S] [--core pure] [--markdown] [--json FILE]
[--into PAGE]``. A million keys by Zipf's law, room for 10,000; a miss calls a function and stores
its result. All contenders live in one process and take turns on pieces of the same stream, so each
meets all of it once; the first fifth fills the caches and isn't counted. Peers are asked twice: by
their decorator, and by their cache object in a hand-written loop, which is the quickest they can
be had. The empty loop is subtracted, medians of the pieces are compared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import cores
from benchmarks.machine import machine
from benchmarks.measure import INT, compile_loop, quiet
from benchmarks.streams import zipf
from benchmarks.tables import render, write_into

SIZE, KEYS, REQUESTS, PIECE = 10_000, 1_000_000, 2_000_000, 20_000
OURS = ("tinylfu", "s3fifo", "sieve", "lru")
JUDGED = "twat-cache, tinylfu"
Function = Callable[[int], int]
Run = Callable[[Sequence[int]], object]


class Figures(NamedTuple):
    """What a contender came to: hits in percent, nanoseconds per request."""

    hits: float
    ns: float


class Contender:
    """A way to ask a cache for each of some keys, counting how often the function runs."""

    def __init__(self, make: Callable[[Function], Run]) -> None:
        self.misses = 0
        self.run = make(self._compute)
        self.empty = compile_loop(INT, None, body="pass")
        self.took: list[float] = []

    def _compute(self, key: int) -> int:
        self.misses += 1
        return key

    def meet(self, piece: Sequence[int]) -> None:
        """One turn: the net nanoseconds per request are noted."""
        start = perf_counter_ns()
        self.run(piece)
        middle = perf_counter_ns()
        self.empty(piece)
        self.took.append((2 * middle - start - perf_counter_ns()) / len(piece))


def decorated(decorate: Callable[[Function], Any]) -> Callable[[Function], Run]:
    """Asks by calling a decorated function."""
    return lambda function: compile_loop(INT, decorate(function))


def theine_by_hand(function: Function) -> Run:
    cache = import_module("theine").Cache(SIZE)

    def run(keys: Sequence[int]) -> None:
        for key in keys:
            _, is_there = cache.get(key)
            if not is_there:
                cache.set(key, function(key))

    return run


def moka_by_hand(function: Function) -> Run:
    cache = import_module("moka_py").Moka(SIZE)

    def run(keys: Sequence[int]) -> None:
        for key in keys:
            if cache.get(key) is None:
                cache.set(key, function(key))

    return run


def contenders(package: Any) -> dict[str, Contender]:
    """All that are installed here."""
    makers: dict[str, Callable[[], Contender]] = {
        f"twat-cache, {policy}": lambda policy=policy: Contender(  # type: ignore[misc]
            decorated(package.mcache(maxsize=SIZE, policy=policy))
        )
        for policy in OURS
    }
    makers |= {
        "functools.lru_cache": lambda: Contender(decorated(lru_cache(SIZE))),
        "theine.Memoize": lambda: Contender(decorated(import_module("theine").Memoize(SIZE, None))),
        "theine.Cache, by hand": lambda: Contender(theine_by_hand),
        "moka_py.cached": lambda: Contender(decorated(import_module("moka_py").cached(SIZE))),
        "moka_py.Moka, by hand": lambda: Contender(moka_by_hand),
    }
    made = {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except ImportError as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
    return made


def contest(entered: dict[str, Contender], stream: Sequence[int]) -> dict[str, Figures]:
    """Hands every contender the stream in pieces, who is first in turns."""
    pieces = [stream[at : at + PIECE] for at in range(0, len(stream), PIECE)]
    names, filling = list(entered), len(pieces) // 5
    with quiet():
        for at, piece in enumerate(pieces):
            if at == filling:
                for one in entered.values():
                    one.misses = 0
                    one.took.clear()
            first = at % len(names)
            for name in names[first:] + names[:first]:
                entered[name].meet(piece)
    asked = sum(map(len, pieces[filling:]))
    return {
        name: Figures(100 * (1 - one.misses / asked), median(one.took))
        for name, one in entered.items()
    }


def text(table: dict[str, Figures], markdown: bool = False) -> str:
    """Hits, nanoseconds, requests per second, and how often ours answers meanwhile."""
    ours = table[JUDGED].ns if JUDGED in table else None
    lines = [["cache", "hits, %", "ns a request", "million a second", "× tinylfu's time"]]
    for name, (hits, ns) in table.items():
        ratio = f"{ns / ours:.1f}" if ours else "–"
        lines.append([name, f"{hits:.2f}", f"{ns:.0f}", f"{1e3 / ns:.1f}", ratio])
    return render(lines, markdown)


def main(argv: list[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--exponent", type=float, default=1.0, metavar="S", help="Zipf's s")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--core", choices=cores.NAMES, default="compiled")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="write the table into a page")
    options = parser.parse_args(argv)
    try:
        entered = contenders(cores.load(options.core))
    except cores.CoreMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    table = contest(entered, zipf(options.requests, KEYS, options.exponent))
    about = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", **machine()}
    what = f"Zipf {options.exponent:g} over {KEYS:,} keys, room for {SIZE:,}"
    print(", ".join([what, *about.values()]), text(table, options.markdown), sep="\n\n")
    if options.into:
        below = f"{what}; {', '.join(about.values())}."
        write_into(options.into, "policy-peers", f"{text(table, markdown=True)}\n\n{below}")
    if options.json:
        figures = {name: one._asdict() for name, one in table.items()}
        report = {"machine": about, "stream": what, "table": figures}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What each policy costs: hits, and misses that evict, beside our ``lru`` and ``lru_cache``.

``python benchmarks/policy_cost.py [--core pure] [--rounds N] [--markdown] [--json FILE]
[--into PAGE]``. All policies and `functools.lru_cache` take turns in every round, on full caches of
1,000 entries; look-ups are in random order, evicting calls have keys that never come twice. See
`measure` for how a figure is made. What is promised of them stands in `rows`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import cases, cores
from benchmarks.cases import Decorate
from benchmarks.hit_ratio import say
from benchmarks.machine import machine
from benchmarks.measure import KEYS, ROUNDS, Contender, race, ratio
from benchmarks.tables import render, write_into

OWN, FUNCTOOLS = "lru", "lru_cache"
Figures = dict[str, dict[str, float]]
# What is measured: the option it takes (lru_cache has none), and who makes the contender.
COLUMNS: dict[str, tuple[dict[str, Any], Callable[[Decorate], Contender]]] = {
    "f(int)": ({}, partial(cases.hits, "int")),
    "f(str, int, kw=int)": ({}, partial(cases.hits, "mixed")),
    "f(int), TTL": ({"ttl": 3600}, partial(cases.hits, "int")),
    "miss with eviction": ({}, cases.insertions),
}


def costs(package: Any, policies: Sequence[str], column: str, rounds: int) -> Figures:
    """Nanoseconds, and ratios to our ``lru`` and to ``lru_cache``, for each policy."""
    options, make = COLUMNS[column]
    makers: dict[str, Callable[[], Contender]] = {
        policy: lambda policy=policy: make(  # type: ignore[misc]
            package.mcache(maxsize=KEYS, policy=policy, **options)
        )
        for policy in dict.fromkeys([OWN, *policies])
    }
    makers[FUNCTOOLS] = lambda: make(lru_cache(KEYS))
    times = race(makers, rounds)
    return {
        name: {
            "ns": median(took),
            OWN: ratio(took, times[OWN]).median,
            FUNCTOOLS: ratio(took, times[FUNCTOOLS]).median,
        }
        for name, took in times.items()
    }


def text(table: dict[str, Figures], what: str, markdown: bool = False) -> str:
    """One table: nanoseconds, or the ratio to ``lru`` or to ``lru_cache``."""
    lines = [["ns" if what == "ns" else f"× {what}", *table]]
    for name in next(iter(table.values())):
        figures = [column[name][what] for column in table.values()]
        lines.append([name, *(f"{n:.0f}" if what == "ns" else f"{n:.2f}" for n in figures)])
    return render(lines, markdown)


def main(argv: list[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--core", choices=cores.NAMES, default="compiled")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--policies", metavar="A,B", help="these only, and lru")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="write the table into a page")
    options = parser.parse_args(argv)
    try:
        package = cores.load(options.core)
    except cores.CoreMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    policies = options.policies.split(",") if options.policies else package._core.POLICIES
    table = {}
    for column in COLUMNS:
        say(column)
        table[column] = costs(package, policies, column, options.rounds)
    about = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "core": options.core, **machine()}
    tables = [text(table, what, options.markdown) for what in (OWN, FUNCTOOLS, "ns")]
    print("\n\n".join([", ".join(about.values()), *tables]))
    if options.into:
        below = f"{', '.join(about.values())}."
        write_into(
            options.into, "policy-cost", f"{text(table, FUNCTOOLS, markdown=True)}\n\n{below}"
        )
    if options.json:
        report = {"machine": about, "table": table}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

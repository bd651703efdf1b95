"""One table: twat-cache beside functools and the other caching decorators.

``python benchmarks/peers.py [--markdown] [--rounds N] [--json FILE]``. First the ratios to
``functools.lru_cache`` (less is faster; awaited hits: to awaiting an empty ``async def``), then
nanoseconds per call. A dash: the peer isn't installed, or has no such thing. ``miss!``: the peer
called the function again for keys that it had room for, so there is no hit to time.

With ``--engines`` the table is that of `benchmarks.engines`: caches on Redis, PostgreSQL and
memcached, beside their clients and other libraries.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import cases, cores
from benchmarks.contestants import CONTESTANTS, Contestant, ours
from benchmarks.machine import machine
from benchmarks.measure import KEYS, Contender, race, ratio
from benchmarks.tables import render

Make = Callable[[], Contender]
COLUMNS = [
    "f(int)",
    "f(int, int)",
    "f(str, int, kw=int)",
    "f(int) TTL",
    "obj.m(int)",
    "miss",
    "await",
]
BASELINE = "functools"


def makers(who: Contestant, loop: asyncio.AbstractEventLoop) -> dict[str, Make]:
    """The columns that this contestant can fill, each with what makes its contender."""
    made: dict[str, Make] = {}
    if (plain := who.plain) is not None:
        made["f(int)"] = lambda: cases.hits("int", plain())
        made["f(int, int)"] = lambda: cases.hits("int_int", plain())
        made["f(str, int, kw=int)"] = lambda: cases.hits("mixed", plain())
        made["miss"] = lambda: cases.misses(plain())
    if (ttl := who.ttl) is not None:
        made["f(int) TTL"] = lambda: cases.hits("int", ttl())
    if (method := who.method) is not None:
        made["obj.m(int)"] = lambda: cases.method_hits(method())
    if (awaited := who.awaited) is not None:
        made["await"] = lambda: cases.awaited_hits(awaited(), loop)
    return made


def baselines(loop: asyncio.AbstractEventLoop) -> dict[str, Make]:
    """What each column is measured against; functools has no TTL and no coroutines."""
    made = makers(
        Contestant(BASELINE, lambda: lru_cache(KEYS), method=lambda: lru_cache(KEYS)),
        loop,
    )
    made["f(int) TTL"] = made["f(int)"]
    made["await"] = lambda: cases.awaited_nothing(loop)
    return made


def run(rounds: int) -> dict[str, dict[str, Any]]:
    """Every contestant's figures: ``{name: {column: {"ratio", "ns", …} or {"why"}}}``."""
    loop = asyncio.new_event_loop()
    table: dict[str, dict[str, Any]] = {}
    try:
        for who in [*ours(), *CONTESTANTS]:
            print(who.name, end=" ", file=sys.stderr, flush=True)
            table[who.name] = _row(who, loop, rounds)
    finally:
        print(file=sys.stderr)
        loop.close()
    return table


def _row(who: Contestant, loop: asyncio.AbstractEventLoop, rounds: int) -> dict[str, Any]:
    try:
        who.enter()
    except (ImportError, cores.CoreMissing) as error:
        return {column: {"why": str(error)} for column in COLUMNS}
    base, own = baselines(loop), makers(who, loop)
    row: dict[str, Any] = {}
    for column in COLUMNS:
        if column not in own:
            row[column] = {"why": "not offered"}
            continue
        try:
            times = race({"own": own[column], "base": base[column]}, rounds)
        except cases.NotAllHits as error:
            row[column] = {"why": str(error), "misses": True}
        except Exception as error:  # a peer that can't do this shape
            row[column] = {"why": f"{type(error).__name__}: {error}"}
        else:
            spread = ratio(times["own"], times["base"])
            nanoseconds = {"ns": median(times["own"]), "base_ns": median(times["base"])}
            row[column] = {
                "ratio": spread.median,
                "p10": spread.p10,
                "p90": spread.p90,
            } | nanoseconds
    return row


def _cell(figures: dict[str, Any], what: str) -> str:
    if figures.get("misses"):
        return "miss!"
    value = figures.get(what)
    return "–" if value is None else f"{value:.2f}" if what == "ratio" else f"{value:.0f}"


def text(table: dict[str, dict[str, Any]], what: str, markdown: bool) -> str:
    """One of the two tables, plain or for GitHub."""
    head = ["× lru_cache" if what == "ratio" else "ns", *COLUMNS]
    lines = [head, *([n, *(_cell(row[c], what) for c in COLUMNS)] for n, row in table.items())]
    return render(lines, markdown)


def main(argv: list[str] | None = None) -> int:
    """Measures, prints both tables, writes the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--markdown", action="store_true", help="tables for GitHub")
    parser.add_argument("--rounds", type=int, default=32)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--engines", action="store_true", help="instead: caches on servers")
    options = parser.parse_args(argv)
    if options.engines:
        from benchmarks import engines

        return engines.main(["--rounds", str(options.rounds)])
    now, about = datetime.now(timezone.utc), machine()
    table = run(options.rounds)
    heading = ", ".join([f"{now:%Y-%m-%d}", *about.values()])
    tables = [text(table, what, options.markdown) for what in ("ratio", "ns")]
    print("\n\n".join([heading, *tables]))
    if options.json:
        report = {"date": now.isoformat(timespec="seconds"), "machine": about, "table": table}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Hit ratios: every policy on every workload at several sizes, beside Belady's optimum.

``python benchmarks/hit_ratio.py [--core pure] [--traces FOLDER]… [--only WORD] [--policies A,B]
[--json FILE] [--plot FOLDER] [--into PAGE] [--check]``. The workloads are the traces of
``benchmarks/data`` and of the folders given, and made-up streams (``--no-made-up`` leaves these
out). Every request is looked up in a `Table` and stored if it isn't there. Figures are percent;
``climbing`` is plain W-TinyLFU with a hill climber, ``Caffeine`` that library's own figure where it
is known, and ``optimum`` what nobody can beat.

``--plot`` draws the curves over many sizes, as PNG and SVG; matplotlib is needed. ``--check``
judges tinylfu by the reference: its exit status is 1 if a row is more than a point below what is
wanted there, or the mean of the rows below the mean of what is wanted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import climbing, cores
from benchmarks.belady import next_uses, optimum
from benchmarks.machine import machine
from benchmarks.tables import bold_best, render, write_into
from benchmarks.workloads import MOONSHOT, Workload, made_up, recorded, reference

JUDGED = "tinylfu"
SLACK = 1.0
POINTS = 12
Row = dict[str, Any]
_MISSING = object()


def hit_ratio(package: Any, policy: str, size: int, keys: Sequence[object]) -> float:
    """The hit ratio in percent of a table under that policy: look up, store what is missing."""
    table = package._core.Table(size, policy=policy, width=1)
    get, put = table.get, table.put
    for key in zip(keys, strict=True):
        if get(key, _MISSING) is _MISSING:
            put(key, None)
    hits: int = table.counters()[0]
    return 100 * hits / len(keys)


def measure(package: Any, policies: Sequence[str], workload: Workload) -> Iterator[Row]:
    """One row for each size: the policies' figures, the optimum's, and those that are known."""
    name, keys = workload.trace
    uses = next_uses(keys)
    for size in workload.sizes:
        row = {"trace": name, "size": size, "requests": len(keys)}
        for policy in policies:
            say(f"{name}, {size:,} entries, {policy}")
            row[policy] = round(hit_ratio(package, policy, size, keys), 2)
        say(f"{name}, {size:,} entries, a hill climber")
        row["climbing"] = round(climbing.hit_ratio(keys, size), 2)
        row["optimum"] = round(100 * optimum(keys, size, uses), 2)
        known = reference().get((name, size), {})
        yield row | {other: known[other] for other in ("caffeine", "wanted") if other in known}


def say(doing: str) -> None:
    """Tells on stderr what is being measured, on one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r{doing:<60}\r", end="", file=sys.stderr, flush=True)
    else:
        print(doing, file=sys.stderr, flush=True)


def text(rows: Iterable[Row], policies: Sequence[str], markdown: bool = False) -> str:
    """The rows as a table; the docs' one has no targets, and each row's best in bold."""
    others = ["climbing", "caffeine", "wanted", "optimum"]
    if markdown:
        others.remove("wanted")
    lines = [["trace", "size", *policies, *others]]
    for row in rows:
        own = [f"{row[name]:.2f}" for name in policies]
        known = [f"{row[name]:.2f}" if name in row else "–" for name in others]
        best = bold_best(own) if markdown else own
        lines.append([row["trace"], f"{row['size']:,}", *best, *known])
    return render(lines, markdown)


def shortfalls(rows: Sequence[Row], policy: str = JUDGED) -> list[str]:
    """In which rows, and whether on the whole, the policy reaches less than is wanted."""
    judged = [row for row in rows if "wanted" in row and policy in row]
    if not judged:
        return ["nothing was measured that has a reference"]
    short = [
        f"{row['trace']}, {row['size']}: {row[policy]:.2f}, wanted {row['wanted']:.2f} - {SLACK:g}"
        for row in judged
        if row[policy] < row["wanted"] - SLACK
    ]
    own, wanted = (mean(row[name] for row in judged) for name in (policy, "wanted"))
    if own < wanted:
        short.append(f"mean of {len(judged)} rows: {own:.2f}, wanted {wanted:.2f}")
    return short


def moonshot(rows: Sequence[Row], policy: str = JUDGED) -> list[str]:
    """The policy on the reference rows and the Zipf streams together, beside the others."""
    judged = [row for row in rows if "wanted" in row or row["trace"] in MOONSHOT]
    if not judged or policy not in judged[0]:
        return []
    others = [name for name in judged[0] if name in ("lru", "s3fifo", "climbing", "optimum")]
    lines = [f"{len(judged)} rows, mean of {policy}: {mean(row[policy] for row in judged):.2f}"]
    lines += [f"  mean of {name}: {mean(row[name] for row in judged):.2f}" for name in others]
    if "lru" in others:
        worst = min(judged, key=lambda row: row[policy] - row["lru"])
        apart = worst[policy] - worst["lru"]
        lines.append(f"  least above lru: {apart:+.2f} ({worst['trace']}, {worst['size']:,})")
    return lines


def curve_of(workload: Workload) -> Workload:
    """The workload at many sizes, evenly spread on a logarithmic scale."""
    distinct = workload.trace.distinct
    low = max(1, min(workload.sizes) // 4)
    high = max(low, min(max(workload.sizes) * 4, round(distinct * 0.95)))
    steps = (high / low) ** (1 / (POINTS - 1))
    return workload._replace(sizes=tuple(sorted({round(low * steps**n) for n in range(POINTS)})))


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--core", choices=cores.NAMES, default="compiled")
    parser.add_argument("--traces", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--no-made-up", action="store_true", help="recorded traces only")
    parser.add_argument("--only", default="", help="workloads whose name has this in it")
    parser.add_argument("--policies", metavar="A,B", help="these only")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw the curves in there")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="write the table into a page")
    parser.add_argument("--check", action="store_true", help=f"judge {JUDGED}")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measures, prints, draws; gives the exit status."""
    options = arguments(argv)
    try:
        package = cores.load(options.core)
    except cores.CoreMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    policies = options.policies.split(",") if options.policies else package._core.POLICIES
    found = [*recorded(options.traces), *(() if options.no_made_up else made_up())]
    chosen = [workload for workload in found if options.only in workload.trace.name]
    rows = [row for workload in chosen for row in measure(package, policies, workload)]
    about = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "core": options.core}
    heading = ", ".join(["hit ratios in percent", *about.values(), *machine().values()])
    print(heading, text(rows, policies), *moonshot(rows), sep="\n")
    if options.into:
        below = f"{', '.join(about.values())} core."
        write_into(options.into, "hit-ratio", f"{text(rows, policies, markdown=True)}\n\n{below}")
    if options.plot:
        from benchmarks.plots import hit_ratios

        curves = {w.trace.name: [*measure(package, policies, curve_of(w))] for w in chosen}
        hit_ratios(curves, policies, options.plot / "hit-ratio")
    if options.json:
        report = about | {"machine": machine(), "rows": rows}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    if not options.check:
        return 0
    short = shortfalls(rows)
    print(f"{JUDGED}:", *(short or ["as wanted on every row that has a reference"]), sep="\n  ")
    return 1 if short else 0


if __name__ == "__main__":
    raise SystemExit(main())

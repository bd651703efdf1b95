"""The table of promises: every ratio that twat-cache stands for, measured and judged.

Run it from the repository: ``python benchmarks/hit_table.py [--core pure] [--only WORD]
[--rounds N] [--json FILE]``. A row passes if its median keeps the target for this
interpreter's build (``plain`` or ``PGO``). Rows without a target are there to be looked at. Two
threads under the GIL share one interpreter and can't beat one thread but by noise, so that row
counts as printed to two decimals. The exit
status is 1 if a row with a target fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import cores
from benchmarks.machine import build_kind, machine
from benchmarks.measure import ROUNDS
from benchmarks.rows import ROWS, Row, Setting


def judge(row: Row, setting: Setting, build: str) -> dict[str, Any]:
    """One row's figures and whether they keep its promise."""
    target = row.pgo if build == "PGO" else row.plain
    if setting.core == "pure" and not row.binds_pure:
        target = None
    moonshot = row.moonshot if build == "plain" else None
    out: dict[str, Any] = {"row": row.name, "target": target, "moonshot": moonshot}
    try:
        spread, note = row.figure(setting)
    except Exception as error:  # one broken row must not hide the others
        return out | {"error": f"{type(error).__name__}: {error}", "passed": target is None}
    kept = target is None or (spread.median >= target if row.at_least else spread.median <= target)
    return out | spread._asdict() | {"note": note, "passed": kept}


def line(result: dict[str, Any], at_least: bool) -> str:
    """The row as printed."""
    target = result["target"]
    sign = "≥" if at_least else "≤"
    bound = "" if target is None else f"{sign} {target:g}"
    moon = "" if result["moonshot"] is None else f"{result['moonshot']:g}"
    if "error" in result:
        return f"{result['row']:<46} {bound:>7} {moon:>6}  {result['error'][:70]}"
    figure = f"{result['median']:7.3f}   {result['p10']:7.3f} – {result['p90']:7.3f}"
    verdict = "" if target is None else "pass" if result["passed"] else "FAIL"
    noisy = " (noisy: is the machine busy?)" if result["p90"] > 1.5 * result["p10"] > 0 else ""
    return (
        f"{result['row']:<46} {bound:>7} {moon:>6}  {figure}  {verdict:<4} {result['note']}{noisy}"
    )


def main(argv: list[str] | None = None) -> int:
    """Prints the table; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--core", choices=cores.NAMES, default="compiled")
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--build", choices=("plain", "PGO"), default=build_kind())
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    try:
        setting = Setting(cores.load(options.core), options.core, options.rounds)
    except cores.CoreMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    about = machine() | {"core": options.core, "targets": options.build}
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    print(f"{'row':<46} {'target':>7} {'moon':>6}  {'median':>7}   {'p10':>7} – {'p90':>7}")
    results = []
    for row in ROWS:
        if options.only.lower() in row.name.lower():
            results.append(judge(row, setting, options.build))
            print(line(results[-1], row.at_least), flush=True)
    failed = [r["row"] for r in results if not r["passed"]]
    print(
        f"{len(results)} rows, {len(failed)} beyond their target"
        + "".join(f"\n  {n}" for n in failed)
    )
    if options.json:
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        report = {"date": when, "machine": about, "rows": results}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

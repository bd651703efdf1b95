"""How throughput changes when a second thread looks up in the same cache.

``python benchmarks/threads.py [--rounds N] [--core pure] [--markdown] [--json FILE]
[--into PAGE]`` is for builds without the GIL: two threads, each pinned to a CPU of its own, look up
keys that only they know, in one cache. Keys, values and loops are made by the thread that uses
them, for a reference count is dear to everyone but the thread that made the object. What then is
still shared is the callable and the table. Caches are made first, over a function of this module,
as an application's are: CPython 3.13 counts no references of what a thread finds there when it
starts, and those of a callable that is made later cost two threads more than all else here. Beside
the policies stand `functools.lru_cache` and a Python function that does nothing: what two threads
can be had for here. All take turns in every round. Throughput includes the loop; medians are
compared.

With the GIL `scaling` says what a second thread costs; there is nothing to gain.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from statistics import median
from threading import Barrier, Thread
from time import perf_counter_ns
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import cores
from benchmarks.cases import Decorate, hits
from benchmarks.machine import machine
from benchmarks.measure import INT, KEYS, Contender, Spread, compile_loop, quiet, shuffled
from benchmarks.tables import render, write_into

PASSES = 100


def elapsed(made: Contender, threads: int) -> int:
    """Nanoseconds until each of so many threads has made its ``PASSES`` over the look-ups."""
    ready, done = Barrier(threads + 1), Barrier(threads + 1)
    args = made.fresh()

    def work() -> None:
        ready.wait()
        for _ in range(PASSES):
            made.run(args)
        done.wait()

    workers = [Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    start = perf_counter_ns()
    done.wait()
    took = perf_counter_ns() - start
    for worker in workers:
        worker.join()
    return took


def scaling(decorate: Decorate, rounds: int) -> Spread:
    """Throughput of two threads over that of one, on one shared cache, loops included.

    With the GIL both threads keep to one CPU: two would only add the time that the interpreter
    takes to wake a thread on another one. Without it they get all CPUs.
    """
    made = hits("int", decorate)
    with quiet(pin=getattr(sys, "_is_gil_enabled", lambda: True)()):
        pairs = [(elapsed(made, 1), elapsed(made, 2)) for _ in range(rounds)]
    return Spread.of([2 * one / two for one, two in pairs])


class Apart(NamedTuple):
    """Hits per second of one thread, and of two on their own keys."""

    one: float
    two: float

    @property
    def scaling(self) -> float:
        """Two threads' throughput over one's."""
        return self.two / self.one


def own_keys(f: Callable[[int], int], number: int) -> Callable[[], int]:
    """A run over keys that this thread makes and no other knows; gives how many look-ups."""
    keys = [int(str(KEYS * (number + 1) + n)) for n in range(KEYS)]
    loop, calls = compile_loop(INT, f), shuffled(keys)
    loop(keys)

    def run() -> int:
        for _ in range(PASSES // 10):
            loop(calls)
        return len(calls) * (PASSES // 10)

    return run


def throughput(f: Callable[[int], int], threads: int) -> float:
    """Hits per second of so many threads together, each on its own CPU where it can be."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    ready = Barrier(threads)
    spans: list[tuple[int, int, int]] = []

    def work(number: int) -> None:
        if cpus:
            os.sched_setaffinity(0, {cpus[number % len(cpus)]})  # 0: this thread
        run = own_keys(f, number)
        run()
        ready.wait()
        start = perf_counter_ns()
        calls = run()
        spans.append((start, perf_counter_ns(), calls))

    getattr(f, "cache_clear", lambda: None)()  # what is stored shall be these threads' own
    workers = [Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = max(end for _, end, _ in spans) - min(start for start, _, _ in spans)
    return sum(calls for *_, calls in spans) / took * 1e9


def nothing(a: int) -> int:
    """A Python function that does nothing."""
    return a


def compare(package: Any, policies: Sequence[str], rounds: int) -> dict[str, Apart]:
    """Every policy, lru_cache and the empty function, interleaved."""
    room = 4 * KEYS
    made: dict[str, Callable[[int], int]] = {
        f"mcache, {policy}": package.mcache(maxsize=room, policy=policy)(nothing)
        for policy in policies
    }
    made["functools.lru_cache"] = lru_cache(room)(nothing)
    made["an empty Python function"] = nothing
    figures: dict[str, list[Apart]] = {name: [] for name in made}
    names = list(made)
    with quiet(pin=False):
        for turn in range(rounds):
            at = turn % len(names)
            for name in names[at:] + names[:at]:
                f = made[name]
                figures[name].append(Apart(throughput(f, 1), throughput(f, 2)))
    return {
        name: Apart(median(a.one for a in of), median(a.two for a in of))
        for name, of in figures.items()
    }


def text(table: dict[str, Apart], markdown: bool = False) -> str:
    """Millions of hits per second, and their ratio."""
    lines = [["million hits a second", "one thread", "two threads", "two : one"]]
    for name, apart in table.items():
        one, two = apart.one / 1e6, apart.two / 1e6
        lines.append([name, f"{one:.1f}", f"{two:.1f}", f"{apart.scaling:.2f}"])
    return render(lines, markdown)


def main(argv: list[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--core", choices=cores.NAMES, default="compiled")
    parser.add_argument("--policies", metavar="A,B", help="these only")
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
    table = compare(package, policies, options.rounds)
    about = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "core": options.core, **machine()}
    print(", ".join(about.values()), text(table, options.markdown), sep="\n\n")
    if options.into:
        below = f"{', '.join(about.values())}."
        write_into(options.into, "threads", f"{text(table, markdown=True)}\n\n{below}")
    if options.json:
        report = {"machine": about, "table": {name: one._asdict() for name, one in table.items()}}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

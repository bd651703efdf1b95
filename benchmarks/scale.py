"""What a cache costs as it grows: 10^3 to 10^7 entries, every policy, with TTL and weights.

``python benchmarks/scale.py [--quick] [--sizes 1000,1000000] [--policies lru,sieve] [--plain]
[--what hit,eviction] [--core pure] [--markdown] [--json FILE] [--plot FOLDER] [--into PAGE]
[--check]``. The whole takes about half an hour. Measured are, beside ``functools.lru_cache`` in the
same process, round by round:

* ``hit``: a full cache, looked up by uniformly random ints, equal to the stored ones but other
  objects. From some 10^5 entries on memory's latency is what one waits for.
* ``same``: the same, looked up by the stored ints themselves, which needn't be looked into.
* ``miss``: an empty cache is filled, growing as it does.
* ``eviction``: a full cache, asked for keys that it never saw: each is stored, another leaves. The
  keys are ints in a row, the best case of a dict, which finds them in a row too.
* ``scattered``: the same with ints far apart, which lie anywhere in a dict, as strings would.
* ``memory``: resident bytes per entry over the keys, in a process of its own.

Besides, in processes of their own, at the largest size: the longest single call while the cache
grows, the least of several runs; what is longer in one run only, another process took. A function
returns its argument; with weights every entry weighs 1, by a weigher in Python.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import cores
from benchmarks.child import measure_apart, options_of
from benchmarks.hit_ratio import say
from benchmarks.machine import machine
from benchmarks.measure import INT, Contender, compile_loop, ratio, take_turns
from benchmarks.tables import render, write_into

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)
EXTRAS = ("", "-ttl", "-weight")
TIMED = ("hit", "same", "miss", "eviction", "scattered")
HITS = ("hit", "same")
WHAT = (*TIMED, "memory", "pause")
BASELINE = "lru_cache"
FIRST_KEY = 1_000  # above the interpreter's small integers
FAR, FIELD = 0x1E3779B97F4A7C15, 2**61 - 1  # key n lies n steps of FAR on in a field of that size
LOOK_UPS = 20_000
PAUSES = 3
# What is promised, as a ratio to lru_cache at the same size.
PROMISES = {
    ("hit", "lru", 10**7): 0.65,
    ("hit", "sieve", 10**7): 0.55,
    ("same", "lru", 10**7): 0.65,
    ("same", "sieve", 10**7): 0.55,
    ("eviction", "lru", 10**6): 1.00,
}
GIGABYTES, MILLISECONDS = 0.75, 2.0  # 10^7 entries with a TTL; one call on the way there
Decorate = Callable[[Callable[[Any], Any]], Any]


class Figure(NamedTuple):
    """One measurement: nanoseconds or bytes, and the ratio to lru_cache's."""

    what: str
    name: str
    size: int
    value: float
    ratio: float


class NotAllHits(AssertionError):
    """A look-up among the stored keys called the function."""


class Filled:
    """A full cache, and the ways to ask it."""

    def __init__(self, decorate: Decorate, keys: Sequence[int]) -> None:
        self.ran = 0
        self.f = decorate(self._function)
        self.loop, self.empty = compile_loop(INT, self.f), compile_loop(INT, None, body="pass")
        self.keys = keys
        self.loop(keys)

    def _function(self, a: Any) -> Any:
        self.ran += 1
        return a

    def hits(self, stored: Sequence[int]) -> Contender:
        """Random look-ups, other ones in each pass."""
        chance = Random(7)
        return Contender(self.loop, self.empty, lambda: chance.choices(stored, k=LOOK_UPS))

    def evictions(self, new: Iterator[int]) -> Contender:
        """Keys that were never there."""
        return Contender(self.loop, self.empty, lambda: list(islice(new, LOOK_UPS)))

    def check(self) -> None:
        """Raises if anything but the filling has called the function."""
        if self.ran != len(self.keys):
            raise NotAllHits(f"{self.ran - len(self.keys)} look-ups of stored keys missed")


def scattered(start: int) -> Iterator[int]:
    """The keys from number ``start`` on, each far from the one before, none twice."""
    return (number * FAR % FIELD for number in count(start))


class Contest:
    """Our caches against lru_cache at one size; one cache of lru_cache's serves each kind."""

    def __init__(self, size: int, kinds: Sequence[str]) -> None:
        far = islice(scattered(1), size if "scattered" in kinds else 0)
        near = list(range(FIRST_KEY, FIRST_KEY + size))
        self.stored = dict.fromkeys(kinds, near) | {"scattered": list(far)}
        self.unseen: dict[str, Callable[[], Iterator[int]]] = {
            "eviction": lambda: count(FIRST_KEY + size),
            "scattered": lambda: scattered(1 + size),
        }
        self.size = size
        self.theirs: Decorate = lru_cache(size)
        filled = {kind: Filled(self.theirs, self.stored[kind]) for kind in kinds if kind != "miss"}
        self.base = {kind: self._asked(kind, one) for kind, one in filled.items()}

    def _asked(self, kind: str, filled: Filled) -> Contender:
        if kind in HITS:
            asked = filled.keys if kind == "same" else range(FIRST_KEY, FIRST_KEY + self.size)
            return filled.hits(asked)
        return filled.evictions(self.unseen[kind]())

    def rounds(self, kind: str, decorate: Decorate, rounds: int) -> dict[str, list[float]]:
        """Nanoseconds per call, of ours and of lru_cache's, round by round."""
        if kind == "miss":
            keys = self.stored[kind]
            pair = {"own": growth(decorate, keys), "base": growth(self.theirs, keys)}
            return take_turns(pair, min(rounds, 3) if self.size >= 10**6 else rounds)
        own = Filled(decorate, self.stored[kind])
        took = take_turns({"own": self._asked(kind, own), "base": self.base[kind]}, rounds)
        if kind in HITS:
            own.check()
        return took


def growth(decorate: Decorate, keys: Sequence[int]) -> Contender:
    """A new cache in each pass, filled; the old one goes while no clock runs."""
    now: list[Callable[..., object]] = []

    def fresh() -> Sequence[int]:
        now[:] = [compile_loop(INT, decorate(lambda a: a))]
        return keys

    def run(args: Sequence[int]) -> None:
        now[0](args)

    return Contender(run, compile_loop(INT, None, body="pass"), fresh)


def timed(
    package: Any, names: Sequence[str], size: int, kinds: Sequence[str], rounds: int
) -> Iterator[Figure]:
    """The figures that are timed, at one size."""
    contest = Contest(size, kinds)
    for name in names:
        decorate: Decorate = package.mcache(**options_of(f"ours-{name}", size))
        for kind in kinds:
            say(f"{size:,} entries, {name}, {kind}")
            took = contest.rounds(kind, decorate, rounds)
            ours, over = median(took["own"]), ratio(took["own"], took["base"]).median
            yield Figure(kind, name, size, ours, over)


def memory(core: str, names: Sequence[str], size: int) -> Iterator[Figure]:
    """Resident bytes per entry; caches that are small are made often enough to be seen."""
    env, caches = cores.environment(core), max(1, 10**6 // size)
    base = measure_apart("rss", "lru", 1, size, size, caches, env=env)
    for name in names:
        say(f"{size:,} entries, {name}, memory")
        own = measure_apart("rss", f"ours-{name}", 1, size, size, caches, env=env)
        yield Figure("memory", name, size, own, own / base)


def pauses(core: str, names: Sequence[str], size: int) -> dict[str, dict[str, float]]:
    """Milliseconds of the longest call while growing, by the clock and by CPU time."""
    env, found = cores.environment(core), {}
    for name in names:
        say(f"{size:,} entries, {name}, pauses")
        runs = [measure_apart("pause", f"ours-{name}", size, env=env) for _ in range(PAUSES)]
        found[name] = {kind: min(run[kind] for run in runs) / 1e6 for kind in runs[0]}
    return found


def text(figures: Sequence[Figure], what: str, markdown: bool = False) -> str:
    """One table: a line for each cache, a column for each size."""
    cells = {(one.name, one.size): one for one in figures if one.what == what}
    sizes, names = sorted({size for _, size in cells}), list(dict.fromkeys(n for n, _ in cells))
    unit = "B" if what == "memory" else "ns"
    lines = [[f"{what}: {unit} (× lru_cache)", *(f"{size:,}" for size in sizes)]]
    for name in names:
        row = [cells.get((name, size)) for size in sizes]
        lines.append([name, *(f"{one.value:.0f} ({one.ratio:.2f})" if one else "–" for one in row)])
    return render(lines, markdown)


def texts(figures: Sequence[Figure], markdown: bool) -> list[str]:
    """A table for each thing that was measured."""
    return [text(figures, what, markdown) for what in dict.fromkeys(one.what for one in figures)]


def verdicts(figures: Sequence[Figure], longest: dict[str, dict[str, float]]) -> list[str]:
    """What is promised and was measured; broken promises begin with FAIL."""
    lines = []
    for one in figures:
        most = PROMISES.get((one.what, one.name, one.size))
        if most is not None:
            told = f"{one.what}, {one.name}, {one.size:,}: {one.ratio:.2f} × lru_cache, ≤ {most:g}"
            lines.append(_verdict(one.ratio <= most, told))
        if (one.what, one.name, one.size) == ("memory", "lru-ttl", 10**7):
            taken = one.value * one.size / 1e9
            told = f"10^7 entries with TTL: {taken:.2f} GB, ≤ {GIGABYTES:g}"
            lines.append(_verdict(taken <= GIGABYTES, told))
    for name, took in longest.items():
        told = f"longest call while growing, {name}: {took['clock']:.2f} ms, ≤ {MILLISECONDS:g}"
        lines.append(_verdict(took["clock"] <= MILLISECONDS, told))
    return lines


def _verdict(kept: bool, told: str) -> str:
    return f"{'pass' if kept else 'FAIL'}  {told}"


def draw(figures: Sequence[Figure], path: Path) -> None:
    """The plain policies' curves, a panel for each thing measured, lru_cache beside them."""
    from benchmarks.plots import scales

    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for one in figures:
        if "-" in one.name:
            continue
        lines = curves.setdefault(one.what, {})
        lines.setdefault(one.name, []).append((one.size, one.value))
        if one.name == "lru":
            lines.setdefault(BASELINE, []).append((one.size, one.value / one.ratio))
    scales(curves, lambda what: "bytes an entry" if what == "memory" else "ns", path)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="to 10^5 entries, few rounds")
    parser.add_argument("--core", choices=cores.NAMES, default="compiled")
    parser.add_argument("--sizes", metavar="N,N", help="these only")
    parser.add_argument("--policies", metavar="A,B", help="these only")
    parser.add_argument("--plain", action="store_true", help="without TTL and weights")
    parser.add_argument("--what", metavar="A,B", default=",".join(WHAT), help=f"of {WHAT}")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw the curves in there")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="write the tables into a page")
    parser.add_argument("--check", action="store_true", help="status 1 if a promise is broken")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measures, prints, draws; gives the exit status."""
    options = arguments(argv)
    try:
        package = cores.load(options.core)
    except cores.CoreMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    sizes = [int(float(n)) for n in options.sizes.split(",")] if options.sizes else SIZES
    if options.quick:
        sizes, options.rounds = [n for n in sizes if n <= 10**5], 3
    policies = options.policies.split(",") if options.policies else package._core.POLICIES
    extras = EXTRAS[:1] if options.plain else EXTRAS
    names = [f"{policy}{extra}" for extra in extras for policy in policies]
    what = options.what.split(",")
    kinds = [kind for kind in TIMED if kind in what]
    figures: list[Figure] = []
    for size in sizes:
        figures += timed(package, names, size, kinds, options.rounds)
        if "memory" in what:
            figures += memory(options.core, names, size)
    longest = pauses(options.core, policies, max(sizes)) if "pause" in what else {}
    about = {"date": f"{datetime.now(timezone.utc):%Y-%m-%d}", "core": options.core, **machine()}
    kept = verdicts(figures, longest)
    tables = texts(figures, options.markdown)
    print("\n\n".join([", ".join(about.values()), *tables, "\n".join(kept)]))
    if options.into:
        below = f"{', '.join(about.values())}."
        write_into(options.into, "scale", "\n\n".join([*texts(figures, markdown=True), below]))
    if options.plot:
        draw(figures, options.plot / "scale")
    if options.json:
        made = [one._asdict() for one in figures]
        report = {"machine": about, "figures": made, "pauses": longest}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 1 if options.check and any(line.startswith("FAIL") for line in kept) else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The one place that times things: contenders race in rounds, and the ratio is what counts.

How a figure is made, and why so:

* **A loop per contender.** A call is timed where users make it: in a Python ``for`` loop that
  iterates over a ready-made list of arguments, ``for a, b in args: f(a, b)``. The loop is compiled
  anew for every contender, since the interpreter specialises the bytecode of a call site for what
  it saw there; a shared loop would be tuned to whoever ran first.
* **The loop's own cost is subtracted**: in every round the same ``for`` over the same list runs
  with ``pass`` as its body. What stays is the call itself: loading the function and its
  arguments, the call, and dropping its result. (Attribute look-up belongs to a method call, so it
  stays in too; keyword values are loaded from the loop's target, as the positional ones are.)
* **Rounds are interleaved**: in each round every contender runs once for at least
  ``ROUND_NS``, in an order that rotates, so that a change of clock rate or a busy neighbour meets
  all alike. The ratio is taken *within* the round; median, p10 and p90 are of those ratios.
* **The order of the cache really moves**: `shuffled` gives several random permutations of
  the keys one after the other. One hot key would stay in first-level cache and at the list's
  head, where no cache has anything to do.
* The process keeps to one CPU, the idlest, and the garbage collector is off while a round runs.
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from time import perf_counter_ns, thread_time_ns
from typing import Any, NamedTuple, TypeVar

ROUNDS = 32
BUILDS = 4
ROUND_NS = 2_500_000
KEYS = 1000
T = TypeVar("T")


class Shape(NamedTuple):
    """One form of a call: the loop's target and the call in its body."""

    target: str
    call: str


INT = Shape("a", "f(a)")
INTS = Shape("a, b", "f(a, b)")
MIXED = Shape("s, i, k", "f(s, i, kw=k)")
NOTHING = Shape("_", "f()")
METHOD = Shape("o, a", "o.m(a)")
AWAITED = Shape("a", "await f(a)")


class Contender(NamedTuple):
    """Something that can be run over a list of arguments.

    Attributes:
        run: Runs the measured loop once over the arguments given.
        empty: Runs the same loop with an empty body, for the loop's own cost.
        fresh: Gives the arguments; called before every timing, outside of it.
    """

    run: Callable[[Sequence[Any]], object]
    empty: Callable[[Sequence[Any]], object]
    fresh: Callable[[], Sequence[Any]]


class Spread(NamedTuple):
    """Median, p10 and p90 of a set of figures."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """The spread of ``figures`` (at least one)."""
        ordered = sorted(figures)
        last = len(ordered) - 1
        return cls(median(ordered), ordered[round(last * 0.1)], ordered[round(last * 0.9)])


def compile_loop(shape: Shape, f: object, *, body: str | None = None) -> Callable[..., object]:
    """A freshly compiled loop of ``shape`` over its argument, calling ``f``."""
    scope: dict[str, Any] = {}
    # exec, since it is the interpreter's own call path that is to be measured
    kind = "async def" if "await" in shape.call else "def"
    exec(f"{kind} loop(args, f):\n for {shape.target} in args:\n  {body or shape.call}\n", scope)
    loop = scope["loop"]
    return lambda args: loop(args, f)


def contender(
    shape: Shape,
    f: object,
    args: Sequence[Any],
    drive: Callable[[Any], object] | None = None,
) -> Contender:
    """``f`` called in ``shape`` with each of ``args``; ``drive`` runs the loop of a coroutine."""
    run, empty = compile_loop(shape, f), compile_loop(shape, f, body="pass")
    if drive is not None:
        go, idle = run, empty
        return Contender(lambda a: drive(go(a)), lambda a: drive(idle(a)), lambda: args)
    return Contender(run, empty, lambda: args)


def shuffled(keys: Sequence[T], times: int = 10, seed: int = 2) -> list[T]:
    """``times`` random permutations of ``keys`` in a row: every key is met, and LRU order moves."""
    chance = random.Random(seed)
    return [key for _ in range(times) for key in chance.sample(keys, len(keys))]


def idlest(cpus: set[int]) -> int:
    """The CPU that gives us most of its time, of the last eight: two benchmarks part ways."""
    share = {}
    for cpu in sorted(cpus)[-8:]:
        os.sched_setaffinity(0, {cpu})
        start, used = perf_counter_ns(), thread_time_ns()
        while perf_counter_ns() - start < 5_000_000:
            pass
        share[cpu] = (thread_time_ns() - used) / (perf_counter_ns() - start)
    return max(share, key=lambda cpu: round(share[cpu], 1))


@contextmanager
def quiet(pin: bool = True) -> Iterator[None]:
    """One CPU (where the platform can), and no garbage collection, inside the block."""
    before = os.sched_getaffinity(0) if pin and hasattr(os, "sched_setaffinity") else None
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        if before:
            os.sched_setaffinity(0, {idlest(before)})
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)
        if collecting:
            gc.enable()


def net_ns(one: Contender, repeats: int) -> float:
    """Nanoseconds per call in one timing of ``repeats`` passes, without the loop's own cost.

    All passes count, since work that comes now and then belongs to the price; of the empty ones
    the median does, for an interruption there must not make the calls look cheaper.
    """
    total = calls = 0
    empty = []
    for _ in range(repeats):
        args = one.fresh()
        start = perf_counter_ns()
        one.run(args)
        middle = perf_counter_ns()
        one.empty(args)
        empty.append(perf_counter_ns() - middle)
        total += middle - start
        calls += len(args)
    return max(total - median(empty) * repeats, 1) / calls


def repeats_for(one: Contender, round_ns: int = ROUND_NS) -> int:
    """How many passes make a timing of at least ``round_ns``; warms the contender up, too."""
    took = []
    for _ in range(3):
        args = one.fresh()
        start = perf_counter_ns()
        one.run(args)
        took.append(perf_counter_ns() - start)
        one.empty(args)
    return max(1, -(-round_ns // max(min(took), 1)))


def race(
    makers: dict[str, Callable[[], Contender]], rounds: int = ROUNDS, round_ns: int = ROUND_NS
) -> dict[str, list[float]]:
    """Nanoseconds per call of every contender, one figure per round, rounds interleaved.

    The contenders are made anew ``BUILDS`` times, at other addresses: where identity hashes and
    cache lines happen to fall moves a figure by several per cent (methods: 8 %). Who is made
    first changes from build to build: the one made second was 5 % faster at methods.
    """
    names = list(makers)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for build in range(min(BUILDS, rounds)):
        made = {name: makers[name]() for name in (names, names[::-1])[build % 2]}
        contenders = {name: made[name] for name in names}
        turns = len(range(build, rounds, BUILDS))
        for name, took in take_turns(contenders, turns, round_ns).items():
            figures[name] += took
    return figures


def take_turns(
    contenders: dict[str, Contender], rounds: int, round_ns: int = ROUND_NS
) -> dict[str, list[float]]:
    """What `race` does with contenders that are there already."""
    names = list(contenders)
    figures: dict[str, list[float]] = {name: [] for name in names}
    with quiet():
        repeats = {name: repeats_for(one, round_ns) for name, one in contenders.items()}
        for turn in range(rounds):
            at = turn % len(names)
            for name in names[at:] + names[:at]:
                figures[name].append(net_ns(contenders[name], repeats[name]))
    return figures


def ratio(ours: Sequence[float], baseline: Sequence[float]) -> Spread:
    """Ours over the baseline, round by round."""
    return Spread.of([a / b for a, b in zip(ours, baseline, strict=True)])


def duel(
    ours: Callable[[], Contender], baseline: Callable[[], Contender], rounds: int = ROUNDS
) -> tuple[Spread, float, float]:
    """The ratio of two contenders, and the median nanoseconds of either."""
    times = race({"ours": ours, "baseline": baseline}, rounds)
    mine, theirs = times["ours"], times["baseline"]
    return ratio(mine, theirs), median(mine), median(theirs)

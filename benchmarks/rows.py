"""The promises, row by row: what is raced, and what the ratio may be at most."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from benchmarks import cases, cores
from benchmarks.child import ROOM, measure_apart, measure_import
from benchmarks.measure import KEYS, Contender, Spread, duel, ratio
from benchmarks.scale import Contest
from benchmarks.threads import scaling

FORBIDDEN = {"asyncio", "sqlite3", "logging", "inspect", "dataclasses", "typing", "re"}
Make = Callable[[], Contender]
lru = functools.lru_cache(KEYS)


class Setting(NamedTuple):
    """What a row is measured on: the package, its core's name, how many rounds."""

    package: Any
    core: str
    rounds: int

    def ours(self, **options: Any) -> Any:
        """Our decorator with room for exactly the keys, and otherwise its defaults."""
        return self.package.mcache(maxsize=KEYS, **options)


class Figure(NamedTuple):
    """What a row came to, and the plain figures behind it."""

    spread: Spread
    note: str = ""


class Row(NamedTuple):
    """One promise. ``plain`` and ``pgo`` are the bounds by interpreter build; None: no promise."""

    name: str
    plain: float | None
    pgo: float | None
    moonshot: float | None
    figure: Callable[[Setting], Figure]
    at_least: bool = False
    binds_pure: bool = False


def _duel(s: Setting, ours: Make, baseline: Make) -> Figure:
    spread, a, b = duel(ours, baseline, s.rounds)
    return Figure(spread, f"{a:.1f} : {b:.1f} ns")


def _hit(name: str, **options: Any) -> Callable[[Setting], Figure]:
    return lambda s: _duel(
        s, lambda: cases.hits(name, s.ours(**options)), lambda: cases.hits(name, lru)
    )


def _lru_hit(name: str) -> Callable[[Setting], Figure]:
    return lambda s: _duel(
        s, lambda: cases.hits(name, s.package.lru_cache(KEYS)), lambda: cases.hits(name, lru)
    )


def _method(per_instance: bool = False) -> Callable[[Setting], Figure]:
    def figure(s: Setting) -> Figure:
        def ours() -> Contender:
            room = KEYS // cases.INSTANCES
            own = s.package.mcache(maxsize=room, per_instance=True) if per_instance else s.ours()
            return cases.method_hits(own)

        return _duel(s, ours, lambda: cases.method_hits(lru))

    return figure


def _miss(s: Setting) -> Figure:
    return _duel(s, lambda: cases.misses(s.ours()), lambda: cases.misses(lru))


def _policy(
    make: Callable[[Any], Contender], policy: str, baseline: str = "lru"
) -> Callable[[Setting], Figure]:
    """What the policy costs beside our own ``lru``, or beside ``lru_cache``."""

    def figure(s: Setting) -> Figure:
        beside = s.ours(policy="lru") if baseline == "lru" else lru
        return _duel(s, lambda: make(s.ours(policy=policy)), lambda: make(beside))

    return figure


def _evicting_million(policy: str) -> Callable[[Setting], Figure]:
    def figure(s: Setting) -> Figure:
        size = 10**6
        contest = Contest(size, ["eviction"])
        took = contest.rounds("eviction", s.package.mcache(maxsize=size, policy=policy), s.rounds)
        own, base = took["own"], took["base"]
        return Figure(ratio(own, base), f"{median(own):.0f} : {median(base):.0f} ns")

    return figure


def _awaited(s: Setting) -> Figure:
    loop = asyncio.new_event_loop()
    acache = s.package.acache(maxsize=KEYS)
    try:
        return _duel(
            s, lambda: cases.awaited_hits(acache, loop), lambda: cases.awaited_nothing(loop)
        )
    finally:
        loop.close()


@functools.cache
def _bytes(core: str, who: str, arity: int, entries: int, maxsize: int) -> float:
    figure: float = measure_apart("rss", who, arity, entries, maxsize, env=cores.environment(core))
    return figure


def _memory(who: str, arity: int, entries: int, full: bool = False) -> Callable[[Setting], Figure]:
    def figure(s: Setting) -> Figure:
        maxsize = entries if full else ROOM
        a = _bytes(s.core, who, arity, entries, maxsize)
        b = _bytes(s.core, "lru", arity, entries, maxsize)
        return Figure(Spread.of([a / b]), f"{a:.0f} : {b:.0f} B")

    return figure


def _collection(s: Setting) -> Figure:
    env = cores.environment(s.core)
    ours, theirs = (
        [measure_apart("collection", who, 1_000_000, env=env) for _ in range(3)]
        for who in ("ours", "lru")
    )
    a, b = sorted(ours)[1], sorted(theirs)[1]
    return Figure(ratio(ours, theirs), f"{a / 1e6:.2f} : {b / 1e6:.2f} ms")


def _threads(s: Setting) -> Figure:
    return Figure(scaling(s.ours(), s.rounds), f"lru_cache: {scaling(lru, s.rounds).median:.3f}")


def _pure_hit(name: str) -> Callable[[Setting], Figure]:
    def figure(s: Setting) -> Figure:
        from cachetools import LRUCache, cached

        pure = cores.load("pure")
        return _duel(
            s,
            lambda: cases.hits(name, pure.mcache(maxsize=KEYS)),
            lambda: cases.hits(name, cached(LRUCache(KEYS))),
        )

    return figure


def _imports(s: Setting) -> list[dict[str, Any]]:
    env = cores.environment(s.core)
    measure_import(env)  # writes the bytecode
    return [measure_import(env) for _ in range(15)]


def _import_time(s: Setting) -> Figure:
    return Figure(Spread.of([run["ns"] / 1e6 for run in _imports(s)]), "ms")


def _import_count(s: Setting) -> Figure:
    modules = measure_import(cores.environment(s.core))["modules"]
    heavy = sorted(FORBIDDEN.intersection(modules))
    count = float(len(modules))
    return Figure(
        Spread.of([count + 1000 * len(heavy)]), " ".join(["loads:", *heavy] * bool(heavy))
    )


def _decorating(s: Setting) -> Figure:
    return _duel(
        s,
        lambda: cases.decorations(s.package.mcache),
        lambda: cases.decorations(functools.lru_cache),
    )


_int_hits = functools.partial(cases.hits, "int")


def _policies() -> list[Row]:
    most = {"fifo": 1.0, "sieve": 1.0, "s3fifo": 1.0, "lfu": 1.6, "tinylfu": 1.6}
    return [
        *(Row(f"hit under {p} : lru", m, m, None, _policy(_int_hits, p)) for p, m in most.items()),
        *(
            Row(f"hit under {p} : lru_cache", 1.0, 1.0, None, _policy(_int_hits, p, "lru_cache"))
            for p in ("lfu", "tinylfu")
        ),
        *(
            Row(f"eviction under {p} : lru", m, m, None, _policy(cases.insertions, p))
            for p, m in {"sieve": None, "s3fifo": None, "lfu": None, "tinylfu": 2.0}.items()
        ),
        *(
            Row(f"eviction under {p} at 10^6 : lru_cache", m, m, None, _evicting_million(p))
            for p, m in {"lru": 1.0, "tinylfu": None}.items()
        ),
    ]


def _sizes(name: str, who: str, arity: int, most: float) -> list[Row]:
    return [
        Row(f"RSS per entry, {name}, {n / 1e6:g} M", most, most, 0.45, _memory(who, arity, n))
        for n in (700_000, 1_000_000, 1_100_000)
    ]


ROWS: list[Row] = [
    Row("f(int)", 0.50, 0.70, 0.40, _hit("int")),
    Row("f(int), equal copies", None, None, None, _hit("int_copy")),
    Row("f(str), equal copies", 0.60, 0.80, 0.45, _hit("str")),
    Row("f(str), same objects", None, None, None, _hit("str_same")),
    Row("f(int) with TTL", 0.58, 0.78, 0.48, _hit("int", ttl=3600)),
    Row("f(int, int)", 0.50, 0.60, 0.35, _hit("int_int")),
    Row("f(str, int, kw=int)", 0.28, 0.42, 0.18, _hit("mixed")),
    Row("f(str, int, kw=int), equal copies", None, None, None, _hit("mixed_copy")),
    Row("f(str, int, kw=int) with TTL", 0.33, 0.48, 0.18, _hit("mixed", ttl=3600)),
    Row("f(tuple)", 0.60, 0.75, 0.40, _hit("tuple")),
    Row("f(tuple), equal copies", None, None, None, _hit("tuple_copy")),
    Row("f()", 0.60, 0.75, 0.45, _hit("none")),
    Row("obj.m(int), weak", 0.55, 0.70, 0.40, _method()),
    Row("obj.m(int), a table per instance", None, None, None, _method(per_instance=True)),
    Row("our lru_cache, f(int)", 0.55, 0.72, 0.45, _lru_hit("int")),
    Row("our lru_cache, f(int, int)", 0.55, 0.65, 0.45, _lru_hit("int_int")),
    Row("miss with insertion and eviction", 1.00, 1.15, 0.80, _miss),
    Row("awaited hit : empty async def", 1.60, 1.60, 0.90, _awaited),
    *_sizes("f(int)", "ours", 1, 0.55),
    *_sizes("f(int) with TTL", "ours-ttl", 1, 0.65),
    *_sizes("f(int, int)", "ours", 2, 0.55),
    Row("RSS per entry, f(int), full at 1 M", None, None, None, _memory("ours", 1, 10**6, True)),
    Row("full collection, a million entries: extra", 0.20, 0.20, None, _collection),
    Row("2 threads : own one thread", 1.0, 1.0, None, _threads, at_least=True),
    Row("pure core : cachetools, f(int)", 0.60, 0.60, None, _pure_hit("int"), binds_pure=True),
    Row("pure core : cachetools, f(int, int)", None, None, None, _pure_hit("int_int")),
    Row("import and first decoration, ms", 5.0, 5.0, None, _import_time, binds_pure=True),
    Row("modules that the import loads", 25, 25, None, _import_count, binds_pure=True),
    Row("decorating : lru_cache", 1.50, 1.50, None, _decorating),
    *_policies(),
]

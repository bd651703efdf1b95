"""What has to be measured in a process of its own: memory, full collections, imports.

Run as a script by `measure_apart`, so that little but what is measured lives in the process; it
prints one JSON value. An import is measured in a process that hasn't loaded even this file.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import Any

ROOM = 2_000_000
IMPORT = """
import functools, sys, time
def function(a: int, b: int = 0) -> int: return a
functools.lru_cache(function)
before = set(sys.modules)
start = time.perf_counter_ns()
import twat_cache
twat_cache.mcache(function)
took = time.perf_counter_ns() - start
new = sorted(set(sys.modules) - before)
import json
print(json.dumps({"ns": took, "modules": new}))
"""
FUNCTOOLS = """
import time
start = time.perf_counter_ns()
import functools
print(time.perf_counter_ns() - start)
"""


def measure_apart(what: str, *args: object, env: dict[str, str] | None = None) -> Any:
    """The figure that ``child.py WHAT ARGS`` prints, run in a fresh interpreter."""
    return _json_of([__file__, what, *map(str, args)], env)


def measure_import(env: dict[str, str] | None = None) -> dict[str, Any]:
    """Nanoseconds of ``import twat_cache`` and its first decoration; the modules they loaded.

    Bytecode is kept, whatever this process was told, as it is wherever a package is installed;
    the first call writes it.
    """
    rest = {k: v for k, v in (env or os.environ).items() if k != "PYTHONDONTWRITEBYTECODE"}
    figures: dict[str, Any] = _json_of(["-c", IMPORT], rest | {"PYTHONPYCACHEPREFIX": _bytecode()})
    return figures


@cache
def _bytecode() -> str:
    folder = tempfile.mkdtemp(prefix="bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def measure_functools() -> int:
    """Nanoseconds of ``import functools`` in an interpreter that hasn't loaded it (no site)."""
    nanoseconds: int = _json_of(["-S", "-c", FUNCTOOLS], None)
    return nanoseconds


def _json_of(arguments: list[str], env: dict[str, str] | None) -> Any:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{arguments[:2]} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def options_of(who: str, maxsize: int) -> dict[str, Any]:
    """The options of `mcache` that a name says: ``ours``, ``ours-ttl``, ``ours-sieve-ttl-weight``.

    What isn't ``ttl`` or ``weight`` is a policy. With weights each entry weighs 1, and their sum is
    what is bounded.
    """
    options: dict[str, Any] = {"maxsize": maxsize}
    for word in who.split("-")[1:]:
        if word == "ttl":
            options["ttl"] = 3600
        elif word == "weight":
            options |= {"maxsize": None, "max_weight": maxsize, "weigher": _one}
        else:
            options["policy"] = word
    return options


def _one(_: object, *__: object, **___: object) -> int:
    return 1


def _cached(who: str, arity: int, maxsize: int) -> Callable[..., Any]:
    """A function of one or two arguments, decorated by ``lru`` or as `options_of` reads."""

    def one(a: Any) -> Any:
        return a

    def two(a: Any, b: Any) -> Any:
        return b

    function: Callable[..., Any] = one if arity == 1 else two
    if who == "lru":
        from functools import lru_cache

        return lru_cache(maxsize)(function)
    mcache: Any = import_module("twat_cache").mcache
    decorated: Callable[..., Any] = mcache(**options_of(who, maxsize))(function)
    return decorated


def _fill(f: Callable[..., Any], arity: int, keys: Sequence[int]) -> None:
    calls = map(f, keys) if arity == 1 else map(f, keys, reversed(keys))
    for _ in calls:
        pass


def rss(who: str, arity: int, entries: int, maxsize: int, caches: int = 1) -> float:
    """Resident bytes per entry; keys and values are in a list before the count starts.

    Small caches need to be many, since a process grows by pages.
    """
    keys = list(range(1_000, entries + 1_000))
    _fill(_cached(who, arity, 8), arity, keys[:100])  # loads whatever is loaded late
    before = _resident()
    made = [_cached(who, arity, maxsize) for _ in range(caches)]
    for f in made:
        _fill(f, arity, keys)
    return (_resident() - before) / entries / caches


def collection(who: str, entries: int) -> float:
    """Nanoseconds that ``entries`` cached calls add to a full collection."""

    def full() -> int:
        took = []
        for _ in range(9):
            start = perf_counter_ns()
            gc.collect()
            took.append(perf_counter_ns() - start)
        return sorted(took)[4]

    f = _cached(who, 1, ROOM)
    f(0)
    empty = full()
    _fill(f, 1, range(1_000, entries + 1_000))
    return full() - empty


def pause(who: str, entries: int) -> dict[str, int]:
    """Nanoseconds of the longest call while a cache grows: by the clock, and by CPU time.

    The clock also counts what other processes take; CPU time counts what the kernel does for us.
    """
    f = _cached(who, 1, entries)
    f(0)
    gc.disable()  # a collection is nobody's call
    longest = busiest = 0
    before, worked = perf_counter_ns(), thread_time_ns()
    for key in range(1_000, entries + 1_000):
        f(key)
        now, work = perf_counter_ns(), thread_time_ns()
        longest = max(longest, now - before)
        busiest = max(busiest, work - worked)
        before, worked = now, work
    return {"clock": longest, "cpu": busiest}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    args: list[Any] = [int(a) if a.isdigit() else a for a in rest]
    measures: dict[str, Callable[..., object]] = {
        "rss": rss,
        "collection": collection,
        "pause": pause,
    }
    print(json.dumps(measures[what](*args)))

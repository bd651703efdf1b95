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
from time import perf_counter_ns
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


def _cached(who: str, arity: int, maxsize: int) -> Callable[..., Any]:
    """A function of one or two arguments, decorated by ``lru``, ``ours`` or ``ours-ttl``."""

    def one(a: Any) -> Any:
        return a

    def two(a: Any, b: Any) -> Any:
        return b

    function: Callable[..., Any] = one if arity == 1 else two
    if who == "lru":
        from functools import lru_cache

        return lru_cache(maxsize)(function)
    mcache: Any = import_module("twat_cache").mcache
    decorated: Callable[..., Any] = mcache(maxsize, 3600 if who == "ours-ttl" else None)(function)
    return decorated


def _fill(f: Callable[..., Any], arity: int, keys: Sequence[int]) -> None:
    calls = map(f, keys) if arity == 1 else map(f, keys, reversed(keys))
    for _ in calls:
        pass


def rss(who: str, arity: int, entries: int, maxsize: int) -> float:
    """Resident bytes per entry; keys and values are in a list before the count starts."""
    keys = list(range(1_000, entries + 1_000))
    _fill(_cached(who, arity, 8), arity, keys[:100])  # loads whatever is loaded late
    before = _resident()
    f = _cached(who, arity, maxsize)
    _fill(f, arity, keys)
    return (_resident() - before) / entries


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


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    args: list[Any] = [int(a) if a.isdigit() else a for a in rest]
    measures: dict[str, Callable[..., float]] = {"rss": rss, "collection": collection}
    print(json.dumps(measures[what](*args)))

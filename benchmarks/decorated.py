"""Hits of decorated functions, from the disk: ours beside diskcache's and joblib's.

Run it from the repository: ``python -m benchmarks.decorated [--check] [--json] [--rounds 40]
[--folder PATH]``. The table is read as that of `benchmarks.stores`.

All that a call takes is in the time: the key is made of the arguments, looked up, and the value
made again. Nobody has a table in memory before the store. In each round all take turns, with the
same function and the same arguments. The peers are diskcache's ``memoize`` and joblib's ``Memory``,
as they are without options.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from benchmarks.store_races import no_collection, timed
from benchmarks.stores import Row, Times, judge, report
from twat_cache import bcache, ucache

ROUNDS = 40
CALLS = 100
# What is promised of `bcache`, as a ratio to each peer.
PROMISES = {"memoize": 0.8, "Memory": 0.3}


def user(number: int) -> dict[str, Any]:
    """A small dict."""
    return {"id": number, "name": f"user {number}", "is_active": True}


def account(name: str) -> dict[str, Any]:
    """The same, for a text."""
    return {"id": len(name), "name": name, "is_active": True}


def page(number: int) -> str:
    """A text of 1 KB."""
    return f"{number:1024}"


class Case(NamedTuple):
    """A function, and the arguments of its calls."""

    function: Callable[[Any], Any]
    arguments: Sequence[Any]


CASES = {
    "int, dict": Case(user, range(CALLS)),
    "str, dict": Case(account, [f"account:{number}" for number in range(CALLS)]),
    "int, 1 KB": Case(page, range(CALLS)),
}


@contextmanager
def decorated(function: Callable[[Any], Any], folder: str) -> Iterator[dict[str, Any]]:
    """The function as each decorates it, in a folder of its own, by the decorator's name."""
    from diskcache import Cache
    from joblib import Memory

    places = {
        name: os.path.join(folder, name) for name in ("bcache", "ucache", "memoize", "Memory")
    }
    ours = {
        "bcache": bcache(places["bcache"])(function),
        "ucache": ucache(f"sqlite:///{places['ucache']}/store.db")(function),
    }
    library = Cache(places["memoize"])
    memory = Memory(places["Memory"], verbose=0)
    try:
        yield {**ours, "memoize": library.memoize()(function), "Memory": memory.cache(function)}
    finally:
        for one in ours.values():
            one.close()
        library.close()


def measure(case: Case, rounds: int, folder: str) -> Times:
    """The nanoseconds of a hit, by round."""
    times: Times = {}
    with decorated(case.function, folder) as functions:
        for name, function in functions.items():
            for _ in ("computed", "read"):
                if [*map(function, case.arguments)] != [*map(case.function, case.arguments)]:
                    raise SystemExit(f"{name} gives what it wasn't given")
        names = list(functions)
        for turn in range(rounds):
            at = turn % len(names)
            for name in names[at:] + names[:at]:
                with no_collection():
                    took = timed(partial(_call, functions[name], case.arguments))
                times.setdefault(("hit", name), []).append([took / len(case.arguments)])
    return times


def _call(function: Callable[[Any], Any], arguments: Sequence[Any]) -> None:
    for argument in arguments:
        function(argument)


def main(argv: list[str] | None = None) -> int:
    """Prints the table; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail if a row is beyond its bound")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--folder", help="where to make the stores; the default is for temporaries")
    options = parser.parse_args(argv)
    results = []
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            times = measure(case, options.rounds, folder)
        for ours in ("bcache", "ucache"):
            for peer, bound in PROMISES.items():
                promised = bound if ours == "bcache" else None
                results.append(judge(Row(ours, name, "hit", peer, promised), times))
    return report(results, check=options.check, as_json=options.json)


if __name__ == "__main__":
    raise SystemExit(main())

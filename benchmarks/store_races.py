"""Races of stores: one process alone, and one beside another that uses the same store."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from hashlib import blake2b
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Any

from benchmarks.store_contestants import Items, Store, open_store

Work = Callable[[Store], list[float]]
"""Runs over a store; gives the nanoseconds of its calls."""

ROOT = str(Path(__file__).resolve().parent.parent)
BYTES = 8_000_000  # of the keys' values together, of a round's, and of the values to choose from
BATCH = 100
FILL = 40_000_000  # written before the race: SQLite's logs have been cut once and are warm


def keys_for(size: int) -> list[str]:
    """Keys as the decorators make them, 200 or as many values of the size as `BYTES` has."""
    number = max(3, min(200, BYTES // size))
    digests = (blake2b(b"%d" % n, digest_size=16).hexdigest() for n in range(number))
    return [f"results:shop.prices:v1:{digest}" for digest in digests]


def values_for(size: int, seed: int) -> list[bytes]:
    """Values to choose from; none is like another."""
    chance = random.Random(seed)
    return [chance.randbytes(size) for _ in range(max(4, min(37, BYTES // size)))]


class Neighbour:
    """A second process, which gets and puts as fast as it can when it is told to."""

    def __init__(self, folder: str, size: int) -> None:
        command = [sys.executable, "-m", "benchmarks.store_neighbour", folder, str(size)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)

    def tell(self, words: str) -> str:
        """Says something and waits for the answer."""
        stdin: Any = self._process.stdin
        stdout: Any = self._process.stdout
        stdin.write(words + "\n")
        stdin.flush()
        answer: str = stdout.readline().strip()
        return answer

    @contextmanager
    def at_work(self, name: str) -> Iterator[None]:
        """Inside the block it uses this contestant's store."""
        if self.tell(name) != "begun":
            raise RuntimeError(f"the second process can't use {name}")
        try:
            yield
        finally:
            self.tell("stop")

    def close(self) -> None:
        self._process.communicate("")


class Field:
    """The contestants on one folder, and the keys and values of one size, to race in rounds.

    Args:
        folder: An empty one.
        size: Of each value, in bytes.
        names: Which contestants.
        beside: Whether a second process is at work on the same store as the first, always.
    """

    def __init__(self, folder: str, size: int, names: Sequence[str], *, beside: bool) -> None:
        self.keys = keys_for(size)
        self._size = size
        self._chance = random.Random(size)
        self._values = values_for(size, seed=0)
        self._now: dict[str, bytes] = {}
        self.calls = max(6, min(300, BYTES // size))
        self._exit = ExitStack()
        self.stores: dict[str, Store] = {}
        for name in names:
            self.stores[name] = store = open_store(name, folder, self.keys)
            self._exit.callback(store.close)
        self._neighbour = None
        if beside:
            self._neighbour = Neighbour(folder, size)
            self._exit.callback(self._neighbour.close)
        self._fill()

    def __enter__(self) -> Field:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._exit.close()

    def _fill(self) -> None:
        all_keys = self.other_bytes(self.keys)
        for store in self.stores.values():
            store.write(all_keys)
        # a put of a few bytes writes a page of 4 KB
        for _ in range(FILL // max(self._size, 4096) // self.calls + 1):
            items = self.other_bytes(self.some_keys())
            for store in self.stores.values():
                store.write(items)

    def some_keys(self) -> list[str]:
        """The keys of a round, at random."""
        return self._chance.choices(self.keys, k=self.calls)

    def other_bytes(self, keys: Sequence[str]) -> Items:
        """The keys, each with a value that it doesn't have."""
        items = []
        for key in keys:
            value = self._chance.choice(self._values)
            while value is self._now.get(key):
                value = self._chance.choice(self._values)
            self._now[key] = value
            items.append((key, value))
        return items

    def race(self, work: Work, turn: int) -> dict[str, list[float]]:
        """One round: the nanoseconds of each contestant's calls, in an order that rotates.

        Args:
            work: What all do; the same keys and values for each.
            turn: The number of the round.
        """
        names = list(self.stores)
        at = turn % len(names)
        took = {}
        for name in names[at:] + names[:at]:
            neighbour = self._neighbour.at_work(name) if self._neighbour else nullcontext()
            with neighbour, no_collection():
                took[name] = work(self.stores[name])
        return took

    def gets(self) -> Work:
        """A get of each of some keys."""
        keys = self.some_keys()
        return lambda store: [timed(lambda: store.read(keys)) / len(keys)]

    def puts(self) -> Work:
        """A put of each of some keys, with other bytes."""
        items = self.other_bytes(self.some_keys())
        return lambda store: [timed(lambda: store.write(items)) / len(items)]

    def puts_timed(self) -> Work:
        """As `puts`, each timed by itself."""
        items = self.other_bytes(self.some_keys())
        return lambda store: [timed(partial(store.write, [item])) for item in items]

    def puts_again(self) -> Work:
        """A put of each of some keys, with the bytes that it has."""
        items = [(key, self._now[key]) for key in self.some_keys()]
        return lambda store: [timed(lambda: store.write(items)) / len(items)]

    def batches(self) -> Work:
        """One put of many keys, with other bytes."""
        number = min(BATCH, len(self.keys))
        items = self.other_bytes(self._chance.sample(self.keys, number))
        return lambda store: [timed(lambda: store.write_all(items)) / number]


def timed(run: Callable[[], object]) -> float:
    """The nanoseconds that it takes."""
    start = perf_counter_ns()
    run()
    return perf_counter_ns() - start


@contextmanager
def no_collection() -> Iterator[None]:
    """No garbage collection inside the block."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

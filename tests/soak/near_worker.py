"""What one process with near tables does in the soak of coherence: anything, at random.

There are three kinds of keys. What is stored under *plain* ones is written to the cache alone. The
others stand for a database: their values are numbers in memory that all processes share. A change
writes there first, and then deletes, overwrites or drops a tag. Loads read there and take a while,
and what is just being loaded is changed more often than the rest, so that many are overtaken.
*Leased* ones are loaded under a lease of the whole fleet.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from random import Random

from tests.soak.history import DELETE, GET, INVALIDATE, NOTHING, SET, Log
from twat_cache import AsyncCache, Cache, EngineError, LoadTimeoutError, open_engine
from twat_cache._coherence.coherence import Coherence
from twat_cache._guard.outbox import Outbox
from twat_cache._stores.changes import Changes

PLAIN, TRUE = 1000, 200  # keys
KEYS = {"plain": range(PLAIN), "loaded": range(PLAIN, PLAIN + TRUE)}
KEYS["leased"] = range(PLAIN + TRUE, PLAIN + 2 * TRUE)
TAGS = 50
THREADS = 2
LANES = 64  # of all processes, at most
LOAD = 0.02  # seconds, at most
LEASE = 1.0  # seconds
OVERTAKE = 0.2  # of the operations on true keys while one of them is being loaded
NEVER = 1 << 62
PATIENCE = 10.0  # seconds after the end for what is due to reach the server
now = time.monotonic_ns


def name_of(key: int) -> str:
    return f"key{key}"


def tag_of(key: int) -> str:
    return f"tag{key % TAGS}"


class Truth:
    """Numbers in a file that all map: those of the keys, and which keys are just being loaded."""

    def __init__(self, folder: str) -> None:
        path = os.path.join(folder, "truth")
        keys = PLAIN + 2 * TRUE
        size = 8 * (keys + LANES)
        with open(path, "ab") as file:
            file.truncate(size)
        with open(path, "r+b") as file:
            numbers = memoryview(mmap.mmap(file.fileno(), size)).cast("q")
        self.numbers = numbers[:keys]
        self.loading = numbers[keys:]


def opened(url: str, given):
    """The engine, of the colour that is wanted."""
    return open_engine(url, async_=given.awaited)


class Blocking:
    """What is awaited, for a thread that has an event loop of its own."""

    def __init__(self, awaited, loop: asyncio.AbstractEventLoop) -> None:
        self._awaited = awaited
        self._loop = loop

    def __getattr__(self, name):
        method = getattr(self._awaited, name)

        def call(*args, **options):
            return self._loop.run_until_complete(method(*args, **options))

        return call


@contextmanager
def in_a_thread(given, *those):
    """The engine or caches, as this thread may call them."""
    if not given.awaited:
        yield those
        return
    loop = asyncio.new_event_loop()
    try:
        yield [Blocking(one, loop) for one in those]
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def stores(engine, given) -> dict[str, Cache]:
    """The cache for each kind of key."""
    way = "pubsub" if given.way == "notify" else given.way
    options = {"coherence": {"by": way, "bound": given.bound}, "tag_ttl": given.bound, "ttl": 3600}
    near = ["memory", engine]
    kind = AsyncCache if given.awaited else Cache
    return {
        "plain": kind(near, **options),
        "loaded": kind(near, namespace="loaded", **options),
        "leased": kind(
            near, namespace="leased", single_flight="process", hard_timeout=LEASE, **options
        ),
    }


def plant(error: str) -> None:
    if error == "deaf":
        Coherence.changed = lambda self, keys, *, by_hand: None
    elif error == "bold":
        alive = Coherence.alive_until
        Coherence.alive_until = lambda self, moment: alive(self, now() + 10**12)
        Coherence.emptied = lambda self: None
    elif error == "stubborn":
        Changes._ground = lambda self, key: None
    elif error == "forgetful":
        Outbox.drop = lambda self, keys: None


class Lane:
    """One thread of it."""

    caches: dict[str, Cache]

    def __init__(self, number: int, engine, truth: Truth, chance, numbers) -> None:
        self.number = number
        self.circuit = engine.circuit
        self.truth = truth.numbers
        self.loading = truth.loading
        self.chance = chance
        self.numbers = numbers
        self.log = Log()
        self.counts: Counter[str] = Counter()
        self.due: list[tuple[int, int, int, int]] = []

    def run(self, until: int) -> None:
        """Does what chance says until then, and waits for what is due."""
        while now() < until:
            act = self.chance.random()
            kind = "plain" if act < 0.7 else "loaded" if act < 0.9 else "leased"
            keys = KEYS[kind]
            some = int(self.chance.expovariate(20) * len(keys))  # some much more often
            key = keys[min(some, len(keys) - 1)]
            self.settle()
            try:
                (self.plain if kind == "plain" else self.true)(self.caches[kind], kind, key)
            except (EngineError, LoadTimeoutError):
                self.counts["refused"] += 1
        end = time.monotonic() + PATIENCE
        while self.due and time.monotonic() < end:
            time.sleep(0.01)
            self.settle()
        for change in self.due:
            self.log.note(*change, NEVER)

    def plain(self, cache: Cache, _: str, key: int) -> None:
        """One operation on a key that is nowhere but in the cache."""
        act = self.chance.random()
        begin = now()
        if act < 0.96:
            number = cache.get(name_of(key), NOTHING)
            self.log.note(GET, key, number, begin, now())
            self.counts["get"] += 1
        elif act < 0.985:  # if it fails it may be done or not: it is neither right nor wrong
            number = next(self.numbers)
            cache.set(name_of(key), number, tags=[tag_of(key)])
            self.log.note(SET, key, number, begin, now())
            self.counts["set"] += 1
        elif act < 0.997:
            cache.delete(name_of(key))
            self.acknowledged((DELETE, key, NOTHING, begin))
            self.counts["delete"] += 1
        else:
            cache.invalidate_tags(tag_of(key))
            those = range(key % TAGS, PLAIN, TAGS)
            self.acknowledged(*((INVALIDATE, one, NOTHING, begin) for one in those))
            self.counts["invalidate_tags"] += 1

    def true(self, cache: Cache, kind: str, key: int) -> None:
        """One operation on a key that has its number in memory."""
        act = self.chance.random()
        others = [one for one in self.loading if one in KEYS[kind]]
        if others and self.chance.random() < OVERTAKE:
            key, act = self.chance.choice(others), self.chance.uniform(0.96, 1)
        begin = now()
        if act < 0.96:
            load = partial(self.load, kind, key, self.chance.uniform(0, LOAD))
            number = cache.get_or_load(name_of(key), load, tags=[tag_of(key)])
            self.log.note(GET, key, number, begin, now())
            self.counts[f"{kind}: get_or_load"] += 1
            return
        number = self.truth[key] = next(self.numbers)
        try:
            if act < 0.98:
                cache.delete(name_of(key))
                how = "delete"
            elif act < 0.99:
                cache.invalidate_tags(tag_of(key))
                how = "invalidate_tags"
            else:
                cache.set(name_of(key), number, tags=[tag_of(key)])
                how = "set"
        except EngineError:
            self.log.note(SET, key, number, begin, NEVER)
            raise
        self.acknowledged((SET, key, number, begin))
        self.counts[f"{kind}: {how}"] += 1

    def load(self, kind: str, key: int, seconds: float) -> int:
        """What is true as it begins."""
        self.loading[self.number] = key
        number = self.truth[key]
        time.sleep(seconds)
        self.loading[self.number] = 0
        self.counts[f"{kind}: load"] += 1
        if number != self.truth[key]:
            self.counts[f"{kind}: load that was overtaken"] += 1
        return number

    def acknowledged(self, *changes: tuple[int, int, int, int]) -> None:
        """These changes are done, or will be before the server is asked again."""
        self.due += changes
        self.settle()

    def settle(self) -> None:
        """What was done is in force, if the server knows of all."""
        if self.due and not (self.circuit.is_open or self.circuit.outbox):
            end = now()
            for change in self.due:
                self.log.note(*change, end)
            self.due.clear()


def is_served(cache: Cache) -> bool:
    try:
        cache.ping()
    except EngineError:
        return False
    return True


def main(given) -> int:
    """Works in threads, and writes their logs; says what was done, and gives the exit code."""
    folder, me = given.worker[0], int(given.worker[1])
    plant(given.plant)
    engine = opened(given.url, given)
    caches = stores(engine, given)
    with in_a_thread(given, *caches.values()) as those:
        for cache in those:
            while not is_served(cache):
                time.sleep(0.1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    until = int(sys.stdin.readline()) + int(given.seconds * 1e9)
    truth = Truth(folder)
    every = given.processes * THREADS
    lanes = []
    for lane in range(me * THREADS, (me + 1) * THREADS):
        numbers = iter(range(1 + lane, sys.maxsize, every))
        lanes.append(Lane(lane, engine, truth, Random(f"{given.seed} {lane}"), numbers))
    ended: list[int] = []

    def run(lane: Lane) -> None:
        with in_a_thread(given, *caches.values()) as those:
            lane.caches = dict(zip(caches, those, strict=True))
            lane.run(until)
        ended.append(1)

    threads = [threading.Thread(target=run, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, lane in enumerate(lanes):
        lane.log.write(os.path.join(folder, f"{me}-{number}.log"))
    with in_a_thread(given, *caches.values(), engine) as those:
        for one in those:
            one.close()
    sys.stdout.write(json.dumps(sum((lane.counts for lane in lanes), Counter())) + "\n")
    return 0 if len(ended) == THREADS else 1

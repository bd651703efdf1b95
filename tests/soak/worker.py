"""What one process does to the store: anything, at random, for a while."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from random import Random

from tests.fixtures.telling_values import SIZES, number_of, value_of
from tests.soak.history import DELETE, GET, INVALIDATE, NOTHING, SET, Log
from twat_cache import Cache, open_engine

KEYS = 24
TAGS = 4
THREADS = 2
REOPENED = 0.999
NAMES = [f"key{key}" for key in range(KEYS)]
now = time.monotonic_ns


def tag_of(key: int) -> str:
    return f"tag{key % TAGS}"


class Planted:
    """An engine with an error on purpose.

    `drop`: it drops nothing. `put`: it forgets each twentieth. `tags`: it gives for a tag the token
    that it gave at first, so that the check of tags finds everything current.
    """

    def __init__(self, engine, error: str) -> None:
        self.engine = engine
        self.error = error
        self.tokens: dict[str, bytes] = {}
        self.puts = 0

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def get(self, keys):
        found = self.engine.get(keys)
        if self.error != "tags":
            return found
        return [self._token(k, v) for k, v in zip(keys, found, strict=True)]

    def _token(self, key, value):
        is_token = value is not None and not key.endswith(tuple(NAMES))
        return self.tokens.setdefault(key, value) if is_token else value

    def drop(self, keys):
        if self.error == "drop":
            return len([value for value in self.engine.get(keys) if value is not None])
        return self.engine.drop(keys)

    def put(self, items, ttl):
        self.puts += 1
        if self.error != "put" or self.puts % 20:
            self.engine.put(items, ttl)


def work(opened, log: Log, chance: Random, numbers, until: int) -> None:
    """Does what chance says until then; each value gets a number that no other has.

    Now and then it opens the store anew: who comes and goes must disturb nobody.
    """
    cache = opened()
    while now() < until:
        act = chance.random()
        if act > REOPENED:
            cache.close()
            cache = opened()
        key = chance.randrange(KEYS)
        if act < 0.5:
            begin = now()
            value = cache.get(NAMES[key])
            end = now()
            log.note(GET, key, NOTHING if value is None else number_of(key, value), begin, end)
        elif act < 0.6:
            keys = chance.sample(range(KEYS), 5)
            begin = now()
            values = cache.get_many([NAMES[key] for key in keys])
            end = now()
            for key in keys:
                value = values.get(NAMES[key])
                log.note(GET, key, NOTHING if value is None else number_of(key, value), begin, end)
        elif act < 0.85:
            number = next(numbers)
            value = value_of(key, number, chance.choice(SIZES[:-1]))
            begin = now()
            cache.set(NAMES[key], value, tags=[tag_of(key)])
            log.note(SET, key, number, begin, now())
        elif act < 0.95:
            begin = now()
            cache.delete(NAMES[key])
            log.note(DELETE, key, NOTHING, begin, now())
        else:
            begin = now()
            cache.invalidate_tags(tag_of(key))
            end = now()
            for key in range(key % TAGS, KEYS, TAGS):
                log.note(INVALIDATE, key, NOTHING, begin, end)
    cache.close()


def main(url: str, folder: str, seed: str, me: int, processes: int, seconds: float, plant: str):
    """Works in threads, and writes their logs; gives the exit code."""

    def opened() -> Cache:
        engine = open_engine(url, timeout=30)
        return Cache(Planted(engine, plant) if plant else engine)

    opened().close()
    logs = [Log() for _ in range(THREADS)]
    errors: list[str] = []
    lanes = processes * THREADS
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    until = int(sys.stdin.readline()) + int(seconds * 1e9)

    def run(lane: int) -> None:
        numbers = iter(range(1 + me * THREADS + lane, sys.maxsize, lanes))
        try:
            chance = Random(f"{seed} {me} {lane}")
            work(opened, logs[lane], chance, numbers, until)
        except BaseException:
            errors.append(traceback.format_exc())

    running = [threading.Thread(target=run, args=(lane,)) for lane in range(THREADS)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for lane, log in enumerate(logs):
        log.write(os.path.join(folder, f"{me}-{lane}.log"))
    sys.stderr.write("\n".join(errors))
    return 1 if errors else 0

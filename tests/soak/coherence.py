"""Processes with near tables before one Redis read what others write; how late do they learn of it?

    python -m tests.soak.coherence --seconds 60 [--way tracking] [--seed 7] [--plant deaf]

Each process reads, writes, deletes and drops tags at random, all but the first through a proxy that
cuts all connections now and then, for a moment or for longer. A read is *late* if its value was
overwritten, deleted or dropped by something that began after the value was written and was
acknowledged before the read began; as late as the time from the first such acknowledgement to the
read. What was forgotten while the server couldn't be asked isn't in force before it can, and is
left out. Told are the reads and the late ones, apart for those that had a cut shortly before, and
how many reads asked the server.

It ends with 1 if a read was later than the bound, if one in a thousand was later than `PROMPT`
while connected (unless it is `--untimed`), or if too little was done. With `--plant` the tables
have an error on purpose: `deaf` ones aren't told of changes, `bold` ones answer for ever.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fixtures.servers.redis import Redis
from tests.soak.history import DELETE, GET, INVALIDATE, NAMES, NOTHING, SET, Log, read_log
from twat_cache import Cache, EngineError
from twat_cache._coherence.coherence import Coherence
from twat_cache.testing.chaos import ChaosProxy

KEYS = 1000
TAGS = 50
THREADS = 2
PROMPT = 0.05  # seconds
STEP = 0.01  # seconds: a table's clock has steps, and a read takes its time
SHADOW = 1.0  # seconds after a cut that count as cut
LEAST = 5  # operations of each kind for each second
KEYS_OF = {tag: [key for key in range(KEYS) if key % TAGS == tag] for tag in range(TAGS)}
now = time.monotonic_ns


def name_of(key: int) -> str:
    return f"key{key}"


# -- a process -------------------------------------------------------------------------------------


def plant(error: str) -> None:
    if error == "deaf":
        Coherence.changed = lambda self, keys, *, by_hand: None
    elif error == "bold":
        alive = Coherence.alive_until
        Coherence.alive_until = lambda self, moment: alive(self, now() + 10**12)
        Coherence.emptied = lambda self: None


def work(cache: Cache, log: Log, chance: Random, numbers, until: int) -> int:
    """Does what chance says until then; gives how often the engine couldn't serve."""
    failures = 0
    circuit = cache._far.engine.circuit
    while now() < until:
        act = chance.random()
        key = min(
            int(chance.expovariate(20) * KEYS), KEYS - 1
        )  # some are asked for much more often
        begin = now()
        try:
            if act < 0.96:
                number = cache.get(name_of(key), NOTHING)
                log.note(GET, key, number, begin, now())
            elif act < 0.985:
                number = next(numbers)
                cache.set(name_of(key), number, tags=[f"tag{key % TAGS}"])
                log.note(SET, key, number, begin, now())
            else:
                kind, keys = DELETE, [key]
                if act < 0.997:
                    cache.delete(name_of(key))
                else:
                    kind, keys = INVALIDATE, KEYS_OF[key % TAGS]
                    cache.invalidate_tags(f"tag{key % TAGS}")
                if not (circuit.is_open or circuit.outbox):  # else it may be in force later
                    end = now()
                    for one in keys:
                        log.note(kind, one, NOTHING, begin, end)
        except EngineError:  # a change may be done or not: it is neither right nor wrong
            failures += 1
    return failures


def worker(given: argparse.Namespace) -> int:
    folder, me = given.worker[0], int(given.worker[1])
    plant(given.plant)
    terms = {"by": given.way, "bound": given.bound}
    cache = Cache(["memory", given.url], coherence=terms, tag_ttl=given.bound, ttl=3600)
    while not is_served(cache):
        time.sleep(0.1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    until = int(sys.stdin.readline()) + int(given.seconds * 1e9)
    logs = [Log() for _ in range(THREADS)]
    failures: list[int] = []

    def run(lane: int) -> None:
        numbers = iter(range(1 + me * THREADS + lane, sys.maxsize, given.processes * THREADS))
        chance = Random(f"{given.seed} {me} {lane}")
        failures.append(work(cache, logs[lane], chance, numbers, until))

    threads = [threading.Thread(target=run, args=(lane,)) for lane in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lane, log in enumerate(logs):
        log.write(os.path.join(folder, f"{me}-{lane}.log"))
    sys.stdout.write(f"{sum(failures)}\n")
    cache.close()
    return 0 if len(failures) == THREADS else 1


def is_served(cache: Cache) -> bool:
    try:
        cache.get("first")
    except EngineError:
        return False
    return True


# -- the check -------------------------------------------------------------------------------------


class Lateness(NamedTuple):
    """How late the reads were that gave a value, in seconds, and what the latest of them was."""

    connected: list[float]
    cut: list[float]
    foreign: int
    """How many gave a value that nobody is known to have written."""


def lateness(operations, cuts: list[int]) -> Lateness:
    """Of each read; see above. `cuts` are moments, in order."""
    by_key: dict[int, list] = {}
    for operation in operations:
        by_key.setdefault(operation.key, []).append(operation)
    found = Lateness([], [], 0)
    foreign = 0
    for those in by_key.values():
        born = {op.number: op for op in those if op.kind == SET}
        changes = sorted((op for op in those if op.kind != GET), key=lambda op: op.begin)
        begins = [op.begin for op in changes]
        ends = [op.end for op in changes]
        for index in range(len(ends) - 2, -1, -1):  # the first end of this change and all after it
            ends[index] = min(ends[index], ends[index + 1])
        for read in those:
            if read.kind != GET or read.number == NOTHING:
                continue
            if read.number not in born:
                foreign += 1  # its writer was told of a failure
                continue
            at = bisect_left(begins, born[read.number].end + 1)
            late = max(read.begin - ends[at], 0) / 1e9 if at < len(ends) else 0.0
            near = bisect_left(cuts, read.begin - int((SHADOW + late) * 1e9))
            is_cut = near < len(cuts) and cuts[near] <= read.end
            (found.cut if is_cut else found.connected).append(late)
    return found._replace(foreign=foreign)


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)] if values else 0.0


# -- the whole -------------------------------------------------------------------------------------


def cut_at_random(
    proxy: ChaosProxy, chance: Random, until: int, most: float, long: float
) -> list[int]:
    """Cuts all connections after so many seconds at most, again and again; gives the moments.

    One in so many (0 to 1) is for long.
    """
    cuts = []
    while True:
        pause = chance.uniform(most / 4, most)
        if now() + pause * 1e9 > until:
            return cuts
        time.sleep(pause)
        cuts.append(now())
        if chance.random() < long:
            (proxy.stall if chance.random() < 0.5 else proxy.refuse)()
            proxy.cut()
            time.sleep(chance.uniform(0.05, 0.5))
            cuts.append(now())
            proxy.heal()
        else:
            proxy.cut()
        cuts.append(now())


def soak(given: argparse.Namespace, folder: str, server: Redis, proxy: ChaosProxy) -> int:
    command = [sys.executable, "-m", "tests.soak.coherence", "--seconds", str(given.seconds),
               "--processes", str(given.processes), "--way", given.way, "--plant", given.plant,
               "--seed", given.seed, "--bound", str(given.bound)]  # fmt: skip
    urls = [f"redis://{proxy.address}/0"] * given.processes
    urls[0] = server.url
    running = [
        subprocess.Popen(
            [*command, "--url", url, "--worker", folder, str(me)],
            cwd=Path(__file__).parents[2], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for me, url in enumerate(urls)
    ]  # fmt: skip
    for process in running:
        process.stdout.readline()
    asked = gets(server)
    start = now()
    for process in running:
        process.stdin.write(f"{start}\n")
        process.stdin.flush()
    until = start + int(given.seconds * 1e9)
    long = 1.0 if given.plant else 0.3
    cuts = cut_at_random(proxy, Random(given.seed), until, min(4.0, given.seconds / 3), long)
    said = [process.communicate(timeout=given.seconds + 120)[0] for process in running]
    asked = gets(server) - asked
    if any(process.returncode for process in running):
        say("a process failed")
        return 1
    operations = [op for log in Path(folder).glob("*.log") for op in read_log(str(log))]
    return told(given, operations, cuts, sum(map(int, said)), asked)


def told(given: argparse.Namespace, operations, cuts: list[int], failures: int, asked: int) -> int:
    found = lateness(operations, cuts)
    kinds = {name: sum(op.kind == kind for op in operations) for kind, name in enumerate(NAMES)}
    say("; ".join(f"{name}: {number}" for name, number in kinds.items()))
    say(f"cuts: {len(cuts)}; refused: {failures}; commands that read at the server: {asked}")
    wrong = []
    for name, values in (("connected", found.connected), ("cut", found.cut)):
        late = [value for value in values if value > 0]
        high, most = percentile(values, 0.999), max(values, default=0.0)
        say(
            f"{name}: {len(values)} reads of values, {len(late)} late; p99.9 {high * 1000:.1f} ms, "
            f"most {most * 1000:.1f} ms"
        )
        is_slow = name == "connected" and high > PROMPT and not given.untimed
        if is_slow or most > given.bound + STEP:
            wrong.append(name)
    say(f"{found.foreign} values of writes that were refused")
    few = [name for name, number in kinds.items() if number < LEAST * given.seconds]
    for name in wrong:
        say(f"wrong: reads were too late while {name}")
    if few or not cuts:
        say(f"too few of {', '.join(few) or 'cuts'}")
    return 1 if wrong or few or not cuts else 0


def gets(server: Redis) -> int:
    lines = str(server.call("INFO", "commandstats")).splitlines()
    found = [line for line in lines if line.startswith(("cmdstat_get:", "cmdstat_mget:"))]
    return sum(int(line.split("calls=")[1].split(",")[0]) for line in found)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.coherence")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--bound", type=float, default=2.0)
    parser.add_argument("--untimed", action="store_true")
    parser.add_argument("--way", choices=["tracking", "pubsub"], default="tracking")
    parser.add_argument("--seed", default=str(int.from_bytes(os.urandom(4), "big")))
    parser.add_argument("--plant", choices=["", "deaf", "bold"], default="")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        return worker(given)
    say(f"{given.way}, seed {given.seed}, {given.processes} processes, {given.seconds} s")
    server = Redis.launch()
    try:
        with tempfile.TemporaryDirectory() as folder, ChaosProxy(server.host, server.port) as proxy:
            return soak(given, folder, server, proxy)
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())

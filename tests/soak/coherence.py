"""Processes with near tables before one server read what others write; when do they learn of it?

    python -m tests.soak.coherence --seconds 60 [--way tracking] [--seed 7] [--plant deaf]

The ways are `tracking` and `pubsub` on Redis, and `notify`, which is `pubsub` on PostgreSQL.

Each process reads, writes, deletes, drops tags and loads at random (see `near_worker`), all but the
first through a proxy that cuts connections now and then, stalls, refuses and delays. A read is
*late* if its value was overwritten, deleted or dropped by something that began after the value was
written and was acknowledged before the read began; as late as the time from the first such
acknowledgement to the read. What was forgotten while the server couldn't be asked is in force, and
so acknowledged, when its circuit has closed again. In the end all that is left on the server is
read, too: what was put there too late, and that nobody read, is as late as the end. Told are the
reads and the late ones, apart for those that had a cut shortly before, and how many reads asked the
server.

It ends with 1 if a read was later than the bound, if one in a thousand was later than `PROMPT`
while connected (unless it is `--untimed`), or if too little was done. With `--plant` the caches
have an error on purpose: `deaf` ones aren't told of changes, `bold` ones answer for ever,
`stubborn` ones keep what they computed, whatever was changed meanwhile, and `forgetful` ones don't
remember what they couldn't drop. With `--awaited` they are those of coroutines.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.fixtures.servers.postgresql import PostgreSQL
from tests.fixtures.servers.redis import Redis
from tests.soak import near_worker
from tests.soak.history import GET, NOTHING, SET, Operation, read_log
from twat_cache.testing.chaos import ChaosProxy

PROMPT = 0.05  # seconds
STEP = 0.01  # seconds: a table's clock has steps, and a read takes its time
SHADOW = 1.0  # seconds after a cut that count as cut
LEAST = dict.fromkeys(["get", "set", "delete", "invalidate_tags"], 5.0)
LEAST |= {
    f"{kind}: {what}": 1.0
    for kind in ("loaded", "leased")
    for what in ("get_or_load", "load", "delete", "load that was overtaken")
}
"""How many of each there have to be in a second; of these a tenth where nobody minds the time."""
now = time.monotonic_ns


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


def trouble(
    proxy: ChaosProxy, chance: Random, until: int, most: float, long: float
) -> tuple[list[int], Counter[str]]:
    """Cuts all connections, or worse, again and again; gives the moments, and how often what.

    Args:
        proxy: Where.
        chance: By which.
        until: The end.
        most: The most seconds between two.
        long: Which part of them is more than a cut, 0 to 1.
    """
    cuts: list[int] = []
    kinds: Counter[str] = Counter()
    while True:
        pause = chance.uniform(most / 4, most)
        if now() + pause * 1e9 > until:
            return cuts, kinds
        time.sleep(pause)
        kind = chance.choice(["stall", "silence", "refuse"]) if chance.random() < long else "cut"
        proxy.heal()
        cuts.append(now())
        if kind == "refuse":
            proxy.refuse()
        elif kind != "cut":
            proxy.stall()
        if kind != "silence":  # else the connections stay, and say nothing
            proxy.cut()
        if kind != "cut":
            time.sleep(chance.uniform(0.05, 0.5))
            cuts.append(now())
            proxy.heal()
        elif chance.random() < 0.5:
            proxy.delay(chance.uniform(0.0005, 0.005))
            kinds["delay"] += 1
        cuts.append(now())
        kinds[kind] += 1


def soak(
    given: argparse.Namespace, folder: str, server: Redis | PostgreSQL, proxy: ChaosProxy
) -> int:
    command = [sys.executable, "-m", "tests.soak.coherence", "--seconds", str(given.seconds),
               "--processes", str(given.processes), "--way", given.way, "--plant", given.plant,
               "--seed", given.seed, "--bound", str(given.bound),
               *["--awaited"] * given.awaited]  # fmt: skip
    urls = [server.url.replace(server.address, proxy.address)] * given.processes
    urls[0] = server.url
    truth = near_worker.Truth(folder).numbers
    for key in range(len(truth)):
        truth[key] = -key - 1
    operations = [Operation(SET, key, -key - 1, 0, 0) for key in range(len(truth))]
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
    long = 1.0 if given.plant else 0.5
    most = min(4.0, given.seconds / 3)
    cuts, troubles = trouble(proxy, Random(given.seed), until, most, long)
    proxy.heal()
    said = [process.communicate(timeout=given.seconds + 120)[0] for process in running]
    asked = gets(server) - asked
    if any(process.returncode for process in running):
        say("a process failed")
        return 1
    operations += [op for log in Path(folder).glob("*.log") for op in read_log(str(log))]
    counts = sum((Counter(json.loads(text)) for text in said), troubles)
    operations += at_rest(given, server.url)
    return told(given, operations, cuts, counts, asked)


def at_rest(given: argparse.Namespace, url: str) -> list[Operation]:
    """What is on the server when all has been over for so long as the bound, as reads."""
    time.sleep(given.bound + 2 * STEP)
    engine = near_worker.opened(url, given)
    caches = near_worker.stores(engine, given)
    found = []
    with near_worker.in_a_thread(given, *caches.values(), engine) as (*those, own):
        for kind, cache in zip(caches, those, strict=True):
            names = {near_worker.name_of(key): key for key in near_worker.KEYS[kind]}
            begin = now()
            values = cache.get_many(list(names))
            found += [Operation(GET, names[name], values[name], begin, now()) for name in values]
            cache.close()
        own.close()
    return found


def told(
    given: argparse.Namespace, operations, cuts: list[int], counts: Counter[str], asked: int
) -> int:
    found = lateness(operations, cuts)
    say("; ".join(f"{name}: {number}" for name, number in sorted(counts.items())))
    if asked:
        say(f"commands that read at the server: {asked}")
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
    seconds = given.seconds * (0.1 if given.untimed else 1)
    few = [name for name, rate in LEAST.items() if counts[name] < max(1, rate * seconds)]
    for name in wrong:
        say(f"wrong: reads were too late while {name}")
    if few or not cuts:
        say(f"too few of {', '.join(few) or 'cuts'}")
    return 1 if wrong or few or not cuts else 0


def gets(server: Redis | PostgreSQL) -> int:
    if isinstance(server, PostgreSQL):
        return 0
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
    parser.add_argument("--awaited", action="store_true")
    parser.add_argument("--way", choices=["tracking", "pubsub", "notify"], default="tracking")
    parser.add_argument("--seed", default=str(int.from_bytes(os.urandom(4), "big")))
    parser.add_argument(
        "--plant", choices=["", "deaf", "bold", "stubborn", "forgetful"], default=""
    )
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        return near_worker.main(given)
    say(f"{given.way}, seed {given.seed}, {given.processes} processes, {given.seconds} s")
    server = (PostgreSQL if given.way == "notify" else Redis).launch()
    try:
        with tempfile.TemporaryDirectory() as folder, ChaosProxy(server.host, server.port) as proxy:
            return soak(given, folder, server, proxy)
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())

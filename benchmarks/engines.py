"""The promises of the engines on servers: ours beside the raw clients and the other libraries.

Run it from the repository: ``python -m benchmarks.engines [--check] [--json] [--rounds 40]
[--only redis] [--cpu]``. The table is read as that of `benchmarks.stores`; a µs is one key's share.
It starts the servers that it needs, on free ports of this machine, and ends them.

All is in one process and takes turns within each round. ``get`` is one key after the other, by
who blocks, ``awaited get`` the same by who awaits; ``64 tasks`` are as many awaited gets at once
(of those that only block, threads); ``100 in one`` is a call that gets as many. A raw client gets
the bytes that `ucache` stored and makes the value of them with msgpack, by hand; ``bytes`` are
those without the value, beside our engine. ``near hit`` is under tracking, from memory; `ucache`
tells types apart on every engine, `mcache` if it is told to. Where ``20 in one`` has a bound, the
peer gets one key after the other.

Where others use the machine, too, as many a server of continuous integration, times tell more of
them than of us. With ``--cpu`` what counts is this process's own work, in it and in the kernel for
it; not the servers' work, nor any waiting.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from time import perf_counter_ns, process_time_ns
from typing import Any

from benchmarks.engine_contestants import FIELDS
from benchmarks.stores import Row, Times, judge, report

ROUNDS = 40
SIZES = {"100 B": 100, "10 KB": 10_000}
RAW = {"redis": "redis-py", "postgresql": "psycopg", "memcached": "pymemcache"}
BLOCKING, AWAITED = ("dogpile.cache", "django-redis"), ("cashews", "aiocache")


def rows_for(server: str, size: str) -> Iterator[Row]:
    """What is promised of the engine on a server, and what is worth a look beside it."""
    yield Row("engine", size, "bytes", RAW[server], 1.3)
    yield Row("ucache", size, "get", RAW[server], 1.3)
    yield Row("Cache", size, "get", RAW[server])
    if server != "redis":
        return
    for ours in ("ucache", "Cache"):
        for peer in BLOCKING:
            yield Row(ours, size, "get", peer, 1.25)
        for peer in AWAITED:
            yield Row(ours, size, "get", peer, 0.5, against="awaited get")
    for ours in ("ucache", "AsyncCache"):
        for peer in AWAITED:
            yield Row(ours, size, "awaited get", peer, 0.5)
        yield Row(ours, size, "awaited get", "redis.asyncio")
        yield Row(ours, size, "64 tasks", "redis.asyncio", 0.1)
        for peer in (*BLOCKING, *AWAITED):
            yield Row(ours, size, "20 tasks", peer, 0.5)
    yield Row("Cache", size, "100 in one", "redis-py", 1.3)
    for ours, peers in (("Cache", BLOCKING), ("AsyncCache", AWAITED)):
        for peer in peers:
            yield Row(ours, size, "20 in one", peer)
            alone = "get" if peer in BLOCKING else "awaited get"
            yield Row(ours, size, "20 in one", peer, 0.5, against=alone)
    yield Row("ucache", size, "near hit", "mcache", 1.2)
    yield Row("ucache", size, "near hit", "mcache, typed")
    for peers, race in ((BLOCKING, "get"), (AWAITED, "awaited get")):
        for peer in peers:
            yield Row("ucache", size, "near hit", peer, 0.05, against=race)


def launched(server: str) -> Any:
    """A server of that kind.

    Raises:
        Missing: Its program isn't installed.
    """
    from tests.fixtures.servers import memcached, postgresql, redis

    kinds: dict[str, Any] = {
        "redis": redis.Redis,
        "postgresql": postgresql.PostgreSQL,
        "memcached": memcached.Memcached,
    }
    return kinds[server].launch()


def measure(server: str, url: str, size: str, rounds: int, *, cpu: bool = False) -> Times:
    """All races at a size, one round of each after the other."""
    times: Times = {}
    clock = process_time_ns if cpu else perf_counter_ns
    with FIELDS[server](url, SIZES[size], clock) as field:
        for turn in range(rounds):
            about = f"\r{server}, {size}: round {turn + 1} of {rounds} "
            print(about, end="", file=sys.stderr, flush=True)
            for race in field.races:
                for name, took in field.race(race, turn).items():
                    times.setdefault((race, name), []).append([took])
    print("\r" + " " * 50 + "\r", end="", file=sys.stderr, flush=True)
    return times


def is_there(row: Row, times: Times) -> bool:
    """Whether both of a row took part."""
    return {(row.race, row.store), (row.against or row.race, row.peer)} <= times.keys()


def main(argv: list[str] | None = None) -> int:
    """Prints the table; gives the exit status."""
    from tests.fixtures.servers import Missing

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail if a row is beyond its bound")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=FIELDS, help="engines on this server")
    parser.add_argument("--cpu", action="store_true", help="this process's own time")
    options = parser.parse_args(argv)
    results, absent = [], []
    for server in [options.only] if options.only else FIELDS:
        try:
            started = launched(server)
        except Missing as missing:
            absent.append(f"{server}: {missing}")
            continue
        try:
            for size in SIZES:
                times = measure(server, started.url, size, options.rounds, cpu=options.cpu)
                for row in rows_for(server, size):
                    if not is_there(row, times):
                        absent.append(f"{row.store}, {size}, {row.race} : {row.peer}")
                        continue
                    results.append(judge(row, times) | {"store": f"{server}: {row.store}"})
        finally:
            started.close()
    for row in absent:
        print(f"not there: {row}", file=sys.stderr)
    return report(results, check=options.check, as_json=options.json)


if __name__ == "__main__":
    raise SystemExit(main())

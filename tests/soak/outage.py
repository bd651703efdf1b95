"""A server goes away under a cached function that is called all the time, and comes back.

    python -m tests.soak.outage --engine redis --how stopped [--seconds 10] [--awaited] [--check]

The function takes a millisecond and is called two hundred times a second. Meanwhile some of its
results are invalidated. Told is what callers have noticed of it:

    raised      exceptions that reached a caller; there may be none
    first       what the first call paid that met the outage, in milliseconds
    p99         what a call took beyond the function, the first one apart
    recovery    seconds from the server's return to the first result that came from it
    stale       results that were invalidated and came back; there may be none

With `--check` it ends with 1 if one of these is more than `BOUNDS` says.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.fixtures.servers.memcached import Memcached
from tests.fixtures.servers.postgresql import PostgreSQL
from tests.fixtures.servers.redis import Redis
from twat_cache import ucache

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

SERVERS = {"redis": Redis, "postgresql": PostgreSQL, "memcached": Memcached}
WAYS = {"stopped": ("stop", "start"), "silent": ("pause", "resume")}
KEYS = 50
INVALIDATED = range(10)
PACE = 1 / 200
TAKES = 0.001
BOUNDS = {"raised": 0, "first": 250, "p99": 1.0, "recovery": 2.0, "stale": 0}
BUDGET = 250  # milliseconds


class Told(NamedTuple):
    """What callers noticed; times beyond the function in milliseconds, `recovery` in seconds."""

    raised: int
    first: float
    p99: float
    longest: float
    recovery: float
    stale: int
    calls: int

    def beyond(self) -> list[str]:
        """What is more than it may be."""
        return [name for name, most in BOUNDS.items() if getattr(self, name) > most]


class Shop:
    """A cached function whose results tell their version, and how long each computation took."""

    def __init__(self, url: str, awaited: bool) -> None:
        self.versions = [0] * KEYS
        self.took = 0.0
        self.awaited = awaited
        self.f: Any = ucache(url, name="outage", ttl=600)(self.aprice if awaited else self.price)

    def price(self, article: int) -> list[int]:
        start = time.perf_counter()
        time.sleep(TAKES)
        self.took = time.perf_counter() - start
        return [article, self.versions[article]]

    async def aprice(self, article: int) -> list[int]:
        start = time.perf_counter()
        await asyncio.sleep(TAKES)
        self.took = time.perf_counter() - start
        return [article, self.versions[article]]


def outage(server: Any, how: str, seconds: float, *, awaited: bool = False) -> Told:
    """Lets the server go and come back, and tells what callers noticed."""
    shop = Shop(server.url, awaited)
    stop, start = (getattr(server, name) for name in WAYS[how])
    if awaited:
        told = asyncio.run(_aplay(shop, stop, start, seconds))
    else:
        told = _play(shop, stop, start, seconds)
        shop.f.close()
    return told


def _play(shop: Shop, stop: Callable[[], None], start: Callable[[], None], seconds: float) -> Told:
    steps = _script(shop, stop, start, seconds)
    answer: Any = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer = _outcome(call)


async def _aplay(
    shop: Shop, stop: Callable[[], None], start: Callable[[], None], seconds: float
) -> Told:
    steps = _script(shop, stop, start, seconds)
    answer: Any = None
    while True:
        try:
            call = steps.send(answer)
        except StopIteration as end:
            await shop.f.close()
            return end.value  # type: ignore[no-any-return]
        answer = await _aoutcome(call)


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return error


async def _aoutcome(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    try:
        given = call()
        return await given if asyncio.iscoroutine(given) or hasattr(given, "__await__") else given
    except Exception as error:
        return error


def _script(
    shop: Shop, stop: Callable[[], None], start: Callable[[], None], seconds: float
) -> Iterator[Any]:
    """What happens, as calls whose outcomes are sent back."""
    f = shop.f
    for article in range(KEYS):
        yield lambda article=article: f(article)
    yield lambda: _in_thread(shop, stop)
    raised, beyond, calls = 0, [], 0
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        article = calls % KEYS
        shop.took = 0.0
        answer = yield lambda article=article: f(article)
        beyond.append(time.perf_counter() - began - shop.took)
        raised += isinstance(answer, Exception)
        if calls in INVALIDATED:
            shop.versions[article] += 1
            answer = yield lambda article=article: f.invalidate(article)
            raised += isinstance(answer, Exception)
        calls += 1
        yield lambda: _pause(shop, began + PACE - time.perf_counter())
    yield lambda: _in_thread(shop, start)
    back = time.perf_counter()
    hits = f.stats().hits
    while f.stats().hits == hits and time.perf_counter() < back + 20:
        yield lambda: f(KEYS - 1)
        yield lambda: _pause(shop, 0.005)
    recovery = time.perf_counter() - back
    stale = 0
    for article in range(KEYS):
        answer = yield lambda article=article: f(article)
        stale += answer != [article, shop.versions[article]]
    first, *others = beyond
    others.sort()
    milliseconds = [1000 * one for one in (first, others[len(others) * 99 // 100], others[-1])]
    return Told(raised, *milliseconds, recovery, stale, calls)


def _in_thread(shop: Shop, work: Callable[[], None]) -> Any:
    return asyncio.to_thread(work) if shop.awaited else work()


def _pause(shop: Shop, seconds: float) -> Any:
    return asyncio.sleep(max(seconds, 0)) if shop.awaited else time.sleep(max(seconds, 0))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.outage")
    parser.add_argument("--engine", choices=SERVERS, default="redis")
    parser.add_argument("--how", choices=WAYS, default="stopped")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--awaited", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    server = SERVERS[given.engine].launch()
    try:
        told = outage(server, given.how, given.seconds, awaited=given.awaited)
    finally:
        server.close()
    sys.stdout.write(f"{given.engine} {given.how}: {told}\n")
    beyond = told.beyond()
    if beyond:
        sys.stdout.write(f"more than it may be: {', '.join(beyond)}\n")
    return int(bool(beyond) and given.check)


if __name__ == "__main__":
    raise SystemExit(main())

"""Caches on servers, ours and those to beat, each asked in the way that its users write.

A *race* is one kind of work: `get`, `awaited get` and so on. What takes part in it goes over some
keys once, and has been checked to give what it was given. All that is on one server shares it, and
all that is awaited shares one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack, suppress
from time import perf_counter_ns
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from warnings import catch_warnings, simplefilter

from msgpack import packb, unpackb

from benchmarks.store_races import no_collection
from twat_cache import AsyncCache, Cache, ConfigurationError, mcache, open_engine, ucache

KEYS = 100
CALLS = 400  # keys in a round, or as many as the work has
TOGETHER, SOME = 64, 20

Work = Callable[[], Any]


class Field:
    """Contestants on one server, with values of one size.

    Args:
        url: Of the server.
        size: Of each value, in bytes.
        clock: Nanoseconds.
    """

    def __init__(self, url: str, size: int, clock: Callable[[], int] = perf_counter_ns) -> None:
        self.url = url
        self.ours_at = f"{url}?timeout=10"  # however busy the machine is
        self._clock = clock
        self.version = str(size)
        self.values = [f"{number:>{size}}" for number in range(KEYS)]
        self.names = [f"account:{number}" for number in range(KEYS)]
        self._payload = len(packb(self.values[0]))
        self.races: dict[str, dict[str, tuple[Work, int]]] = {}
        self.loop = asyncio.new_event_loop()
        self._exit = ExitStack()
        self._exit.callback(self._end)
        try:
            self.enter()
        except BaseException:
            self._exit.close()
            raise

    def __enter__(self) -> Field:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._exit.close()

    def enter(self) -> None:
        """All take their places."""
        raise NotImplementedError

    def _end(self) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.run(self.loop.shutdown_default_executor())
        self.run(asyncio.sleep(0.01))  # in which sockets are closed
        self.loop.close()

    def run(self, work: Awaitable[Any]) -> Any:
        """What an awaited one gives."""
        return self.loop.run_until_complete(work)

    def finally_(self, close: Callable[[], Any]) -> None:
        """What is to be done at the end, awaited if it has to be."""

        def end() -> None:
            with catch_warnings():
                simplefilter("ignore", DeprecationWarning)  # of what other libraries call
                closing = close()
                if closing is not None:
                    self.run(closing)

        self._exit.callback(end)

    # -- kinds of work ------------------------------------------------------------------------

    def add(self, race: str, name: str, work: Work, keys: int) -> None:
        """Enters one for a race, with work that goes over so many keys and gives their values."""
        found = work()
        if asyncio.iscoroutine(found):
            found = self.run(found)
        if [*found] != [self.values[at % KEYS] for at in range(keys)]:
            raise SystemExit(f"{name} gives what it wasn't given, in {race}")
        self.races.setdefault(race, {})[name] = work, keys

    def gets(self, race: str, name: str, get: Callable[[Any], Any], keys: Iterable[Any]) -> None:
        """One key after the other."""
        keys = list(keys)
        self.add(race, name, lambda: [get(key) for key in keys], len(keys))

    def awaited_gets(
        self, name: str, get: Callable[[Any], Awaitable[Any]], keys: Iterable[Any]
    ) -> None:
        """One key after the other, and many at once."""
        keys = list(keys)

        async def each() -> list[Any]:
            return [await get(key) for key in keys]

        self.add("awaited get", name, each, len(keys))
        for number in (TOGETHER, SOME):
            self.at_once(name, get, keys[:number])

    def at_once(self, name: str, get: Callable[[Any], Awaitable[Any]], keys: list[Any]) -> None:
        """Many keys in as many tasks."""

        async def together() -> list[Any]:
            return await asyncio.gather(*[get(key) for key in keys])

        self.add(f"{len(keys)} tasks", name, together, len(keys))

    def batches(self, name: str, get_many: Callable[[list[str]], Any]) -> None:
        """Many keys in one call, that gives a mapping or a sequence, or is awaited."""
        for number in (KEYS, SOME):
            keys = self.names[:number]
            self.add(f"{number} in one", name, self._batch(get_many, keys), number)

    def _batch(self, get_many: Callable[[list[str]], Any], keys: list[str]) -> Work:
        def values(found: Any) -> Any:
            return found.values() if isinstance(found, dict) else found

        async def awaited() -> Any:
            return values(await get_many(keys))

        found = get_many(keys)
        if asyncio.iscoroutine(found):
            found.close()
            return awaited
        return lambda: values(get_many(keys))

    def race(self, race: str, turn: int) -> dict[str, float]:
        """One round: the nanoseconds per key of each, in an order that rotates."""
        names = list(self.races[race])
        at = turn % len(names)
        took = {}
        for name in names[at:] + names[:at]:
            work, keys = self.races[race][name]
            times = max(1, CALLS // keys)  # as for one alone the processor's caches are cold
            with no_collection():
                took[name] = self._timed(work, times) / keys / times
        return took

    def _timed(self, work: Work, times: int) -> float:
        if not asyncio.iscoroutinefunction(work):
            start = self._clock()
            for _ in range(times):
                work()
            return self._clock() - start

        async def inside() -> float:
            start = self._clock()
            for _ in range(times):
                await work()
            return self._clock() - start

        took: float = self.run(inside())
        return took

    # -- ours, on any server ------------------------------------------------------------------

    def ours(self) -> list[str]:
        """Enters `ucache` and `Cache` for plain gets; gives the engine's keys of `ucache`'s."""
        values = self.values

        @ucache(self.ours_at, name="benchmarks.value", version=self.version)
        def value(number: int) -> str:
            return values[number]

        self.finally_(value.close)
        cache = self.cache = Cache(self.ours_at)
        self.finally_(cache.close)
        cache.set_many(dict(zip(self.names, values, strict=True)))
        for number in range(KEYS):
            value(number)
        self.gets("get", "ucache", value, range(KEYS))
        self.gets("get", "Cache", cache.get, self.names)
        keys = [value.cache_key(number) for number in range(KEYS)]
        engine: Any = open_engine(self.ours_at)
        self.finally_(engine.close)
        self.records = engine.get(keys)
        self.reads("engine", lambda key: engine.get((key,))[0], keys)
        return keys

    def reads(self, name: str, get: Callable[[str], Any], keys: list[str]) -> None:
        """The bytes that are stored, one key after the other, and no value made of them."""
        if [bytes(get(key)) for key in keys] != self.records:
            raise SystemExit(f"{name} gives other bytes than there are")
        self.races.setdefault("bytes", {})[name] = lambda: [get(key) for key in keys], len(keys)

    def value_in(self, data: Any) -> Any:
        """The value in the bytes that `ucache` stored, read by hand."""
        return unpackb(data[-self._payload :])


class OnRedis(Field):
    """All that keeps values in a Redis."""

    def enter(self) -> None:
        keys = self.ours()
        self._ours_awaited()
        self._near()
        self._clients(keys)
        for peer in (self._dogpile, self._django, self._cashews, self._aiocache):
            with suppress(ImportError):
                peer()

    def _ours_awaited(self) -> None:
        values = self.values

        @ucache(self.ours_at, name="benchmarks.value", version=self.version)  # finds the other's
        async def value(number: int) -> str:
            return values[number]

        cache = AsyncCache(self.ours_at)
        self.finally_(cache.close)
        self.awaited_gets("ucache", value, range(KEYS))
        self.awaited_gets("AsyncCache", cache.get, self.names)
        self.batches("Cache", self.cache.get_many)
        self.batches("AsyncCache", cache.get_many)

    def _near(self) -> None:
        values = self.values

        def value(number: int) -> str:
            return values[number]

        try:
            tracked = ucache(["memory", self.ours_at], coherence="tracking", ttl=600)(value)
        except (ConfigurationError, TypeError):
            return
        self.finally_(tracked.close)
        plain = {"mcache": mcache(ttl=600), "mcache, typed": mcache(ttl=600, typed=True)}
        for name, near in {"ucache": tracked, **{n: m(value) for n, m in plain.items()}}.items():
            self.gets("near hit", name, near, [*range(KEYS)] * 100)

    def _clients(self, keys: list[str]) -> None:
        import redis
        import redis.asyncio

        client = redis.Redis.from_url(self.url)
        self.finally_(client.close)
        value = self.value_in
        self.reads("redis-py", client.get, keys)
        self.gets("get", "redis-py", lambda key: value(client.get(key)), keys)
        self.add(f"{KEYS} in one", "redis-py", lambda: [*map(value, client.mget(keys))], KEYS)
        awaited = redis.asyncio.Redis.from_url(self.url)
        self.finally_(awaited.aclose)

        async def get(key: str) -> str:
            return value(await awaited.get(key))

        self.awaited_gets("redis.asyncio", get, keys)

    def _dogpile(self) -> None:
        from dogpile.cache import make_region

        region = make_region().configure("dogpile.cache.redis", arguments={"url": self.url})
        self.finally_(region.backend.reader_client.close)
        region.set_multi(
            {f"dogpile:{key}": v for key, v in zip(self.names, self.values, strict=True)}
        )
        names = [f"dogpile:{key}" for key in self.names]
        self.gets("get", "dogpile.cache", region.get, names)
        self.at_once("dogpile.cache", lambda key: asyncio.to_thread(region.get, key), names[:SOME])
        self.batches(
            "dogpile.cache", lambda keys: region.get_multi([f"dogpile:{key}" for key in keys])
        )

    def _django(self) -> None:
        from django.conf import settings
        from django_redis.cache import RedisCache

        if not settings.configured:
            settings.configure()
        cache = RedisCache(self.url, {})
        self.finally_(lambda: cache.close(close_connections=True))
        cache.set_many(dict(zip(self.names, self.values, strict=True)))
        self.gets("get", "django-redis", cache.get, self.names)
        self.at_once("django-redis", cache.aget, self.names[:SOME])
        self.batches("django-redis", cache.get_many)

    def _cashews(self) -> None:
        from cashews import Cache as Cashews

        cache = Cashews()
        cache.setup(self.url)
        self.finally_(cache.close)
        pairs = {f"cashews:{key}": v for key, v in zip(self.names, self.values, strict=True)}
        self.run(cache.set_many(pairs))
        self.awaited_gets("cashews", cache.get, pairs)
        self.batches("cashews", lambda keys: cache.get_many(*[f"cashews:{key}" for key in keys]))

    def _aiocache(self) -> None:
        from aiocache import Cache as Aiocache

        place = urlsplit(self.url)
        cache = Aiocache(
            Aiocache.REDIS, endpoint=place.hostname, port=place.port, namespace="aiocache"
        )
        self.finally_(cache.client.connection_pool.disconnect)  # `close` doesn't
        self.run(cache.multi_set(list(zip(self.names, self.values, strict=True))))
        self.awaited_gets("aiocache", cache.get, self.names)
        self.batches("aiocache", cache.multi_get)


class OnMemcached(Field):
    """Ours and pymemcache."""

    def enter(self) -> None:
        from pymemcache import Client

        keys = self.ours()
        place = urlsplit(self.url)
        client = Client((place.hostname, place.port))
        self.finally_(client.close)
        self.reads("pymemcache", client.get, keys)
        self.gets("get", "pymemcache", lambda key: self.value_in(client.get(key)), keys)


class OnPostgresql(Field):
    """Ours and psycopg: a statement that is prepared, on a table with a key and a value."""

    def enter(self) -> None:
        import psycopg

        keys = self.ours()
        connection = psycopg.connect(self.url, autocommit=True)
        self.finally_(connection.close)
        connection.execute("CREATE UNLOGGED TABLE raw (key text PRIMARY KEY, value bytea NOT NULL)")
        self.finally_(lambda: connection.execute("DROP TABLE raw") and None)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO raw VALUES (%s, %s)", list(zip(keys, self.records, strict=True))
            )
        connection.execute("ANALYZE raw")

        def get(key: str) -> Any:
            statement = "SELECT value FROM raw WHERE key = %s"
            row: Any = connection.execute(statement, (key,), prepare=True, binary=True).fetchone()
            return row[0]

        self.reads("psycopg", get, keys)
        self.gets("get", "psycopg", lambda key: self.value_in(get(key)), keys)


FIELDS: dict[str, type[Field]] = {
    "redis": OnRedis,
    "postgresql": OnPostgresql,
    "memcached": OnMemcached,
}

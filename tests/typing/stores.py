"""What checkers see of stores and of functions whose results are in engines. Never run."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

from twat_cache import (
    MISSING,
    AsyncCache,
    AsyncEngine,
    Cache,
    CacheConfig,
    CacheContext,
    Engine,
    Stats,
    Warmed,
    bcache,
    engine_context,
    fcache,
    get_cache_path,
    invalidate_tags,
    open_engine,
    ucache,
)
from twat_cache.types import AsyncCached, Cached, StoreOptions


def tags_of(number: int) -> list[str]:
    return [str(number)]


@ucache
def bare(number: int, *, text: str = "") -> float:
    return number + len(text)


@ucache("sqlite:///cache.db", ttl="1h", stale="1d", tags=tags_of, namespace="shop", secret="x")
def called(number: int) -> float:
    return number


@ucache(["memory", open_engine("mapping:")], maxsize=5, cache_exceptions={LookupError: 5})
def tiered(number: int) -> float:
    return number


@ucache(engine=CacheConfig("mapping:"), single_flight="process")
async def awaited(number: int) -> bytes:
    return bytes(number)


@bcache
def on_disk(number: int) -> float:
    return number


@bcache("shop", 1000, ttl=timedelta(days=1), max_bytes="1GB", compress="zstd")
async def on_disk_later(number: int) -> float:
    return number


@fcache
async def in_files(number: int) -> bytes:
    return bytes(number)


@fcache(Path("/var/cache/shop"), maxsize=1000, ttl=5)
def in_files_there(number: int) -> bytes:
    return bytes(number)


shared: StoreOptions = {"namespace": "shop", "compress": "lz4", "stale": 5, "tag_ttl": 1}


@bcache(ttl=5, **shared)
def with_shared_options(number: int) -> float:
    return number


class Shop:
    @ucache("mapping:", ignore=("self",))
    def price(self, item: str) -> int:
        return len(item)

    @bcache
    @staticmethod
    def tax(item: str) -> float:
        return len(item)

    @fcache
    @classmethod
    def made(cls, item: str) -> bytes:
        return item.encode()

    @property
    @ucache("mapping:", ignore=("self",))
    def rate(self) -> float:
        return 0.5

    @cached_property
    @fcache(ignore=("self",))
    def table(self) -> list[int]:
        return [1]


def wants(function: Cached[[int], float]) -> float:
    return function(1)


def wants_later(function: AsyncCached[[int], bytes]) -> Coroutine[Any, Any, bytes]:
    return function(1)


def check_functions(shop: Shop) -> None:
    assert_type(bare(1, text="x"), float)
    assert_type(called(number=1), float)
    assert_type(tiered(1), float)
    assert_type(on_disk(1), float)
    assert_type(in_files_there(1), bytes)
    assert_type(with_shared_options(1), float)
    assert_type(wants(called), float)
    assert_type(called.invalidate(1), bool)
    assert_type(called.peek(1, default_=""), float | str)
    called.put(1.5, 1, ttl_="1h")
    assert_type(called.items(), list[tuple[Any, float]])
    assert_type(called.warm([1]), Warmed)
    assert_type(called.stats(), Stats)
    called.invalidate_by(number=1)
    called.close()
    assert_type(shop.price("x"), int)
    assert_type(shop.price.contains("x"), bool)
    assert_type(Shop.tax("x"), float)
    assert_type(Shop.made("x"), bytes)
    assert_type(shop.rate, float)
    assert_type(shop.table, list[int])
    invalidate_tags("x", "y")
    assert_type(get_cache_path("x"), str)


async def check_awaited() -> None:
    assert_type(await awaited(1), bytes)
    assert_type(await on_disk_later(1), float)
    assert_type(await in_files(1), bytes)
    assert_type(await wants_later(awaited), bytes)
    assert_type(await awaited.invalidate(1), bool)
    assert_type(await awaited.peek(1), bytes | None)
    await awaited.invalidate_by(number=1)
    await awaited.cache_clear()
    await awaited.close()


def load() -> float:
    return 1.5


def load_from(old: object) -> float:
    return 1.5 if old is MISSING else 2.5


def load_many(keys: list[str]) -> dict[str, float]:
    return dict.fromkeys(keys, 1.5)


async def aload() -> float:
    return 1.5


async def aload_many(keys: list[str]) -> dict[str, float]:
    return dict.fromkeys(keys, 1.5)


def wants_float(function: AsyncCached[[int], float]) -> None:
    """Takes it."""


def check_store(cache: Cache) -> None:
    cache.set("a", 1, "1h", tags=["x"])
    cache["a"] = 1
    del cache["a"]
    assert_type(cache.get("a"), Any)
    assert_type(cache.add("a", 1, timedelta(hours=1)), bool)
    assert_type(cache.delete("a"), bool)
    assert_type(cache.get_many(["a"]), dict[str, Any])
    assert_type(cache.delete_many(["a"]), int)
    assert_type(cache.get_or_load("a", load), float)
    assert_type(cache.get_or_load("a", load_from, ttl=5, tags=["x"]), float)
    assert_type(cache.get_many_or_load(["a"], load_many), dict[str, float])
    assert_type(cache.touch("a", 5), bool)
    assert_type(cache.incr("a", 2.5), Any)
    assert_type(cache.keys("a"), Iterator[str])
    assert_type("a" in cache, bool)
    assert_type(len(cache), int)
    assert_type(list(cache), list[str])
    assert_type(cache.stats(), Stats)
    cache.invalidate_tags("x")
    cache.clear()
    cache.ping()

    @cache.cached
    def function(number: int) -> float:
        return number

    @cache.cached(ttl=5, tags=tags_of)
    async def later(number: int) -> float:
        return number

    assert_type(function(1), float)
    wants_float(later)


async def check_async_store(cache: AsyncCache) -> None:
    await cache.set("a", 1, "1h", tags=["x"])
    assert_type(await cache.get("a", MISSING), Any)
    assert_type(await cache.get_or_load("a", load), float)
    assert_type(await cache.get_or_load("a", aload), float)
    assert_type(await cache.get_many_or_load(["a"], aload_many), dict[str, float])
    assert_type(await cache.keys(), list[str])
    await cache.close()


def make() -> None:
    with Cache() as first, Cache("sqlite:///a.db", ttl="1h", stale=5, codec="json") as second:
        assert_type(first, Cache)
        check_store(second)
    with CacheContext(["memory", "mapping:"], maxsize=5) as third:
        assert_type(third, Cache)
    with engine_context("mapping:") as engine:
        engine.put({"a": b"b"}, None)
    assert_type(open_engine(["mapping:", "sqlite:///a.db"]), Engine | AsyncEngine)


async def make_async() -> None:
    async with AsyncCache("mapping:", clock=lambda: 0) as first:
        assert_type(first, AsyncCache)
    async with CacheContext(CacheConfig("mapping:")) as second:
        assert_type(second, AsyncCache)


decorate: Callable[[Callable[[int], float]], Cached[[int], float]] = ucache("mapping:")


@ucache(retry={"attempts": 3, "on": OSError, "wait_max": "5s"})
def retried(number: int) -> int:
    return number


@ucache(["memory", "redis://localhost"], coherence={"by": "tracking", "bound": "500ms"})
def followed(number: int) -> int:
    return number


followers: StoreOptions = {"coherence": "pubsub", "namespace": "shop"}

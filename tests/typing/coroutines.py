"""What checkers see of decorated coroutine functions. Never run."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from typing_extensions import assert_type

from twat_cache import AsyncCached, Warmed, acache, mcache


@acache
async def bare(number: int, *, text: str = "") -> float:
    return number + len(text)


@acache(ttl="10m", policy="s3fifo", tti="1m", max_bytes="1MB")
async def called(number: int) -> float:
    return number


@mcache
async def by_mcache(number: int) -> float:
    return number


@mcache(maxsize=10)
async def by_mcache_called(number: int) -> float:
    return number


class Client:
    @acache
    async def fetch(self, number: int) -> bytes:
        return bytes(number)

    @mcache(ttl=5)
    async def fetch_too(self, number: int) -> bytes:
        return bytes(number)

    @classmethod
    @acache
    async def of_class(cls, number: int) -> bytes:
        return bytes(number)

    @staticmethod
    @acache()
    async def of_none(number: int) -> bytes:
        return bytes(number)


def wants(function: AsyncCached[[int], float]) -> Coroutine[Any, Any, float]:
    return function(1)


def wants_plain(function: Callable[[int], Awaitable[float]]) -> Awaitable[float]:
    return function(1)


async def check_functions() -> None:
    waiting = assert_type(bare(1), Coroutine[Any, Any, float])
    assert_type(await waiting, float)
    assert_type(await bare(1, text="x"), float)
    assert_type(await called(1), float)
    assert_type(await by_mcache(1), float)
    assert_type(await by_mcache_called(number=1), float)
    assert_type(await bare.invalidate(1), bool)
    assert_type(await bare.contains(1), bool)
    assert_type(await bare.refresh(1, text="x"), float)
    assert_type(await bare.peek(1), float | None)
    assert_type(await bare.peek(1, default_=""), float | str)
    await bare.put(1.5, 1, text="x")
    await bare.put(1.5, 1, ttl_=5)
    assert_type(bare.cache_key(1), Any)
    assert_type(bare.items(), list[tuple[Any, float]])
    assert_type(await bare.warm([1, 2], workers=4), Warmed)
    assert_type(bare.sweep(), int)
    assert_type(bare.save("file"), int)
    assert_type(bare.load("file"), int)
    bare.close()
    assert_type(await bare.__wrapped__(1), float)
    assert_type(await wants(called), float)
    assert_type(await wants_plain(called), float)


async def check_methods(client: Client) -> None:
    assert_type(await client.fetch(1), bytes)
    assert_type(await client.fetch_too(number=1), bytes)
    assert_type(await client.fetch.invalidate(1), bool)
    assert_type(await client.fetch.peek(1), bytes | None)
    assert_type(await Client.fetch(client, 1), bytes)
    assert_type(await Client.of_class(1), bytes)
    assert_type(await client.of_class(1), bytes)
    assert_type(await Client.of_none(1), bytes)

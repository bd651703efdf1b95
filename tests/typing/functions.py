"""What checkers see of decorated functions. Never run: mypy and pyright are the judges."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, overload

from typing_extensions import assert_type

import twat_cache
from twat_cache import Cached, CacheInfo, LruCached, Stats, Warmed, cache, lru_cache, mcache
from twat_cache.types import Cause, Options

T = TypeVar("T")


@mcache
def bare(number: int, *, text: str = "") -> float:
    return number + len(text)


@mcache()
def called(number: int, *, text: str = "") -> float:
    return number + len(text)


@mcache(100, "1h30m", "lru", typed=True, ignore=("text",), unhashable="digest", name="full")
def full(number: int, *, text: str = "") -> float:
    return number + len(text)


def positive(result: float, number: int) -> bool:
    return result > number


def last_digit(number: int) -> int:
    return number % 10


@mcache(maxsize=None, ttl=timedelta(hours=1), cache_if=positive, copy=abs)
def unbounded(number: int) -> float:
    return number


def age(result: float, number: int) -> float | None:
    return None if number else result


@mcache(ttl=age, key=last_digit, clock=lambda: 0, method=False)
def with_functions(number: int) -> float:
    return number


def heard(key: tuple[Any, ...], value: float, cause: Cause) -> None:
    assert_type(cause == "expired" and key == (), bool)


def weight(result: float, number: int) -> int:
    return int(result) + number


@mcache(
    None, "10m", "tinylfu", tti=60, jitter=0.1, max_weight=100, weigher=weight, on_removal=heard
)
def bounded(number: int) -> float:
    return number


@mcache(policy="sieve", max_bytes="64MB", memory_limit="80%")
def bounded_by_bytes(number: int) -> float:
    return number


shared: Options = {"tti": timedelta(hours=1), "typed": True, "max_bytes": 10**6}


@mcache(1000, **shared)
def with_shared_options(number: int) -> float:
    return number


@mcache
def several(first: int, /, second: str, *rest: bytes, flag: bool, **more: int) -> list[str]:
    return [second]


@lru_cache
def lru_bare(number: int) -> str:
    return str(number)


@lru_cache(maxsize=None, typed=True)
def lru_called(number: int) -> str:
    return str(number)


@cache
def forever(number: int) -> str:
    return str(number)


@overload
def either(value: int) -> int: ...
@overload
def either(value: str) -> str: ...
@mcache
def either(value: int | str) -> int | str:
    return value


def apply(function: Callable[[int], T]) -> T:
    return function(1)


def wants_cached(function: Cached[[int], T]) -> T:
    return function.refresh(1)


def wants_lru(function: LruCached[[int], str]) -> CacheInfo:
    return function.cache_info()


def check_calls() -> None:
    assert_type(bare(1), float)
    assert_type(bare(number=1, text="x"), float)
    assert_type(called(1, text="x"), float)
    assert_type(full(1), float)
    assert_type(unbounded(1), float)
    assert_type(with_functions(1), float)
    assert_type(bounded(1), float)
    assert_type(bounded_by_bytes(1), float)
    assert_type(with_shared_options(1), float)
    assert_type(several(1, "x", b"", b"", flag=True, extra=1), list[str])
    assert_type(lru_bare(1), str)
    assert_type(lru_called(number=1), str)
    assert_type(forever(1), str)
    assert_type(either(1), int)
    assert_type(either("x"), str)
    assert_type(mcache(lambda: 1)(), int)
    assert_type(mcache(len)([1]), int)


def check_controls() -> None:
    assert_type(bare.invalidate(1, text="x"), bool)
    assert_type(bare.contains(number=1), bool)
    assert_type(bare.refresh(1), float)
    assert_type(bare.peek(1), float | None)
    assert_type(bare.peek(1, text="x", default_="none"), float | str)
    bare.put(1.5, 1, text="x")
    bare.put(1.5, 1, text="x", ttl_="1h")
    bare.put(1.5, 1, ttl_=None)
    assert_type(bare.cache_key(1), Any)
    assert_type(bare.stats(), Stats)
    assert_type(bare.stats().hit_ratio, float)
    assert_type(bare.items(), list[tuple[Any, float]])
    bare.resize(None)
    bare.resize(10)
    bare.resize(None, max_weight="64MB")
    assert_type(bare.sweep(), int)
    assert_type(bare.save(Path("file")), int)
    assert_type(bare.load("file"), int)
    assert_type(bare.warm([1, (2,), {"number": 3}]), Warmed)
    assert_type(bare.warm(range(10), workers=4, progress=True).failed, int)
    bare.warm(range(10), progress=lambda done, total: done == total)
    bare.close()
    assert_type(bare.cache_info(), CacheInfo)
    assert_type(bare.cache_info().maxsize, int | None)
    assert_type(bare.cache_parameters(), dict[str, Any])
    bare.cache_clear()
    assert_type(bare.__wrapped__(1, text="x"), float)
    assert_type(bare.__name__, str)


def check_uses() -> None:
    assert_type(apply(bare), float)
    assert_type(apply(forever), str)
    assert_type(wants_cached(unbounded), float)
    assert_type(wants_lru(lru_called), CacheInfo)
    assert_type(lru_bare.__wrapped__(1), str)
    assert_type(twat_cache.core_info().reason, str)
    assert_type(twat_cache.get_stats(), dict[str, Stats])
    assert_type(twat_cache.get_stats("name"), Stats)
    assert_type(twat_cache.clear_cache(), int)
    assert_type([one.cache_info() for one in twat_cache.caches()], list[CacheInfo])

"""Who is in the race, and how each is asked for a cache of `KEYS` entries.

Every peer is used as its own documentation shows first, with least-recently-used eviction where
it can be chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any, NamedTuple

from benchmarks import cores
from benchmarks.cases import Decorate
from benchmarks.measure import KEYS

TTL = 3600


class Contestant(NamedTuple):
    """A library: what gives its decorator for each kind of cache, or None if it has none."""

    name: str
    plain: Callable[[], Decorate] | None = None
    ttl: Callable[[], Decorate] | None = None
    method: Callable[[], Decorate] | None = None
    awaited: Callable[[], Decorate] | None = None
    enter: Callable[[], object] = lambda: None


def _our(core: str) -> Contestant:
    def tc() -> Any:
        return cores.load(core)

    return Contestant(
        f"twat-cache, {core}",
        plain=lambda: tc().mcache(maxsize=KEYS),
        ttl=lambda: tc().mcache(maxsize=KEYS, ttl=TTL),
        method=lambda: tc().mcache(maxsize=KEYS),
        awaited=lambda: tc().acache(maxsize=KEYS),
        enter=tc,
    )


def ours() -> list[Contestant]:
    """twat-cache on both cores, and its drop-in for functools."""
    drop_in = Contestant(
        "twat-cache lru_cache",
        plain=lambda: cores.load("compiled").lru_cache(KEYS),
        method=lambda: cores.load("compiled").lru_cache(KEYS),
        enter=lambda: cores.load("compiled"),
    )
    return [_our("compiled"), drop_in, _our("pure")]


def _functools() -> Contestant:
    def plain() -> Any:
        return import_module("functools").lru_cache(KEYS)

    return Contestant("functools", plain=plain, method=plain)


def _cachetools() -> Contestant:
    def tools() -> Any:
        return import_module("cachetools")

    def method() -> Decorate:
        t = tools()
        store = t.LRUCache(KEYS)
        return t.cachedmethod(lambda self: store, key=t.keys.hashkey)  # type: ignore[no-any-return]

    return Contestant(
        "cachetools",
        plain=lambda: tools().cached(tools().LRUCache(KEYS)),
        ttl=lambda: tools().cached(tools().TTLCache(KEYS, TTL)),
        method=method,
        enter=tools,
    )


def _cachebox() -> Contestant:
    def box() -> Any:
        return import_module("cachebox")

    def plain() -> Any:
        return box().cached(box().LRUCache(KEYS))

    return Contestant(
        "cachebox",
        plain=plain,
        ttl=lambda: box().cached(box().TTLCache(KEYS, TTL)),
        method=plain,
        awaited=plain,
        enter=box,
    )


def _theine() -> Contestant:
    def memoize(ttl: timedelta | None = None) -> Any:
        return import_module("theine").Memoize(KEYS, ttl)

    return Contestant(
        "theine",
        plain=memoize,
        ttl=lambda: memoize(timedelta(seconds=TTL)),
        method=memoize,
        awaited=memoize,
        enter=lambda: import_module("theine"),
    )


def _moka() -> Contestant:
    def cached(ttl: int | None = None) -> Any:
        return import_module("moka_py").cached(KEYS, ttl=ttl, policy="lru")

    return Contestant(
        "moka-py",
        plain=cached,
        ttl=lambda: cached(TTL),
        method=cached,
        awaited=cached,
        enter=lambda: import_module("moka_py"),
    )


def _async_lru() -> Contestant:
    return Contestant(
        "async-lru",
        awaited=lambda: import_module("async_lru").alru_cache(maxsize=KEYS),
        enter=lambda: import_module("async_lru"),
    )


def _wrapt() -> Contestant:
    def plain() -> Any:
        store: dict[Any, Any] = {}

        def remember(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            key = (instance, args, frozenset(kwargs.items()))
            try:
                return store[key]
            except KeyError:
                if len(store) >= KEYS:
                    del store[next(iter(store))]
                value = store[key] = wrapped(*args, **kwargs)
                return value

        return import_module("wrapt").decorator(remember)

    return Contestant(
        "wrapt and a dict", plain=plain, method=plain, enter=lambda: import_module("wrapt")
    )


CONTESTANTS = [
    _functools(),
    _cachetools(),
    _cachebox(),
    _theine(),
    _moka(),
    _async_lru(),
    _wrapt(),
]

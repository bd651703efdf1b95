"""Stores and engines for as long as a `with` lasts: what it opened, it closes, also on an error."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ._open import open_engine
from .cache import AsyncCache, Cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .engine_types import AsyncEngine, Engine

__all__ = ["CacheContext", "engine_context"]

_opened: ContextVar[tuple[tuple[object, Any], ...]] = ContextVar("twat_cache._opened", default=())
"""What blocks have opened in this thread or task, the innermost last."""


class CacheContext:
    """A store for the length of a `with`, or of an `async with`.

        with CacheContext("sqlite:///cache.db", ttl="1h") as cache:
            cache.set("a", 1)

    The store is opened when the block is entered: a `Cache`, or an `AsyncCache` by `async with`. At
    the end of the block it is closed: what is computed in the background is waited for, and an
    engine that was opened for it is closed. May be entered again, also from within and from several
    threads and tasks: each gets a store of its own.

    Args:
        engine: As for `Cache`.
        options: Those of `Cache`.

    Raises:
        ConfigurationError: (when it is entered) As for `Cache`.
    """

    def __init__(self, engine: Any = None, /, **options: Any) -> None:
        self._engine = engine
        self._options = options

    def __enter__(self) -> Cache:
        return _noted(self, Cache(self._engine, **self._options))  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        _last(self).close()

    async def __aenter__(self) -> AsyncCache:
        return _noted(self, AsyncCache(self._engine, **self._options))  # type: ignore[no-any-return]

    async def __aexit__(self, *_: object) -> None:
        await _last(self).close()


class engine_context:  # noqa: N801 - it is called like a function
    """An engine for the length of a `with`, or of an `async with`, which gives it.

        with engine_context("sqlite:///cache.db") as engine:
            engine.put({"k": b"v"}, ttl=60)

    It is opened when the block is entered, and closed at its end. An engine that was open before,
    given as an object, stays open.

    Args:
        engine: A URL, or an engine.
        options: Those of the engine's class.

    Raises:
        ConfigurationError: (when it is entered) As `open_engine`.
        EngineError: (when it is entered) The engine can't serve.
    """

    def __init__(self, engine: str | Engine | AsyncEngine, /, **options: Any) -> None:
        self._engine = engine
        self._options = options

    def __enter__(self) -> Any:
        return _noted(self, open_engine(self._engine, **self._options))

    def __exit__(self, *_: object) -> None:
        engine = _last(self)
        if engine is not self._engine:
            engine.close()

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        engine = _last(self)
        if engine is not self._engine:
            closing = engine.close()
            if closing is not None:
                await closing


def _noted(context: object, opened: Any) -> Any:
    _opened.set((*_opened.get(), (context, opened)))
    return opened


def _last(context: object) -> Any:
    """What this context opened last here; it is forgotten."""
    entries = _opened.get()
    for place in range(len(entries) - 1, -1, -1):
        if entries[place][0] is context:
            _opened.set(entries[:place] + entries[place + 1 :])
            return entries[place][1]
    raise RuntimeError("a context was left that wasn't entered in this thread or task")

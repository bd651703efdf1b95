"""Stores and engines for as long as a `with` lasts: what it opened, it closes, also on an error."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ._open import open_engine
from .errors import ConfigurationError
from .stores import Cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .async_stores import AsyncCache
    from .config import CacheConfig
    from .config_types import ConfigOptions, EngineLike

__all__ = ["CacheContext", "engine_context"]

_here: ContextVar[tuple[object, ...]] = ContextVar("twat_cache._here", default=())
"""The marks of blocks that were entered in this thread or task, the innermost last."""


class _Blocks:
    """What a context has opened in the blocks that go on, each with the mark of its block."""

    def __init__(self) -> None:
        self._opened: dict[object, Any] = {}

    def enter(self, opened: Any) -> Any:
        """A block begins in this thread or task; gives what was opened for it."""
        mark = object()
        self._opened[mark] = opened
        _here.set((*_here.get(), mark))
        return opened

    def leave(self) -> Any:
        """The innermost block ends that was entered here; gives what is to be closed.

        Who sets up tests may enter a block in one context and leave it in another, where nothing is
        known of it: then it is the last of all.
        """
        marks, open_now = _here.get(), list(self._opened)
        if not open_now:
            raise RuntimeError("a block is left that wasn't entered")
        mark = next((mark for mark in reversed(marks) if mark in self._opened), open_now[-1])
        _here.set(tuple(one for one in marks if one is not mark))
        return self._opened.pop(mark)


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

    def __init__(
        self, engine: EngineLike | CacheConfig = None, /, **options: Unpack[ConfigOptions]
    ) -> None:
        self._engine = engine
        self._options: Any = options
        self._blocks = _Blocks()

    def __enter__(self) -> Cache:
        cache: Cache = self._blocks.enter(Cache(self._engine, **self._options))
        return cache

    def __exit__(self, *_: object) -> None:
        self._blocks.leave().close()

    async def __aenter__(self) -> AsyncCache:
        from .async_stores import AsyncCache

        cache: AsyncCache = self._blocks.enter(AsyncCache(self._engine, **self._options))
        return cache

    async def __aexit__(self, *_: object) -> None:
        await self._blocks.leave().close()


class engine_context:  # noqa: N801 - it is called like a function
    """An engine for the length of a `with`, or of an `async with`, which gives it.

        with engine_context("sqlite:///cache.db") as engine:
            engine.put({"k": b"v"}, ttl=60)

    It is opened when the block is entered, and closed at its end. An engine that was open before,
    given as an object, alone or in a list, stays open.

    Args:
        engine: A URL, an engine, or a list of these from near to far.
        options: Those of the engine's class.

    Raises:
        ConfigurationError: (when it is entered) As `open_engine`, or an asynchronous engine by
            `with`.
        EngineError: (when it is entered) The engine can't serve.
    """

    def __init__(self, engine: EngineLike, /, **options: Any) -> None:
        self._engine = engine
        self._options = options
        self._blocks = _Blocks()

    def __enter__(self) -> Any:
        engine = open_engine(self._engine, **self._options)
        if engine.capabilities.async_:
            kind = type(engine).__name__
            raise ConfigurationError(f"a {kind} is asynchronous; enter this by `async with`")
        return self._blocks.enter(engine)

    def __exit__(self, *_: object) -> None:
        engine = self._blocks.leave()
        if self._is_ours(engine):
            engine.close()

    async def __aenter__(self) -> Any:
        return self._blocks.enter(open_engine(self._engine, async_=True, **self._options))

    async def __aexit__(self, *_: object) -> None:
        engine = self._blocks.leave()
        if self._is_ours(engine):
            closing = engine.close()
            if closing is not None:
                await closing

    def _is_ours(self, engine: Any) -> bool:
        given = self._engine if isinstance(self._engine, (list, tuple)) else [self._engine]
        return not any(one is engine for one in given)

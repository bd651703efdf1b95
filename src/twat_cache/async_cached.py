"""What a decorated coroutine function is."""

from __future__ import annotations

import sys

from ._core import Gate
from ._memory_path import MemoryPath, answer_awaited
from ._unhashable import answer_anyway
from .cached import Cached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._core import Table
    from ._stores.tag_index import TagIndex

__all__ = ["AsyncCached"]


class AsyncCached(Cached):
    """A coroutine function under `mcache` or `acache`: the controls of one call are awaited."""

    _behind: MemoryPath

    def _configure(self, function: Callable[..., Any], table: Table, tags: TagIndex | None) -> None:
        recipe = self._recipe
        single = recipe.single_flight is not False
        self._behind = MemoryPath(self, function, table, single=single, tags=tags)
        Gate.__init__(
            self,
            function,
            table,
            plan=self._binding,
            typed=recipe.typed,
            key=recipe.key,
            copier=recipe.copier,
            awaitable=True,
            on_miss=answer_awaited,
            on_key_error=answer_anyway,
        )
        if sys.version_info >= (3, 12):
            from inspect import markcoroutinefunction

            markcoroutinefunction(self)

    if sys.version_info < (3, 12):

        @property
        def _is_coroutine(self) -> Any:
            """What makes `asyncio.iscoroutinefunction` say yes; `inspect`'s can't be told."""
            from asyncio import coroutines

            return coroutines._is_coroutine  # type: ignore[attr-defined]

    async def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        """Forgets this call's entry, as `Cached.invalidate`."""
        return super().invalidate(*args, **kwargs)  # type: ignore[no-any-return]

    async def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Awaits the function now and stores its result, as `Cached.refresh`."""
        key = self._key_for(args, kwargs)
        if key is None:
            self.table.count_bypass()
            return await self.function(*args, **kwargs)
        behind = self._behind
        return await behind.path.ago(behind.call(key, args, kwargs, is_forced=True))

    async def peek(self, /, *args: Any, default_: Any = None, **kwargs: Any) -> Any:
        """The stored value, or `default_`, as `Cached.peek`."""
        return super().peek(*args, default_=default_, **kwargs)

    async def contains(self, /, *args: Any, **kwargs: Any) -> bool:
        """Whether there is a fresh entry, as `Cached.contains`."""
        return self._has(*args, **kwargs)

    async def invalidate_by(self, **argument: Any) -> int:
        """Forgets all entries of calls with this argument, as `Cached.invalidate_by`."""
        dropped: int = super().invalidate_by(**argument)
        return dropped

    async def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> None:
        """Stores a value by hand, as `Cached.put`."""
        super().put(value, *args, ttl_=ttl_, **kwargs)

    def _warm(self, first: tuple[Any, ...], calls: Any, workers: Any, progress: Any) -> Any:
        from ._warm import warm_awaiting

        return warm_awaiting(self, calls, workers, progress, first)

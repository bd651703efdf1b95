"""The store whose methods are awaited."""

from __future__ import annotations

from ._missing import MISSING
from ._operations import Operations
from ._run.asked import ask, asking, pass_for_coroutine_function
from ._run.drive import arun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from typing import Any, TypeVar

    from . import types as t
    from .stats import Stats
    from .types import Coro

    V = TypeVar("V")
if not TYPE_CHECKING:

    def overload(signature):
        """Drops a signature that is there for type checkers only."""


else:
    from typing import overload

__all__ = ["AsyncCache"]


class AsyncCache(Operations):
    """As `Cache`, awaited. A blocking engine serves in threads; memory at once.

    An async context manager, which closes it. Loaders may be functions or coroutine functions.
    """

    _awaits = True
    _ask: Any = None
    """Asks an engine that is awaited for one key, without a step."""
    _far: Any

    async def __aenter__(self) -> AsyncCache:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @pass_for_coroutine_function
    def get(self, key: str, default: Any = None) -> Coro[Any]:
        """The value, or the default.

        Of an engine that is remote, `asyncio.gather` takes it as the future that it is, and needs
        no task for it; so does `asyncio.ensure_future`.
        """
        far = self._far
        if self._ask is None or far is not self._shelf or type(key) is not str:
            return arun(self._get(key, default))
        return self._ask(far.engine, self, self._prefix + key, default)  # type: ignore[no-any-return]

    def _set_up(self) -> None:
        super()._set_up()
        if self._far is not None and self._far.engine.capabilities.async_:
            self._ask = asking if hasattr(type(self._far.engine), "join") else ask

    def _found(self, many: int) -> None:
        self._tally.looked_up(many, 0)

    def _lacking(self, default: Any) -> Any:
        if default is not MISSING:
            self._tally.looked_up(0, 1)
        return default

    async def _go_on(self, place: str, default: Any, found: Any) -> Any:
        if isinstance(found, Exception):
            try:
                raise found
            finally:
                del found  # an exception refers to this frame
        value = MISSING if found[0] is None else await arun(self._far.told(place, found[0]))
        self._tally.looked_up(value is not MISSING, value is MISSING)
        return default if value is MISSING else value

    async def set(
        self, key: str, value: Any, ttl: t.Duration | None = None, *, tags: Iterable[str] = ()
    ) -> None:
        """Stores a value, as `Cache.set`."""
        await arun(self._set_many({key: value}, ttl, tags))

    async def add(
        self, key: str, value: Any, ttl: t.Duration | None = None, *, tags: Iterable[str] = ()
    ) -> bool:
        """Stores a value if there is none: of any number who try at once, one is told True."""
        return await arun(self._add(key, value, ttl, tags))

    async def delete(self, key: str) -> bool:
        """Forgets a key; tells whether there was a value."""
        return await arun(self._delete_many([key])) > 0

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values that there are, by key."""
        return await arun(self._get_many(keys))

    async def set_many(
        self, items: Mapping[str, Any], ttl: t.Duration | None = None, *, tags: Iterable[str] = ()
    ) -> None:
        """Stores values, as `set`, in one batch."""
        await arun(self._set_many(items, ttl, tags))

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Forgets keys; tells how many of them had a value."""
        return await arun(self._delete_many(keys))

    @overload
    async def get_or_load(
        self,
        key: str,
        loader: Callable[..., Coro[V]],
        ttl: t.Ttl = None,
        *,
        tags: Iterable[str] = (),
    ) -> V: ...
    @overload
    async def get_or_load(
        self,
        key: str,
        loader: Callable[..., V],
        ttl: t.Ttl = None,
        *,
        tags: Iterable[str] = (),
    ) -> V: ...
    async def get_or_load(
        self, key: str, loader: Any, ttl: Any = None, *, tags: Iterable[str] = ()
    ) -> Any:
        """The value, or else what the loader returns, as `Cache.get_or_load`."""
        return await self._path.ago(self._loading(key, loader, ttl, tags))

    async def get_many_or_load(
        self,
        keys: Iterable[str],
        loader: Callable[[list[str]], Awaitable[Mapping[str, V]] | Mapping[str, V]],
        ttl: t.Duration | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> dict[str, V]:
        """The values by key, as `Cache.get_many_or_load`."""
        return await arun(self._get_many_or_load(keys, loader, ttl, tags))

    async def touch(self, key: str, ttl: t.Duration | None = None) -> bool:
        """Gives a value so much time from now, as `Cache.touch`."""
        return await arun(self._touch(key, ttl))

    async def incr(
        self, key: str, delta: float = 1, *, initial: float = 0, ttl: t.Duration | None = None
    ) -> Any:
        """Adds to a number, in one step, as `Cache.incr`."""
        return await arun(self._incr(key, delta, initial, ttl))

    async def invalidate_tags(self, *tags: str) -> None:
        """Forgets all values with one of the tags, and grounds what is being computed."""
        await arun(self._invalidate_tags(tags))

    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin so, in any order."""
        return await arun(self._names(prefix))

    async def clear(self) -> None:
        """Forgets everything in its namespace, functions decorated by `cached` included."""
        await arun(self._clear())

    async def ping(self) -> None:
        """Returns if the engine can serve, and raises `EngineError` if it can't."""
        await arun(self._ping())

    def stats(self) -> Stats:
        """All that was counted since it was made."""
        return self._stats()

    async def close(self) -> None:
        """Awaits what is computed in the background, and gives the engine back, likewise."""
        await arun(self._close())

"""The store whose methods block.

What a method does is written once, in `_operations`, as steps: this one goes through them at once,
that of `async_stores` gives them to be awaited.
"""

from __future__ import annotations

from ._missing import MISSING
from ._operations import Operations
from ._run.drive import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, TypeVar

    from . import types as t
    from .stats import Stats

    V = TypeVar("V")

__all__ = ["MISSING", "Cache"]


class Cache(Operations):
    """Values by name: in memory, in an engine, or in memory before an engine. Thread-safe.

    Keys are texts. Values in memory are the objects themselves; in an engine they are written by
    the codec, so they come back equal and new. What is missing is told from a cached None by the
    `default`, such as `MISSING`. A context manager, which closes it.

    `get_or_load`, `get_many_or_load` and functions decorated by `cached` answer also when the
    engine can't: they compute. All other methods then raise an `EngineError`.

    Args:
        engine: None (what `TWAT_CACHE_URL` says, or memory), `"memory"`, a URL such as
            `"sqlite:///cache.db"`, an engine, or a list of these, near to far.
        options: Those of `ucache` that aren't about a function: `ttl`, `maxsize`, `stale`,
            `namespace`, `codec` and so on.

    Raises:
        ConfigurationError: An option has a value that isn't accepted or can't be honoured.
    """

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or the default.

        Raises:
            EngineError: The engine can't serve.
        """
        return run(self._get(key, default))

    def set(
        self, key: str, value: Any, ttl: t.Duration | None = None, *, tags: Iterable[str] = ()
    ) -> None:
        """Stores a value.

        Args:
            key: The key.
            value: The value.
            ttl: How long it is good for; None is as the cache's `ttl` says.
            tags: Names of groups that can be dropped by `invalidate_tags`.

        Raises:
            ConfigurationError: `ttl` isn't a length of time.
            EngineError: The engine can't serve.
            SerializationError: The codec can't carry the value.
        """
        run(self._set_many({key: value}, ttl, tags))

    def add(
        self, key: str, value: Any, ttl: t.Duration | None = None, *, tags: Iterable[str] = ()
    ) -> bool:
        """Stores a value if there is none: of any number who try at once, one is told True."""
        return run(self._add(key, value, ttl, tags))

    def delete(self, key: str) -> bool:
        """Forgets a key; tells whether there was a value."""
        return run(self._delete_many([key])) > 0

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values that there are, by key."""
        return run(self._get_many(keys))

    def set_many(
        self, items: Mapping[str, Any], ttl: t.Duration | None = None, *, tags: Iterable[str] = ()
    ) -> None:
        """Stores values, as `set`, in one batch."""
        run(self._set_many(items, ttl, tags))

    def delete_many(self, keys: Iterable[str]) -> int:
        """Forgets keys; tells how many of them had a value."""
        return run(self._delete_many(keys))

    def get_or_load(
        self,
        key: str,
        loader: Callable[..., V],
        ttl: t.Ttl = None,
        *,
        tags: Iterable[str] = (),
    ) -> V:
        """The value, or else what the loader returns, which is then stored.

        One computation for each key at a time. If the engine can't serve, the loader answers.

        Args:
            key: The key.
            loader: Called without arguments; if it has a parameter `old`, it is given the value
                before, stale or not, or `MISSING`.
            ttl: How long the value is good for, or a function of the value that tells; None is as
                the cache's `ttl` says.
            tags: As for `set`.

        Raises:
            CacheKeyError: The key is no text.
            Exception: What the loader raises.
        """
        value: V = self._path.go(self._loading(key, loader, ttl, tags))
        return value

    def get_many_or_load(
        self,
        keys: Iterable[str],
        loader: Callable[[list[str]], Mapping[str, V]],
        ttl: t.Duration | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> dict[str, V]:
        """The values by key; those that are missing are asked of the loader, all in one call.

        Args:
            keys: The keys.
            loader: Called with the list of missing keys; gives their values by key. What it leaves
                out stays missing.
            ttl: As for `set`.
            tags: As for `set`.
        """
        return run(self._get_many_or_load(keys, loader, ttl, tags))

    def touch(self, key: str, ttl: t.Duration | None = None) -> bool:
        """Gives a value so much time from now, or the cache's `ttl`; tells whether there was one.

        Raises:
            ConfigurationError: The engine can't replace a value on condition.
        """
        return run(self._touch(key, ttl))

    def incr(
        self, key: str, delta: float = 1, *, initial: float = 0, ttl: t.Duration | None = None
    ) -> Any:
        """Adds to a number, in one step; gives the sum. One that is missing counts as `initial`.

        Raises:
            CacheValueError: The value is no number.
            ConfigurationError: The engine can't replace a value on condition.
        """
        return run(self._incr(key, delta, initial, ttl))

    def invalidate_tags(self, *tags: str) -> None:
        """Forgets all values with one of the tags, and grounds what is being computed."""
        run(self._invalidate_tags(tags))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin so, in any order.

        Raises:
            ConfigurationError: The engine can't list its keys.
        """
        return iter(run(self._names(prefix)))

    def clear(self) -> None:
        """Forgets everything in its namespace, functions decorated by `cached` included."""
        run(self._clear())

    def ping(self) -> None:
        """Returns if the engine can serve.

        Raises:
            EngineError: It can't.
        """
        run(self._ping())

    def stats(self) -> Stats:
        """All that was counted since it was made."""
        return self._stats()

    def close(self) -> None:
        """Waits for what is computed in the background, and gives the engine back.

        Its values in memory are gone. An engine that was opened for it, and that no other cache
        uses, is closed. From then on all methods raise `EngineError`, but those that can compute
        instead do.
        """
        run(self._close())

    def __getitem__(self, key: str) -> Any:
        value = self.get(key, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        if not (self.delete(key) or self._is_cut_off()):  # then nobody knows what was there
            raise KeyError(key)

    def __contains__(self, key: str) -> bool:
        return run(self._get(key, MISSING, counts=False)) is not MISSING

    def __len__(self) -> int:
        return len(run(self._names("")))

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def __bool__(self) -> bool:
        return True

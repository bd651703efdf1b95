"""What a decorated generator function is, under `generators="replay"`.

Recordings are kept, and each answer is a new generator over one; see `_replay`. The gate itself has
the generator function: so names and signature are read from it, and a call that does without the
cache gives its generator as it is.
"""

from __future__ import annotations

from ._core import Gate
from ._kinds import is_async_generator_function
from ._memory_path import MemoryPath
from ._replay import (
    pass_for_generator_function,
    record,
    record_awaited,
    recorded,
    replayed,
    replayed_async,
    replayed_later,
)
from ._unhashable import answer_anyway
from .cached import Cached
from .codecs.recordings import Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._core import Table
    from ._stores.tag_index import TagIndex

__all__ = ["AsyncReplayCached", "ReplayCached", "replay_kind"]

_MISSING: Any = object()


class ReplayCached(Cached):
    """A generator function under `mcache`: calls and controls give generators of their own."""

    _behind: MemoryPath

    def _configure(self, function: Callable[..., Any], table: Table, tags: TagIndex | None) -> None:
        self._set_up(function, table, tags, replayed, _answer, single=False)

    def _set_up(
        self,
        function: Callable[..., Any],
        table: Table,
        tags: TagIndex | None,
        play: Callable[[Any], Any],
        on_miss: Callable[..., Any],
        *,
        single: bool,
    ) -> None:
        recipe = self._recipe
        if recipe.single_flight is not None:
            single = recipe.single_flight is not False
        self._behind = MemoryPath(self, recorded(function), table, single=single, tags=tags)
        self._play = play
        pass_for_generator_function(self, function)
        Gate.__init__(
            self,
            function,
            table,
            plan=self._binding,
            typed=recipe.typed,
            key=recipe.key,
            copier=play if recipe.copier is None else _copied_first(recipe.copier, play),
            on_miss=on_miss,
            on_key_error=answer_anyway,
        )

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Runs the function now and stores what it gives, as `Cached.refresh`."""
        fresh = super().refresh(*args, **kwargs)
        return self._play(fresh) if type(fresh) is Recording else fresh

    def peek(self, /, *args: Any, default_: Any = None, **kwargs: Any) -> Any:
        """A generator over what is stored, or `default_`, as `Cached.peek`."""
        kept = super().peek(*args, default_=_MISSING, **kwargs)
        return default_ if kept is _MISSING else self._play(kept)

    def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> Any:
        """Stores the items of any iterable by hand, as `Cached.put`; a generator is used up."""
        super().put(record(value), *args, ttl_=ttl_, **kwargs)

    def items(self) -> list[tuple[tuple[Any, ...], Any]]:
        """Keys, and generators over what is stored, as `Cached.items`."""
        return [(key, self._play(kept)) for key, kept in super().items()]


class AsyncReplayCached(ReplayCached):
    """An async generator function, likewise: the controls of one call are awaited."""

    def _configure(self, function: Callable[..., Any], table: Table, tags: TagIndex | None) -> None:
        self._set_up(function, table, tags, replayed_async, _answer_later, single=True)

    async def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        """Forgets this call's entry, as `Cached.invalidate`."""
        return super().invalidate(*args, **kwargs)  # type: ignore[no-any-return]

    async def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Runs the function now and stores what it gives; gives an async generator."""
        key = self._key_for(args, kwargs)
        if key is None:
            self.table.count_bypass()
            return self.function(*args, **kwargs)
        behind = self._behind
        return self._play(await behind.path.ago(behind.call(key, args, kwargs, is_forced=True)))

    async def peek(self, /, *args: Any, default_: Any = None, **kwargs: Any) -> Any:
        """An async generator over what is stored, or `default_`."""
        return super().peek(*args, default_=default_, **kwargs)

    async def contains(self, /, *args: Any, **kwargs: Any) -> bool:
        """Whether there is a fresh entry, as `Cached.contains`."""
        return self._has(*args, **kwargs)

    async def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> None:
        """Stores the items of any iterable or async iterable by hand."""
        super().put(await record_awaited(value), *args, ttl_=ttl_, **kwargs)

    def _warm(self, first: tuple[Any, ...], calls: Any, workers: Any, progress: Any) -> Any:
        from ._warm import warm_iterating

        return warm_iterating(self, calls, workers, progress, first)


def replay_kind(function: Callable[..., Any]) -> type[ReplayCached]:
    """What a generator function is made into."""
    return AsyncReplayCached if is_async_generator_function(function) else ReplayCached


def _answer(gate: Any, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answers a miss of a generator function: a core's `on_miss` hook."""
    behind: MemoryPath = gate._behind
    return replayed(behind.path.go(behind.call(key, args, kwargs)))


def _answer_later(gate: Any, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answers a miss of an async one, likewise: a call of it can't wait, its first step can."""
    behind: MemoryPath = gate._behind
    return replayed_later(lambda: behind.path.ago(behind.call(key, args, kwargs)))


def _copied_first(copier: Callable[[Any], Any], play: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda kept: play(copier(kept))

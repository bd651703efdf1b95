"""Generator functions whose recordings are in an engine; `replay_cached` has those in memory."""

from __future__ import annotations

from copy import copy

from ._kinds import is_async_generator_function
from ._replay import (
    pass_for_generator_function,
    record,
    record_awaited,
    recorded,
    replayed,
    replayed_async,
    replayed_later,
)
from ._run.drive import arun
from .codecs.named import codec_named
from .codecs.recordings import PackedRecordings
from .engine_cached import EngineCached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._recipe import Recipe
    from ._run.call import Call
    from ._run.drive import Steps
    from ._tiers import Tiers

__all__ = ["replay_kind_of_engines"]


class ReplayEngineCached(EngineCached):
    """A generator function: calls and controls give generators of their own."""

    _answers_as_stored = False
    _play: Any = staticmethod(replayed)

    def __init__(self, function: Callable[..., Any], recipe: Recipe, tiers: Tiers) -> None:
        recipe = copy(recipe)
        sealed = recipe.secret is not None or recipe.encrypt is not None
        codec = codec_named(recipe.codec, sealed=sealed, unsafe=recipe.unsafe)
        recipe.codec = PackedRecordings(codec)
        super().__init__(function, recipe, tiers)
        pass_for_generator_function(self, function)

    def _computing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return recorded(function)

    def _answering_by(self) -> Callable[[Any], Any]:
        copier, play = self._recipe.copier, self._play
        return play if copier is None else lambda kept: play(copier(kept))

    def _go(self, call: Call) -> Any:
        return replayed(self._path.go(call))

    def _peeking(self, call: Call | None, default: Any) -> Steps[Any]:
        missing = object()
        kept = yield from super()._peeking(call, missing)
        return default if kept is missing else self._play(kept)

    def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> Any:
        """Stores the items of any iterable by hand; a generator is used up."""
        return super().put(record(value), *args, ttl_=ttl_, **kwargs)

    def _listing(self) -> Steps[list[tuple[str, Any]]]:
        return [(key, self._play(kept)) for key, kept in (yield from super()._listing())]


class AsyncReplayEngineCached(ReplayEngineCached):
    """An async generator function, likewise: the controls of one call are awaited."""

    _play: Any = staticmethod(replayed_async)
    _drive: Any = staticmethod(arun)
    awaits = True

    def _go(self, call: Call) -> Any:
        return replayed_later(lambda: self._path.ago(call))

    async def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Runs the function now and stores what it gives; gives an async generator."""
        call = self._call_if_keyed(args, kwargs, is_forced=True)
        if call is None:
            return self._bypass(args, kwargs)
        return self._play(await self._path.ago(call))

    async def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> None:
        """Stores the items of any iterable or async iterable by hand."""
        await EngineCached.put(self, await record_awaited(value), *args, ttl_=ttl_, **kwargs)

    def _warm(self, first: tuple[Any, ...], calls: Any, workers: Any, progress: Any) -> Any:
        from ._warm import warm_iterating

        return warm_iterating(self, calls, workers, progress, first)


def replay_kind_of_engines(function: Callable[..., Any]) -> type[ReplayEngineCached]:
    """What a generator function is made into."""
    is_async = is_async_generator_function(function)
    return AsyncReplayEngineCached if is_async else ReplayEngineCached

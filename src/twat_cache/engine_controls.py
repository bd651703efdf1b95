"""The controls of a function whose results are in an engine.

Every control is written once: what it does is steps, which a `def` function's control goes through
at once, and a coroutine function's gives to be awaited. They raise an `EngineError` where the
engine can't serve; calls don't.
"""

from __future__ import annotations

from ._counted import counted
from ._duration import seconds
from ._run.drive import run
from ._tagging import tag_by
from ._tiers import give_back
from .errors import EngineError
from .stats import CacheInfo
from .wrapper import Wrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ._core import Table
    from ._keys.cold import ColdKeys
    from ._path import Path
    from ._recipe import Recipe
    from ._run.call import Call
    from ._run.drive import Steps
    from ._run.tally import Tally
    from ._stores.engine_shelf import EngineShelf
    from ._stores.tag_index import TagIndex
    from ._warm import Progress
    from .stats import Stats

__all__ = ["EngineControls"]

_MISSING: Any = object()


class EngineControls(Wrapper):
    """A function whose results are in an engine, and the controls of that. Thread-safe."""

    _drive: Any = staticmethod(run)
    _is_typed = True
    _recipe: Recipe
    _name: str
    _cold: ColdKeys
    _path: Path
    _far: EngineShelf
    _tally: Tally
    _engine: Any
    _tags: Callable[[Call], Iterable[str]] | None
    _index: TagIndex | None = None
    _near: Table | None

    def _call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_forced: bool = False
    ) -> Call:
        raise NotImplementedError

    def _go(self, call: Call) -> Any:
        raise NotImplementedError

    def _hot(self, call: Call) -> tuple[Any, ...]:
        raise NotImplementedError

    def invalidate(self, /, *args: Any, **kwargs: Any) -> Any:
        """Forgets this call's entry; one in flight won't be stored.

        Returns:
            Whether there was one.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            EngineError: The engine can't serve.
            TypeError: The arguments don't fit the function.
        """
        return self._drive(self._invalidating(self._call(args, kwargs)))

    def _invalidating(self, call: Call) -> Steps[bool]:
        self._path.forget(call.place)
        (found,) = yield from self._far.read([call.place])
        yield from self._far.drop([call.place])
        self._forget_nearby(call)
        return found is not None and found.left > 0 and not found.raised

    def _forget_nearby(self, call: Call) -> None:
        near = self._near
        if near is not None:
            near.discard(self._hot(call))

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the function now and stores its result, unless it was invalidated meanwhile.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        return self._go(self._call(args, kwargs, is_forced=True))

    def peek(self, /, *args: Any, default_: Any = None, **kwargs: Any) -> Any:
        """The stored value, or `default_`; changes no counts.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            EngineError: The engine can't serve.
            TypeError: The arguments don't fit the function.
        """
        return self._drive(self._peeking(self._call(args, kwargs), default_))

    def _peeking(self, call: Call, default: Any) -> Steps[Any]:
        (found,) = yield from self._far.read([call.place])
        is_there = found is not None and found.left > 0 and not found.raised
        return found.value if is_there and found is not None else default

    def contains(self, /, *args: Any, **kwargs: Any) -> Any:
        """Whether there is a fresh entry; changes no counts.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            EngineError: The engine can't serve.
            TypeError: The arguments don't fit the function.
        """
        return self._drive(self._containing(self._call(args, kwargs)))

    def _containing(self, call: Call) -> Steps[bool]:
        return (yield from self._peeking(call, _MISSING)) is not _MISSING

    def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> Any:
        """Stores a value by hand as this call's result; one in flight won't replace it.

        Args:
            value: The value. `cache_if` is not asked.
            *args: The call's positional arguments.
            ttl_: How long it shall last, all that the option `ttl` takes; None is as the option
                says.
            **kwargs: The call's keyword arguments.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            ConfigurationError: `ttl_` isn't a length of time.
            EngineError: The engine can't serve.
            SerializationError: The codec can't carry the value.
            TypeError: The arguments don't fit the function.
        """
        call = self._call(args, kwargs)
        if callable(ttl_):
            ttl_ = ttl_(value, *args, **kwargs)
        if ttl_ is not None:
            call.ttl = seconds(ttl_, option="ttl_")
        return self._drive(self._putting(call, value))

    def _putting(self, call: Call, value: Any) -> Steps[None]:
        self._path.forget(call.place)
        lasts = self._lasts_by_hand(call, value)
        tags = [] if self._tags is None else list(self._tags(call))
        if lasts is None or lasts > 0:
            yield from self._far.write({call.place: value}, lasts, tags)
        else:
            yield from self._far.drop([call.place])
        self._forget_nearby(call)

    def _lasts_by_hand(self, call: Call, value: Any) -> float | None:
        life = self._recipe.life
        if call.ttl is None and life is not None:
            found = life(value, call.args, dict(call.kwargs))
            return None if found is None else found / 1e9
        if call.ttl is not None:
            lasts: float = call.ttl
            return lasts
        return self._recipe.ttl if isinstance(self._recipe.ttl, float) else None

    def cache_key(self, /, *args: Any, **kwargs: Any) -> str:
        """The key of this call's entry in the engine.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        return self._cold(args, kwargs)

    def invalidate_by(self, **argument: Any) -> Any:
        """Forgets all entries of calls with this argument, given by name; stops those in flight.

        Args:
            **argument: One parameter that `invalidate_by=` names, and its value.

        Raises:
            CacheKeyError: The value can't be part of a key.
            ConfigurationError: It isn't one parameter that `invalidate_by=` names.
            EngineError: The engine can't serve.
        """
        by = self._recipe.invalidate_by
        return self._drive(self._dropping([tag_by(self._name, self._cold.prefix, by, argument)]))

    def _dropping(self, tags: list[str]) -> Steps[None]:
        yield from self._far.tokens.drop(tags)
        self._forget_tags(tags)

    def _forget_tags(self, tags: Iterable[str]) -> None:
        """Forgets what the near table has with one of the tags."""
        self._path.forget_all()
        if self._near is not None and self._index is not None:
            self._index.drop(tags)

    def _forget_near(self) -> None:
        self._path.forget_all()
        if self._near is not None:
            self._near.clear()

    def _stats(self) -> Stats:
        return counted(self._tally, self.table, is_function=True)

    def stats(self) -> Stats:
        """All that was counted since the cache was made or cleared."""
        return self._stats()

    def items(self) -> list[tuple[str, Any]]:
        """Keys and values of the fresh entries in the engine, in any order.

        Raises:
            EngineError: The engine can't serve, or can't list what it has.
        """
        return run(self._far.items(self._cold.prefix))

    def warm(
        self, calls: Iterable[Any], workers: int | None = None, progress: Progress = None
    ) -> Any:
        """Makes calls ahead of time, those that have no fresh entry yet; as `Cached.warm`."""
        return self._warm((), calls, workers, progress)

    def _warm(self, first: tuple[Any, ...], calls: Any, workers: Any, progress: Any) -> Any:
        from ._warm import warm

        return warm(self, calls, workers, progress, first)

    def _has(self, /, *args: Any, **kwargs: Any) -> bool:
        try:
            return run(self._containing(self._call(args, kwargs)))
        except EngineError:
            return False

    def cache_info(self) -> CacheInfo:
        """Hits, misses, and the near table's maxsize and currsize.

        Without a near table they are 0: an engine isn't asked how many entries it has.
        """
        stats = self._stats()
        return CacheInfo(stats.hits, stats.misses, stats.maxsize, stats.currsize)

    def cache_clear(self) -> None:
        """Forgets all entries of this function and sets all counts to zero.

        Calls in flight store nothing.

        Raises:
            EngineError: The engine can't serve, or is asynchronous.
        """
        self._path.forget_all()
        run(self._far.drop_all(self._cold.prefix))
        self.table.clear()
        self._tally.reset()

    def close(self) -> None:
        """Waits for what is computed in the background, and gives the engine back.

        An engine that the decorator opened, and no other cache uses, is closed. The function can
        still be called; it then runs each time.
        """
        from ._run.apart import drain_threads

        drain_threads(10.0)
        self.table.clear()
        engine, self._engine = self._engine, None
        if engine is not None:
            give_back(engine)

    def cache_parameters(self) -> dict[str, Any]:
        """The `maxsize` of the near table, 0 without one, and `typed`, which is true."""
        return {"maxsize": self.table.maxsize, "typed": True}

    @property
    def _label(self) -> str:
        return self._name

    @property
    def _registered_name(self) -> str:
        return self._recipe.name or super()._registered_name

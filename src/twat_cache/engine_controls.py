"""The controls of a function whose results are in an engine.

Every control is written once: what it does is steps, which a `def` function's control goes through
at once, and a coroutine function's gives to be awaited. They raise an `EngineError` where the
engine can't serve; calls don't.
"""

from __future__ import annotations

from ._counted import counted
from ._options import read_maxsize
from ._run.drive import run
from ._store_of import lasting_by_hand
from ._tagging import tag_by
from ._tiers import closed_engine
from .errors import CacheKeyError, ConfigurationError, EngineError
from .stats import CacheInfo
from .wrapper import Wrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Any

    from ._coherence.coherence import Coherence
    from ._core import Table
    from ._keys.cold import ColdKeys
    from ._path import Path
    from ._recipe import Recipe
    from ._run.call import Call, Found
    from ._run.drive import Steps
    from ._run.tally import Tally
    from ._stores.engine_shelf import EngineShelf
    from ._stores.tag_index import TagIndex
    from ._tiers import Loan
    from ._warm import Progress
    from .stats import Stats

__all__ = ["EngineControls"]

_PATIENCE = 10.0  # seconds


class EngineControls(Wrapper):
    """A function whose results are in an engine, and the controls of that. Thread-safe."""

    _drive: Any = staticmethod(run)
    _is_awaited = False
    awaits = False
    """Whether calls or controls await what the engine does."""
    _is_typed = True
    _recipe: Recipe
    _name: str
    _cold: ColdKeys
    _path: Path
    _far: EngineShelf
    _tally: Tally
    _loan: Loan
    _tags: Callable[[Call], Iterable[str]] | None
    _index: TagIndex | None = None
    _near: Table | None
    _coherence: Coherence | None
    _asks_first = False
    """Whether another engine is asked before the first step, and the steps told what it has."""

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
        return self._drive(self._invalidating(self._call_if_keyed(args, kwargs)))

    def _invalidating(self, call: Call | None) -> Steps[bool]:
        if call is None:
            return False
        found: bool = yield from self._changed(call, self._dropping(call))
        return found

    def _dropping(self, call: Call) -> Steps[bool]:
        try:
            found = yield from self._find(call)
        except EngineError:  # it may be told to forget all the same, if only when it is back
            found = None
        yield from self._far.drop([call.place])
        return found is not None

    def _changed(self, call: Call, change: Steps[Any]) -> Steps[Any]:
        """Has the engine changed; the near table forgets, and nobody joins what began before."""
        self._path.forget(call.place)
        try:
            return (yield from change)
        finally:  # also if the engine fails: it may have done what it was asked
            self._path.forget(call.place)
            if self._near is not None:
                self._near.discard(self._hot(call))

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the function now and stores its result, unless it was invalidated meanwhile.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        call = self._call_if_keyed(args, kwargs, is_forced=True)
        return self._bypass(args, kwargs) if call is None else self._go(call)

    def peek(self, /, *args: Any, default_: Any = None, **kwargs: Any) -> Any:
        """The stored value, or `default_`; changes no counts.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            EngineError: The engine can't serve.
            TypeError: The arguments don't fit the function.
        """
        return self._drive(self._peeking(self._call_if_keyed(args, kwargs), default_))

    def _peeking(self, call: Call | None, default: Any) -> Steps[Any]:
        found = None if call is None else (yield from self._find(call))
        return default if found is None else found.value

    def _find(self, call: Call) -> Steps[Found | None]:
        """What there is, if it is fresh and no exception."""
        (found,) = yield from self._far.read([call.place])
        return None if found is None or found.left <= 0 or found.raised else found

    def contains(self, /, *args: Any, **kwargs: Any) -> Any:
        """Whether there is a fresh entry; changes no counts.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            EngineError: The engine can't serve.
            TypeError: The arguments don't fit the function.
        """
        return self._drive(self._containing(self._call_if_keyed(args, kwargs)))

    def _containing(self, call: Call | None) -> Steps[bool]:
        return call is not None and (yield from self._find(call)) is not None

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
        lasts = lasting_by_hand(self._recipe, ttl_, "ttl_")(value, args, kwargs)
        tags = () if self._tags is None else list(self._tags(call))
        place = call.place
        writing = self._far.write({place: value}, {place: lasts}, tags)
        return self._drive(self._changed(call, writing))

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
        tag = tag_by(self._name, self._cold.prefix, by, argument)
        return self._drive(self._far.tokens.drop([tag]))

    def stats(self) -> Stats:
        """All that was counted since the cache was made or cleared."""
        return self._stats()

    def warm(
        self, calls: Iterable[Any], workers: int | None = None, progress: Progress = None
    ) -> Any:
        """Makes calls ahead of time, those that have no fresh entry yet; as `Cached.warm`."""
        return self._warm((), calls, workers, progress)

    def cache_info(self) -> CacheInfo:
        """Hits, misses, and the near table's maxsize and currsize.

        Without a near table they are the engine's maxsize, if it tells one, and 0: it isn't asked
        how many entries it has.
        """
        stats = self._stats()
        return CacheInfo(stats.hits, stats.misses, stats.maxsize, stats.currsize)

    def cache_parameters(self) -> dict[str, Any]:
        """The `maxsize` as `cache_info` tells it, and `typed`, which is true."""
        return {"maxsize": self._stats().maxsize, "typed": True}

    # -- the cache as a whole: awaited if the engine's methods are coroutine functions ---------

    def items(self) -> Any:
        """Keys and values of the fresh entries in the engine, in any order.

        Raises:
            ConfigurationError: The engine can't list what it has.
            EngineError: The engine can't serve.
        """
        return self._drive_whole(self._listing())

    def _listing(self) -> Steps[list[tuple[str, Any]]]:
        return (yield from self._far.items(self._cold.prefix))

    def cache_clear(self) -> Any:
        """Forgets all entries of this function and sets all counts to zero.

        Calls in flight store nothing.

        Raises:
            EngineError: The engine can't serve.
        """
        return self._drive_whole(self._clearing())

    def _clearing(self) -> Steps[None]:
        self._path.forget_all()
        try:
            yield from self._far.drop_all(self._cold.prefix)
        finally:
            self._forget_near()

    def close(self) -> Any:
        """Waits for what is computed in the background, and gives the engine back.

        An engine that the decorator opened, and no other cache uses, is closed. The function can
        still be called; it then runs each time. A coroutine function's tasks are only waited for if
        this is awaited, too.
        """
        return self._drive_whole(self._closing())

    def _closing(self) -> Steps[None]:
        if self._drive_whole is self._drive:
            yield from self._path.drain(_PATIENCE)
        self._asks_first = False  # what it would be asked in is another colour
        self._far.engine = self._far.tokens.engine = closed_engine()
        self._path.forget_all()
        if self._coherence is not None:
            self._coherence.end()
        if self._near is not None:
            self._near.resize(0)
        yield from self._loan.close()

    @property
    def _drive_whole(self) -> Any:
        engine = self._loan.engine  # also after `close`, when another one is in its place
        return self._drive if engine.capabilities.async_ else run

    def resize(self, maxsize: int | None, /, *, max_weight: Any = None) -> None:
        """Sets the bound of the near table.

        Args:
            maxsize: Most entries, 0 or more, or None for no bound.
            max_weight: None: entries here have no weights.

        Raises:
            ConfigurationError: A bound is not accepted, or there is no near table.
        """
        if self._near is None or max_weight is not None:
            name = "maxsize" if max_weight is None else "max_weight"
            raise ConfigurationError(
                f"resize() can't set {name}: it is for a table in memory that counts its entries; "
                "an engine keeps the maxsize= and max_bytes= that it was opened with"
            )
        self._near.resize(read_maxsize(maxsize))

    def sweep(self) -> int:
        """Removes what is past its time from the near table; tells how many entries those were.

        An engine forgets by itself.
        """
        return self.table.sweep()

    def save(self, _path: object, /) -> int:
        """Saves nothing: what is in an engine is kept there.

        Raises:
            ConfigurationError: Always.
        """
        raise _kept_already("save")

    def load(self, _path: object, /) -> int:
        """Loads nothing, likewise.

        Raises:
            ConfigurationError: Always.
        """
        raise _kept_already("load")

    # -- what the controls share ----------------------------------------------------------------

    def _call_if_keyed(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_forced: bool = False
    ) -> Call | None:
        """The call; None if it shall do without the cache."""
        try:
            return self._call(args, kwargs, is_forced=is_forced)
        except CacheKeyError:
            if self._recipe.unhashable != "bypass":
                raise
            return None

    def _bypass(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.table.count_bypass()
        return self.__wrapped__(*args, **kwargs)

    def _forget_tags(self, tags: Iterable[str]) -> None:
        """Forgets what the near table has with one of the tags."""
        self._path.forget_all()
        if self._index is not None:
            self._index.drop(tags)

    def _overrule(self, places: Collection[str] | None) -> None:
        """Others have changed these, or anything: what is being computed is of no use."""
        self._far.ground(places)
        if places is None:
            self._path.forget_all()
        else:
            for place in places:
                self._path.forget(place)

    def _forget_near(self) -> None:
        """Forgets what the near table has and all counts, and grounds what is on its way."""
        self._far.ground()
        self._path.forget_all()
        self.table.clear()
        self._tally.reset()

    def _empty(self) -> None:
        """As `cache_clear`, where nobody can await."""
        run(self._clearing())

    def _stats(self) -> Stats:
        engine = self._far.engine if self._near is None else None
        return counted(self._tally, self.table, is_function=True, engine=engine)

    def _has(self, /, *args: Any, **kwargs: Any) -> bool:
        """What `contains` tells, for calls ahead of time."""
        try:
            return run(self._containing(self._call_if_keyed(args, kwargs)))
        except EngineError:
            return False

    def _warm(self, first: tuple[Any, ...], calls: Any, workers: Any, progress: Any) -> Any:
        from ._warm import warm

        return warm(self, calls, workers, progress, first)

    @property
    def _label(self) -> str:
        return self._name

    @property
    def _registered_name(self) -> str:
        return self._recipe.name or super()._registered_name


def _kept_already(control: str) -> ConfigurationError:
    return ConfigurationError(
        f"{control}() is for caches in memory; an engine keeps its results by itself"
    )

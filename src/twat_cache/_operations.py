"""What the stores do, as steps: once for `Cache` and for `AsyncCache`."""

from __future__ import annotations

from functools import cached_property

from ._loaders import LoadMany, loading
from ._missing import MISSING
from ._run.call import Call
from ._run.drive import run
from ._run.effects import ask
from ._store_of import lasting_by_hand
from ._store_parts import Parts
from ._stores.engine_shelf import added
from .errors import CacheKeyError, EngineError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, ParamSpec, TypeVar

    from typing_extensions import Unpack

    from . import types as t
    from ._run.drive import Steps
    from .config_types import ConfigOptions

    P = ParamSpec("P")
    R = TypeVar("R")
if not TYPE_CHECKING:

    def overload(signature):
        """Drops a signature that is there for type checkers only."""


else:
    from typing import overload

__all__ = ["Operations"]

_TEXTS = {str}
_OF_A_TTL = ("stale", "refresh_ahead", "beta", "soft_timeout", "jitter")
"""Options that say nothing where results last for ever."""


class Operations(Parts):
    """What can be done with a store; all but `cached` are steps."""

    # -- keys ---------------------------------------------------------------------------------

    def _place(self, key: Any) -> str:
        if type(key) is not str:
            raise CacheKeyError(
                f"a key of this cache is a text, not {type(key).__qualname__}; make one of it, or "
                "decorate a function, whose arguments are the key"
            )
        return self._prefix + key

    def _places(self, keys: Iterable[str]) -> dict[str, str]:
        if isinstance(keys, str):
            raise CacheKeyError("many keys are a list of texts, not one text")
        keys = [*keys]
        if not _TEXTS.issuperset(map(type, keys)):
            keys = [key for key in keys if self._place(key)]  # which raises for the first of them
        return dict(zip(keys, [self._prefix + key for key in keys], strict=True))

    def _lasts(self, ttl: Any) -> Callable[[Any], float | None]:
        lasts = lasting_by_hand(self._recipe, ttl)
        return lambda value: lasts(value, (), {})

    # -- what the methods do ------------------------------------------------------------------

    def _get(self, key: str, default: Any, *, counts: bool = True) -> Steps[Any]:
        if (far := self._far) is not None and far is self._shelf:
            place = self._place(key)
            data, *tokens = yield ask(far.engine, "get", (place, *far.groups.keys))
            value = MISSING if data is None else far.plain(place, data, tokens)
            if value is MISSING and data is not None:
                value = yield from far.told(place, data)
            if counts:
                self._tally.looked_up(value is not MISSING, value is MISSING)
            return default if value is MISSING else value
        (found,) = yield from self._shelf.read([self._place(key)])
        is_there = found is not None and found.left > 0 and not found.raised
        if counts:
            self._tally.looked_up(is_there, not is_there)
        return found.value if is_there else default

    def _get_many(self, keys: Iterable[str]) -> Steps[dict[str, Any]]:
        places = self._places(keys)
        if (far := self._far) is not None and far is self._shelf:
            values = yield from far.values(places)
            self._tally.looked_up(len(values), len(places) - len(values))
            return values
        return (yield from self._read(self._shelf, places))

    def _found_near(self, places: Mapping[str, str]) -> Steps[dict[str, Any]]:
        """What is in memory, where the engine can't be asked for the rest."""
        return {} if self._near is None else (yield from self._read(self._near, places))

    def _read(self, shelf: Any, places: Mapping[str, str]) -> Steps[dict[str, Any]]:
        found = yield from shelf.read(list(places.values()))
        there = {
            key: one.value
            for key, one in zip(places, found, strict=True)
            if one is not None and one.left > 0 and not one.raised
        }
        self._tally.looked_up(len(there), len(places) - len(there))
        return there

    def _set_many(self, items: Mapping[str, Any], ttl: Any, tags: Iterable[str]) -> Steps[None]:
        lasts, wanted = self._lasts(ttl), _read_tags(tags)
        values = {self._place(key): value for key, value in items.items()}
        times = {place: lasts(value) for place, value in values.items()}
        yield from self._changed(values, self._shelf.write(values, times, wanted))

    def _add(self, key: str, value: Any, ttl: Any, tags: Iterable[str]) -> Steps[bool]:
        place, lasts = self._place(key), self._lasts(ttl)(value)
        if lasts is not None and lasts <= 0:
            return False
        adding = self._shelf.add(place, value, lasts, _read_tags(tags))
        return (yield from self._changed([place], adding))  # type: ignore[no-any-return]

    def _delete_many(self, keys: Iterable[str]) -> Steps[int]:
        places = list(self._places(keys).values())
        return (yield from self._changed(places, self._shelf.drop(places)))  # type: ignore[no-any-return]

    def _touch(self, key: str, ttl: Any) -> Steps[bool]:
        place, lasts = self._place(key), self._lasts(ttl)
        return (yield from self._shelf.touch([place], lasts)) > 0  # type: ignore[no-any-return]

    def _incr(self, key: str, delta: float, initial: float, ttl: Any) -> Steps[Any]:
        place, lasts = self._place(key), self._lasts(ttl)
        change = self._shelf.change(place, lambda old: added(old, delta), initial, lasts)
        return (yield from self._changed([place], change))

    def _changed(self, places: Iterable[str], change: Steps[Any]) -> Steps[Any]:
        """Changes the shelf; nobody joins what began before that was done."""
        for place in places:
            self._path.forget(place)
        try:
            return (yield from change)
        finally:
            for place in places:
                self._path.forget(place)

    def _invalidate_tags(self, tags: Iterable[str]) -> Steps[None]:
        wanted = _read_tags(tags)
        is_engine: bool = self._shelf.waits  # or it is closed, and raises
        if is_engine and wanted and self._far is not None:
            yield from self._far.tokens.drop(wanted)  # which tells all caches that share them
        elif wanted:
            self._forget_tags(wanted)
            for function in self._living():
                function._forget_tags(wanted)

    def _names(self, prefix: str) -> Steps[list[str]]:
        start = len(self._prefix)
        return [name[start:] for name in (yield from self._shelf.names(self._prefix + prefix))]

    def _clear(self) -> Steps[None]:
        self._path.forget_all()
        try:
            yield from self._shelf.drop_all(self._whole)
        finally:
            if self._far is not None:
                for cache in self._far.tokens.owners():
                    cache._forget_near()
            else:
                self._forget_near()
                for function in self._living():
                    function.cache_clear()

    def _empty(self) -> None:
        """As `clear`, where nobody can await."""
        run(self._clear())

    def _is_cut_off(self) -> bool:
        """Whether the engine isn't asked now, and told later what it has to forget."""
        engine = None if self._far is None else self._far.engine
        return any(circuit.is_open for circuit in getattr(engine, "circuits", ()))

    def _ping(self) -> Steps[None]:
        is_engine: bool = self._shelf.waits
        if is_engine and self._far is not None:
            yield ask(self._far.engine, "ping")

    def _loading(self, key: str, loader: Any, ttl: Any, tags: Iterable[str]) -> Call:
        place = self._place(key)
        call = Call(place, (place,) if self._far is None else place, loader)
        call.tags = _read_tags(tags)
        call.function = loading(loader, call, awaits=self._awaits)
        if ttl is not None:
            call.ttl = self._lasts(ttl)
        return call

    def _get_many_or_load(
        self, keys: Iterable[str], loader: Any, ttl: Any, tags: Iterable[str]
    ) -> Steps[dict[str, Any]]:
        lasts, wanted = self._lasts(ttl), _read_tags(tags)
        places = self._places(keys)
        try:
            found = yield from self._get_many(places)
        except EngineError as error:
            first = next(iter(places.values()), self._prefix)
            self._tally.engine_failed(self._tiers.far, first, "get", error)
            found = yield from self._found_near(places)
        missing = [key for key in places if key not in found]
        if not missing:
            return found
        shelf: Any = self._path.store
        departed = yield from shelf.depart_many([places[key] for key in missing], wanted)
        try:
            loaded = yield LoadMany(loader, missing)
            fresh = {key: loaded[key] for key in missing if key in loaded}
            values = {places[key]: value for key, value in fresh.items()}
            cache_if = self._recipe.cache_if or _always
            times = {place: lasts(v) if cache_if(v) else 0.0 for place, v in values.items()}
            yield from shelf.keep_many(values, times, departed)
        finally:
            shelf.abandon_many(departed)
        found.update(fresh)
        return {key: found[key] for key in places if key in found}

    # -- the rest -----------------------------------------------------------------------------

    @overload
    def cached(self, function: Callable[P, t.Coro[R]], /) -> t.AsyncCached[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def cached(self, function: Callable[P, R], /) -> t.Cached[P, R]: ...
    @overload
    def cached(self, /, **options: Unpack[ConfigOptions]) -> t.Decorator: ...
    def cached(self, function: Any = None, /, **options: Any) -> Any:
        """Decorates a function, whose results are then kept in this store.

        Args:
            function: The function; or options only, as in `@cache.cached(ttl=60)`.
            options: Those of `ucache`; they go before those of the store.

        Raises:
            ConfigurationError: As `ucache`.
        """
        from .engine_decorators import ucache

        tiers = self._tiers
        left_out = {"name"}
        if tiers.far is not None:
            left_out.add("max_bytes")  # the engine is open, and has it
            if not tiers.near:
                left_out.add("maxsize")
        if self._options.get("ttl") is None and options.get("ttl") is None:
            left_out.update(_OF_A_TTL)
        if not options.get("tags") and not options.get("invalidate_by"):
            left_out.add("tag_ttl")
        given = {name: value for name, value in self._options.items() if name not in left_out}
        places = [*(["memory"] if tiers.near else []), *([] if tiers.far is None else [tiers.far])]
        decorate = ucache(places, **{**given, **options})

        def decorator(function: Any) -> Any:
            made = decorate(function)
            if tiers.far is None:
                with self._lock:
                    self._functions.add(_inner(made))
            else:
                _inner(made)._home = self  # who lets go of the store would close the engine
            return made

        return decorator if function is None else decorator(function)

    def _living(self) -> list[Any]:
        with self._lock:
            return list(self._functions)


def _always(_: object) -> bool:
    return True


def _inner(made: Any) -> Any:
    """What was made of a function, in whatever descriptor it is."""
    if isinstance(made, property):
        return made.fget
    if isinstance(made, cached_property):
        return made.func
    return made.__func__ if isinstance(made, (staticmethod, classmethod)) else made


def _read_tags(tags: Iterable[str]) -> list[str]:
    found: list[Any] = [tags] if isinstance(tags, str) else list(tags)
    if not all(isinstance(tag, str) and tag for tag in found):
        raise refused("tags", found, "texts that aren't empty, such as ['user:1']")
    return found

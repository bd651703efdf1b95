"""What the stores do, as steps: once for `Cache` and for `AsyncCache`."""

from __future__ import annotations

from weakref import WeakSet

from ._core import Table
from ._counted import counted
from ._duration import seconds
from ._keys.digests import digest_of_own
from ._path import Path
from ._recipe import Recipe, nanoseconds
from ._run.call import Call
from ._run.effects import ask
from ._run.tally import Tally
from ._store_of import engine_store, escaped, lasting
from ._stores.engine_shelf import added
from ._stores.table_shelf import TableShelf
from ._stores.tag_index import TagIndex
from ._stores.tier_shelf import TierShelf
from ._tiers import give_back, tiers_of
from .config import settled
from .errors import CacheKeyError, ConfigurationError, refused
from .stats import Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from ._run.drive import Steps

__all__ = ["MISSING", "Operations"]

MISSING: Any = type(
    "MISSING", (), {"__repr__": lambda self: "MISSING", "__bool__": lambda _: False}
)()
"""Stands for no value, where None may be one."""

_OF_FUNCTIONS = (
    "typed", "key", "ignore", "unhashable", "method", "per_instance", "invalidate_by", "context",
    "generators", "weigher", "max_weight", "tags",
)  # fmt: skip


class Operations:
    """A store's parts, and what can be done with them."""

    def __init__(self, engine: Any = None, /, **options: Any) -> None:
        for name in _OF_FUNCTIONS:
            if name in options:
                raise ConfigurationError(
                    f"{name}= is an option of decorated functions; a store's `cached` takes it"
                )
        engine, options = settled(engine, options)
        for name in _OF_FUNCTIONS:  # of a configuration, which is for functions, too
            options.pop(name, None)
        engine_options = _taken(options, "max_bytes")
        self._given = (dict(options), engine_options)
        self._recipe = recipe = Recipe({"ttl": None, **options})
        self._tiers = tiers = tiers_of(engine, engine_options)
        self._prefix = f"{escaped(recipe.namespace)}::"
        name = recipe.name or type(self).__name__
        self._tally = Tally(name, None if tiers.far is None else digest_of_own)
        self._index: TagIndex | None = None
        self._shelf: Any = self._shelves(engine_options)
        self._path = Path(
            recipe,
            self._shelf,
            self._tally,
            single=recipe.single_flight is not False,
            leases=self._leases(),
            copier=recipe.copier,
        )
        self._functions: WeakSet[Any] = WeakSet()

    def _shelves(self, engine_options: dict[str, Any]) -> Any:
        recipe, tiers = self._recipe, self._tiers
        far = None
        if tiers.far is not None:
            far = engine_store(recipe, tiers.far, self._tally, lambda call: call.tags or ())
        if not tiers.near:
            _refuse_for_engines(recipe)
            return far
        near = self._near(alone=far is None, max_bytes=engine_options.get("max_bytes"))
        if far is None:
            return near
        return TierShelf(near, far, lasting(recipe), lambda call: (call.place,))

    def _near(self, *, alone: bool, max_bytes: Any) -> TableShelf:
        recipe = self._recipe
        index = self._index = TagIndex(lambda call: call.tags or (), False)
        options: dict[str, Any] = {"timed": True, "stale": 0, "policy": recipe.policy}
        if recipe.clock is not None:
            options["clock"] = recipe.clock
        if recipe.tti is not None and alone:
            options["tti"] = nanoseconds(recipe.tti)
        weigh = None
        if alone and max_bytes is not None:
            from ._footprint import footprint
            from ._size import read_size
            from ._weighing import ENTRY

            options["max_weight"] = read_size(max_bytes, option="max_bytes")
            weigh = footprint
        table = Table(
            recipe.maxsize, width=1, on_removal=lambda k, _, c: index.gone(k, c), **options
        )
        index.table = table
        lasts = lasting(recipe)

        def terms(value: Any, call: Call) -> tuple[int | None, int]:
            time = lasts(value, call) if alone or call.ttl is None else call.ttl
            weight = 1 if weigh is None else ENTRY + weigh(value)
            if time is None or time == float("inf"):
                return None, weight
            return (nanoseconds(time) if time > 0 else -1), weight

        if not alone:
            return TableShelf(table, terms, recipe.copier, tags=index)
        from ._path import early_of

        return TableShelf(
            table,
            terms,
            recipe.copier,
            stale=recipe.stale,
            early=early_of(recipe),
            lives=[life for _, life in recipe.cache_exceptions],
            tags=index,
        )

    def _leases(self) -> Any:
        if self._recipe.single_flight != "process":
            return None
        if self._tiers.far is None:
            raise refused("single_flight", "process", "True or False in memory")
        from ._stores.leases import Leases

        return Leases(self._tiers.far, self._recipe.hard_timeout or 60.0, self._tally)

    # -- keys ---------------------------------------------------------------------------------

    def _place(self, key: Any) -> str:
        if type(key) is not str:
            raise CacheKeyError(
                f"a key of this cache is a text, not {type(key).__qualname__}; make one of it, or "
                "decorate a function, whose arguments are the key"
            )
        return self._prefix + key

    def _lasts(self, ttl: Any) -> float | None:
        if ttl is not None:
            return seconds(ttl)
        return self._recipe.ttl if isinstance(self._recipe.ttl, float) else None

    # -- what the methods do ------------------------------------------------------------------

    def _get(self, key: str, default: Any) -> Steps[Any]:
        (found,) = yield from self._shelf.read([self._place(key)])
        if found is not None and found.left > 0 and not found.raised:
            self._tally.looked_up(1, 0)
            return found.value
        self._tally.looked_up(0, 1)
        return default

    def _get_many(self, keys: Iterable[str]) -> Steps[dict[str, Any]]:
        wanted = {key: self._place(key) for key in keys}
        found = yield from self._shelf.read(list(wanted.values()))
        there = {
            key: one.value
            for key, one in zip(wanted, found, strict=True)
            if one is not None and one.left > 0 and not one.raised
        }
        self._tally.looked_up(len(there), len(wanted) - len(there))
        return there

    def _set_many(self, items: Mapping[str, Any], ttl: Any, tags: Iterable[str]) -> Steps[None]:
        lasts = self._lasts(ttl)
        places = {self._place(key): value for key, value in items.items()}
        for place in places:
            self._path.forget(place)
        yield from self._shelf.write(places, lasts, _read_tags(tags))

    def _add(self, key: str, value: Any, ttl: Any, tags: Iterable[str]) -> Steps[bool]:
        place, lasts = self._place(key), self._lasts(ttl)
        return (yield from self._shelf.add(place, value, lasts, _read_tags(tags)))  # type: ignore[no-any-return]

    def _delete_many(self, keys: Iterable[str]) -> Steps[int]:
        places = [self._place(key) for key in keys]
        for place in places:
            self._path.forget(place)
        return (yield from self._shelf.drop(places))  # type: ignore[no-any-return]

    def _touch(self, key: str, ttl: Any) -> Steps[bool]:
        place, lasts = self._place(key), self._lasts(ttl)
        return (yield from self._shelf.touch([place], lasts)) > 0  # type: ignore[no-any-return]

    def _incr(self, key: str, delta: float, initial: float, ttl: Any) -> Steps[Any]:
        place, lasts = self._place(key), self._lasts(ttl)
        self._path.forget(place)
        return (yield from self._shelf.change(place, lambda n: added(n, delta), initial, lasts))

    def _invalidate_tags(self, tags: Iterable[str]) -> Steps[None]:
        wanted = _read_tags(tags)
        if self._tiers.far is not None:
            far = self._shelf.far if self._tiers.near else self._shelf
            yield from far.tokens.drop(wanted)
        self._path.forget_all()
        if self._index is not None:
            self._index.drop(wanted)
        for function in list(self._functions):
            function._forget_tags(wanted)

    def _names(self, prefix: str) -> Steps[list[str]]:
        start = len(self._prefix)
        return [name[start:] for name in (yield from self._shelf.names(self._prefix + prefix))]

    def _clear(self) -> Steps[None]:
        self._path.forget_all()
        whole = self._prefix[:-1]  # and functions', whose names stand between the colons
        yield from self._shelf.drop_all(whole)
        for function in list(self._functions):
            getattr(function, "_forget_near", function.cache_clear)()

    def _ping(self) -> Steps[None]:
        if self._tiers.far is not None:
            yield ask(self._tiers.far, "ping")

    def _loading(
        self, key: str, loader: Any, ttl: Any, tags: Iterable[str], *, awaited: bool = False
    ) -> Call:
        place = self._place(key)
        call = Call(place, (place,) if self._tiers.far is None else place, loader)
        call.tags = _read_tags(tags)
        if ttl is not None and not callable(ttl):
            call.ttl = seconds(ttl)
        call.function = _loader(call, loader, ttl, awaited)
        return call

    def _get_many_or_load(
        self, keys: Iterable[str], loader: Any, ttl: Any, tags: Iterable[str]
    ) -> Steps[dict[str, Any]]:
        wanted = list(dict.fromkeys(keys))
        try:
            found = yield from self._get_many(wanted)
        except Exception as error:
            self._tally.engine_failed(self._tiers.far, "", "get", error)
            found = {}
        missing = [key for key in wanted if key not in found]
        if missing:
            loaded = yield _Load(loader, missing)
            fresh = {key: loaded[key] for key in missing if key in loaded}
            try:
                yield from self._set_many(fresh, ttl, tags)
            except Exception as error:
                self._tally.engine_failed(self._tiers.far, "", "put", error)
            found.update(fresh)
        return {key: found[key] for key in wanted if key in found}

    # -- the rest -----------------------------------------------------------------------------

    def cached(self, function: Any = None, /, **options: Any) -> Any:
        """Decorates a function, whose results are then kept in this store.

        Args:
            function: The function; or options only, as in `@cache.cached(ttl=60)`.
            options: Those of `ucache`; they go before those of the store.

        Raises:
            ConfigurationError: As `ucache`.
        """
        from .engine_decorators import ucache

        given, engine_options = self._given
        places: Any = "memory" if self._tiers.far is None else self._tiers.far
        if self._tiers.near and self._tiers.far is not None:
            places = ["memory", self._tiers.far]
        given = {**given, **({} if self._tiers.far is not None else engine_options), **options}
        given.pop("name", None)
        if "name" in options:
            given["name"] = options["name"]
        decorate = ucache(places, **given)

        def decorator(function: Any) -> Any:
            made = decorate(function)
            self._functions.add(made)
            return made

        return decorator if function is None else decorator(function)

    def _stats(self) -> Stats:
        table = self._shelf.near.table if isinstance(self._shelf, TierShelf) else None
        if isinstance(self._shelf, TableShelf):
            table = self._shelf.table
        return counted(self._tally, table, is_function=False)

    def _close(self) -> None:
        if self._index is not None and self._index.table is not None:
            self._index.table.clear()
        tiers, self._tiers = self._tiers, self._tiers._replace(far=None)
        if tiers.far is not None:
            give_back(tiers.far)

    def __repr__(self) -> str:
        kinds = ["memory"] * self._tiers.near
        if self._tiers.far is not None:
            kinds.append(type(self._tiers.far).__name__)
        return f"<{type(self).__name__} in {' before '.join(kinds) or 'nothing'}>"


class _Load:
    """The effect of asking a loader, of either colour, for many values."""

    __slots__ = ("_keys", "_loader")

    def __init__(self, loader: Callable[[list[str]], Any], keys: list[str]) -> None:
        self._loader = loader
        self._keys = keys

    def run(self) -> Any:
        return self._loader(self._keys)

    async def arun(self) -> Any:
        loaded = self._loader(self._keys)
        return (await loaded) if hasattr(loaded, "__await__") else loaded


def _loader(call: Call, loader: Any, ttl: Any, awaited: bool) -> Callable[[], Any]:
    """The loader as a function of nothing, which is given the old value if it asks for it."""
    asks = _asks_for_old(loader)

    def load() -> Any:
        if not asks:
            value = loader()
        else:
            found = call.found
            value = loader(old=MISSING if found is None or found.raised else found.value)
        if awaited or not callable(ttl):
            return value
        return _timed(call, value, ttl)

    if not awaited:
        return load

    async def aload() -> Any:
        value = load()
        if hasattr(value, "__await__"):
            value = await value
        return _timed(call, value, ttl) if callable(ttl) else value

    return aload


def _timed(call: Call, value: Any, ttl: Callable[[Any], Any]) -> Any:
    from ._duration import ttl_of_result

    lasts = ttl_of_result(ttl(value))
    call.ttl = float("inf") if lasts is None else lasts
    return value


def _asks_for_old(loader: Any) -> bool:
    from ._keys.plan import read_plan

    plan = read_plan(loader)
    return plan is not None and "old" in plan.names


def _read_tags(tags: Iterable[str]) -> list[str]:
    found: list[Any] = [tags] if isinstance(tags, str) else list(tags)
    if not all(isinstance(tag, str) and tag for tag in found):
        raise refused("tags", found, "texts that aren't empty, such as ['user:1']")
    return found


def _refuse_for_engines(recipe: Recipe) -> None:
    if recipe.maxsize != Recipe.maxsize:
        raise refused("maxsize", recipe.maxsize, "none for an engine alone; it takes max_bytes")
    if recipe.policy != Recipe.policy:
        raise refused("policy", recipe.policy, "none for an engine, which has its own")


def _taken(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: options.pop(name) for name in names if options.get(name) is not None}

"""What a store is made of: its options, its shelf, the path of its loads, and their end."""

from __future__ import annotations

from threading import RLock
from weakref import WeakSet, finalize

from ._counted import counted
from ._engine_options import (
    bounds_of,
    judge_codec,
    refuse_async,
    refuse_coherence,
    refuse_what_engines_lack,
)
from ._keys.digests import digest_of_own
from ._path import Path
from ._recipe import Recipe
from ._registry import forget_store, note_store
from ._run.tally import Tally, kind_of
from ._store_of import as_decided, coherence_of, engine_store, escaped, lasting, leases_of
from ._stores.tier_shelf import TierShelf
from ._tables import memory_shelf, near_shelf, tags_of_a_call
from ._tiers import closed_engine, tiers_of
from .config import settled
from .errors import ConfigurationError, EngineError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

    from typing_extensions import Unpack

    from ._coherence.coherence import Coherence
    from ._core import Table
    from ._listener import Listener
    from ._run.drive import Steps
    from ._stores.engine_shelf import EngineShelf
    from ._stores.table_shelf import TableShelf
    from .config import CacheConfig
    from .config_types import ConfigOptions, EngineLike
    from .stats import Stats

__all__ = ["Parts"]

_OF_FUNCTIONS = (
    "typed", "key", "ignore", "unhashable", "method", "per_instance", "invalidate_by", "context",
    "generators", "tags",
)  # fmt: skip
_EVER = 1e11  # seconds
_PATIENCE = 10.0  # seconds


class Parts:
    """A store's parts."""

    _awaits = False

    def __init__(
        self, engine: EngineLike | CacheConfig = None, /, **given: Unpack[ConfigOptions]
    ) -> None:
        for name in _OF_FUNCTIONS:
            if name in given:
                raise ConfigurationError(
                    f"{name}= is an option of decorated functions; a store's `cached` takes it"
                )
        place, options = settled(engine, given)
        for name in _OF_FUNCTIONS:  # of a configuration, which is for functions, too
            options.pop(name, None)
        self._options = options
        self._recipe = _recipe(options)
        self._tiers = tiers = tiers_of(place, bounds_of(options), awaits=self._awaits)
        try:
            self._set_up()
        except BaseException:
            tiers.loan.forget()
            raise
        self._functions: WeakSet[Any] = WeakSet()
        self._renew_locks()
        finalize(self, tiers.loan.forget).atexit = False
        note_store(self)

    def _set_up(self) -> None:
        tiers, recipe = self._tiers, self._recipe
        self._prefix = f"{escaped(recipe.namespace)}::"
        self._tally = Tally(self._registered_name, None if tiers.far is None else digest_of_own)
        self._listener: Listener | None = None
        self._near: TableShelf | None = None
        self._far: EngineShelf | None = None
        self._coherence: Coherence | None = None
        self._shelf: Any
        leases = None
        if tiers.far is None:
            self._near = self._shelf = self._in_memory()
        else:
            if not self._awaits:
                refuse_async(tiers, "AsyncCache takes it, and Cache doesn't")
            refuse_what_engines_lack(self._options, tiers)
            refuse_coherence(recipe, near=tiers.near)
            coherence = self._coherence = coherence_of(recipe, tiers.far)
            recipe = self._recipe = _recipe({**self._options, "max_bytes": None})
            lasts = lasting(recipe)
            self._far = self._shelf = engine_store(
                recipe,
                tiers.far if coherence is None else coherence.engine,
                self._tally,
                as_decided if tiers.near else lasts,
                tags_of_a_call,
                (self._whole,),
            )
            self._far.tokens.owner = self
            if tiers.near:
                self._near = near_shelf(recipe, tiers.near_ttl)
                self._shelf = TierShelf(self._near, self._far, lasts, lambda call: (call.place,))
            leases = leases_of(recipe, tiers.far, self._tally)
        self._path = Path(
            recipe,
            self._shelf,
            self._tally,
            single=recipe.single_flight is not False,
            leases=leases,
            copier=recipe.copier,
        )
        if self._coherence is not None and self._near is not None and self._far is not None:
            finalize(self, self._coherence.end).atexit = False
            near, tokens, prefix = self._near, self._far.tokens, self._prefix
            self._coherence.begin(self, near, tokens, prefix, self._whole, is_keyed_alike=True)

    def _renew_locks(self) -> None:
        self._lock = RLock()
        if self._near is not None:
            self._near.renew_lock()

    def _in_memory(self) -> TableShelf:
        recipe = self._recipe
        refuse_coherence(recipe, near=False)
        judge_codec(self._options)
        if recipe.single_flight == "process":
            raise refused("single_flight", "process", "True or False in memory")
        if recipe.on_removal is not None:
            from ._listener import Listener

            tell, start = recipe.on_removal, len(self._prefix)
            self._listener = Listener(
                lambda key, value, cause: tell(key[0][start:], value, cause), self._registered_name
            )
        return memory_shelf(recipe, lasting(recipe), self._listener)

    @property
    def _whole(self) -> str:
        """What its keys begin with, and those of functions, whose names stand between colons."""
        return self._prefix[:-1]

    def _forget_tags(self, tags: Iterable[str]) -> None:
        self._path.forget_all()
        if self._near is not None:
            self._near.forget_tags(tags)

    def _overrule(self, places: Collection[str] | None) -> None:
        """Others have changed these, or anything: what is being computed is of no use."""
        if self._far is not None:
            self._far.ground(places)
        if places is None:
            self._path.forget_all()
        else:
            for place in places:
                self._path.forget(place)

    def _forget_near(self) -> None:
        """Forgets what is in memory and all counts, and grounds what is on its way."""
        if self._far is not None:
            self._far.ground()
        self._path.forget_all()
        self._tally.reset()
        if self._near is not None:
            self._near.table.clear()
        if self._listener is not None:
            self._listener.reset()

    @property
    def _registered_name(self) -> str:
        return self._recipe.name or type(self).__name__

    def _stats(self) -> Stats:
        table: Table | None = None if self._near is None else self._near.table
        errors = 0 if self._listener is None else self._listener.errors
        engine = self._far.engine if table is None and self._far is not None else None
        return counted(self._tally, table, is_function=False, engine=engine, errors=errors)

    def _close(self) -> Steps[None]:
        yield from self._path.drain(_PATIENCE)
        forget_store(self)
        self._shelf = _Closed()
        if self._far is not None:
            self._far.engine = self._far.tokens.engine = closed_engine()
        if self._coherence is not None:
            self._coherence.end()
        if self._near is not None:
            self._near.table.close()
            self._near.table.resize(0)
        yield from self._tiers.loan.close()

    def __repr__(self) -> str:
        kinds = ["memory"] * self._tiers.near
        if self._tiers.far is not None:
            kinds.append(kind_of(self._tiers.far))
        return f"<{type(self).__name__} in {' before '.join(kinds)}>"


class _Closed:
    """What a store that was closed has instead of its shelf."""

    def __getattr__(self, name: str) -> Any:
        raise EngineError("this cache is closed; make another one")


def _recipe(options: dict[str, Any]) -> Recipe:
    """The options, of which some need a ttl or tags: here each value may bring its own."""
    given = dict(options)
    is_timeless = given.get("ttl") is None
    if is_timeless:
        given["ttl"] = _EVER
    if given.get("tag_ttl"):
        given["tags"] = tags_of_a_call
    recipe = Recipe(given)
    if is_timeless:
        recipe.ttl = None
    return recipe

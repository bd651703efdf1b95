"""What a function under `ucache`, `bcache` or `fcache` is, where its results are in an engine.

    call ─► Gate ─ near table, if there is one ─► answer ─► cold key ─► miss path ─► engine

Without a near table, or where its `maxsize` is 0, the gate calls on at once. With one, calls whose
arguments are all ints, texts, bytes, bools or None, exactly, or floats that are equal to none but
themselves are found there by the arguments; any others by their cold key, so that the table never
takes for one what the engine tells apart.
"""

from __future__ import annotations

import sys
from functools import update_wrapper
from types import NoneType
from weakref import finalize

from ._bound import BoundCached
from ._core import Gate, Table
from ._keys.cold import ColdKeys
from ._keys.digests import digest_of_call
from ._keys.plan import Plan, read_plan
from ._missing import MISSING
from ._path import Path
from ._recipe import label_of
from ._run.call import STORED, Call
from ._run.drive import arun
from ._run.tally import Tally
from ._store_of import as_decided, coherence_of, engine_store, escaped, lasting, leases_of
from ._stores.in_tiers import TieredStore
from ._tables import near_table, near_terms_of, tags_of_a_call
from ._tagging import tags_of_calls
from .engine_controls import EngineControls
from .errors import CacheKeyError
from .wrapper import dress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._recipe import Recipe
    from ._stores.engine_shelf import EngineShelf
    from ._stores.in_table import TableStore
    from ._tiers import Tiers

__all__ = ["AsyncEngineCached", "EngineCached"]

_EXACT = frozenset({int, str, bytes, bool, NoneType})
_UNREADABLE = Plan((), 0, 0, {}, True, True)


class EngineCached(EngineControls):
    """A function whose results are in an engine, with the controls of its cache. Thread-safe.

    Args:
        function: The function.
        recipe: The options.
        tiers: Where results are kept; the engine is given back by `close`.
    """

    _answers_as_stored: bool = True
    """Whether the answer to a call is the stored value itself."""
    _glance: Callable[[str], Any] | None = None
    """Answers from the engine without a step, if it can: most hits need no more."""

    def __init__(self, function: Callable[..., Any], recipe: Recipe, tiers: Tiers) -> None:
        dress(self, function)
        update_wrapper(self, function)  # all at once: what the gate calls is no such function
        self._recipe = recipe
        self._function = self._computing(function)
        self._cold = ColdKeys(
            function,
            namespace=recipe.namespace,
            version=recipe.version,
            name=recipe.name,
            ignore=recipe.ignore,
            key=recipe.key,
            context=recipe.context,
        )
        self._name = label_of(recipe, function)
        self._tally = Tally(self._name, digest_of_call)
        plan = read_plan(function, ignore=recipe.ignore) or _UNREADABLE
        self._binding = plan
        self._has_lone_keys = recipe.key is not None or recipe.context != ()
        tags = None
        if recipe.tags is not None or recipe.invalidate_by:
            tags = tags_of_calls(recipe, function, plan, self._cold.prefix)
        self._tags = tags
        lasts = lasting(recipe)
        channel = f"{escaped(recipe.namespace)}:"
        groups = (channel, self._cold.prefix)
        coherence = self._coherence = coherence_of(recipe, tiers.far)
        engine = tiers.far if coherence is None else coherence.engine
        far = self._far = engine_store(
            recipe, engine, self._tally, as_decided if tiers.near else lasts, tags, groups
        )
        self._store: EngineShelf | TieredStore = far
        self._near: Table | None = None
        near = self._before(far, tiers.near_ttl) if tiers.near else None
        if near is not None:
            own = None if coherence is None else coherence.own_tag
            self._store = TieredStore(near, far, lasts, self._hot, self._used, own)
        self._path = Path(
            recipe,
            self._store,
            self._tally,
            single=recipe.single_flight is not False,
            leases=leases_of(recipe, tiers.far, self._tally),
            copier=recipe.copier,
        )
        if self._answers_as_stored and not tiers.near and far.is_glanced_at:
            can = far.engine.capabilities
            if can.local and not can.async_ and not self.awaits:
                self._glance = far.glance
            else:
                self._asks_first = can.async_ == self.awaits
        self._open_gate()
        far.tokens.owner = self
        self._loan = tiers.loan
        finalize(self, tiers.loan.forget).atexit = False
        if coherence is not None and near is not None:
            finalize(self, coherence.end).atexit = False
            coherence.begin(self, near, far.tokens, self._cold.prefix, channel)

    def _computing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """What is called on a miss."""
        return function

    def _before(self, far: EngineShelf, near_ttl: float | None) -> TableStore:
        """The table before the engine."""
        from ._stores.in_table import TableStore, TimedTableStore
        from ._stores.tag_index import TagIndex

        recipe, terms = self._recipe, near_terms_of(near_ttl)
        if self._tags is not None or far.groups.tags or self._coherence is not None:
            self._index = TagIndex(tags_of_a_call, False)
        table = self._near = near_table(recipe, self._index, self._near_width())
        if self._index is None and not recipe.stale:
            return TableStore(table, terms, recipe.copier)
        return TimedTableStore(table, terms, recipe.copier, stale=recipe.stale, tags=self._index)

    def _near_width(self) -> int | None:
        """How many objects each key of the near table has, as far as that is known."""
        if self._has_lone_keys:
            return 1
        return 2 * (self._binding.width or 0) or None  # the arguments and their types

    def _used(self, key: tuple[Any, ...]) -> None:
        """A call whose arguments the gate can't compare was found near: the policy learns of it."""
        self.table.get(key)
        self._tally.found_near()

    def _open_gate(self) -> None:
        if self._near is None:
            Gate.__init__(self, self._answer, Table(0))
            return
        Gate.__init__(
            self,
            self._answer,  # where nothing is near, as with a maxsize of 0, the engine is asked
            self._near,
            plan=self._binding,
            typed=True,
            key=self._lone_key if self._has_lone_keys else None,
            copier=self._answering_by(),
            awaitable=self._is_awaited,
            on_miss=_answer_a_miss,
            on_key_error=_answer_a_miss_without_key,
        )

    def _answering_by(self) -> Callable[[Any], Any] | None:
        """What makes the answer of a hit in the near table, if that isn't the value itself."""
        return self._recipe.copier

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else BoundCached(self, instance)

    # -- calls --------------------------------------------------------------------------------

    def _answer(self, /, *args: Any, **kwargs: Any) -> Any:
        """Answers a call that the near table hasn't."""
        try:
            place = self._cold(args, kwargs)
        except CacheKeyError:
            if self._recipe.unhashable != "bypass":
                raise
            return self._bypass(args, kwargs)
        if self._glance is not None:
            value = self._glance(place)
            if value is not MISSING:
                self._tally.hit()
                return value
        if self._asks_first and place not in self._path.flights:
            return self._ask_first(place, args, kwargs)
        return self._go(Call(place, place, self._function, args, kwargs))

    def _ask_first(self, place: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answers with what the engine has; otherwise goes by the steps, which needn't ask it."""
        landed, far = self._path.flights.landed, self._far
        try:
            found = far.engine.get((place, *far.groups.keys))
            value = MISSING if found[0] is None else far.plain(place, found[0], found[1:])
        except Exception as error:
            call = self._asked(place, args, kwargs, landed, error)
        else:
            if value is not MISSING:
                self._tally.hit()
                return value
            call = self._asked(place, args, kwargs, landed, found)
        return self._path.go(call)

    def _asked(
        self, place: str, args: tuple[Any, ...], kwargs: dict[str, Any], landed: object, found: Any
    ) -> Call:
        """A call for which the engine was asked already."""
        call = Call(place, place, self._function, args, kwargs)
        call.glanced, call.landed = found, landed
        return call

    def _go(self, call: Call) -> Any:
        return self._path.go(call)

    def _lone_key(self, /, *args: Any, **kwargs: Any) -> str:
        return self._cold(args, kwargs)

    def _hot(self, call: Call) -> tuple[Any, ...]:
        """The call's key in the near table."""
        if not self._has_lone_keys:
            vector: tuple[Any, ...] | None = self.bind(call.args, dict(call.kwargs))
            if vector is not None:
                for part in vector:
                    cls = type(part)
                    if not (cls in _EXACT or cls is type or (cls is float and _is_plain(part))):
                        break
                else:
                    return vector
        return (call.place, *[None] * ((self.table.width or 1) - 1))  # where else types stand

    def _call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_forced: bool = False
    ) -> Call:
        place = self._cold(args, kwargs)
        return Call(place, place, self._function, args, kwargs, is_forced=is_forced)


class AsyncEngineCached(EngineCached):
    """As `EngineCached`, of a coroutine function: the controls of one call are awaited."""

    _drive: Any = staticmethod(arun)
    _is_awaited = awaits = True

    def __init__(self, function: Callable[..., Any], recipe: Recipe, tiers: Tiers) -> None:
        super().__init__(function, recipe, tiers)
        if self._asks_first:
            from ._run.asked import ask, asking

            self._ask: Any = asking if hasattr(type(self._far.engine), "join") else ask
        if sys.version_info >= (3, 12):
            from inspect import markcoroutinefunction

            markcoroutinefunction(self)

    if sys.version_info < (3, 12):

        @property
        def _is_coroutine(self) -> Any:
            """What makes `asyncio.iscoroutinefunction` say yes; `inspect`'s can't be told."""
            from asyncio import coroutines

            return coroutines._is_coroutine  # type: ignore[attr-defined]

    def _go(self, call: Call) -> Any:
        return self._path.ago(call)

    def _ask_first(self, place: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._ask(self._far.engine, self, place, (args, kwargs, self._path.flights.landed))

    def _found(self, many: int) -> None:
        self._tally.answered(STORED, many)

    def _lacking(self, _: Any) -> Any:
        return MISSING

    def _go_on(self, place: str, about: Any, found: Any) -> Any:
        args, kwargs, landed = about
        return self._path.ago(self._asked(place, args, kwargs, landed, found))

    def _warm(self, first: tuple[Any, ...], calls: Any, workers: Any, progress: Any) -> Any:
        from ._warm import warm_awaiting

        return warm_awaiting(self, calls, workers, progress, first)


def _is_plain(number: float) -> bool:
    """Whether equal floats are the same: zeros have a sign, and NaNs equal nothing."""
    return number < 0 or number > 0


def _answer_a_miss(gate: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A core's `on_miss` hook."""
    return gate._answer(*args, **kwargs)


def _answer_a_miss_without_key(
    gate: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _: TypeError
) -> Any:
    """A core's `on_key_error` hook: the engine's key takes what can't be hashed."""
    return gate._answer(*args, **kwargs)

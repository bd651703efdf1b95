"""What a function under `mcache` is: a wrapper with the controls of its cache.

The core answers the calls; nothing here runs on a hit. The controls are written once, for both
cores, on what a Gate and its Table offer to everyone.

A control takes the very arguments of the call that it is about. Its own keywords end in `_`, so
that no parameter of the function is in their way.
"""

from __future__ import annotations

from functools import WRAPPER_ASSIGNMENTS
from types import FunctionType

from ._bound import BoundCached
from ._core import Gate, Table
from ._duration import seconds
from ._keys.plan import Plan, plan_of, read_plan
from ._kinds import NOT_PLAIN
from ._options import read_maxsize
from ._recipe import is_method, keeps_first, led_by_self, nanoseconds, ttl_decider, without_first
from ._unhashable import answer_anyway, check_owner, hashable_key
from .errors import CacheKeyError, refused
from .stats import Stats
from .wrapper import LAZY, Wrapper, dress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._recipe import Recipe

__all__ = ["Cached", "plainly"]

_MISSING: Any = object()
_ANNOTATED = "__annotations__" in WRAPPER_ASSIGNMENTS  # before Python 3.14
_UNREADABLE = Plan((), 0, 0, {}, True, True)


class Cached(Wrapper):
    """A function under `mcache`, with the controls of its cache."""

    _weak = False
    _recipe: Recipe
    _binding: Plan

    def __init__(
        self,
        function: Callable[..., Any],
        recipe: Recipe,
        method: bool | None = None,
        alone: bool = False,
    ) -> None:
        dress(self, function)
        self._recipe = recipe
        self._is_typed = recipe.typed
        plan = read_plan(function, ignore=recipe.ignore)
        if alone:
            plan = without_first(plan)
        elif method is None:
            method = plan is not None and is_method(plan, function)
        if method:
            self._weak = recipe.key is None and keeps_first(plan)
            if recipe.method and not self._weak:
                raise refused("method", True, "None where the first argument is not in the key")
        self._wire(function, plan)

    def _wire(self, function: Callable[..., Any], plan: Plan | None) -> None:
        """Configures the gate, with a new table."""
        recipe = self._recipe
        if plan is None or (self._weak and not plan.positional):
            plan = led_by_self(plan) if self._weak else _UNREADABLE
        self._binding = plan
        width = None
        if recipe.key is not None:
            width = 1
        elif not (plan.varargs and plan.keep_args) and not (plan.varkw and plan.keep_kwargs):
            width = len(plan.names) - len(plan.ignored)
            if recipe.typed:
                width += width
        table = Table(
            recipe.maxsize,
            width=width,
            ttl=recipe.ttl,
            timed=recipe.timed,
            weak=self._weak,
            clock=recipe.clock,
        )
        self._configure(function, table)

    def _configure(self, function: Callable[..., Any], table: Table) -> None:
        recipe = self._recipe
        Gate.__init__(
            self,
            function,
            table,
            plan=self._binding,
            typed=recipe.typed,
            key=recipe.key,
            copier=recipe.copier,
            decide=recipe.decide,
            on_key_error=answer_anyway,
        )

    def __set_name__(self, owner: type, name: str) -> None:
        if self._weak or self._recipe.method is False or self._recipe.key or len(self.table):
            return
        plan = read_plan(self.function, ignore=self._recipe.ignore)
        if keeps_first(plan):
            self._weak = True
            self._wire(self.function, plan)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else BoundCached(self, instance)

    # -- controls -----------------------------------------------------------------------------

    def invalidate(self, /, *args: Any, **kwargs: Any) -> Any:
        """Forgets this call's entry; one in flight won't be stored.

        Returns:
            Whether there was a fresh entry.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_for(args, kwargs)
        return key is not None and self.table.discard(key)

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the function now and stores its result, unless it was invalidated meanwhile.

        Returns:
            The result. If `ttl` or `cache_if` say not to store it, what was stored stays.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_for(args, kwargs)
        if key is None:
            self.table.count_bypass()
            return self.function(*args, **kwargs)
        flight = self.table.depart(key)
        try:
            result = self.function(*args, **kwargs)
            self._land(flight, result, args, kwargs)
        except BaseException:
            self.table.abandon(flight)
            raise
        return result

    def peek(self, /, *args: Any, default_: Any = None, **kwargs: Any) -> Any:
        """The stored value, or `default_`; changes neither the counts nor the order of use.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_for(args, kwargs)
        value = _MISSING if key is None else self.table.peek(key, _MISSING)
        return default_ if value is _MISSING else self._copied(value)

    def contains(self, /, *args: Any, **kwargs: Any) -> Any:
        """Whether there is a fresh entry; changes neither the counts nor the order of use.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_for(args, kwargs)
        return key is not None and self.table.peek(key, _MISSING) is not _MISSING

    def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> Any:
        """Stores a value by hand as this call's result; one in flight won't replace it.

        Args:
            value: The value. `cache_if` is not asked.
            *args: The call's positional arguments.
            ttl_: How long it shall last, all that the option `ttl` takes; None is as the option
                says. The function must have been decorated with a `ttl`.
            **kwargs: The call's keyword arguments.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            ConfigurationError: `ttl_` isn't a length of time, or the table keeps no deadlines.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_to_put(args, kwargs)
        lasts = self._lasts(value, ttl_, args, kwargs)
        if lasts is None or lasts >= 0:
            self.table.put(key, self._copied(value), lasts)
        else:
            self.table.discard(key)

    def cache_key(self, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The key of this call's entry: the arguments that take part, in the signature's order.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        return self._key_to_put(args, kwargs)

    def stats(self) -> Stats:
        """All that was counted since the cache was made or cleared."""
        table = self.table
        return Stats(*table.counters(), len(table), table.maxsize)

    def items(self) -> list[tuple[tuple[Any, ...], Any]]:
        """Keys and values of the fresh entries, the least recently used first."""
        return [(key, self._copied(value)) for key, value in self.table.items()]

    def resize(self, maxsize: int | None, /) -> None:
        """Sets the bound, 0 or more or None; what no longer fits leaves, least recently used first.

        Raises:
            ConfigurationError: It is neither None nor a whole number from 0 on.
        """
        self.table.resize(read_maxsize(maxsize))

    # -- what the controls share --------------------------------------------------------------

    @property
    def _label(self) -> str:
        named: str = self._recipe.name or getattr(self, "__qualname__", None) or repr(self.function)
        return named

    def _key_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """The call's key; None if it shall do without the cache."""
        key: tuple[Any, ...] | None = self.bind(args, kwargs)
        if key is None:
            raise _misfit(self, args, kwargs)
        check_owner(self, key)
        try:
            hash(key[1:] if self._weak else key)
        except TypeError as error:
            return hashable_key(self, key, args, error)
        return key

    def _key_to_put(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        key = self._key_for(args, kwargs)
        if key is None:
            raise CacheKeyError(
                f"{self._label}(): a call with an argument that can't be hashed has no key under "
                'unhashable="bypass"; with unhashable="digest" it would have one'
            )
        return key

    def _lasts(
        self, value: Any, ttl: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> int | None:
        """How long a value put by hand shall last, as the core's `decide` hook would tell it."""
        if ttl is None:
            life = self._recipe.life
            return 0 if life is None else life(value, args, kwargs)
        if not self._recipe.timed:
            raise refused("ttl_", ttl, "None, since the function was decorated without ttl=")
        if callable(ttl):
            return ttl_decider(ttl, "ttl_")(value, args, kwargs)
        return nanoseconds(seconds(ttl, option="ttl_"))

    def _land(
        self, flight: Any, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Stores what a refresh computed, if `ttl` and `cache_if` want it stored."""
        decide = self._recipe.decide
        lasts = 0 if decide is None else decide(result, args, kwargs)
        if lasts is None or lasts >= 0:
            self.table.land(flight, self._copied(result), lasts, replace=True)
        else:
            self.table.abandon(flight)

    def _copied(self, value: Any) -> Any:
        copier = self._recipe.copier
        return value if copier is None else copier(value)


def plainly(function: Any, recipe: Recipe) -> Cached | None:
    """What `Cached(function, recipe)` makes of a plain function by a plain recipe, quickly.

    Decorating is timed against `functools.lru_cache`, so this goes straight; None where it can't.
    """
    if type(function) is not FunctionType or not LAZY:
        return None
    code = function.__code__
    if code.co_flags & NOT_PLAIN or code.co_kwonlyargcount or function.__dict__:
        return None
    plan = plan_of(function)
    if "." in function.__qualname__ and is_method(plan, function):
        return None
    gate: Cached = Cached.__new__(Cached)
    mine = gate.__dict__
    mine["__module__"] = function.__module__
    mine["__doc__"] = function.__doc__
    if _ANNOTATED:
        mine["__annotations__"] = function.__annotations__
    mine["_recipe"] = recipe
    mine["_binding"] = plan
    if recipe.timed:
        table = Table(recipe.maxsize, width=plan.positional, ttl=recipe.ttl, timed=True)
    else:
        table = Table(recipe.maxsize, width=plan.positional)
    Gate.__init__(gate, function, table, plan=plan, on_key_error=answer_anyway)
    return gate


def _misfit(gate: Cached, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError:
    """The error for a control whose arguments the function wouldn't take."""
    from inspect import signature

    try:
        signature(gate.function).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return TypeError(f"{gate._label}() {error}")
    return TypeError(f"{gate._label}() doesn't take these arguments")

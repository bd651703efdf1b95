"""What a function under `mcache` is: how its gate and its table are made.

The core answers the calls; nothing here runs on a hit.
"""

from __future__ import annotations

from functools import WRAPPER_ASSIGNMENTS
from types import FunctionType

from ._bound import BoundCached
from ._core import Gate, Table
from ._keys.plan import Plan, plan_of, read_plan
from ._kinds import NOT_PLAIN
from ._recipe import is_method, keeps_first, label_of, led_by_self, without_first
from ._unhashable import answer_anyway
from .controls import Controls
from .errors import refused
from .wrapper import LAZY, dress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._recipe import Recipe
    from ._stores.tag_index import TagIndex
    from ._weighing import Weigh

__all__ = ["Cached", "plainly"]

_ANNOTATED = "__annotations__" in WRAPPER_ASSIGNMENTS  # before Python 3.14
_UNREADABLE = Plan((), 0, 0, {}, True, True)


class Cached(Controls):
    """A function under `mcache`, with the controls of its cache."""

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
        width = plan.width if recipe.key is None else 1
        if recipe.typed and recipe.key is None and width is not None:
            width += width
        options = recipe.table
        if recipe.on_removal is not None:
            from ._listener import Listener

            self._listener = Listener(recipe.on_removal, label_of(recipe, function))
            options = {**options, "on_removal": self._listener}
        tags = None
        if recipe.outlasts:
            from ._memory_path import index_of_tags, told

            tags = index_of_tags(self, function, label_of(recipe, function))
            options = {**options, "on_removal": told(self._listener, tags)}
        table = Table(recipe.maxsize, width=width, weak=self._weak, **options)
        if tags is not None:
            tags.table = table
        self._weight_of = self._weigher(table)
        self._configure(function, table, tags)

    def _weigher(self, table: Table) -> Weigh | None:
        """What is asked before an entry is stored: how much it weighs, or whether there is room."""
        recipe = self._recipe
        weigh = recipe.weigh
        if recipe.max_bytes is not None:
            from ._weighing import by_bytes

            weigh = by_bytes(self._binding, self._weak, recipe.key is not None)
        if recipe.memory_limit is not None:
            from ._pressure import Pressure

            weigh = Pressure(table, recipe.memory_limit, weigh)
        return weigh

    def _configure(self, function: Callable[..., Any], table: Table, tags: TagIndex | None) -> None:
        recipe = self._recipe
        on_miss = None
        if recipe.has_path:
            from ._memory_path import MemoryPath, answer

            single = recipe.single_flight is True
            self._behind = MemoryPath(self, function, table, single=single, tags=tags)
            on_miss = answer
        Gate.__init__(
            self,
            function,
            table,
            plan=self._binding,
            typed=recipe.typed,
            key=recipe.key,
            copier=recipe.copier,
            decide=recipe.decide,
            weigh=self._weight_of,
            on_miss=on_miss,
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
    if recipe.table:
        table = Table(recipe.maxsize, width=plan.positional, **recipe.table)
    else:
        table = Table(recipe.maxsize, width=plan.positional)
    Gate.__init__(gate, function, table, plan=plan, on_key_error=answer_anyway)
    return gate

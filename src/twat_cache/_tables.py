"""Tables that aren't a function's own: before an engine, and those of stores."""

from __future__ import annotations

from ._core import Table
from ._recipe import nanoseconds
from ._stores.table_shelf import TableShelf
from ._stores.tag_index import TagIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._listener import Listener
    from ._recipe import Recipe
    from ._run.call import Call
    from ._weighing import Weigh

__all__ = ["memory_shelf", "near_shelf", "near_table", "near_terms_of", "tags_of_a_call"]


def tags_of_a_call(call: Call) -> Any:
    """The tags that the call brings."""
    return call.tags or ()


def near_table(recipe: Recipe, tags: TagIndex | None, width: int | None = None) -> Table:
    """The table before an engine."""
    options: dict[str, Any] = {"policy": recipe.policy, "timed": True}
    if recipe.coherence is not None:
        options["generational"] = True  # it may have to be emptied at once
    if recipe.clock is not None:
        options["clock"] = recipe.clock
    if recipe.tti is not None:
        options["tti"] = nanoseconds(recipe.tti)
    if tags is not None or recipe.stale:
        options["stale"] = 0  # there is room for the end of what is stale
    if tags is not None:
        options["on_removal"] = lambda key, _, cause: tags.gone(key, cause)
    table = Table(recipe.maxsize, width=width, **options)
    if tags is not None:
        tags.table = table
    return table


def near_terms_of(most: float | None) -> Callable[[Any, Call], tuple[int | None, int]]:
    """How long a value stays there: as decided for the engine, and so many seconds at most."""

    def terms(_: Any, shadow: Call) -> tuple[int | None, int]:
        return _in_nanoseconds(shadow.ttl), 1

    def bounded(_: Any, shadow: Call) -> tuple[int | None, int]:
        time: Any = shadow.ttl
        return _in_nanoseconds(most if time is None else min(time, most)), 1

    return terms if most is None else bounded


def near_shelf(recipe: Recipe, most: float | None) -> TableShelf:
    """The table of a store before its engine, where a value stays so many seconds at most."""
    tags = TagIndex(tags_of_a_call, False)
    table, terms = near_table(recipe, tags, 1), near_terms_of(most)
    return TableShelf(table, terms, recipe.copier, stale=recipe.stale, tags=tags)


def memory_shelf(
    recipe: Recipe, lasts: Callable[[Any, Call], float | None], listener: Listener | None
) -> TableShelf:
    """The table of a store that has no engine."""
    from ._memory_path import told
    from ._path import early_of

    tags = TagIndex(tags_of_a_call, False)
    options = {**recipe.table, "timed": True, "stale": 0, "on_removal": told(listener, tags)}
    options.pop("ttl", None)  # each value brings its own
    table = tags.table = Table(recipe.maxsize, width=1, **options)
    weigh = _weigher(recipe, table)
    has_bytes = recipe.max_bytes is not None

    def terms(value: Any, call: Call) -> tuple[int | None, int]:
        time = _in_nanoseconds(lasts(value, call))
        if weigh is None or (time is not None and time < 0):
            return time, 1
        return time, weigh(value, call.place if has_bytes else (), {})

    def weighed(parts: Any, call: Call) -> int:
        if weigh is None or recipe.weigh is not None:  # a user's knows no exception
            return 1
        return weigh(parts, call.place if has_bytes else (), {})

    return TableShelf(
        table,
        terms,
        recipe.copier,
        stale=recipe.stale,
        early=early_of(recipe),
        lives=[life for _, life in recipe.cache_exceptions],
        tags=tags,
        weigh=weighed,
    )


def _weigher(recipe: Recipe, table: Table) -> Weigh | None:
    weigh = recipe.weigh
    if recipe.max_bytes is not None:
        from ._footprint import footprint
        from ._weighing import ENTRY

        def weigh(value: Any, key: tuple[Any, ...], _: Any) -> int:
            return ENTRY + footprint(value, *key)

    if recipe.memory_limit is not None:
        from ._pressure import Pressure

        return Pressure(table, recipe.memory_limit, weigh)
    return weigh


def _in_nanoseconds(time: Any) -> int | None:
    if time is None:
        return None
    return nanoseconds(time) if time > 0 else -1

"""The miss path of a cache in memory: its table as a store, its key as a call's.

Coroutine functions always have one; other functions where an option asks for a step.
"""

from __future__ import annotations

from ._path import Path, early_of
from ._recipe import label_of
from ._run.call import Call
from ._run.tally import Tally
from ._stores.in_table import PlainTableStore, TableStore, TimedTableStore, _Raised
from ._tagging import tags_of_calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from ._core import Table
    from ._run.call import Found
    from ._stores.tag_index import TagIndex
    from .cached import Cached

__all__ = ["MemoryPath", "answer", "answer_awaited", "index_of_tags", "told"]


class MemoryPath:
    """A cached function's miss path.

    Args:
        gate: The cached function; its options say which steps there are.
        function: What it calls.
        table: Where its results are.
        single: Whether those who miss the same key share one computation.
        tags: Which entries have which tags, if any may have some.
    """

    def __init__(
        self,
        gate: Cached,
        function: Callable[..., Any],
        table: Table,
        *,
        single: bool,
        tags: TagIndex | None = None,
    ) -> None:
        recipe = gate._recipe
        self._function = function
        self._weak = gate._weak
        self.tally = Tally(label_of(recipe, function))
        self.tags = tags

        def decided(value: Any, call: Call) -> tuple[int | None, int]:
            return gate._terms(value, call.args, dict(call.kwargs))

        weight_of = gate._weight_of if recipe.weigh is None else None  # a user's knows no exception

        def weighed(parts: Any, call: Call) -> int:
            return 1 if weight_of is None else weight_of(parts, call.args, dict(call.kwargs))

        alike = recipe.decide is None and gate._weight_of is None
        self.store: TableStore
        if recipe.outlasts:
            lives = [lasts for _, lasts in recipe.cache_exceptions]
            self.store = TimedTableStore(
                table,
                decided,
                recipe.copier,
                stale=recipe.stale,
                early=early_of(recipe),
                lives=lives,
                tags=tags,
                alike=alike,
                weigh=weighed,
            )
        elif alike and tags is None and recipe.copier is None:
            self.store = PlainTableStore(table, decided)
        else:
            self.store = TableStore(table, decided, recipe.copier, tags=tags, alike=alike)
        self.path = Path(recipe, self.store, self.tally, single=single, copier=recipe.copier)

    def call(
        self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_forced: bool = False
    ) -> Call:
        """The call as it sets out."""
        identity = self.identity(key) if self._weak else key
        return Call(identity, key, self._function, args, kwargs, is_forced)

    def identity(self, key: Any) -> Hashable:
        """The key as a dict may have it: an object that is held weakly is told by identity."""
        return (id(key[0]), *key[1:]) if self._weak else key

    def forget(self, key: Any) -> None:
        """Nobody joins a computation for the key that began before now."""
        self.path.forget(self.identity(key))

    def find(self, key: Any) -> Found | None:
        """What a call would be answered with now."""
        found = self.store.look(self.call(key, (), {}))
        return None if found is None or found.left <= 0 or found.raised else found

    def put(
        self, key: Any, value: Any, lasts: int | None, weight: int, call: tuple[Any, ...]
    ) -> None:
        """Stores a value by hand, for so many nanoseconds."""
        self.store.put(self.call(key, *call), value, lasts, weight)
        self.forget(key)


def answer(gate: Any, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answers a miss of a function: a core's `on_miss` hook."""
    behind: MemoryPath = gate._behind
    return behind.path.go(behind.call(key, args, kwargs))


def answer_awaited(gate: Any, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answers a miss of a coroutine function, likewise."""
    behind: MemoryPath = gate._behind
    return behind.path.ago(behind.call(key, args, kwargs))


def index_of_tags(gate: Cached, function: Any, label: str) -> TagIndex | None:
    """Which entries have which tags, if the options give them some."""
    recipe = gate._recipe
    if recipe.tags is None and not recipe.invalidate_by:
        return None
    from ._stores.tag_index import TagIndex

    return TagIndex(tags_of_calls(recipe, function, gate._binding, label), gate._weak)


def told(
    listener: Callable[[Any, Any, str], object] | None, tags: TagIndex | None
) -> Callable[[Any, Any, str], object] | None:
    """Who hears of what leaves the table: the index of tags, and the listener of values."""
    if tags is None and listener is None:
        return None

    def tell(key: Any, value: Any, cause: str) -> None:
        if tags is not None:
            tags.gone(key, cause)
        if listener is not None and type(value) is not _Raised:
            listener(key, value, cause)

    return tell

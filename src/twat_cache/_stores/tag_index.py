"""Which entries of a table have which tags, so that dropping a tag costs what it drops."""

from __future__ import annotations

from _weakref import ref
from threading import RLock
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import Any

    from .._core import Table
    from .._run.call import Call

__all__ = ["TagIndex", "drop_tags"]

_everywhere: WeakSet[TagIndex] = WeakSet()


class _Tagged:
    """A computation on its way, and the tags that its result will have."""

    __slots__ = ("grounded", "tags")

    def __init__(self, tags: frozenset[str]) -> None:
        self.tags = tags
        self.grounded = False


class TagIndex:
    """The tags of one table's entries. Thread-safe.

    Args:
        tags_of: Gives the tags of a call.
        weak: Whether the first object of each key is held weakly.
    """

    def __init__(self, tags_of: Callable[[Call], Iterable[str]], weak: bool) -> None:
        self._tags_of = tags_of
        self._weak = weak
        self._lock = RLock()  # keys compare, and objects die, by anybody's code
        self._by_tag: dict[str, dict[Hashable, Any]] = {}
        self._by_key: dict[Hashable, frozenset[str]] = {}
        self._leaving: set[_Tagged] = set()
        self.table: Table | None = None
        _everywhere.add(self)

    def depart(self, call: Call) -> _Tagged:
        """Notes that a computation begins: a tag that is dropped from now on grounds it."""
        tagged = _Tagged(frozenset(self._tags_of(call)))
        with self._lock:
            self._leaving.add(tagged)
        return tagged

    def land(self, tagged: _Tagged, call: Call) -> bool:
        """Notes that its result is about to be stored; False if it was grounded."""
        key = self._identity(call.place)
        place = call.place
        if self._weak:
            place = ref(place[0], lambda _: self._forget(key)), place[1:]
        with self._lock:
            self._leaving.discard(tagged)
            if tagged.grounded:
                return False
            self._remove(key)
            if tagged.tags:
                self._by_key[key] = tagged.tags
                for tag in tagged.tags:
                    self._by_tag.setdefault(tag, {})[key] = place
        return True

    def abandon(self, tagged: _Tagged) -> None:
        """Ends a computation that has nothing to store."""
        with self._lock:
            self._leaving.discard(tagged)

    def gone(self, key: tuple[Any, ...], cause: str) -> None:
        """An entry has left the table."""
        if cause not in ("replaced", "collected"):  # whose object is no more, `_forget` hears of
            self._forget(self._identity(key))

    def drop(self, tags: Iterable[str]) -> int:
        """Lets all entries with one of the tags go; tells how many those were."""
        wanted = set(tags)
        places: dict[Hashable, Any] = {}
        with self._lock:
            for tagged in self._leaving:
                if wanted & tagged.tags:
                    tagged.grounded = True
            for tag in wanted:
                places.update(self._by_tag.get(tag, {}))
        table = self.table
        assert table is not None
        dropped = 0
        for place in places.values():
            if self._weak:
                owner = place[0]()
                if owner is None:
                    continue
                place = (owner, *place[1])  # noqa: PLW2901
            dropped += table.discard(place)
        with self._lock:
            for key in places:
                self._remove(key)
        return dropped

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self._by_tag.clear()
            self._by_key.clear()

    def _identity(self, key: Any) -> Hashable:
        return (id(key[0]), *key[1:]) if self._weak else key

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            self._remove(key)

    def _remove(self, key: Hashable) -> None:
        for tag in self._by_key.pop(key, ()):
            places = self._by_tag.get(tag)
            if places is not None:
                places.pop(key, None)
                if not places:
                    del self._by_tag[tag]


def drop_tags(tags: Iterable[str]) -> int:
    """Lets all entries with one of the tags go, of all tables; tells how many those were."""
    wanted = list(tags)
    return sum(index.drop(wanted) for index in list(_everywhere))

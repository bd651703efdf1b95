"""Which entries of a table have which tags, so that dropping a tag costs what it drops.

A *result* is what a computation comes to. It has its tags from the moment the computation begins,
so whoever drops one finds it, wherever it is by then, and `Table.discard` does the rest: what is
stored leaves, what is on its way won't be stored. So it does no harm to know a result for too long;
to forget one too early would leave an entry that no tag reaches.

What has left a table is told of afterwards, when there may be another entry under its key. And two
results for one key may land at a time, nobody knows which of them last. So the results of a key are
a chain, and one of them is forgotten when it is sure that the entry isn't it: when it didn't get
in, when another came in that landed wholly after it, or when nothing is there and none is landing.
"""

from __future__ import annotations

import os
from _weakref import ref
from functools import partial
from threading import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from typing import Any

    from .._core import Table
    from .._run.call import Call

__all__ = ["Result", "TagIndex", "drop_tags"]

_live: dict[int, ref[TagIndex]] = {}

_DEPARTED, _LANDING, _LANDED = range(3)


class Result:
    """What a computation comes to: under which key, with which tags, and how far it is."""

    __slots__ = ("is_doubtful", "key", "older", "place", "stage", "tags")

    def __init__(self, key: Hashable, place: Any, tags: frozenset[str]) -> None:
        self.key = key
        self.place = place
        self.tags = tags
        self.stage = _DEPARTED
        self.is_doubtful = False
        self.older: Result | None = None


class TagIndex:
    """The tags of one table's entries. Thread-safe.

    The table's `on_removal` has to call `gone`, and whoever makes the index sets `table`.

    Args:
        tags_of: Gives the tags of a call.
        weak: Whether the first object of each key is held weakly.
    """

    table: Table

    def __init__(self, tags_of: Callable[[Call], Iterable[str]], weak: bool) -> None:
        self._tags_of = tags_of
        self._weak = weak
        self._lock = RLock()  # destructors, which may come at any point, may use the cache
        self._by_tag: dict[str, dict[Result, None]] = {}
        self._latest: dict[Hashable, Result] = {}  # changed by single steps, for keys compare
        _live[id(self)] = ref(self, partial(_live.pop, id(self)))

    def depart(self, call: Call) -> Result:
        """A computation begins: a tag that is dropped from now on grounds it."""
        tags = frozenset(self._tags_of(call))
        key = place = call.place
        if self._weak:
            owner, *others = place
            key = (id(owner), *others)
            place = (ref(owner, partial(self._died, key)), *others)
        result = Result(key, place, tags)
        with self._lock:
            for tag in tags:
                results = None
                while results is None or self._by_tag.get(tag) is not results:
                    results = self._by_tag.setdefault(tag, {})  # which a destructor may take away
                    results[result] = None
        return result

    def land(self, result: Result, land: Callable[..., bool], *args: Any, **options: Any) -> bool:
        """Has a result stored: `land(*args, **options)` does it, and tells whether it did."""
        latest, key = self._latest, result.key
        result.stage = _LANDING
        stored = is_alone = False
        try:
            result.older = older = latest.get(key)
            latest[key] = result
            is_alone = all(one.stage == _LANDED for one in _chain(older))
            stored = land(*args, **options)
        finally:
            result.stage = _LANDED
            if not stored:
                self._forget([result])
        is_latest = latest.get(key) is result
        if is_latest and not stored:
            if older is None:
                latest.pop(key, None)
            else:
                latest[key] = older
        elif is_latest and is_alone:
            result.older = None
            self._forget(_chain(older))
        if result.is_doubtful:
            self._check(key, self._place(result))
        return stored

    def abandon(self, result: Result) -> None:
        """Ends a computation that has nothing to store; does nothing if it landed."""
        if result.stage == _DEPARTED:
            self._forget([result])

    def gone(self, key: Any, cause: str) -> None:
        """An entry has left the table, or was replaced there."""
        if cause != "collected":  # then `_died` hears of it
            self._check(self._identity(key), key)

    def tags_at(self, key: Any) -> frozenset[str]:
        """The tags of the entry under a key."""
        result = self._latest.get(self._identity(key))
        return frozenset() if result is None else result.tags

    def drop(self, tags: Iterable[str]) -> int:
        """Lets all entries with one of the tags go; tells how many those were."""
        with self._lock:
            results = {result: None for tag in tags for result in self._by_tag.get(tag, ())}
        dropped = 0
        for result in results:
            has_landed = result.stage == _LANDED
            place = self._place(result)
            if place is not None:
                dropped += self.table.discard(place)
            if has_landed:
                self._forget([result])
        return dropped

    def _identity(self, key: Any) -> Hashable:
        return (id(key[0]), *key[1:]) if self._weak else key

    def _place(self, result: Result) -> Any:
        """The key of a result as the table takes it; None if its object is no more."""
        place = result.place
        if not self._weak:
            return place
        owner = place[0]()
        return None if owner is None else (owner, *place[1:])

    def _check(self, key: Hashable, place: Any) -> None:
        """Forgets all results of a key, if there is no entry under it and none is landing."""
        results = list(_chain(self._latest.get(key)))
        landing = [result for result in results if result.stage == _LANDING]
        for result in landing:
            result.is_doubtful = True  # it will look itself
        if landing or not results or (place is not None and self.table.look(place) is not None):
            return
        if self._latest.get(key) is results[0]:
            self._latest.pop(key, None)
        self._forget(results)

    def _died(self, key: Hashable, _: object) -> None:
        """The object that a key began with is no more."""
        self._forget(_chain(self._latest.pop(key, None)))

    def _forget(self, results: Iterable[Result]) -> None:
        """Their tags no longer lead to them."""
        for result in results:
            with self._lock:
                for tag in result.tags:
                    tagged = self._by_tag.get(tag, {})
                    tagged.pop(result, None)
                    if self._by_tag.get(tag) is tagged and not tagged:
                        del self._by_tag[tag]  # no call since the question: nobody came between


def _chain(result: Result | None) -> Iterator[Result]:
    while result is not None:
        yield result
        result = result.older


def drop_tags(tags: Iterable[str]) -> int:
    """Lets all entries with one of the tags go, of all tables; tells how many those were."""
    wanted = list(tags)
    found = [index() for index in list(_live.values())]
    return sum(index.drop(wanted) for index in found if index is not None)


def _after_fork() -> None:
    for index in [index() for index in list(_live.values())]:
        if index is not None:
            index._lock = RLock()  # the old one may be held by a thread that the child hasn't


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

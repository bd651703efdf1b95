"""Blocks that know which calls are the same call: `request_scope()` and `refreshing()`."""

from __future__ import annotations

from ._kinds import is_async_generator_function, is_coroutine_function, is_generator_function
from ._scopes import Scope, answer_around

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Hashable, Sequence
    from typing import Any

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]
    Around = Sequence[Scope]

__all__ = ["refreshing", "request_scope"]

_MISSING: Any = object()


def _keys_of(gate: Any, args: Args, kwargs: Kwargs) -> tuple[Hashable, Any]:
    """The key of a call, as a dict may have it and as the function's store has it.

    None and None if it shall do without the cache, or if it is for the call itself to say what is
    wrong.
    """
    try:
        if not hasattr(type(gate), "_key_for"):  # on an engine
            key = gate._cold(args, kwargs)
            return key, key
        key = gate._key_for(args, kwargs)
    except TypeError:
        return None, None
    return (id(key[0]), *key[1:]) if key is not None and gate._weak else key, key


class _Kept:
    """The answer of one call, once there is one."""

    __slots__ = ("flight", "key", "value")

    def __init__(self, key: Any, flight: Any) -> None:
        self.key = key  # with the object that the dict's key has the address of
        self.flight = flight
        self.value = _MISSING


class _Memo(dict["Hashable", _Kept]):
    """The answers of one function in one block.

    What is changed by hand, by `invalidate`, `put` and the like, is no longer known here: where the
    function has a miss path, that takes it away; where it has none, a flight of its table tells.
    """

    def __init__(self, gate: Any) -> None:
        behind = getattr(gate, "_behind", None)
        self._path = getattr(gate, "_path", None) if behind is None else behind.path
        self._table = gate.table
        self._copier = gate._recipe.copier
        self.is_generator = is_generator_function(gate.__wrapped__)
        self.is_awaited = is_coroutine_function(gate.__wrapped__)
        if self._path is not None:
            self._path.memos[id(self)] = self

    def at(self, key: Hashable, place: Any) -> _Kept:
        """What there is for a call, or will be."""
        kept = self.get(key)
        if kept is not None and kept.flight is not None and kept.flight.grounded:
            self.pop(key, None)
            self._table.abandon(kept.flight)
            kept = None
        if kept is None:
            mine = _Kept(place, self._table.depart(place) if self._path is None else None)
            kept = self.setdefault(key, mine)
            if kept is not mine and mine.flight is not None:
                self._table.abandon(mine.flight)
        return kept

    def keep(self, key: Hashable, kept: _Kept, value: Any) -> Any:
        """Keeps an answer, if nothing was changed meanwhile and none came first; gives it."""
        if self.get(key) is not kept:
            return value
        if kept.value is _MISSING:
            kept.value = self.copied(value)
            return value
        return self.copied(kept.value)

    def copied(self, value: Any) -> Any:
        return value if self._copier is None else self._copier(value)

    def close(self) -> None:
        """The block is over."""
        if self._path is not None:
            self._path.memos.pop(id(self), None)
        for kept in list(self.values()):
            if kept.flight is not None:
                self._table.abandon(kept.flight)
        self.clear()


class _Request(Scope):
    """Calls that are the same get one answer."""

    def __init__(self) -> None:
        self._memos: dict[Any, _Memo] = {}

    def _memo(self, gate: Any) -> _Memo:
        memo = self._memos.get(gate)
        if memo is None:
            mine = _Memo(gate)
            memo = self._memos.setdefault(gate, mine)
            if memo is not mine:
                mine.close()
        return memo

    def _answer(self, gate: Any, args: Args, kwargs: Kwargs, around: Around) -> Any:
        memo = self._memo(gate)
        key, place = (None, None) if memo.is_generator else _keys_of(gate, args, kwargs)
        if key is None:
            return answer_around(around, gate, args, kwargs)
        kept = memo.at(key, place)
        if kept.value is not _MISSING:
            value = memo.copied(kept.value)
            return _given(value) if memo.is_awaited else value
        value = answer_around(around, gate, args, kwargs)
        return _kept(memo, key, kept, value) if memo.is_awaited else memo.keep(key, kept, value)

    def renew(self, gate: Any, args: Args, kwargs: Kwargs, fresh: Any) -> Any:
        """Keeps an answer that was computed anew in place of the one so far; gives it."""
        memo = self._memo(gate)
        key, place = (None, None) if memo.is_generator else _keys_of(gate, args, kwargs)
        if key is None:
            return fresh
        kept = memo.at(key, place)
        kept.value = _MISSING
        return _kept(memo, key, kept, fresh) if memo.is_awaited else memo.keep(key, kept, fresh)

    def _end(self) -> None:
        memos, self._memos = self._memos, {}
        for memo in memos.values():
            memo.close()


async def _given(value: Any) -> Any:
    return value


async def _kept(memo: _Memo, key: Hashable, kept: _Kept, answer: Awaitable[Any]) -> Any:
    return memo.keep(key, kept, await answer)


class _Refreshing(Scope):
    """The first call of each key computes anew."""

    def __init__(self) -> None:
        self._done: set[tuple[Any, Hashable]] = set()
        self._held: list[Any] = []

    def _answer(self, gate: Any, args: Args, kwargs: Kwargs, around: Around) -> Any:
        key, place = _keys_of(gate, args, kwargs)
        if key is None or (gate, key) in self._done:
            return answer_around(around, gate, args, kwargs)
        fresh = gate.refresh(*args, **kwargs)
        if is_async_generator_function(gate.__wrapped__):
            self._note(gate, key, place)
            return fresh if hasattr(fresh, "__aiter__") else _played(fresh)
        if is_coroutine_function(gate.__wrapped__):
            fresh = self._awaited(gate, key, place, fresh)
        else:
            self._note(gate, key, place)
        for scope in around:
            if isinstance(scope, _Request):
                fresh = scope.renew(gate, args, kwargs, fresh)
        return fresh

    async def _awaited(self, gate: Any, key: Hashable, place: Any, fresh: Awaitable[Any]) -> Any:
        value = await fresh
        self._note(gate, key, place)
        return value

    def _note(self, gate: Any, key: Hashable, place: Any) -> None:
        self._held.append(place)
        self._done.add((gate, key))

    def _end(self) -> None:
        self._done, self._held = set(), []


async def _played(fresh: Awaitable[AsyncGenerator[Any, None]]) -> AsyncGenerator[Any, None]:
    async for item in await fresh:
        yield item


def request_scope() -> Scope:
    """Calls in the block that are the same call get the same answer, and compute it once at most.

    For `with` and `async with`, around the work on one request, say. What the cache meanwhile lets
    go, or has computed anew, makes no difference; what is changed by hand does, by `invalidate`,
    `put`, `invalidate_tags` or `cache_clear`. Calls at the same time share one computation where
    the function has `single_flight`. With `copy=`, answers are copies. `lru_cache`, `cache` and
    generator functions answer as usual.
    """
    return _Request()


def refreshing() -> Scope:
    """The first call of each kind in the block computes anew, and stores what it computes.

    For `with` and `async with`. Later calls with the same arguments, also those that a computation
    makes, answer as usual, that is, with what was stored. `lru_cache` and `cache` answer as usual.
    """
    return _Refreshing()

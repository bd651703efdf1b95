"""Blocks that change what calls of cached functions do, such as `with bypass():`.

A *scope* is of the context that entered its block: of that thread or task, and of the tasks begun
in it. While any scope is open in the process, the core has each call of each cached function
answered here. Then the context of the call is asked for its scopes, the innermost first: one that
is concerned answers, or has those around it answer; without any the call is answered as usual.
While no scope is open, calls know nothing of all this.

A scope ends with its block, for everybody. What a task that outlives the block calls afterwards is
answered as usual.
"""

from __future__ import annotations

import os
from _thread import RLock
from contextvars import ContextVar

from . import _overrides
from ._core import detour

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["Scope", "answer_around", "bypass", "disable", "open_scopes"]

_entered: ContextVar[tuple[Scope, ...]] = ContextVar("twat_cache._entered", default=())
_MISSING: Any = object()
_lock = RLock()  # destructors and signal handlers may enter blocks at any point
_open = 0
_is_disabled = False


class Scope:
    """What a block says about the calls in it; for `with` and `async with`.

    One object may be entered several times, also by several threads and tasks at once: it is one
    scope then, and ends when the last of them leaves. Thread-safe.
    """

    _entries = 0
    _is_for_all = False  # else functools' own way, as of `lru_cache`, stays as it is

    def __enter__(self) -> None:
        with _lock:
            self._entries += 1
            _count(1)
        _entered.set((self, *_entered.get()))

    def __exit__(self, *_: object) -> None:
        scopes = _entered.get()
        if self in scopes:  # if not, it was entered in another context, and ends all the same
            place = scopes.index(self)
            _entered.set(scopes[:place] + scopes[place + 1 :])
        with _lock:
            self._entries -= 1
            is_over = self._entries == 0
            _count(-1)
        if is_over:
            self._end()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _answer(
        self, gate: Any, args: tuple[Any, ...], kwargs: dict[str, Any], around: Sequence[Scope]
    ) -> Any:
        """Answers a call; `answer_around` has the scopes around this one do it."""
        return answer_around(around, gate, args, kwargs)

    def _end(self) -> None:
        """The block is over."""


class _Bypass(Scope):
    """Calls run the function, and leave the cache alone."""

    _is_for_all = True

    def _answer(
        self,
        gate: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        around: Sequence[Scope],  # noqa: ARG002 - nobody else is asked
    ) -> Any:
        gate.table.count_bypass()
        return getattr(gate, "__wrapped__", gate.function)(*args, **kwargs)


def bypass() -> Scope:
    """Calls of cached functions in the block run the function and leave the cache alone.

    For `with` and `async with`. Concerns all decorators, `lru_cache` and `cache` too. Controls,
    such as `f.peek()`, are what they always are.
    """
    return _Bypass()


def open_scopes() -> list[Scope]:
    """The scopes of this context, the innermost first."""
    return [scope for scope in _entered.get() if scope._entries]


def answer_around(
    scopes: Sequence[Scope], gate: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Has the first of the scopes that is concerned answer a call, or the function itself."""
    is_ours = hasattr(type(gate), "refresh")
    for place, scope in enumerate(scopes):
        if scope._is_for_all or is_ours:
            return scope._answer(gate, args, kwargs, scopes[place + 1 :])
    terms = None if _overrides.find is None else _overrides.find()
    if terms is not None and getattr(gate, "_behind", gate) is None:
        return _answer_on_terms(gate, args, kwargs)
    return gate.answer(args, kwargs)


def _answer_on_terms(gate: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answers a call of a function whose misses are the core's, which knows of no terms."""
    try:
        key = gate._key_for(args, kwargs)
    except TypeError:
        key = None
    if key is None:  # the function says what is wrong, or does without the cache
        return gate.answer(args, kwargs)
    value = gate.table.get(key, _MISSING)
    return gate.refresh(*args, **kwargs) if value is _MISSING else gate._copied(value)


def _answer(gate: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answers all calls while a scope is open: the core's hook."""
    if _is_disabled:
        return _never._answer(gate, args, kwargs, ())
    if not _entered.get():
        return gate.answer(args, kwargs)
    return answer_around(open_scopes(), gate, args, kwargs)


def _count(change: int) -> None:
    """One scope more is open, or one less; comes with the lock."""
    global _open
    before, _open = _open, _open + change
    if (before > 0) != (_open > 0) and not _is_disabled:
        detour(_answer if _open else None)


def disable() -> None:
    """Turns all caching off, for the rest of the process: calls run their functions."""
    global _is_disabled  # noqa: PLW0603
    _is_disabled = True
    detour(_answer)


_never = _Bypass()


def _begin_anew() -> None:
    """In a forked child: only the scopes of the thread that forked are still there to be left."""
    global _lock, _open  # noqa: PLW0603
    _lock = RLock()
    entered = _entered.get()
    _open = len(entered)
    for scope in entered:
        scope._entries = entered.count(scope)
    if not _is_disabled:
        detour(_answer if _open else None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

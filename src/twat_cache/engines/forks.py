"""Locks that a fork finds at rest.

A child has no threads but the one that forked. A lock that another held would stay held there for
ever, and what it guards would stay half done. So a fork takes these locks before, and gives the
child new ones. It waits a second for each, the youngest first: an engine that is made of others
holds its own lock while it asks them. Where that isn't enough the child goes on with what there is.
"""

from __future__ import annotations

import os
from threading import RLock
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = ["ForkSafeLock", "leak", "living"]

_AT_REST = 1.0  # seconds
_every: WeakSet[ForkSafeLock] = WeakSet()
_taken: list[ForkSafeLock] = []
_leaked: list[Any] = []
_number = 0


class ForkSafeLock:
    """A lock that its thread may take again, for a `with` statement."""

    __slots__ = ("__weakref__", "_lock", "_number", "_taken")

    def __init__(self) -> None:
        global _number  # noqa: PLW0603
        self._lock = RLock()
        self._taken = False
        self._number = _number = _number + 1
        _every.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Waits until it is free, and takes it."""
        self._taken = self._lock.acquire(timeout=_AT_REST)

    def after_fork(self, *, child: bool) -> None:
        """Gives it back; the child gets another."""
        if child:
            self._lock = RLock()
        elif self._taken:
            self._lock.release()


def leak(inherited: Any) -> None:
    """Keeps what a child must not close, beyond the end of the interpreter, which would."""
    _leaked.append(inherited)
    try:
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
    except (ImportError, AttributeError):  # no ctypes, or not CPython
        pass


def living(every: WeakSet[T]) -> list[T]:
    """What there is in the set, which other threads may change meanwhile."""
    while True:
        try:
            return list(every)
        except RuntimeError:  # another thread has just made one
            pass


def _before_fork() -> None:
    _taken[:] = sorted(living(_every), key=lambda lock: lock._number, reverse=True)
    for lock in _taken:
        lock.before_fork()


def _after_fork(*, child: bool) -> None:
    for lock in _taken:
        lock.after_fork(child=child)
    _taken.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _after_fork(child=False),
        after_in_child=lambda: _after_fork(child=True),
    )

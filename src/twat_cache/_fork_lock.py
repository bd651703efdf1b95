"""Locks that a fork finds at rest.

A child has no threads but the one that forked. A lock that another held would stay held there for
ever, and what it guards would stay half done. So a fork takes these locks before. It waits a second
for each, the youngest first: an engine that is made of others holds its own lock while it asks
them. Where that isn't enough the child goes on with what there is, and with the lock as new.
"""

from __future__ import annotations

import os
from _thread import RLock
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = ["ForkSafeLock", "living"]

_AT_REST = 1.0  # seconds
_every: WeakSet[ForkSafeLock] = WeakSet()
_taken: list[ForkSafeLock] = []
_number = 0
_Reentrant: Any = RLock  # type checkers take it for final, which it is in no Python


class ForkSafeLock(_Reentrant):  # type: ignore[misc]
    """A lock that its thread may take again."""

    def __init__(self) -> None:
        global _number  # noqa: PLW0603
        self._taken = False
        self._number = _number = _number + 1
        _every.add(self)

    def before_fork(self) -> None:
        """Waits until it is free, and takes it."""
        self._taken = self.acquire(timeout=_AT_REST)

    def after_fork(self, *, child: bool) -> None:
        """Gives it back; in a child, nobody has it whom the child hasn't."""
        if self._taken:
            self.release()
        elif child:
            self._at_fork_reinit()


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

"""Threads for computations that nobody waits for, or not for as long as they may take.

They are daemons: a program ends without waiting for them. A thread that has had nothing to do for
some seconds ends. In a child process after a fork there are none, and new ones are started.
"""

from __future__ import annotations

import os
from collections import deque
from threading import Condition, Thread
from time import monotonic
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Workers"]

_IDLE = 5.0  # seconds


class Workers:
    """A pool of daemon threads. Thread-safe.

    Args:
        most: How many threads at most; None is as many as there is work.
        waiting: How much work may wait for a thread.
    """

    def __init__(self, most: int | None = None, waiting: int = 0) -> None:
        self._most = most
        self._waiting = waiting
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        self._change = Condition()
        self._work: deque[Callable[[], object]] = deque()
        self._threads = 0
        self._idle = 0

    def submit(self, work: Callable[[], object]) -> bool:
        """Has the work done by and by, and drops what it returns or raises.

        Returns:
            False if there is too much to do already; then it isn't done.
        """
        with self._change:
            if self._idle > len(self._work):
                self._work.append(work)
                self._change.notify()
                return True
            if self._most is not None and self._threads >= self._most:
                if len(self._work) >= self._waiting:
                    return False
                self._work.append(work)
                return True
            self._threads += 1
        try:
            Thread(target=self._toil, args=(work,), daemon=True, name="twat_cache").start()
        except RuntimeError:  # no more threads to be had, or the interpreter is about to end
            with self._change:
                self._threads -= 1
            return False
        return True

    def drain(self, seconds: float | None = None) -> bool:
        """Waits until all work is done; tells whether it was, within so many seconds."""
        end = None if seconds is None else monotonic() + seconds
        with self._change:
            while self._work or self._threads > self._idle:
                left = None if end is None else end - monotonic()
                if left is not None and left <= 0:
                    return False
                self._change.wait(left)
        return True

    def _toil(self, work: Callable[[], object] | None) -> None:
        while work is not None:
            try:
                work()
            except BaseException:  # noqa: S110 - whoever cares has seen to it in the work itself
                pass
            work = self._next()

    def _next(self) -> Callable[[], object] | None:
        with self._change:
            self._change.notify_all()
            self._idle += 1
            end = monotonic() + _IDLE
            while not self._work:
                left = end - monotonic()
                if left <= 0:
                    self._idle -= 1
                    self._threads -= 1
                    return None
                self._change.wait(left)
            self._idle -= 1
            return self._work.popleft()


_pools: WeakSet[Workers] = WeakSet()


def _begin_anew() -> None:
    for pool in list(_pools):
        pool._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

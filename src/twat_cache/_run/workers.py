"""Threads for computations that nobody waits for, or not for as long as they may take.

They are daemons: a program ends without waiting for them. A thread that has had nothing to do for
some seconds ends. In a child process after a fork there are none, and new ones are started.
"""

from __future__ import annotations

import os
from _thread import get_ident
from collections import deque
from sys import is_finalizing
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
        most: How many threads at most.
        waiting: How much work may wait for a thread.
    """

    def __init__(self, most: int, waiting: int = 0) -> None:
        self._most = most
        self._waiting = waiting
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        self._came = Condition()  # re-entrant: a signal's handler may come upon a cached function
        self._work: deque[Callable[[], object]] = deque()
        self._threads = 0
        self._busy: set[int] = set()

    def submit(self, work: Callable[[], object]) -> bool:
        """Has the work done by and by, and drops what it returns or raises.

        Where no thread can be had, as when the interpreter ends, it is done at once.

        Returns:
            False if there is too much to do already; then it isn't done.
        """
        if is_finalizing():  # threads still start, and never run
            work()
            return True
        with self._came:
            is_one_free = self._threads - len(self._busy) > len(self._work)
            is_full = self._threads >= self._most
            if not is_one_free and is_full and len(self._work) >= self._waiting:
                return False
            self._work.append(work)
            if is_one_free or is_full:
                self._came.notify()
                return True
            self._threads += 1
        try:
            Thread(target=self._toil, daemon=True, name="twat_cache").start()
        except RuntimeError:
            with self._came:
                self._threads -= 1
                if work not in self._work:  # another thread has it
                    return True
                self._work.remove(work)
            work()
        return True

    def _toil(self) -> None:
        me = get_ident()
        while (work := self._next(me)) is not None:
            try:
                work()
            except BaseException:  # noqa: S110 - whoever cares has seen to it in the work itself
                pass
            del work  # or it would be kept until there is other work

    def _next(self, me: int) -> Callable[[], object] | None:
        with self._came:
            self._busy.discard(me)
            end = monotonic() + _IDLE
            while not self._work:
                left = end - monotonic()
                if left <= 0:
                    self._threads -= 1
                    return None
                self._came.wait(left)
            self._busy.add(me)
            return self._work.popleft()


_pools: WeakSet[Workers] = WeakSet()


def _begin_anew() -> None:
    for pool in list(_pools):
        pool._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

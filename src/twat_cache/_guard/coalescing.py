"""Gets that are made at once go out as one batch.

    blocking  gets made while another is on its way   one trip, when that is back
    async     gets of one turn of the event loop        one trip, at the end of the turn

The second are those of `async_coalescing`. So a lone get is sent at once, and sixty-four that come
together cost one trip instead of as many.
If the one on its way finds that the engine doesn't answer, those who wait for it are told so, and
don't ask once more.
"""

from __future__ import annotations

import os
from _thread import get_ident
from threading import Event
from time import monotonic
from typing import Any
from weakref import WeakSet

from .._fork_lock import ForkSafeLock, living
from .._run.exceptions import twin
from ..errors import EngineConnectionError, EngineError, EngineTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Values = list[bytes | memoryview | None]

__all__ = ["MOST", "CoalescingEngine", "Passing"]

MOST = 1000
"""Keys in a batch."""

_LONG = 0.01  # seconds
_LOST = 5.0  # seconds: who is on the way was interrupted at the worst moment


class Passing:
    """Passes on to the engine all but `get`."""

    def __init__(self, engine: Any) -> None:
        self.guarded = engine
        self.capabilities = engine.capabilities

    def __getattr__(self, name: str) -> Any:
        if name == "guarded":
            raise AttributeError(name)
        return getattr(self.guarded, name)


class _Waiting:
    """A thread that waits while another's get is on its way."""

    __slots__ = ("crew", "error", "event", "free", "keys", "values")

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.event = Event()
        self.free: list[None] | None = None  # if it is its turn, to get for its crew, too
        self.crew: list[_Waiting] = []
        self.values: Values = []
        self.error: BaseException | None = None


class CoalescingEngine(Passing):
    """Threads that get while another does wait for it, and one of them gets for all.

    Nobody waits for long: after ten milliseconds a thread goes by itself, and so does one that
    comes while a trip takes longer, or that is in the middle of a get already (a destructor, a
    signal's handler). Who is interrupted while on the way or waiting lets another one go.

    Who finds nobody on the way takes no lock: to go is to take what is in a list, and to be back is
    to put it there again. Who begins to wait looks into the list then, and who is back looks for
    those who wait, so nobody is overlooked.
    """

    def __init__(self, engine: Any) -> None:
        super().__init__(engine)
        self._lock = ForkSafeLock()
        self.begin_anew()
        _every.add(self)

    def begin_anew(self) -> None:
        """In a forked child nobody is on the way, and nobody waits."""
        self._free: list[None] = [None]  # empty while somebody is on the way
        self._since = 0.0
        self._alone = 0  # the thread that went last without having waited
        self._here: set[int] = set()  # other threads that are on the way or wait
        self._waiting: list[_Waiting] = []

    def get(self, keys: Sequence[str]) -> Values:
        """The values, in the order of the keys."""
        free = self._free
        try:
            free.pop()
        except IndexError:
            return self._get_behind(keys)
        failure: EngineError | None = None
        try:
            self._alone, self._since = get_ident(), monotonic()
            values: Values = self.guarded.get(keys)
        except EngineError as error:
            failure = error
            raise
        else:
            return values
        finally:
            if self._waiting:
                self._send_next(free, failure)
            else:
                free.append(None)
                if self._waiting and _takes(free):
                    self._send_next(free, failure)
            del failure  # what is raised refers to this frame

    def _get_behind(self, keys: Sequence[str]) -> Values:
        """Gets while another is on the way."""
        me, mine = get_ident(), None
        with self._lock:
            free, now = self._free, monotonic()
            is_lost = now - self._since > _LOST
            if me == self._alone or me in self._here:
                is_lost = False
            elif is_lost:
                free = self._free = []
                self._since = now
                self._here.add(me)
            elif now - self._since < _LONG:
                mine = _Waiting(keys)
                self._waiting.append(mine)
                self._here.add(me)
        if mine is None and not is_lost:
            values: Values = self.guarded.get(keys)
            return values
        try:
            if mine is None:
                return self._fetch(free, [], keys)
            if _takes(free):
                self._send_next(free, None)
            return self._wait(mine)
        finally:
            self._here.discard(me)

    def _wait(self, mine: _Waiting) -> Values:
        """Waits for who is on the way; then there is an answer, or it is one's own turn."""
        try:
            if not mine.event.wait(_LONG):
                with self._lock:
                    is_waiting = mine in self._waiting
                    if is_waiting:
                        self._waiting.remove(mine)
                if is_waiting:
                    values: Values = self.guarded.get(mine.keys)
                    return values
                mine.event.wait()
        except BaseException:
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                self._waiting[:0] = mine.crew
            if mine.free is not None:
                self._send_next(mine.free, None)
            raise
        if mine.free is not None:
            return self._fetch(mine.free, mine.crew, mine.keys)
        if (error := mine.error) is not None:
            mine.error = None
            try:
                raise error
            finally:
                del error  # as above
        return mine.values

    def _fetch(self, free: list[None], crew: list[_Waiting], keys: Sequence[str]) -> Values:
        """Gets for oneself and for the crew; then sends the next one."""
        failure: EngineError | None = None
        try:
            if not crew:
                values: Values = self.guarded.get(keys)
                return values
            every = dict.fromkeys(keys)
            for one in crew:
                every.update(dict.fromkeys(one.keys))
            found = dict(zip(every, self.guarded.get(list(every)), strict=True))
            for one in crew:
                one.values = [found[key] for key in one.keys]
            return [found[key] for key in keys]
        except EngineError as error:
            failure = error
            for one in crew:
                one.error = twin(error)
            raise
        except BaseException:  # Ctrl-C, say, which is no answer to the others
            with self._lock:
                self._waiting[:0] = crew
            crew = []
            raise
        finally:
            for one in crew:
                one.event.set()
            self._return(free, failure)
            del failure  # as above

    def _return(self, free: list[None], failure: EngineError | None) -> None:
        """Is back, and sends the next one if any wait."""
        if not self._waiting:
            free.append(None)
            if not self._waiting or not _takes(free):
                return
        self._send_next(free, failure)

    def _send_next(self, free: list[None], failure: EngineError | None) -> None:
        """Lets one of those who wait go for them all, or tells them of the failure."""
        with self._lock:
            if self._free is not free:  # another one has taken over
                return
            waiting, self._waiting = self._waiting, []
            self._alone, first = 0, None
            if waiting and not isinstance(failure, (EngineTimeoutError, EngineConnectionError)):
                first, *others = waiting
                many = len(first.keys)
                first.crew = waiting = []
                for one in others:
                    many += len(one.keys)
                    (first.crew if many <= MOST else self._waiting).append(one)
                first.free = free
                self._since = monotonic()
            else:
                free.append(None)
        if first is not None:
            first.event.set()
            return
        for one in waiting:
            one.error = None if failure is None else twin(failure)
            one.event.set()


def _takes(free: list[None]) -> bool:
    """Whether nobody was on the way, so that one's caller is now."""
    try:
        free.pop()
    except IndexError:
        return False
    return True


_every: WeakSet[CoalescingEngine] = WeakSet()


def _after_fork() -> None:
    for engine in living(_every):
        engine.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

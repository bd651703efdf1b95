"""Streams of changes, as far as they are alike on all servers: who follows, and the thread.

    connect ─► what to follow ─► beat ─► answer: what was known before is void, and followers live
        ▲                         ▲ every `bound / 4`  │
        └─ lost: nobody lives ────┴── what is told ────┘

The server answers in order. So when a beat is answered, all changes from before it was sent have
come, too: from that moment on followers may go unaware for so long as their bound, and not longer,
whatever befalls this thread, the connection or the server.

What it takes to connect, to beat and to change something is each engine's own.
"""

from __future__ import annotations

import logging
import os
from random import random
from selectors import EVENT_READ, DefaultSelector
from socket import socketpair
from threading import Condition, Thread
from time import monotonic
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import msgpack  # type: ignore[import-untyped]

from ..errors import EngineClosedError, EngineConnectionError, EngineError, EngineTimeoutError
from .forks import ForkSafeLock, living

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..stream_types import Follower

__all__ = ["Anew", "ChangeStream", "FollowingThread"]

_BEATS = 4  # in each bound
_SOON, _LATEST = 0.05, 1.0  # seconds before the server is tried again
_REFUSED = 15.0  # the same where it can't be a matter of time
_logger = logging.getLogger("twat_cache")


class Anew(Exception):  # noqa: N818 - never seen outside
    """The connection has to be made anew, though nothing is wrong with it."""


class FollowingThread(Thread):
    """What follows the changes of one server, from start to stop.

    Args:
        stream: Whose followers it tells.
    """

    def __init__(self, stream: ChangeStream[Any]) -> None:
        super().__init__(name="twat-cache-coherence", daemon=True)
        self.is_live = False
        self.joined: set[Follower] = set()
        """Those who are told of what changes, while it is live."""
        self.change = Condition()
        """Tells of each beat that is answered, and of each failure."""
        self._stream = stream
        self._is_over = False
        self._is_asked = False
        self._bell, self._ear = socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)

    # -- for other threads -----------------------------------------------------------------------

    def wake(self) -> None:
        """There is a new follower, or somebody wants to know what was changed by now."""
        self._is_asked = True
        self._ring()

    def stop(self) -> None:
        """Ends soon; waits for nothing."""
        self._is_over = True
        self._ring()

    def _ring(self) -> None:
        try:
            self._bell.send(b".")
        except OSError:  # it has been rung often enough, or nobody is there
            pass

    @property
    def is_late(self) -> bool:
        """Whether something is unanswered for longer than anybody waits."""
        raise NotImplementedError

    def hears(self, follower: Follower) -> bool:
        """Whether this one is told now of all that changes, and in time."""
        return self.is_live and follower in self.joined and not self.is_late

    def wait(self, seconds: float, follower: Follower | None, before: EngineError | None) -> None:
        """Waits until it is live, and tells this one, or has failed to since it did before.

        Raises:
            EngineError: It isn't, and why.
        """
        stream, end = self._stream, monotonic() + seconds
        with self.change:
            while not self.is_live or (
                follower in stream.followers and follower not in self.joined
            ):
                refusal = stream.refusal
                if not self.is_live and refusal not in (None, before):
                    raise refusal.with_traceback(None)
                if not self.change.wait(end - monotonic()):
                    raise (
                        EngineTimeoutError(
                            f"changes can't be followed: there was no answer in {seconds:g} s"
                        )
                        if before is None
                        else before.with_traceback(None)
                    )

    def let_go(self) -> None:
        """Closes its ends of what it has; those of a parent or of the server aren't told."""
        self._bell.close()
        self._ear.close()

    # -- the thread ------------------------------------------------------------------------------

    def run(self) -> None:
        """Follows, again and again."""
        failures = 0
        while not self._is_over:
            pause = 0.0
            try:
                self._follow()
            except Anew:
                failures = 0
            except Exception as error:  # whatever it is: nothing is known any more
                failures = 0 if self.is_live else failures + 1
                pause = self._failed(error, failures)
            finally:
                self._lost()
            if pause and not self._is_over:
                self._pause(pause * (0.5 + random() / 2))
        self._rest()

    def _rest(self) -> None:
        """The end."""
        self.let_go()

    def _follow(self) -> None:
        """Connects, and follows until that ends."""
        raise NotImplementedError

    def _hang_up(self) -> None:
        """Ends the connection, if there is one."""
        raise NotImplementedError

    def _told(self, error: Exception) -> EngineError | None:
        """What went wrong, in words of ours; None if nobody has heard of such a thing."""
        return error if isinstance(error, EngineError) else None

    def _failed(self, error: Exception, failures: int) -> float:
        """Notes why it couldn't follow; gives the seconds to the next try."""
        refusal = self._told(error)
        if refusal is None:
            _logger.error("following changes failed, and begins anew", exc_info=error)
            refusal = EngineConnectionError(f"following changes failed: {type(error).__name__}")
        before = self._stream.refusal
        self._becomes(is_live=False, refusal=refusal)
        if isinstance(refusal, (EngineConnectionError, EngineTimeoutError)):
            return min(_SOON * 2.0 ** min(failures, 10), _LATEST)
        if before is None or str(before) != str(refusal):
            _logger.warning("%s; until then nothing is kept in memory", refusal)
        return _REFUSED

    def _lost(self) -> None:
        joined, self.joined = self.joined, set()
        self._becomes(is_live=False, refusal=self._stream.refusal)
        for follower in joined:
            follower.alive_until(0)
        self._hang_up()

    def _lives(self, moment: int, new: Sequence[Follower]) -> None:
        """A beat of this moment was answered; with it, new followers are told of what changes."""
        for follower in new:
            follower.emptied()
            self.joined.add(follower)
        self.joined.intersection_update(list(self._stream.followers))  # others have left
        for follower in self.joined:
            follower.alive_until(moment + int(follower.bound * 1e9))
        self._becomes(is_live=True, refusal=None)

    def _becomes(self, *, is_live: bool, refusal: EngineError | None) -> None:
        with self.change:
            self.is_live = is_live
            if not self._is_over:  # else another may have begun
                self._stream.refusal = refusal
            self.change.notify_all()

    def _new(self) -> list[Follower]:
        """Those who aren't told yet."""
        return [one for one in list(self._stream.followers) if one not in self.joined]

    def _pulse(self) -> tuple[int, float]:
        """Nanoseconds from one beat to the next, and seconds that its answer is waited for.

        Whoever has a longer bound than others doesn't keep these from another connection: nobody
        waits longer for an answer than for the engine's timeout.
        """
        bounds = [follower.bound for follower in list(self._stream.followers)] or [1.0]
        least, most = min(bounds), max(bounds)
        return int(least / _BEATS * 1e9), min(most, max(least, self._stream.timeout))

    def _pause(self, seconds: float) -> None:
        with DefaultSelector() as selector:
            selector.register(self._ear, EVENT_READ)
            selector.select(seconds)
        self._hear()

    def _hear(self) -> None:
        try:
            self._ear.recv(4096)
        except BlockingIOError:  # nobody has rung
            pass


T = TypeVar("T", bound=FollowingThread)


class ChangeStream(Generic[T]):
    """What followers say, and who makes changes. Thread-safe.

    Args:
        timeout: Seconds that a call may take.
    """

    tells_all = True
    """Whether the server tells nothing by itself, so that each change has to be told."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.followers: dict[Follower, bytes] = {}
        """With each a mark of its own, by which it knows what it has told itself."""
        self.refusal: EngineError | None = None
        """Why it couldn't begin when it was last tried."""
        self._is_closed = False
        self._lock = ForkSafeLock()
        self._thread: T | None = None
        _everywhere.add(self)

    def follow(self, follower: Follower) -> None:
        """From now on, once it is started, this one is told."""
        with self._lock:
            self.followers[follower] = os.urandom(8)
            if self._thread is not None:
                self._thread.wake()

    def leave(self, follower: Follower) -> None:
        """From now on it isn't; without any the stream ends."""
        with self._lock:
            self.followers.pop(follower, None)
            if not self.followers:
                self._end()

    def close(self) -> None:
        """The engine is closed: nothing is told any more, nor changed here."""
        with self._lock:
            self._is_closed = True
            self._end()

    def _end(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def start(self) -> None:
        """Begins in the background; does nothing if it has begun."""
        if self._thread is None:
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is not None or self._is_closed or not self.followers:
                return
            thread = self._made()
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends
                thread.let_go()
            else:
                self._thread = thread

    def _made(self) -> T:
        """The thread."""
        raise NotImplementedError

    @property
    def is_refused(self) -> bool:
        """Whether it can't begin, and that isn't a matter of time."""
        return type(self.refusal) is EngineError

    def hears(self, follower: Follower) -> bool:
        """Whether this one is told now of all that changes, and in time."""
        thread = self._thread
        return thread is not None and thread.hears(follower)

    def check(self, follower: Follower | None = None) -> None:
        """Waits for the stream to begin, and to tell this one, for the timeout at most.

        If it was refused it is tried again.

        Raises:
            EngineError: It can't; says why.
        """
        self._refuse_if_closed()
        before = self.refusal if self.is_refused else None
        self.start()
        thread = self._thread
        if thread is not None:
            if before is not None:
                thread.wake()
            thread.wait(self.timeout, follower, before)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise EngineClosedError("the engine is closed; open another one")

    # -- word of changes -------------------------------------------------------------------------

    def _word(self, follower: Follower, names: Sequence[bytes], *, by_hand: bool) -> bytes:
        """Word that keys are changed; without any, that anything may be."""
        word: bytes = msgpack.packb((self.followers.get(follower, b""), by_hand, names))
        return word

    def heard(self, channel: str, word: bytes) -> None:
        """Somebody sent word: all followers are told but who sent it."""
        mark, by_hand, names = msgpack.unpackb(word)
        if names:
            self.changed(texts(names), by_hand=by_hand, mark=mark)
            return
        for follower, its in list(self.followers.items()):
            if its != mark and follower.channel == channel:
                follower.emptied()

    def changed(self, keys: Sequence[str], *, by_hand: bool, mark: bytes | None = None) -> None:
        """Tells all followers but the one with this mark."""
        for follower, its in list(self.followers.items()):
            if its != mark:
                follower.changed(keys, by_hand=by_hand)

    def after_fork(self) -> None:
        """In a child nobody follows; what was inherited is the parent's."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.let_go()
        for follower in list(self.followers):
            self.followers[follower] = os.urandom(8)
            follower.alive_until(0)


def texts(names: Sequence[bytes]) -> list[str]:
    """The keys with these names, but those that nobody here writes."""
    found = []
    for name in names:
        try:
            found.append(name.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:
            pass
    return found


_everywhere: WeakSet[ChangeStream[Any]] = WeakSet()


def _after_fork() -> None:
    for stream in living(_everywhere):
        stream.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

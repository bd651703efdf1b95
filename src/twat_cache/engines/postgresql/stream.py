"""What changes in the table, as those who change it tell: the thread that follows it.

    connect ─► LISTEN ─► beat ─► answer: what was known before is void, and followers live
        ▲                 ▲ every `bound / 4`  │
        └─ lost: nobody ──┴── what is told ────┘

From the moment on in which a beat was sent that is answered, followers may go unaware for so long
as their bound, and not longer, whatever befalls this thread, the connection or the server.

Changes are made on other connections, so what was computed may be put before this thread has read
that somebody changed its key before. Who puts it asks for a beat after that, and all who ask at
once share one. When it is answered, what was told before the put is known here.

The file is long since it is one conversation, told from both ends: what callers ask of the stream
stands first, the thread that talks to the server behind it, and each relies on the other's order.
"""

from __future__ import annotations

import logging
import os
from base64 import b64decode, b64encode
from random import random
from selectors import EVENT_READ, DefaultSelector
from socket import socketpair
from threading import Condition, Thread
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING
from weakref import WeakSet

import msgpack  # type: ignore[import-untyped]

from ...errors import EngineConnectionError, EngineError, EngineTimeoutError
from ..forks import ForkSafeLock, living
from .bus import LONGEST, Note, PostgresqlBus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine_types import Bytes
    from ...stream_types import Follower
    from .place import Place

__all__ = ["PostgresqlStream"]

_BEATS = 4  # in each bound
_SOON, _LATEST = 0.05, 1.0  # seconds before the server is tried again
_REFUSED = 15.0  # the same where it can't be a matter of time
_NOTES = 16  # in which keys are told one by one; more of them say that anything may have changed
_KEYS = LONGEST * 3 // 4 - 64  # bytes of keys in one

_logger = logging.getLogger("twat_cache")


class PostgresqlStream:
    """Follows what is told, and tells. Thread-safe.

    Args:
        place: Where the server is.
        timeout: Seconds that a call may take.
    """

    tells_all = True
    """The server tells nothing by itself: each change has to be told."""

    def __init__(self, place: Place, timeout: float) -> None:
        self._bus = PostgresqlBus(place, timeout)
        self._followers: dict[Follower, bytes] = {}
        """With each a mark of its own, by which it knows what it has told itself."""
        self._lock = ForkSafeLock()
        self._run: _Run | None = None
        _everywhere.add(self)

    def follow(self, follower: Follower) -> None:
        """From now on, once it is started, this one is told."""
        with self._lock:
            self._followers[follower] = os.urandom(8)
            if self._run is not None:
                self._run.wake()

    def leave(self, follower: Follower) -> None:
        """From now on it isn't; without any the stream ends."""
        with self._lock:
            self._followers.pop(follower, None)
            if not self._followers:
                if self._run is not None:
                    self._run.stop()
                    self._run = None
                self._bus.close()

    def start(self) -> None:
        """Begins in the background; does nothing if it has begun."""
        if self._run is None and self._followers:
            with self._lock:
                if self._run is None:
                    run = _Run(PostgresqlBus(self._bus.place, self._bus.timeout), self._followers)
                    try:
                        run.start()
                    except RuntimeError:  # the interpreter ends
                        run.let_go()
                    else:
                        self._run = run

    @property
    def is_refused(self) -> bool:
        """Whether it can't begin, and that isn't a matter of time."""
        run = self._run
        return run is not None and type(run.refusal) is EngineError

    def hears(self, follower: Follower) -> bool:
        """Whether this one is told now of all that changes, and in time."""
        run = self._run
        return run is not None and run.hears(follower)

    def check(self, follower: Follower | None = None) -> None:
        """Waits for the stream to begin, and to tell this one, for the timeout at most.

        If it was refused it is tried again.

        Raises:
            EngineError: It can't; says why.
        """
        self.start()
        run = self._run
        if run is not None:
            before = run.refusal if self.is_refused else None
            if before is not None:
                run.wake()
            run.wait(self._bus.timeout, follower, before)

    def catch_up(self, follower: Follower) -> CatchUp | None:
        """Waits until it has told all that changed before; None if it can't now."""
        run = self._run
        if run is None or not run.hears(follower):
            return None
        return CatchUp(run, self._bus.timeout)

    def put(
        self, follower: Follower, items: Mapping[str, Bytes], ttl: float | None, *, by_hand: bool
    ) -> None:
        """Changes nothing: that is for the engine, and `tell` after it."""

    def add(
        self, follower: Follower, key: str, value: Bytes, ttl: float | None, *, by_hand: bool
    ) -> None:
        """As `put`."""

    def drop(self, follower: Follower, keys: Sequence[str]) -> None:
        """As `put`."""

    def touch(self, follower: Follower, keys: Sequence[str], ttl: float | None) -> None:
        """As `put`."""

    def tell(self, follower: Follower, keys: Sequence[str], *, by_hand: bool) -> Told:
        """Tells others that keys are changed; without any, that anything may be. Blocks.

        Raises:
            EngineError: It couldn't be told.
        """
        mark = self._followers.get(follower, b"")
        portions = _portions([key.encode("utf-8", "surrogatepass") for key in keys])
        payloads = [
            b64encode(msgpack.packb((mark, by_hand, portion))).decode() for portion in portions
        ]
        self._bus.notify(follower.channel, payloads)
        return Told()

    def after_fork(self) -> None:
        """In a child nobody follows yet; what was inherited is the parent's."""
        run, self._run = self._run, None
        if run is not None:
            run.let_go()
        self._bus.abandon()
        for follower in list(self._followers):
            self._followers[follower] = os.urandom(8)
            follower.alive_until(0)


class Told:
    """Something that was told."""

    def run(self) -> None:
        """Nothing is left to be waited for."""

    async def arun(self) -> None:
        """The same."""


class CatchUp:
    """That all is told which changed before this was made."""

    def __init__(self, run: _Run, timeout: float) -> None:
        self._run = run
        self._timeout = timeout
        self._number = run.ask()

    def run(self) -> None:
        """Waits for it.

        Raises:
            EngineError: It wasn't told in time.
        """
        self._run.wait_for(self._number, self._timeout)

    async def arun(self) -> None:
        """The same, in a thread."""
        import asyncio

        await asyncio.to_thread(self.run)


class _Run(Thread):
    """The thread, from start to stop."""

    def __init__(self, bus: PostgresqlBus, followers: dict[Follower, bytes]) -> None:
        super().__init__(name="twat-cache-coherence", daemon=True)
        self._bus = bus
        self._followers = followers
        self._is_over = False
        self._is_asked = False
        self._is_live = False
        self._joined: set[Follower] = set()
        self._begun = self._answered = 0  # beats
        self._begun_at = 0.0
        self.refusal: EngineError | None = None
        self._change = Condition()
        self._bell, self._ear = socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)

    def wake(self) -> None:
        """There is a new follower."""
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

    def let_go(self) -> None:
        """For a forked child, and for a thread that couldn't begin: gives all back."""
        self._bus.abandon()
        self._bell.close()
        self._ear.close()

    def hears(self, follower: Follower) -> bool:
        """Whether it is live, and tells this one; a beat isn't answered late."""
        is_late = self._answered < self._begun and self._begun_at + self._bus.timeout < monotonic()
        return self._is_live and follower in self._joined and not is_late

    def wait(self, seconds: float, follower: Follower | None, before: EngineError | None) -> None:
        """Waits until it is live, and tells this one, or has failed to since it did before.

        Raises:
            EngineError: It isn't, and why.
        """
        end = monotonic() + seconds
        with self._change:
            while not self._is_live or (
                follower in self._followers and follower not in self._joined
            ):
                if not self._is_live and self.refusal not in (None, before):
                    raise self.refusal.with_traceback(None)
                if not self._change.wait(end - monotonic()):
                    raise before or EngineTimeoutError(
                        f"changes can't be followed: there was no answer in {seconds:g} s"
                    )

    def ask(self) -> int:
        """Has a beat sent soon; gives its number."""
        number = self._begun + 1
        self.wake()
        return number

    def wait_for(self, number: int, seconds: float) -> None:
        """Waits until a beat of this number, or a later one, is answered.

        Raises:
            EngineError: None was in time.
        """
        end = monotonic() + seconds
        with self._change:
            while self._answered < number:
                if not self._is_live:
                    raise self.refusal or EngineConnectionError("changes aren't followed just now")
                if not self._change.wait(end - monotonic()):
                    raise EngineTimeoutError(f"changes were not told for {seconds:g} s")

    def run(self) -> None:
        """Follows, again and again."""
        failures = 0
        while not self._is_over:
            pause = 0.0
            try:
                self._follow()
            except Exception as error:  # whatever it is: nothing is known any more
                failures = 0 if self._is_live else failures + 1
                pause = self._failed(error, failures)
            finally:
                self._lost()
            if pause and not self._is_over:
                self._pause(pause * (0.5 + random() / 2))
        self._bus.close()
        self._bell.close()
        self._ear.close()

    def _failed(self, error: Exception, failures: int) -> float:
        """Notes why it couldn't follow; gives the seconds to the next try."""
        if not isinstance(error, EngineError):
            _logger.error("following changes failed, and begins anew", exc_info=error)
            error = EngineError(f"following changes failed: {error!r}")
        before = self.refusal
        self._becomes(is_live=False, refusal=error)
        if isinstance(error, (EngineConnectionError, EngineTimeoutError)):
            return min(_SOON * 2.0**failures, _LATEST)
        if before is None or str(before) != str(error):
            _logger.warning("%s; until then nothing is kept in memory", error)
        return _REFUSED

    def _lost(self) -> None:
        self._becomes(is_live=False, refusal=self.refusal)
        for follower in list(self._followers):
            follower.alive_until(0)
        self._bus.hang_up()

    def _becomes(self, *, is_live: bool, refusal: EngineError | None) -> None:
        with self._change:
            self._is_live = is_live
            self.refusal = refusal
            self._change.notify_all()

    def _follow(self) -> None:
        """Connects, and follows until that ends."""
        self._bus.connect()
        joined = self._joined = set()
        due = 0
        while not self._is_over:
            now = monotonic_ns()
            if self._is_asked or now >= due:
                self._is_asked = False
                bounds = [follower.bound for follower in list(self._followers)] or [1.0]
                due = now + int(min(bounds) / _BEATS * 1e9)
                self._beat(joined, patience=max(bounds))
            self._told(self._bus.wait((due - monotonic_ns()) / 1e9, self._ear))
            self._hear()

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

    def _beat(self, joined: set[Follower], *, patience: float) -> None:
        self._begun_at = monotonic()
        self._begun += 1  # before anything is sent
        new = [follower for follower in list(self._followers) if follower not in joined]
        self._bus.listen({follower.channel for follower in new}, patience)
        moment = monotonic_ns()
        self._told(self._bus.beat(patience))
        for follower in new:
            follower.emptied()
            joined.add(follower)
        for follower in list(self._followers):
            if follower in joined:
                follower.alive_until(moment + int(follower.bound * 1e9))
        self._answered = self._begun
        self._becomes(is_live=True, refusal=None)

    def _told(self, notes: list[Note]) -> None:
        for channel, payload in notes:
            mark, by_hand, names = msgpack.unpackb(b64decode(payload))
            keys = [name.decode("utf-8", "surrogatepass") for name in names]
            for follower, its in list(self._followers.items()):
                if its == mark:
                    continue
                if keys:
                    follower.changed(keys, by_hand=by_hand)
                elif follower.channel == channel:
                    follower.emptied()


def _portions(keys: list[bytes]) -> list[list[bytes]]:
    """The keys as notes have room for them; one note without any if they are too many."""
    portions: list[list[bytes]] = [[]]
    size = 0
    for key in keys:
        needs = len(key) + 5  # of which msgpack writes its length
        if needs > _KEYS:
            return [[]]
        if size + needs > _KEYS:
            portions.append([])
            size = 0
        portions[-1].append(key)
        size += needs
    return portions if len(portions) <= _NOTES else [[]]


_everywhere: WeakSet[PostgresqlStream] = WeakSet()


def _after_fork() -> None:
    for stream in living(_everywhere):
        stream.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

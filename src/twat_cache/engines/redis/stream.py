"""What changes in Redis, as one stream for each engine and process: the thread that follows it.

    connect ─► what to follow ─► PING ─► PONG: what was known before is void, and followers live
        ▲                          ▲ every `bound / 4`   │
        └─ lost: nobody lives ─────┴── changes, replies ─┘

The server answers in order. So when a PONG comes, all changes from before its PING was sent have
come, too: from that moment on followers may go unaware for so long as their bound, and not longer,
whatever befalls this thread, the connection or the server.

Changes that are made on this very connection aren't told to who makes them. They are told to all
others of this process when their reply comes, which again is in order.

What somebody changes by hand is published besides, since what is being computed from the state
before has to be dropped, also where there was nothing stored yet.

The file is long since it is one conversation, told from both ends: what callers ask of the stream
stands first, the thread that talks to the server behind it, and each relies on the other's order.
"""

from __future__ import annotations

import logging
import os
import socket
from _thread import allocate_lock
from random import random
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from threading import Thread
from time import monotonic, monotonic_ns
from typing import Any
from weakref import WeakSet

import msgpack  # type: ignore[import-untyped]
from redis import exceptions as theirs

from ..._fork_lock import ForkSafeLock, living
from ...errors import EngineConnectionError, EngineError, EngineTimeoutError
from . import commands
from .commands import named
from .failures import FAILURES, checked, told
from .wire import Push, Reply, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ...engine_types import Bytes
    from ...stream_types import Follower
    from .commands import Command, Steps
    from .lines import Single
    from .place import Place

__all__ = ["RedisStream"]

_CHANNEL = "twat-cache:changed:"
_BEATS = 4  # in each bound
_SOON, _LATEST = 0.05, 1.0  # seconds before the server is tried again
_REFUSED = 15.0  # the same where it can't be a matter of time
_LARGEST = 1 << 20  # bytes that may hold up the heartbeat
_logger = logging.getLogger("twat_cache")


class RedisStream:
    """Follows what changes, and changes on the same connection. Thread-safe.

    Args:
        place: Where the server is.
        line: The way to it, the stream's own.
    """

    tells_all = False
    """Whether the server tells nothing by itself, so that each change has to be published."""

    def __init__(self, place: Place, line: Single) -> None:
        self.place = place
        self.line = line
        self.followers: dict[Follower, bytes] = {}
        """With each a mark of its own, by which it knows what it has published itself."""
        self.refusal: EngineError | None = None
        """Why it couldn't begin when it was last tried."""
        self._lock = ForkSafeLock()
        self._run: _Run | None = None
        _everywhere.add(self)

    # -- what followers say ----------------------------------------------------------------------

    def follow(self, follower: Follower) -> None:
        """From now on, once it is started, this one is told."""
        with self._lock:
            self.followers[follower] = os.urandom(8)
            if self._run is not None:
                self._run.wake()

    def leave(self, follower: Follower) -> None:
        """From now on it isn't; without any the stream ends."""
        with self._lock:
            self.followers.pop(follower, None)
            if not self.followers and self._run is not None:
                self._run.stop()
                self._run = None

    def start(self) -> None:
        """Begins in the background; does nothing if it has begun."""
        if self._run is None:
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._run is not None or not self.followers:
                return
            run = _Run(self)
            try:
                run.start()
            except RuntimeError:  # the interpreter ends
                run.let_go()
            else:
                self._run = run

    @property
    def is_refused(self) -> bool:
        """Whether it can't begin, and that isn't a matter of time."""
        return type(self.refusal) is EngineError

    def hears(self, follower: Follower) -> bool:
        """Whether this one is told now of all that changes, and in time."""
        run = self._run
        return run is not None and follower in run.joined and run.is_prompt

    def check(self, follower: Follower | None = None) -> None:
        """Waits for the stream to begin, and to tell this one, for the timeout at most.

        If it was refused it is tried again.

        Raises:
            EngineError: It can't; says why.
        """
        self.start()
        end = monotonic() + self.place.timeout
        run = self._run
        before = self.refusal if self.is_refused else None
        if before is not None and run is not None:
            run.wake()
        while run is not None and not run.tells(follower):
            run.turn(max(end - monotonic(), 0.0), follower, before)
            refusal = self.refusal
            if refusal not in (None, before) and not run.is_live:
                raise refusal.with_traceback(None)
            if monotonic() >= end and before is not None:
                raise before.with_traceback(None)
            if monotonic() >= end:
                raise EngineTimeoutError(
                    f"changes can't be followed: there was no answer in {self.place.timeout:g} s"
                )

    def catch_up(self, follower: Follower) -> Reply | None:
        """Waits until it has told all that changed before; None if it can't now."""
        run = self._run
        reply = Reply([(b"PING",)], made_of=checked, timeout=self.place.timeout)
        if run is None or not self.hears(follower):
            return None
        return reply if run.send(reply, (), is_told=True, is_urgent=True) else None

    # -- changes ---------------------------------------------------------------------------------

    def put(
        self, follower: Follower, items: Mapping[str, Bytes], ttl: float | None, *, by_hand: bool
    ) -> Reply | None:
        """Stores values; None if that has to be done otherwise."""
        if not items or sum(len(value) for value in items.values()) > _LARGEST:
            return None
        return self._send(follower, commands.put(items, ttl, True), list(items), by_hand=by_hand)

    def add(
        self, follower: Follower, key: str, value: Bytes, ttl: float | None, *, by_hand: bool
    ) -> Reply | None:
        """Stores a value if there is none; comes to whether it did."""
        if (ttl is not None and not ttl > 0) or len(value) > _LARGEST:
            return None
        return self._send(follower, commands.add(key, value, ttl), [key], by_hand=by_hand)

    def drop(self, follower: Follower, keys: Sequence[str]) -> Reply | None:
        """Forgets keys by hand; comes to how many there were."""
        if not keys:
            return None
        return self._send(follower, commands.drop(keys, True), keys, by_hand=True)

    def touch(self, follower: Follower, keys: Sequence[str], ttl: float | None) -> Reply | None:
        """Gives entries so many seconds from now; comes to how many there were."""
        if not keys or (ttl is not None and not ttl > 0):
            return None
        return self._send(follower, commands.touch(keys, ttl), keys, by_hand=False)

    def tell(self, follower: Follower, keys: Sequence[str], *, by_hand: bool) -> Reply:
        """Publishes that keys are changed; without any, that anything may be.

        Where the stream can't, a connection for this alone does, and blocks meanwhile.

        Raises:
            EngineError: It couldn't be told.
        """
        command = self._published(follower, keys, by_hand=by_hand)
        reply = Reply([command], made_of=_nothing, timeout=self.place.timeout)
        if not self._sent(reply, (), is_told=True):
            refusal = self.refusal
            if type(refusal) is EngineError and not self.tells_all:
                raise refusal  # it isn't worth a connection for each change
            self._tell_apart(command)
            reply = Reply([command], made_of=_nothing)  # the other one may still be ended
            reply.end()
        return reply

    def _tell_apart(self, command: Command) -> None:
        failure: EngineError
        try:
            connection = self.line.connect()
            try:
                connection.send_command(*command)
                connection.read_response()
            finally:
                connection.disconnect()
        except FAILURES as error:
            failure, cause = told(error, self.place)
        else:
            return
        raise failure from cause

    def _send(
        self, follower: Follower, steps: Steps[Any], keys: Sequence[str], *, by_hand: bool
    ) -> Reply | None:
        """Sends what the steps of one trip say, with word of it before and after, if need be.

        The word before is for those who compute: what they put after the change, they learn to have
        put too late before they learn that it is put. The word after is for what is read meanwhile;
        where the server tells of changes it isn't needed.
        """
        if not self.hears(follower):
            self.start()
            return None
        sending, _ = next(steps)
        word = self._published(follower, keys, by_hand=by_hand)
        before, after = [word] * by_hand, [word] * self.tells_all

        def made_of(replies: list[Any]) -> Any:
            try:
                steps.send(checked(replies)[len(before) :][: len(sending)])
            except StopIteration as end:
                return end.value
            except FAILURES as error:
                failure, cause = told(error, self.place)
                raise failure from cause
            raise AssertionError("it takes one trip")

        whole = [*before, *sending, *after]
        reply = Reply(whole, made_of=made_of, timeout=self.place.timeout, note=follower)
        return reply if self._sent(reply, keys, is_told=self.tells_all) else None

    def _sent(self, reply: Reply, keys: Sequence[str], *, is_told: bool) -> bool:
        self.start()
        run = self._run
        return run is not None and run.send(reply, keys, is_told=is_told)

    def _published(self, follower: Follower, keys: Sequence[str], *, by_hand: bool) -> Command:
        mark = self.followers.get(follower, b"")
        data = msgpack.packb((mark, by_hand, [named(key) for key in keys]))
        return b"PUBLISH", named(_CHANNEL + follower.channel), data

    # -- what the kinds differ in ----------------------------------------------------------------

    def following(self, new: Sequence[str], known: Collection[str]) -> list[Command]:
        """The commands that have the server tell of keys that begin so, besides what is known.

        Raises:
            Anew: It can't be told while it tells already.
        """
        raise NotImplementedError

    # -- what the thread says --------------------------------------------------------------------

    def changed(self, keys: Sequence[str], *, by_hand: bool, mark: bytes | None = None) -> None:
        """Tells all followers but the one with this mark."""
        for follower, its in list(self.followers.items()):
            if its != mark:
                follower.changed(keys, by_hand=by_hand)

    def after_fork(self) -> None:
        """In a child nobody follows; what was inherited is the parent's."""
        run, self._run = self._run, None
        if run is not None:
            run.let_go()
        self.line.renew()
        for follower in list(self.followers):
            self.followers[follower] = os.urandom(8)
            follower.alive_until(0)


class Anew(Exception):  # noqa: N818 - never seen outside
    """The connection has to be made anew, though nothing is wrong with it."""


class _Run(Thread):
    """The thread, from start to stop."""

    def __init__(self, stream: RedisStream) -> None:
        super().__init__(name="twat-cache-coherence", daemon=True)
        self.is_live = False
        self.joined: set[Follower] = set()
        """Those who are told of what changes, while it is live."""
        self._stream = stream
        self._is_over = False
        self._is_asked = False
        self._wire: Wire | None = None
        self._keys: dict[Reply, tuple[Sequence[str], bool]] = {}
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector = DefaultSelector()
        self._selector.register(self._ear, EVENT_READ)
        self._turns: list[Any] = []

    # -- for other threads -----------------------------------------------------------------------

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

    def send(
        self, reply: Reply, keys: Sequence[str], *, is_told: bool, is_urgent: bool = False
    ) -> bool:
        """Sends something if the connection is in order; tells whether it did.

        Others are told of the keys when the reply comes, unless they are anyway. What is urgent is
        sent though much is unsent.
        """
        wire = self._wire
        if wire is None or not self.is_prompt or (wire.is_full and not is_urgent):
            return False
        if keys:
            self._keys[reply] = keys, is_told
        try:
            if not wire.send(reply):
                self._ring()
        except OSError:
            self._keys.pop(reply, None)
            return reply.is_over  # then it has an error
        return True

    @property
    def is_prompt(self) -> bool:
        """Whether it is live, and nothing is unanswered for longer than anybody waits."""
        wire = self._wire
        return self.is_live and wire is not None and not wire.is_late(self._stream.place.timeout)

    def tells(self, follower: Follower | None) -> bool:
        """Whether it is live, and tells this one."""
        return self.is_live and (follower in self.joined or follower not in self._stream.followers)

    def turn(self, seconds: float, follower: Follower | None, before: EngineError | None) -> None:
        """Waits until it tells this one, or has failed to since it did before, or for so long."""
        lock = allocate_lock()
        lock.acquire()
        self._turns.append(lock)
        is_open = self.is_live or self._stream.refusal in (None, before)
        if is_open and not self.tells(follower):
            lock.acquire(timeout=seconds)

    def _end_turns(self) -> None:
        turns, self._turns = self._turns, []
        for lock in turns:
            if lock.locked():
                lock.release()

    def let_go(self) -> None:
        """In a forked child: closes what was inherited, which the parent goes on with."""
        wire = self._wire
        for one in (self._bell, self._ear, self._selector):
            one.close()
        if wire is not None:
            wire.let_go()

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
                self._select(pause * (0.5 + random() / 2))
        self._selector.close()
        self._bell.close()
        self._ear.close()

    def _failed(self, error: Exception, failures: int) -> float:
        """Notes why it couldn't follow; gives the seconds to the next try."""
        stream = self._stream
        before = stream.refusal
        if not isinstance(error, (EngineError, *FAILURES)):
            _logger.error("following changes failed, and begins anew", exc_info=error)
        refusal = stream.refusal = _read(error, stream.place)
        self._end_turns()
        if isinstance(refusal, (EngineConnectionError, EngineTimeoutError)):
            return min(_SOON * 2.0**failures, _LATEST)
        if before is None or str(before) != str(refusal):
            _logger.warning("%s; until then nothing is kept in memory", refusal)
        return _REFUSED

    def _lost(self) -> None:
        self.is_live = False
        self.joined = set()
        wire, self._wire = self._wire, None
        for follower in list(self._stream.followers):
            follower.alive_until(0)
        if wire is not None:
            self._selector.unregister(wire)
            wire.close(EngineConnectionError("the connection that follows changes is lost"))
        self._keys.clear()

    def _follow(self) -> None:
        """Connects, and follows until that ends."""
        line = self._stream.line
        connection = line.connect()
        watch = line.watch(connection)
        wire = Wire(connection)
        self._selector.register(wire, EVENT_READ)
        self._wire = wire
        prefixes: set[str] = set()
        channels: set[str] = set()
        joined = self.joined = set()
        beat: Reply | None = None
        due = 0
        while not self._is_over:
            now = monotonic_ns()
            bounds = [follower.bound for follower in list(self._stream.followers)] or [1.0]
            if beat is None and (self._is_asked or now >= due):
                self._is_asked = False
                if watch.has_moved():
                    raise EngineConnectionError("another server has become the primary")
                now = monotonic_ns()
                due = now + int(min(bounds) / _BEATS * 1e9)
                beat = self._beating(joined, prefixes, channels)
                wire.send(beat)
            elif beat is not None and now - beat.moment > max(bounds) * 1e9:
                raise EngineTimeoutError(f"changes were not told for {max(bounds):g} s")
            until = due if beat is None else beat.moment + int(max(bounds) * 1e9)
            self._select(max(until - monotonic_ns(), 0) / 1e9 + 0.001)
            for one in wire.received():
                if type(one) is Push:
                    self._told(one)
                elif beat is not None and one is beat:
                    self._lives(beat, joined)
                    beat = None
                else:
                    self._answered(one)

    def _beating(self, joined: set[Follower], prefixes: set[str], channels: set[str]) -> Reply:
        """The next heartbeat; with it, new followers begin to be told."""
        new = [follower for follower in list(self._stream.followers) if follower not in joined]
        wanted = {prefix for follower in new for prefix in follower.prefixes}
        asked = self._stream.following(sorted(wanted - prefixes), prefixes)
        if not joined:
            asked.insert(0, (b"HELLO", b"3"))
        prefixes |= wanted
        rooms = sorted({_CHANNEL + follower.channel for follower in new} - channels)
        channels.update(rooms)
        heard: list[Command] = [(b"SUBSCRIBE", named(room)) for room in rooms]
        whole = [*asked, *heard, (b"PING",)]
        return Reply(whole, silent=len(heard), made_of=checked, note=new)

    def _lives(self, beat: Reply, joined: set[Follower]) -> None:
        """The server has answered a heartbeat: all that changed before is known."""
        beat.outcome()
        for follower in beat.note:
            follower.emptied()
            joined.add(follower)
        for follower in list(self._stream.followers):
            if follower in joined:
                follower.alive_until(beat.moment + int(follower.bound * 1e9))
        if not self.is_live:
            self.is_live = True
            self._stream.refusal = None
        if beat.note:
            self._end_turns()

    def _answered(self, reply: Reply) -> None:
        """A change was made on this connection: all others have to know."""
        keys, is_told = self._keys.pop(reply, ((), True))
        mark = self._stream.followers.get(reply.note)
        try:
            if mark is None or not is_told:  # who gave up waiting has to know like all others
                self._stream.changed(keys, by_hand=False, mark=mark)
        finally:
            reply.end()
        if reply.is_refused_for_now:
            raise EngineConnectionError("the server has no right to change anything")

    def _told(self, push: list[Any]) -> None:
        """The server tells of something."""
        kind, *rest = push
        if kind == b"invalidate":
            if rest[0] is None:  # it was emptied
                for follower in list(self._stream.followers):
                    follower.emptied()
            else:
                self._stream.changed(_texts(rest[0]), by_hand=False)
        elif kind == b"message":
            channel, data = rest
            mark, by_hand, keys = msgpack.unpackb(data)
            if keys:
                self._stream.changed(_texts(keys), by_hand=by_hand, mark=mark)
            else:
                for follower, its in list(self._stream.followers.items()):
                    if its != mark and channel == named(_CHANNEL + follower.channel):
                        follower.emptied()

    def _select(self, seconds: float) -> None:
        """Waits for the server or for a ring, for so long."""
        wire = self._wire
        if wire is not None:
            wants = EVENT_READ if wire.flush() else EVENT_READ | EVENT_WRITE
            self._selector.modify(wire, wants)
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._ear:
                try:
                    self._ear.recv(4096)
                except BlockingIOError:
                    pass


def _read(error: Exception, place: Place) -> EngineError:
    """Why changes can't be followed."""
    if isinstance(error, EngineError):
        return error
    failure, cause = told(error, place)
    if isinstance(error, theirs.ResponseError) and type(failure) is EngineError:
        failure = EngineError(f"{failure}; to follow changes takes Redis 6 or newer, or Valkey")
    failure.__cause__ = cause
    return failure


def _texts(keys: Sequence[bytes]) -> list[str]:
    found = []
    for key in keys:
        try:
            found.append(key.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:  # nobody here writes such a key
            pass
    return found


def _nothing(_: list[Any]) -> None:
    return None


_everywhere: WeakSet[RedisStream] = WeakSet()


def _after_fork() -> None:
    for stream in living(_everywhere):
        stream.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

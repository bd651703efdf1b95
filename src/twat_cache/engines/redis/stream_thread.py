"""The thread that follows one Redis: one conversation, in which replies and changes come in order.

What is asked on this connection is answered behind all that the server had to tell before. So when
the answer to a beat comes, or the reply to a change, all that others changed before is known.
"""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic_ns
from typing import Any

from redis import exceptions as theirs

from ...errors import EngineConnectionError, EngineError, EngineTimeoutError
from ..following import FollowingThread, texts
from .commands import named
from .failures import FAILURES, checked, told
from .wire import Push, Reply, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .commands import Command
    from .stream import RedisStream

__all__ = ["CHANNEL", "StreamThread"]

CHANNEL = "twat-cache:changed:"
"""What the channels begin with in which changes by hand are published."""


class StreamThread(FollowingThread):
    """Follows on a connection on which others may send.

    Args:
        stream: Whose followers it tells.
    """

    _stream: RedisStream

    def __init__(self, stream: RedisStream) -> None:
        super().__init__(stream)
        self._wire: Wire | None = None
        self._keys: dict[Reply, tuple[Sequence[str], bool]] = {}
        self._selector = DefaultSelector()
        self._selector.register(self._ear, EVENT_READ)

    # -- for other threads -----------------------------------------------------------------------

    def send(
        self, reply: Reply, keys: Sequence[str], *, is_told: bool, is_urgent: bool = False
    ) -> bool:
        """Sends something if the connection is in order; tells whether it did.

        Others are told of the keys when the reply comes, unless they are anyway. What is urgent is
        sent though much is unsent.
        """
        wire = self._wire
        if wire is None or not self.is_live or self.is_late or (wire.is_full and not is_urgent):
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
    def is_late(self) -> bool:
        """Whether something is unanswered for longer than anybody waits."""
        wire = self._wire
        return wire is None or wire.is_late(self._stream.timeout)

    def let_go(self) -> None:
        """Closes its ends of what it has; nobody is told."""
        super().let_go()
        wire = self._wire
        self._selector.close()
        if wire is not None:
            wire.let_go()

    # -- the thread ------------------------------------------------------------------------------

    def _told(self, error: Exception) -> EngineError | None:
        if isinstance(error, EngineError) or not isinstance(error, FAILURES):
            return super()._told(error)
        failure, cause = told(error, self._stream.place)
        if isinstance(error, theirs.ResponseError) and type(failure) is EngineError:
            failure = EngineError(f"{failure}; to follow changes takes Redis 6 or newer, or Valkey")
        failure.__cause__ = cause
        return failure

    def _hang_up(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            self._selector.unregister(wire)
            wire.close(EngineConnectionError("the connection that follows changes is lost"))
        self._keys.clear()

    def _follow(self) -> None:
        line = self._stream.line
        connection = line.connect()
        watch = line.watch(connection)
        wire = Wire(connection)
        self._selector.register(wire, EVENT_READ)
        self._wire = wire
        prefixes: set[str] = set()
        channels: set[str] = set()
        beat: Reply | None = None
        due = 0
        while not self._is_over:
            now = monotonic_ns()
            pulse, patience = self._pulse()
            if beat is None and (self._is_asked or now >= due):
                self._is_asked = False
                if watch.has_moved():
                    raise EngineConnectionError("another server has become the primary")
                due = now + pulse
                beat = self._beating(prefixes, channels)
                wire.send(beat)
            elif beat is not None and now - beat.moment > patience * 1e9:
                raise EngineTimeoutError(f"changes were not told for {patience:g} s")
            until = due if beat is None else beat.moment + int(patience * 1e9)
            self._select(max(until - monotonic_ns(), 0) / 1e9 + 0.001)
            for one in wire.received():
                if type(one) is Push:
                    self._pushed(one)
                elif beat is not None and one is beat:
                    beat.outcome()
                    self._lives(beat.moment, beat.note)
                    beat = None
                else:
                    self._answered(one)

    def _beating(self, prefixes: set[str], channels: set[str]) -> Reply:
        """The next heartbeat; with it, new followers begin to be told."""
        new = self._new()
        wanted = {prefix for follower in new for prefix in follower.prefixes}
        asked = self._stream.following(sorted(wanted - prefixes), prefixes)
        if not self.joined:
            asked.insert(0, (b"HELLO", b"3"))
        prefixes |= wanted
        rooms = sorted({CHANNEL + follower.channel for follower in new} - channels)
        channels.update(rooms)
        heard: list[Command] = [(b"SUBSCRIBE", named(room)) for room in rooms]
        whole = [*asked, *heard, (b"PING",)]
        return Reply(whole, silent=len(heard), made_of=checked, note=new)

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

    def _pushed(self, push: list[Any]) -> None:
        """The server tells of something."""
        kind, *rest = push
        if kind == b"invalidate":
            if rest[0] is None:  # it was emptied
                for follower in list(self._stream.followers):
                    follower.emptied()
            else:
                self._stream.changed(texts(rest[0]), by_hand=False)
        elif kind == b"message":
            (channel,) = texts(rest[:1])
            self._stream.heard(channel[len(CHANNEL) :], rest[1])

    def _select(self, seconds: float) -> None:
        """Waits for the server or for a ring, for so long."""
        wire = self._wire
        if wire is not None:
            wants = EVENT_READ if wire.flush() else EVENT_READ | EVENT_WRITE
            self._selector.modify(wire, wants)
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._ear:
                self._hear()

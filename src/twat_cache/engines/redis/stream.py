"""What changes in Redis, as one stream for each engine and process: what callers ask of it.

Changes that are made on the stream's own connection aren't told to who makes them. They are told to
all others of this process when their reply comes, which is in order with all that the server tells.

What somebody changes by hand is published besides, since what is being computed from the state
before has to be dropped, also where there was nothing stored yet.
"""

from __future__ import annotations

from typing import Any

from ...errors import EngineError
from ..following import ChangeStream
from . import commands
from .commands import named
from .failures import FAILURES, checked, told
from .stream_thread import CHANNEL, StreamThread
from .wire import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ...engine_types import Bytes
    from ...stream_types import Follower
    from .commands import Command, Steps
    from .lines import Single
    from .place import Place

__all__ = ["RedisStream"]

_LARGEST = 1 << 20  # bytes that may hold up the heartbeat


class RedisStream(ChangeStream[StreamThread]):
    """Follows what changes, and changes on the same connection. Thread-safe.

    Args:
        place: Where the server is.
        line: The way to it, the stream's own.
    """

    def __init__(self, place: Place, line: Single) -> None:
        super().__init__(place.timeout)
        self.place = place
        self.line = line

    def _made(self) -> StreamThread:
        return StreamThread(self)

    def after_fork(self) -> None:
        """In a child nobody follows; what was inherited is the parent's."""
        super().after_fork()
        self.line.renew()

    def catch_up(self, follower: Follower) -> Reply | None:
        """Waits until it has told all that changed before; None if it can't now."""
        thread = self._thread
        reply = Reply([(b"PING",)], made_of=checked, timeout=self.timeout)
        if thread is None or not thread.hears(follower):
            return None
        return reply if thread.send(reply, (), is_told=True, is_urgent=True) else None

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
        self._refuse_if_closed()
        command = self._published(follower, keys, by_hand=by_hand)
        reply = Reply([command], made_of=_nothing, timeout=self.timeout)
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
        reply = Reply(whole, made_of=made_of, timeout=self.timeout, note=follower)
        return reply if self._sent(reply, keys, is_told=self.tells_all) else None

    def _sent(self, reply: Reply, keys: Sequence[str], *, is_told: bool) -> bool:
        self.start()
        thread = self._thread
        return thread is not None and thread.send(reply, keys, is_told=is_told)

    def _published(self, follower: Follower, keys: Sequence[str], *, by_hand: bool) -> Command:
        word = self._word(follower, [named(key) for key in keys], by_hand=by_hand)
        return b"PUBLISH", named(CHANNEL + follower.channel), word

    # -- what the kinds differ in ----------------------------------------------------------------

    def following(self, new: Sequence[str], known: Collection[str]) -> list[Command]:
        """The commands that have the server tell of keys that begin so, besides what is known.

        Raises:
            Anew: It can't be told while it tells already.
        """
        raise NotImplementedError


def _nothing(_: list[Any]) -> None:
    return None

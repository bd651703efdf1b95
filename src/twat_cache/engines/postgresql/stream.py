"""What changes in the table, as those who change it tell.

Changes are made on other connections, so what was computed may be put before the thread that
follows has read that somebody changed its key before. Who puts it asks for a beat after that, and
all who ask at once share one. When it is answered, what was told before the put is known here.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING

from ...errors import EngineConnectionError, EngineTimeoutError
from ..following import ChangeStream, FollowingThread
from .bus import LONGEST, Note, PostgresqlBus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine_types import Bytes
    from ...stream_types import Follower
    from .place import Place

__all__ = ["PostgresqlStream"]

_NOTES = 16  # in which keys are told one by one; more of them say that anything may have changed
_KEYS = LONGEST * 3 // 4 - 64  # bytes of keys in one


class PostgresqlStream(ChangeStream["_Thread"]):
    """Follows what is told, and tells. Thread-safe.

    Args:
        place: Where the server is.
        timeout: Seconds that a call may take.
    """

    def __init__(self, place: Place, timeout: float) -> None:
        super().__init__(timeout)
        self._place = place
        self._bus = PostgresqlBus(place, timeout)

    def _made(self) -> _Thread:
        return _Thread(self, PostgresqlBus(self._place, self.timeout))

    def follow(self, follower: Follower) -> None:
        """From now on, once it is started, this one is told."""
        super().follow(follower)
        self._bus.reopen()  # the last of those before may have left

    def _end(self) -> None:
        super()._end()
        self._bus.close()

    def after_fork(self) -> None:
        """In a child nobody follows yet; what was inherited is the parent's."""
        super().after_fork()
        self._bus.abandon()

    def catch_up(self, follower: Follower) -> CatchUp | None:
        """Waits until it has told all that changed before; None if it can't now."""
        thread = self._thread
        if thread is None or not thread.hears(follower):
            return None
        return CatchUp(thread, self.timeout)

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
        self._refuse_if_closed()
        portions = _portions([key.encode("utf-8", "surrogatepass") for key in keys])
        words = [self._word(follower, portion, by_hand=by_hand) for portion in portions]
        self._bus.notify(follower.channel, [b64encode(word).decode() for word in words])
        return Told()


class Told:
    """Something that was told."""

    def run(self) -> None:
        """Nothing is left to be waited for."""

    async def arun(self) -> None:
        """The same."""


class CatchUp:
    """That all is told which changed before this was made."""

    def __init__(self, thread: _Thread, timeout: float) -> None:
        self._thread = thread
        self._timeout = timeout
        self._number = thread.ask()

    def run(self) -> None:
        """Waits for it.

        Raises:
            EngineError: It wasn't told in time.
        """
        self._thread.wait_for(self._number, self._timeout)

    async def arun(self) -> None:
        """The same, in a thread."""
        import asyncio

        await asyncio.to_thread(self.run)


class _Thread(FollowingThread):
    """Follows on a connection of its own, which asks for nothing but beats."""

    _stream: PostgresqlStream

    def __init__(self, stream: PostgresqlStream, bus: PostgresqlBus) -> None:
        super().__init__(stream)
        self._bus = bus
        self._begun = self._answered = 0  # beats
        self._begun_at = 0.0

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
        with self.change:
            while self._answered < number or not self.is_live:
                if not self.is_live:  # nor is it before all know that it has begun anew
                    raise self._stream.refusal or EngineConnectionError(
                        "changes aren't followed just now"
                    )
                if not self.change.wait(end - monotonic()):
                    raise EngineTimeoutError(f"changes were not told for {seconds:g} s")

    @property
    def is_late(self) -> bool:
        """Whether a beat is unanswered for longer than anybody waits."""
        is_waiting = self._answered < self._begun
        return is_waiting and self._begun_at + self._stream.timeout < monotonic()

    def let_go(self) -> None:
        """Closes its ends of what it has; nobody is told."""
        super().let_go()
        self._bus.abandon()

    # -- the thread ------------------------------------------------------------------------------

    def _hang_up(self) -> None:
        self._bus.hang_up()

    def _follow(self) -> None:
        self._bus.connect()
        due = 0
        while not self._is_over:
            now = monotonic_ns()
            if self._is_asked or now >= due:
                self._is_asked = False
                pulse, patience = self._pulse()
                due = now + pulse
                self._beat(patience)
            self._heard(self._bus.wait((due - monotonic_ns()) / 1e9, self._ear))
            self._hear()

    def _rest(self) -> None:
        self._bus.close()
        self.let_go()

    def _beat(self, patience: float) -> None:
        self._begun_at = monotonic()
        self._begun += 1  # before anything is sent
        new = self._new()
        self._bus.listen({follower.channel for follower in new}, patience)
        moment = monotonic_ns()
        self._heard(self._bus.beat(patience))
        self._answered = self._begun
        self._lives(moment, new)

    def _heard(self, notes: list[Note]) -> None:
        for channel, payload in notes:
            self._stream.heard(channel, b64decode(payload))


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

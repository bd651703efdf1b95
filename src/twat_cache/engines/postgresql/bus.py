"""What processes tell one another by the server: `LISTEN` and `NOTIFY`.

The server answers in order. When it has answered a beat, all that others were told to have sent
before the beat was has come, too: whoever commits a notification signals the listeners first and is
answered then.
"""

from __future__ import annotations

from hashlib import blake2b
from secrets import token_hex
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ...errors import ConfigurationError, EngineConnectionError, EngineError
from .drivers import run
from .library import errors
from .link import Statement
from .links import ThreadLinks
from .trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from socket import socket

    from .drivers import Talk
    from .link import Link
    from .place import Place

__all__ = ["LONGEST", "Note", "PostgresqlBus"]

T = TypeVar("T")

LONGEST = 7_999
"""Bytes of a payload, at most."""

_TEXT = 25  # object id of the type
_NOTIFY = Statement(b"", b"SELECT pg_notify($1, $2)", (_TEXT, _TEXT))


class Note(NamedTuple):
    """What was told in a channel."""

    channel: str
    payload: str


class PostgresqlBus:
    """Tells and listens. Any thread may tell; one at a time listens, on a connection of its own.

    Channels have names of any length and characters.

    Args:
        place: Where the server is.
        timeout: Seconds that a call may take.
    """

    def __init__(self, place: Place, timeout: float) -> None:
        self.place = place
        self.timeout = timeout
        self._links = ThreadLinks(place, 4, prepare=False)
        self._link: Link | None = None
        self._names: dict[str, str] = {}

    def notify(self, channel: str, payloads: Sequence[str]) -> None:
        """Tells the payloads, of 7,999 bytes at most, to all who listen in the channel.

        Raises:
            ConfigurationError: A payload is too long, or has a NUL in it.
            EngineError: It couldn't be told.
        """
        name = _name(channel).encode()
        encoded = [payload.encode() for payload in payloads]
        if any(len(payload) > LONGEST or b"\0" in payload for payload in encoded):
            raise ConfigurationError(f"a payload may have {LONGEST} bytes, and no NUL")
        self._notify(name, encoded, self._links.give)

    def _notify(
        self, name: bytes, payloads: Sequence[bytes], after: Callable[[Link], object]
    ) -> None:
        def telling(link: Link) -> Talk[None]:
            for payload in payloads:
                yield from link.ask(_NOTIFY, (name, payload))

        deadline = monotonic() + self.timeout
        try:
            link = self._links.take(deadline)
            try:
                run(telling(link), deadline)
            finally:
                after(link)
        except (TimeoutError, errors.Error) as error:
            raise told(error, self.place, "", self.timeout) from error

    def connect(self) -> None:
        """Begins to listen, in no channel.

        Raises:
            EngineError: The server can't be reached, or passes on nothing that is told.
        """
        self.hang_up()
        try:
            self._link = self._links.take(monotonic() + self.timeout)
        except (TimeoutError, errors.Error) as error:
            raise told(error, self.place, "", self.timeout) from error
        self._prove()

    def _prove(self) -> None:
        """Makes sure that what another connection tells comes unasked.

        Through a pool that has a connection to the server for each transaction it doesn't, though
        all that is asked is answered.
        """
        channel = token_hex(16)
        name = _name(channel)
        self.listen([channel], self.timeout)
        self._notify(name.encode(), [b""], self._links.end)
        end = monotonic() + self.timeout
        notes: list[Note] = []
        while not notes and (left := end - monotonic()) > 0:
            notes = self.wait(left)
        if not notes and not self.beat(self.timeout):  # nor was it only late
            raise EngineError(
                f"PostgreSQL at {self.place} passes on nothing that is told (NOTIFY); a pool before"
                " it must be in session mode, or name the server itself in the URL"
            )
        self._ask(f'UNLISTEN "{name}"', self.timeout)
        del self._names[name]

    def listen(self, channels: Iterable[str], patience: float) -> None:
        """Listens in these channels, too: to all that is told from now on."""
        self._names.update({_name(channel): channel for channel in channels})
        if sql := "".join(f'LISTEN "{_name(channel)}";' for channel in channels):
            self._ask(sql, patience)

    def beat(self, patience: float) -> list[Note]:
        """Asks the server whether it is there; all that was told before has come with the answer.

        Args:
            patience: Seconds to wait for it.

        Raises:
            EngineError: It didn't answer in time, or the connection is lost.
        """
        self._ask("SELECT 1", patience)
        return self._notes()

    def wait(self, seconds: float, ear: socket | None = None) -> list[Note]:
        """What is told, waited for so long, or until there is something to be read from the ear.

        Raises:
            EngineError: The connection is lost.
        """
        link = self._listening()
        notes = self._notes()
        if notes:
            return notes
        with DefaultSelector() as selector:
            selector.register(link.socket, EVENT_READ)
            if ear is not None:
                selector.register(ear, EVENT_READ)
            for key, _ in selector.select(max(0.0, seconds)):
                if key.fileobj is not ear:
                    self._receive(link)
        return self._notes()

    def hang_up(self) -> None:
        """Listens no longer; again does nothing."""
        link, self._link = self._link, None
        self._names.clear()
        if link is not None:
            self._links.end(link)

    def close(self) -> None:
        """Listens no longer, and ends the connections by which it tells; it may tell again."""
        self.hang_up()
        self._links.close()

    def reopen(self) -> None:
        """After `close`: the connections by which it tells are kept again."""
        self._links.reopen()

    def abandon(self) -> None:
        """In a child, right after the fork: leaves all connections to the parent."""
        self._link = None
        self._names.clear()
        self._links.abandon()

    def _listening(self) -> Link:
        if self._link is None:
            raise EngineConnectionError(f"nothing is listened to at {self.place}")
        return self._link

    def _ask(self, sql: str, patience: float) -> None:
        try:
            run(self._listening().tell(sql), monotonic() + patience)
        except (TimeoutError, errors.Error) as error:
            raise told(error, self.place, "", patience) from error

    def _receive(self, link: Link) -> None:
        try:
            link.receive()
        except errors.Error as error:
            raise told(error, self.place, "", self.timeout) from error

    def _notes(self) -> list[Note]:
        return [
            Note(self._names.get(name, ""), payload) for name, payload in self._listening().notes()
        ]


def _name(channel: str) -> str:
    """The server's name for a channel, of which it takes 63 bytes."""
    name = blake2b(channel.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"twat_cache_{name}"

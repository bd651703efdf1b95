"""A connection to a memcached server.

The protocol is pymemcache's, but for the answers to `get` (see `replies`). Its time-outs aren't
used, since they begin anew with each step.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import Any, NoReturn

from ...errors import EngineNotAvailableError
from .replies import known_values, remember, values

try:
    from pymemcache.client.base import Client, _readline
    from pymemcache.exceptions import (
        MemcacheClientError,
        MemcacheError,
        MemcacheUnexpectedCloseError,
        MemcacheUnknownError,
    )
except ImportError as error:
    raise EngineNotAvailableError(
        "the engine memcached needs its library: pip install 'twat-cache[memcached]'"
    ) from error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Connection",
    "MemcacheClientError",
    "MemcacheError",
    "MemcacheUnexpectedCloseError",
]

_KEYS = 1_000  # in one go: the answers must find room while the commands are still being sent
_BYTES = 1 << 20
_CHUNK = 1 << 14


class Connection(Client):  # type: ignore[misc]
    """A connection whose calls end by its deadline.

    Args:
        address: An IP address and a port; it is connected when it is first used.
        tls: How to encrypt; None is not at all.
    """

    def __init__(self, address: tuple[str, int], tls: Any) -> None:
        super().__init__(
            address, serde=_BYTES_ONLY, no_delay=True, default_noreply=False, tls_context=tls
        )
        self.deadline = 0.0
        self._is_plain = tls is None and os.name == "posix"

    def fetch(self, names: Sequence[bytes]) -> list[Any]:
        """The values, in the order of their names; None for what isn't there.

        The command is sent without asking the system whether it has room, as a socket with a
        time-out does: it has as a rule, and that takes as long as to read the answer.
        """
        if len(names) > _KEYS:
            parts = [names[start : start + _KEYS] for start in range(0, len(names), _KEYS)]
            return [value for part in parts for value in self.fetch(part)]
        command, sent = b"get %b\r\n" % b" ".join(names), 0
        if self._is_plain:
            try:
                sent = os.write(self.sock.fileno(), command)
            except BlockingIOError:
                pass
        if sent < len(command):
            self.bound()
            self.sock.sendall(command[sent:])
        data = self._receive()
        found: list[Any] | None = known_values(data, names)
        if found is None:
            found = [*map(values(data, self._receive, self._refuse).get, names)]
            remember(names, found)
        return found

    def pipeline(self, name: bytes, commands: Sequence[bytes]) -> list[bytes]:
        """The answers to commands that are sent one after the other without waiting.

        With TLS each begins a record of its own: memcached (1.6.18) doesn't look for a command that
        is left in its TLS buffer behind a value.
        """
        answers: list[bytes] = []
        for chunk in _chunks(commands):
            self.bound()
            for part in [b"".join(chunk)] if self.tls_context is None else chunk:
                self.sock.sendall(part)
            rest = b""
            for _ in chunk:
                rest, line = _readline(self.sock, rest)
                self._raise_errors(line, name)
                answers.append(line)
        return answers

    def version(self) -> bytes:
        """What it says that it is."""
        self.bound()
        said: bytes = super().version()
        return said

    def bound(self) -> None:
        """Lets the next step take what is left of the time, or a hundredth less."""
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("there was no time left")
        sock = self.sock
        if sock is None:
            self.connect_timeout = self.timeout = left
        elif not left * 0.99 < sock.gettimeout() <= left:  # which to set is a call of the system
            sock.settimeout(left)

    def _receive(self) -> bytes:
        self.bound()
        data: bytes = self.sock.recv(_CHUNK)
        if not data:
            raise MemcacheUnexpectedCloseError
        return data

    def _refuse(self, line: bytes) -> NoReturn:
        self._raise_errors(line, b"get")
        raise MemcacheUnknownError(line[:32])

    def _raise_errors(self, line: bytes, name: bytes) -> None:
        """What couldn't be stored is an answer like others, and the connection stays in step."""
        if not (line.startswith(b"SERVER_ERROR") and name in {b"set", b"add", b"cas"}):
            super()._raise_errors(line, name)


class _BytesOnly:
    """Leaves values as they are."""

    def serialize(self, _: bytes, value: bytes) -> tuple[bytes, int]:
        return value, 0

    def deserialize(self, _: bytes, value: bytes, __: int) -> bytes:
        return value


_BYTES_ONLY = _BytesOnly()


def _chunks(commands: Sequence[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for command in commands:
        if chunk and (len(chunk) >= _KEYS or size + len(command) > _BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(command)
        size += len(command)
    if chunk:
        yield chunk

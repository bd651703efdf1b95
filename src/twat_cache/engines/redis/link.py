"""One connection to a Redis for those who await: what is asked, and a future of the answer.

redis-py opens it and says who we are; from then on the transport is ours, and speaks to a protocol
of ours. The library's own way of reading takes as long again as the rest of a call (15 µs of 45,
measured with redis-py 8.1 in November 2026), most of it in streams and in a time limit for each.

- One asks at a time. The answer is read to its end even if who asked was cancelled: so the next one
  never gets what is left of it.
- There is one timer, which is set anew only when it has run down; a connection that doesn't answer
  in time is closed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis import exceptions as theirs
from redis._parsers.base import BaseParser

from ...errors import EngineNotAvailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .commands import Command

try:
    from hiredis import Reader, pack_command
except ImportError as error:
    raise EngineNotAvailableError(
        "the engine redis needs hiredis 2.2 or newer: pip install -U 'twat-cache[redis]' hiredis"
    ) from error

__all__ = ["Link"]

_MORE = object()


class Link(asyncio.Protocol):
    """A connection that one may ask after another, in the event loop that it was made in.

    Args:
        connection: A connected one of the library's; it is of no other use any more.
        timeout: Seconds that an answer may take.

    Attributes:
        since: When it became idle, by the clock of the event loop.
        idle: Is called when it has answered, or can't any more; then with what went wrong.
    """

    __slots__ = (
        "_asked",
        "_deadline",
        "_left",
        "_loop",
        "_reader",
        "_replies",
        "_timeout",
        "_timer",
        "_transport",
        "_writer",
        "idle",
        "is_closed",
        "since",
    )

    def __init__(self, connection: Any, timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._writer = connection._writer  # whose end would close the transport
        self._transport: Any = self._writer.transport
        self._reader = Reader(
            protocolError=theirs.InvalidResponse,
            replyError=BaseParser.parse_error,
            notEnoughData=_MORE,
        )
        self._asked: asyncio.Future[list[Any]] | None = None
        self._replies: list[Any] = []
        self._left = 0
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.since = 0.0
        self.idle: Callable[[Link, BaseException | None], object] = _nobody
        self.is_closed = connection._reader.at_eof()  # nobody would tell us again
        connection._reader = connection._writer = None
        self._transport.set_protocol(self)

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._asked is not None and not self._asked.done()

    def ask(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        """The replies to the commands; those that are errors are among them.

        What is awaited raises `asyncio.TimeoutError`, or a `redis.ConnectionError`, also where that
        is the reply.
        """
        loop = self._loop
        asked = self._asked = loop.create_future()
        self._replies, self._left = [], len(commands)
        if self.is_closed:
            self.close(theirs.ConnectionError("the server closed the connection"))
            return asked
        pack: Any = pack_command
        self._deadline = deadline = loop.time() + self._timeout
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._look)
        self._transport.write(
            pack(commands[0]) if len(commands) == 1 else b"".join(map(pack, commands))
        )
        return asked

    def _look(self) -> None:
        """Closes a connection that is late; otherwise looks again when it may be."""
        self._timer = None
        if self._asked is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look)
        else:
            self.close(asyncio.TimeoutError())

    def data_received(self, data: bytes) -> None:
        """The transport has read this."""
        gets, replies = self._reader.gets, self._replies
        try:
            self._reader.feed(data)
            while (reply := gets()) is not _MORE:
                if self._left <= 0:
                    raise theirs.InvalidResponse("the server answers what nobody asked")
                if isinstance(reply, theirs.ConnectionError):
                    raise reply
                replies.append(reply)
                self._left -= 1
        except theirs.RedisError as error:
            self.close(error)
            return
        if not self._left and self._asked is not None:
            asked, self._asked, self._replies = self._asked, None, []
            self.since = self._loop.time()
            self.idle(self, None)
            if not asked.done():
                asked.set_result(replies)

    def eof_received(self) -> None:
        """The server hung up."""
        self.connection_lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        """The transport has been closed, by whomever."""
        lost = theirs.ConnectionError("the server closed the connection")
        lost.__cause__ = error
        self.close(lost)

    def close(self, error: BaseException | None = None) -> None:
        """Closes it at once; who waits is told what went wrong."""
        was_closed, self.is_closed = self.is_closed, True
        asked, self._asked = self._asked, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()  # in good order, TLS would wait for a server that may be silent
        if asked is not None and not asked.done():
            asked.set_exception(error or theirs.ConnectionError("the connection was closed"))
        if asked is not None or not was_closed:
            self.idle(self, error)


def _nobody(link: Link, error: BaseException | None) -> None:
    pass

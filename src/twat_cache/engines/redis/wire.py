"""A connection to Redis on which the server speaks unasked, too: replies and pushes in one stream.

redis-py opens it and says who we are; from then on it is ours. Any thread may send, the thread that
reads hands each reply to who waits for it, and what is pushed comes in its order among them: what
the server did before it did what was asked is known before the reply.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from ssl import SSLWantReadError, SSLWantWriteError
from time import monotonic_ns
from typing import Any, NoReturn

from redis import exceptions as theirs

from ...errors import (
    EngineConnectionError,
    EngineError,
    EngineNotAvailableError,
    EngineTimeoutError,
)
from .failures import says

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .commands import Command

try:
    from hiredis import PushNotification, Reader, pack_command
except ImportError as error:
    raise EngineNotAvailableError(
        "coherence with redis needs hiredis 3.2 or newer: pip install -U 'twat-cache[redis]'"
        " hiredis"
    ) from error

__all__ = ["Push", "Reply", "Wire"]

Push: type[list[Any]] = PushNotification
_MORE = object()
_CHUNK = 1 << 16
_MOST_UNSENT = 1 << 20  # bytes
_WAIT = (BlockingIOError, SSLWantReadError, SSLWantWriteError)
_MOVED = ("READONLY", "LOADING", "MASTERDOWN")


class Reply:
    """What was asked in some commands, and what comes of it.

    Args:
        commands: The commands, sent in one piece.
        silent: How many of them are answered by pushes alone.
        made_of: Makes the outcome of the replies.
        timeout: How many seconds who waits has.

    Attributes:
        moment: When it was about to be sent, by the monotonic clock.
        is_over: Whether all has been answered.
    """

    __slots__ = (
        "_gate",
        "_made_of",
        "_replies",
        "_timeout",
        "_wakers",
        "commands",
        "error",
        "expected",
        "is_over",
        "moment",
        "note",
    )

    def __init__(
        self,
        commands: Sequence[Command],
        *,
        silent: int = 0,
        made_of: Callable[[list[Any]], Any] = list,
        timeout: float = 0.0,
        note: Any = None,
    ) -> None:
        self.commands = commands
        self.expected = len(commands) - silent
        self.note = note
        self.error: EngineError | None = None
        self.is_over = False
        self.moment = monotonic_ns()
        self._made_of = made_of
        self._timeout = timeout
        self._replies: list[Any] = []
        self._wakers: list[Callable[[], object]] = []
        self._gate = allocate_lock()
        self._gate.acquire()

    def answered(self, reply: Any) -> bool:
        """One more reply has come; tells whether it was the last."""
        self._replies.append(reply)
        return len(self._replies) == self.expected

    def end(self, error: EngineError | None = None) -> None:
        """Wakes who waits."""
        self.error = error
        self.is_over = True
        self._gate.release()
        for wake in self._wakers.copy():
            wake()

    def outcome(self) -> Any:
        """What it came to.

        Raises:
            EngineError: The connection broke.
            redis.RedisError: The server refused.
        """
        if self.error is not None:
            raise self.error
        return self._made_of(self._replies)

    @property
    def is_refused_for_now(self) -> bool:
        """Whether the server can't do it, though another one could."""
        return any(says(reply, code) for reply in self._replies for code in _MOVED)

    def run(self) -> Any:
        """What it comes to; who waits no longer is told of it like anybody else."""
        try:
            if not self._gate.acquire(timeout=self._timeout):
                self._give_up()
        except BaseException:
            self.note = None
            raise
        return self.outcome()

    async def arun(self) -> Any:
        """The same, in a coroutine."""
        import asyncio

        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(set_done)
            except RuntimeError:  # that loop is closed
                pass

        def set_done() -> None:
            if not done.done():
                done.set_result(None)

        self._wakers.append(wake)
        if not self.is_over:
            try:
                await asyncio.wait([done], timeout=self._timeout)
                if not self.is_over:
                    self._give_up()
            except BaseException:
                self.note = None
                raise
        return self.outcome()

    def _give_up(self) -> NoReturn:
        raise EngineTimeoutError(f"the server didn't answer in {self._timeout:g} s")


class Wire:
    """The connection. One thread receives, any thread may send.

    Args:
        connection: A connected `redis.Connection`.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection  # which would close the socket when it is collected
        self._socket = connection._sock
        self._socket.settimeout(0)
        self._reader = Reader(replyError=_error, notEnoughData=_MORE)
        self._lock = allocate_lock()  # of the socket, too: a TLS one takes one thread at a time
        self._out = bytearray()
        self._waiting: deque[Reply] = deque()
        self._is_closed = False

    def fileno(self) -> int:
        """The socket's number."""
        return int(self._socket.fileno())

    def send(self, reply: Reply) -> bool:
        """Sends what is asked; tells whether all of it is on its way, or else `flush` has to.

        Raises:
            EngineConnectionError: The connection is closed.
        """
        data = b"".join(map(_packed, reply.commands))
        with self._lock:
            if self._is_closed:
                raise EngineConnectionError("the connection is closed")
            self._waiting.append(reply)
            self._out += data
            return self._sent_all()

    def flush(self) -> bool:
        """Sends what couldn't be sent before; tells whether that is all."""
        with self._lock:
            return self._sent_all()

    @property
    def is_full(self) -> bool:
        """Whether there is more to be sent than a live connection would leave."""
        return len(self._out) > _MOST_UNSENT

    def is_late(self, seconds: float) -> bool:
        """Whether something is unanswered for so long."""
        try:
            return monotonic_ns() - self._waiting[0].moment > seconds * 1e9
        except IndexError:
            return False

    def _sent_all(self) -> bool:
        out = self._out
        try:
            while out:
                with memoryview(out) as view:
                    sent = self._socket.send(view)
                del out[:sent]
        except _WAIT:
            return False
        return True

    def received(self) -> Iterator[Any]:
        """What has come: pushes, and each `Reply` that is complete; waits for nothing.

        Raises:
            EngineConnectionError: The server has closed the connection.
            OSError: It broke.
        """
        while True:
            with self._lock:
                try:
                    data = self._socket.recv(_CHUNK)
                except _WAIT:
                    return
            if not data:
                raise EngineConnectionError("the server closed the connection")
            self._reader.feed(data)
            while (one := self._reader.gets()) is not _MORE:
                if type(one) is Push:
                    yield one
                elif not self._waiting:
                    raise EngineConnectionError("the server answers what nobody asked")
                elif self._waiting[0].answered(one):
                    yield self._waiting.popleft()

    def close(self, error: EngineError) -> None:
        """Closes it; who waits gets the error."""
        with self._lock:
            self._is_closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for reply in waiting:
            reply.end(error)
        self.let_go()

    def let_go(self) -> None:
        """Closes this process's end of it, whatever others do with theirs."""
        try:
            self._socket.close()
        except OSError:
            pass


def _error(text: str) -> Exception:
    """What the server says is wrong, as redis-py would raise it."""
    kinds = {"READONLY": theirs.ReadOnlyError, "LOADING": theirs.BusyLoadingError}
    return kinds.get(text.partition(" ")[0], theirs.ResponseError)(text)


def _packed(command: Command) -> bytes:
    data: bytes = pack_command(command)  # type: ignore[arg-type]
    return data

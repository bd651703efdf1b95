"""What drives a talk with the server: a thread that blocks, or a task of an event loop.

A talk is a generator. It yields a socket and what it waits for there, is sent what came true, and
returns its result. So it is written once, and neither knows who waits for it nor for how long.
"""

from __future__ import annotations

import asyncio
import select
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["READ", "WRITE", "Talk", "arun", "is_readable", "run"]

T = TypeVar("T")

READ = 1
WRITE = 2

Talk: TypeAlias = "Generator[tuple[int, int], int, T]"


def run(talk: Talk[T], deadline: float) -> T:
    """What the talk comes to; this thread waits for it.

    Raises:
        TimeoutError: The deadline, by `time.monotonic`, has passed; the talk is cut off.
    """
    try:
        socket, want = next(talk)
        while True:
            left = deadline - monotonic()
            socket, want = talk.send(_wait(socket, want, left))
            _check(left)
    except StopIteration as done:
        result: T = done.value
        return result
    except BaseException:
        talk.close()  # at once, not when nobody holds the traceback any more
        raise


async def arun(talk: Talk[T], deadline: float) -> T:
    """As `run`; this task waits for it."""
    try:
        socket, want = next(talk)
        while True:
            left = deadline - monotonic()
            socket, want = talk.send(await _await(socket, want, left))
            _check(left)
    except StopIteration as done:
        result: T = done.value
        return result
    except BaseException:
        talk.close()  # at once, not when nobody holds the traceback any more
        raise


def is_readable(socket: int) -> bool:
    """Whether something has come that nobody has read, the end of the connection included."""
    return bool(_ready(socket, READ, 0))


def _check(left: float) -> None:
    """What is there when the time is up may bring a talk to its end, but not further.

    So a thread that was held up gets its answer, and a large value that comes in many pieces, each
    in time, isn't waited for.
    """
    if left <= 0:
        raise TimeoutError


def _wait(socket: int, want: int, left: float) -> int:
    found = _ready(socket, want, max(0.0, left))
    if not found:
        raise TimeoutError
    return found


if hasattr(select, "poll"):

    def _ready(socket: int, want: int, seconds: float) -> int:
        poll = select.poll()
        poll.register(socket, _MASKS[want])
        found = poll.poll(seconds * 1e3)  # rounded up to whole milliseconds; goes on after a signal
        if not found:
            return 0
        came = found[0][1]
        ready = (READ if came & ~select.POLLOUT else 0) | (WRITE if came & select.POLLOUT else 0)
        return ready & want or want  # what went wrong is told by whoever reads or writes

    _MASKS = {
        READ: select.POLLIN,
        WRITE: select.POLLOUT,
        READ | WRITE: select.POLLIN | select.POLLOUT,
    }

else:  # Windows

    def _ready(socket: int, want: int, seconds: float) -> int:
        one, none = (socket,), ()
        reads, writes, fails = select.select(
            one if want & READ else none, one if want & WRITE else none, one, seconds
        )
        if fails:
            return want
        return (READ if reads else 0) | (WRITE if writes else 0)


async def _await(socket: int, want: int, left: float) -> int:
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[int] = loop.create_future()
    if want & READ:
        loop.add_reader(socket, _wake, woken, READ)
    if want & WRITE:
        loop.add_writer(socket, _wake, woken, WRITE)
    timer = loop.call_later(max(0.0, left), _wake, woken, 0)
    try:
        found = await woken
    finally:
        timer.cancel()
        if want & READ:
            loop.remove_reader(socket)
        if want & WRITE:
            loop.remove_writer(socket)
    if not found:
        raise TimeoutError
    return found


def _wake(woken: asyncio.Future[int], what: int) -> None:
    if not woken.done():
        woken.set_result(what)

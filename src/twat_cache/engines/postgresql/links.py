"""The connections of an engine: a stack, so that few are used, and those that rest are ended.

Whoever wants one takes the one that was given back last. If none rests, a new one is opened, but
only a few at a time: when two hundred threads begin at once, most are served by connections that
others give back long before they would have their own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from threading import Condition
from time import monotonic, sleep
from typing import TYPE_CHECKING

from ..network import in_time, look_up
from .drivers import arun, run
from .library import errors
from .link import Link, connect

if TYPE_CHECKING:
    from .place import Place

__all__ = ["LoopLinks", "ThreadLinks"]

_AT_A_TIME = 4
_REST = 60.0  # seconds
_UNREACHED = "no connection could be made in time; look at host, port and server"


class Links:
    """What both kinds have: the book of connections.

    Args:
        place: Where to connect to.
        size: How many connections there may be.
        prepare: Whether they prepare statements.
    """

    def __init__(self, place: Place, size: int, *, prepare: bool) -> None:
        self._place = place
        self._size = size
        self._prepare = prepare
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._resting: list[Link] = []
        self._all: set[Link] = set()
        self._count = 0
        self._opening = 0
        self._waiting = 0  # how many want one

    def abandon(self) -> None:
        """In a child, right after the fork: leaves all connections to the parent."""
        for link in list(self._all):
            link.abandon()
        self._begin()

    def close(self) -> None:
        """Ends all connections; those in use end when they are given back."""
        self._closed = True
        while (link := self._rested()) is not None:
            self._end(link)

    def reopen(self) -> None:
        """From now on, what is given back is kept again."""
        self._closed = False

    def _rested(self) -> Link | None:
        try:
            return self._resting.pop()
        except IndexError:
            return None

    def _may_open(self) -> bool:
        if self._count >= self._size or self._opening >= _AT_A_TIME:
            return False
        self._count += 1
        self._opening += 1
        return True

    def _opened(self, link: Link | None) -> None:
        self._opening -= 1
        if link is None:
            self._count -= 1
            self._place.failed()
        else:
            self._all.add(link)

    def _end(self, link: Link) -> None:
        self._all.discard(link)
        self._count -= 1
        link.close()

    def _put_back(self, link: Link) -> Link | None:
        """Gives one back; tells which one has rested for too long."""
        if self._closed or not link.is_at_rest:
            return link
        now = link.used = monotonic()
        self._resting.append(link)
        if self._resting[0].used < now - _REST:
            return self._resting.pop(0)
        return None

    def _busy(self) -> TimeoutError:
        return TimeoutError(
            f"none of its {self._size} connections became free; raise pool_size= or timeout=, or"
            " look at the server"
        )


class ThreadLinks(Links):
    """Connections for threads."""

    def _begin(self) -> None:
        super()._begin()
        self._change = Condition()

    def take(self, deadline: float) -> Link:
        """A connection that nobody else uses.

        Raises:
            TimeoutError: None was free or could be opened in time.
            psycopg.OperationalError: None can be opened.
        """
        while True:
            with self._change:
                while (link := self._rested()) is None and not self._may_open():
                    self._waiting += 1
                    try:
                        if not self._change.wait(deadline - monotonic()):
                            raise self._busy()
                    finally:
                        self._waiting -= 1
            if link is None:
                return self._open(deadline)
            if link.is_sound():
                return link
            self._drop(link)

    def give(self, link: Link) -> None:
        """Takes a connection back, and ends it if it can't be used again."""
        with self._change:
            over = self._put_back(link)
            self._change.notify()
            is_waited_for = self._waiting > 0
        if over is not None:
            self._drop(over)
        if is_waited_for:
            sleep(0)  # or this thread could take it again, and again, before who waits is awake

    def close(self) -> None:
        """Ends all connections; those in use end when they are given back."""
        with self._change:
            super().close()

    def end(self, link: Link) -> None:
        """Ends a connection that was taken."""
        self._drop(link)

    def _drop(self, link: Link) -> None:
        with self._change:
            self._end(link)
            self._change.notify()

    def _open(self, deadline: float) -> Link:
        link = None
        try:
            found = _looked_up(self._place.names, deadline)
            link = run(connect(self._place.conninfo(found), prepare=self._prepare), deadline)
        except TimeoutError as error:
            raise TimeoutError(_UNREACHED) from error
        finally:
            with self._change:
                self._opened(link)
                self._change.notify()
        return link


class LoopLinks(Links):
    """Connections for the tasks of one event loop."""

    def _begin(self) -> None:
        super()._begin()
        self._waiters: deque[asyncio.Future[bool]] = deque()

    async def take(self, deadline: float) -> Link:
        """As that of `ThreadLinks`."""
        if self._waiting:
            await asyncio.sleep(0)  # or this task could take it again, before who waits goes on
        while True:
            while (link := self._rested()) is None and not self._may_open():
                await self._change(deadline)
            if link is None:
                return await self._open(deadline)
            if link.is_sound():
                return link
            self._drop(link)

    def give(self, link: Link) -> None:
        """As that of `ThreadLinks`."""
        over = self._put_back(link)
        self._notify()
        if over is not None:
            self._drop(over)

    def _drop(self, link: Link) -> None:
        self._end(link)
        self._notify()

    async def _open(self, deadline: float) -> Link:
        link = None
        try:
            found = []
            for host, port in self._place.names:
                found.append(await _alooked_up(host, port, deadline))
            link = await arun(connect(self._place.conninfo(found), prepare=self._prepare), deadline)
        except (TimeoutError, asyncio.TimeoutError) as error:
            raise TimeoutError(_UNREACHED) from error
        finally:
            self._opened(link)
            self._notify()
        return link

    async def _change(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(max(0.0, deadline - monotonic()), _tell, waiter, False)
        self._waiting += 1
        try:
            if not await waiter:
                raise self._busy()
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.result():
                self._notify()  # it was told, and tells the next one
            raise
        finally:
            self._waiting -= 1
            timer.cancel()

    def _notify(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if _tell(waiter, True):
                return


def _tell(waiter: asyncio.Future[bool], has_changed: bool) -> bool:
    if waiter.done():
        return False
    waiter.set_result(has_changed)
    return True


def _looked_up(names: list[tuple[str, str]], deadline: float) -> list[list[str]]:
    """The addresses of hosts, in time: the system's resolver can't be told to hurry."""
    if not names:
        return []
    try:
        return in_time(lambda: [look_up(*name) for name in names], deadline - monotonic())
    except TimeoutError:
        raise
    except OSError as error:
        raise _unknown(error) from error


async def _alooked_up(host: str, port: str, deadline: float) -> list[str]:
    loop = asyncio.get_running_loop()
    answer = loop.run_in_executor(None, look_up, host, port)
    try:
        return await asyncio.wait_for(answer, max(0.0, deadline - monotonic()))
    except asyncio.TimeoutError:
        raise TimeoutError from None
    except OSError as error:
        raise _unknown(error) from error


def _unknown(error: OSError) -> Exception:
    return errors.OperationalError(f"its host's name has no address: {error}")

"""Bytes in a table of PostgreSQL, for threads."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ...engine_types import Bytes, Capabilities
from ...errors import EngineError
from .drivers import run
from .links import ThreadLinks
from .settled import FAILURES, Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from .drivers import Talk

__all__ = ["PostgresqlEngine"]

T = TypeVar("T")


class PostgresqlEngine(Settled):
    """Keeps bytes in a table of PostgreSQL 12 or newer: `postgresql://user:password@host/database`.

    The table is made when it is first needed. It is `UNLOGGED`: fast, not on standbys, and empty
    after a crash of the server. Expiry is judged by the server's clock. What is past its time is
    deleted a few rows at a time, now and then after a put or add. Nothing is connected before the
    first call. A connection that broke, or whose answer didn't come in time, is ended.

    Args:
        url: Or what libpq takes besides, as `"host=… dbname=…"`. Its environment variables, such as
            `PGPASSWORD` and `PGSSLMODE`, and its files hold, too.
        table: The table's name.
        schema: The schema that has it; None is the first of the server's search path.
        user: Who; goes before the one in the URL.
        password: Shown nowhere; or a function that gives it, called for each new connection.
        timeout: Seconds that a call may take, connecting included.
        pool_size: How many connections there may be. One that rested for a minute is ended.
        prepare: Whether statements are prepared; turn it off behind a pooler that gives each
            transaction another connection.
    """

    capabilities = Capabilities(swap=True, touch=True, left=True, shared=True, remote=True)
    awaited: ClassVar[type[Any]]

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._links = ThreadLinks(self._place, self._size, prepare=self._prepare)

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, in one trip."""
        return self._serve(self._commands.get, keys)

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values by one statement for each 16 MB; one above 256 MB is left out."""
        deadline = monotonic() + self._timeout
        self._serve(self._commands.put, items, ttl)
        self._sweep(deadline)

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        deadline = monotonic() + self._timeout
        is_added = self._serve(self._commands.add, key, value, ttl)
        self._sweep(deadline)
        return is_added

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys by one statement; tells how many of them were there."""
        return self._serve(self._commands.drop, keys)

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, a thousand in one trip."""
        start = prefix.encode("utf-8", "surrogatepass")
        after: bytes | None = b""
        while after is not None:
            keys, after = self._serve(self._commands.page, start, after)
            yield from keys

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        return self._serve(self._commands.swap, key, expected, value, ttl)

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        return self._serve(self._commands.touch, keys, ttl)

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have, by the server's clock."""
        return self._serve(self._commands.left, keys)

    def close(self) -> None:
        """Ends the connections; those in use, when their calls end."""
        self._close()
        self._links.close()

    def ping(self) -> None:
        """Reads from the table, made if it isn't there; looks whether it can be written to."""
        self._serve(self._commands.ping)

    def abandon(self) -> None:
        """In a child, right after the fork: leaves all connections to the parent."""
        self._links.abandon()

    def _sweep(self, deadline: float) -> None:
        """Deletes some of what is past its time, if it is time for that and some is left."""
        if self._commands.is_time_to_sweep and deadline - monotonic() > self._timeout / 2:
            try:
                self._serve(self._commands.sweep, deadline=deadline)
            except EngineError:  # it can wait
                pass

    def _serve(self, work: Callable[..., Talk[T]], *args: Any, deadline: float | None = None) -> T:
        self._check()
        if deadline is None:
            deadline = monotonic() + self._timeout
        try:
            link = self._links.take(deadline)
            try:
                return run(work(link, *args), deadline)
            finally:
                self._links.give(link)
        except FAILURES as error:
            raise self._told(error) from error

"""What both engines begin with: the options, settled, and nothing connected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ...errors import EngineClosedError, EngineError, refused
from ..address import flag
from ..forks import living
from ..network import POOL_SIZE, TIMEOUT, patience, pool_bound
from .commands import Commands
from .library import errors
from .place import Place, identifier, split_url
from .trouble import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ...stream_types import Stream
    from .stream import PostgresqlStream

    S = TypeVar("S", bound="Settled")

__all__ = ["FAILURES", "Settled"]

FAILURES = (TimeoutError, errors.Error)
"""What connections raise."""

_every: WeakSet[Settled] = WeakSet()


class Settled:
    """An engine that knows its options; see `PostgresqlEngine`."""

    def __init__(
        self,
        url: str,
        *,
        table: str = "twat_cache",
        schema: str | None = None,
        user: str | None = None,
        password: str | Callable[[], str] | None = None,
        timeout: float | str = TIMEOUT,
        pool_size: int | str = POOL_SIZE,
        prepare: bool | str = True,
    ) -> None:
        self._timeout = patience(timeout)
        self._size = pool_bound(pool_size)
        self._prepare = flag("prepare", prepare)
        self._place = Place(url, user=user, password=password, timeout=self._timeout)
        self._commands = Commands(
            identifier("table", table), None if schema is None else identifier("schema", schema)
        )
        self._closed = False
        self._streams: WeakSet[PostgresqlStream] = WeakSet()
        _every.add(self)

    @classmethod
    def from_url(cls: type[S], url: str, **options: Any) -> S:  # noqa: PYI019  (Self begins with Python 3.11)
        """The engine at `postgresql://user:password@host:port/database`.

        Args:
            url: `table`, `schema`, `timeout`, `pool_size` and `prepare` may stand in it, as in
                `?table=results&timeout=0.1`, and what libpq knows, as `sslmode=verify-full`.
            options: Those of the class; they go before those in the URL.
        """
        theirs, ours = split_url(url)
        return cls(theirs, **{**ours, **options})

    @property
    def streams(self) -> tuple[str, ...]:
        """How it tells of changes: those who make them do, by NOTIFY."""
        return ("pubsub",)

    def stream(self, way: str) -> Stream:
        """What tells of changes; connects when it is started."""
        if way not in self.streams:
            raise refused("stream", way, ", ".join(self.streams))
        from .stream import PostgresqlStream

        stream = PostgresqlStream(self._place, self._timeout)
        self._streams.add(stream)
        return stream

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._place}>"

    def abandon(self) -> None:
        """In a child, right after the fork: leaves all connections to the parent."""
        raise NotImplementedError

    def _close(self) -> None:
        """Whoever comes after this is refused, and nothing is told any more."""
        self._closed = True
        for stream in living(self._streams):
            stream.close()

    def _check(self) -> None:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")

    def _told(self, error: BaseException) -> EngineError:
        return told(error, self._place, self._commands.table, self._timeout)


def _after_fork() -> None:
    for engine in living(_every):
        engine.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

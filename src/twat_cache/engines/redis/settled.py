"""What both engines begin with: the place, settled, and nothing connected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ..forks import living
from ..network import POOL_SIZE, TIMEOUT
from .place import place_at, place_of

if TYPE_CHECKING:
    from typing import TypeVar

    from ...stream_types import Stream
    from .place import Place
    from .stream import RedisStream

    S = TypeVar("S", bound="Settled")

__all__ = ["CLOSED", "Settled"]

CLOSED = "the engine is closed; open another one"

_every: WeakSet[Settled] = WeakSet()


class Settled:
    """An engine that knows where it is; see `RedisEngine`."""

    def __init__(
        self, client: Any, *, timeout: float = TIMEOUT, pool_size: int = POOL_SIZE
    ) -> None:
        self._open(place_of(client, timeout=timeout, pool_size=pool_size))

    @classmethod
    def from_url(cls: type[S], url: str, **options: Any) -> S:  # noqa: PYI019  (Self begins with Python 3.11)
        """An engine on what the URL names; nothing is connected before the first call.

        Args:
            url: `redis://[user:password@]host[:port][/db]`, or one of the other forms.
            options: Those that the URL may have after its question mark; they go before.

        Raises:
            ConfigurationError: The URL or an option can't be read.
        """
        return cls.at(place_at(url, **options))

    @classmethod
    def at(cls: type[S], place: Place) -> S:  # noqa: PYI019  (as above)
        """An engine on a place that has been read already."""
        engine = cls.__new__(cls)
        engine._open(place)
        return engine

    def _open(self, place: Place) -> None:
        self._place = place
        self._whole = place.kind != "cluster"
        self._streams: WeakSet[RedisStream] = WeakSet()
        self._closed = False
        _every.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self._place}>"

    @property
    def streams(self) -> tuple[str, ...]:
        """How it tells of changes; a cluster doesn't."""
        return ("tracking", "pubsub") if self._whole else ()

    def stream(self, way: str) -> Stream:
        """What tells of changes in one of these ways; connects when it is started."""
        from .streams import stream_at

        stream = stream_at(self._place, way)
        self._streams.add(stream)
        return stream

    def _renew(self) -> None:
        """In a child, right after the fork: leaves all connections to the parent."""
        raise NotImplementedError


def _after_fork() -> None:
    for engine in living(_every):
        engine._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

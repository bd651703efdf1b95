"""The two ways in which a Redis tells of changes.

`tracking`: by itself, whoever changes it, since Redis 6 and in Valkey (`CLIENT TRACKING`). In
broadcasting mode the server remembers nothing for us but the prefixes. `NOLOOP` spares us what is
changed on the same connection. The last one who changed a key in a turn of the server's loop counts
as who changed it, so what others do after us is told in any case.

`pubsub`: those who change something publish what it was, and all listen. For servers and proxies
that don't do the other. What a program changes that doesn't publish it isn't noticed, nor what the
server lets go by itself.
"""

from __future__ import annotations

from ...errors import refused
from ..following import Anew
from .commands import named
from .lines import Single
from .stream import RedisStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .commands import Command
    from .place import Place

__all__ = ["stream_at"]


class TrackingStream(RedisStream):
    """Follows keys by what they begin with."""

    tells_all = False

    def following(self, new: Sequence[str], known: Collection[str]) -> list[Command]:
        """The one command; the server takes no prefix that begins with another."""
        widest: list[str] = []
        for prefix in new:  # in order, so that what begins others comes first
            if any(one.startswith(prefix) for one in known):
                raise Anew
            if not any(prefix.startswith(one) for one in (*known, *widest)):
                widest.append(prefix)
        if not widest:
            return []
        words = [word for prefix in widest for word in (b"PREFIX", named(prefix))]
        return [(b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"NOLOOP", *words)]


class PubsubStream(RedisStream):
    """Follows what is published in the channels of its followers."""

    def following(self, new: Sequence[str], known: Collection[str]) -> list[Command]:  # noqa: ARG002
        """Nothing: the channels are all there is."""
        return []


_KINDS = {"tracking": TrackingStream, "pubsub": PubsubStream}


def stream_at(place: Place, way: str) -> RedisStream:
    """A stream of what changes at a place that isn't a cluster.

    Raises:
        ConfigurationError: There is no such way.
    """
    kind = _KINDS.get(way)
    if kind is None:
        raise refused("stream", way, ", ".join(_KINDS))
    return kind(place, Single(place))

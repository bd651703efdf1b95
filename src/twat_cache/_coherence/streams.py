"""The streams that caches of this process share: one for each engine and way, while it is used."""

from __future__ import annotations

from .._fork_lock import ForkSafeLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..stream_types import Follower, Stream

__all__ = ["Shared"]

_lock = ForkSafeLock()
_shared: dict[tuple[int, str], Shared] = {}


class Shared:
    """A stream, and how many follow it or are about to."""

    def __init__(self, engine: Any, way: str) -> None:
        self.stream: Stream = engine.stream(way)
        self._engine = engine  # while it lives, no other engine has its number
        self._key = id(engine), way
        self._users = 0

    @classmethod
    def of(cls, engine: Any, way: str) -> Shared:
        """The one for this engine; `leave` gives it back."""
        key = id(engine), way
        with _lock:
            shared = _shared.get(key)
            if shared is None:
                shared = _shared[key] = cls(engine, way)
            shared._users += 1
            return shared

    def leave(self, follower: Follower) -> None:
        """This one follows no more."""
        self.stream.leave(follower)
        with _lock:
            self._users -= 1
            if not self._users and _shared.get(self._key) is self:
                del _shared[self._key]

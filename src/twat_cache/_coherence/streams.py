"""The streams that caches of this process share: one for each engine and way, while it is used."""

from __future__ import annotations

from weakref import WeakValueDictionary

from .._fork_lock import ForkSafeLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..stream_types import Stream

__all__ = ["stream_of"]

_lock = ForkSafeLock()
_shared: WeakValueDictionary[tuple[int, str], Stream] = WeakValueDictionary()


def stream_of(engine: Any, way: str) -> Stream:
    """The one stream of this engine; to be kept by whoever keeps the engine, too."""
    with _lock:
        stream = _shared.get((id(engine), way))
        if stream is None:
            stream = _shared[id(engine), way] = engine.stream(way)
        return stream

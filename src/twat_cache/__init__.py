"""Caching decorators on a compiled core.

`mcache` is the one to begin with. `lru_cache` and `cache` take the place of functools' own.
"""

from __future__ import annotations

from ._core import CoreInfo, core_info
from .decorators import acache, cache, lru_cache, mcache
from .errors import (
    CacheKeyError,
    CacheOperationError,
    ConfigurationError,
    SerializationError,
    TwatCacheError,
)
from .stats import CacheInfo, Stats, Warmed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._registry import caches, clear_cache, get_stats
    from .types import AsyncBoundCached, AsyncCached, BoundCached, Cached, LruCached

    __version__: str

__all__ = [
    "AsyncBoundCached",
    "AsyncCached",
    "BoundCached",
    "CacheInfo",
    "CacheKeyError",
    "CacheOperationError",
    "Cached",
    "ConfigurationError",
    "CoreInfo",
    "LruCached",
    "SerializationError",
    "Stats",
    "TwatCacheError",
    "Warmed",
    "__version__",
    "acache",
    "cache",
    "caches",
    "clear_cache",
    "core_info",
    "get_stats",
    "lru_cache",
    "mcache",
]

_LATER = {
    "types": ("AsyncBoundCached", "AsyncCached", "BoundCached", "Cached", "LruCached"),
    "_registry": ("caches", "clear_cache", "get_stats"),
}


def __getattr__(name: str) -> object:
    """Loads what only annotations and curiosity ask for, and keeps it."""
    if name in _LATER["types"]:
        from . import types

        value: object = getattr(types, name)
    elif name in _LATER["_registry"]:
        from . import _registry

        value = getattr(_registry, name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("twat-cache")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

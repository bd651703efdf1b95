"""Caching decorators on a compiled core.

`mcache` is the one to begin with. `lru_cache` and `cache` take the place of functools' own.
"""

from __future__ import annotations

from ._core import CoreInfo, core_info
from .decorators import acache, cache, lru_cache, mcache
from .errors import CacheKeyError, CacheOperationError, ConfigurationError, TwatCacheError
from .stats import CacheInfo, Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    "Stats",
    "TwatCacheError",
    "__version__",
    "acache",
    "cache",
    "core_info",
    "lru_cache",
    "mcache",
]

_TYPES = ("AsyncBoundCached", "AsyncCached", "BoundCached", "Cached", "LruCached")


def __getattr__(name: str) -> object:
    """Loads what only annotations and curiosity ask for, and keeps it."""
    if name in _TYPES:
        from . import types

        value: object = getattr(types, name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("twat-cache")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

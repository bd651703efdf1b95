"""Caching decorators on a compiled core.

`mcache` is the one to begin with. `lru_cache` and `cache` take the place of functools' own.
"""

from __future__ import annotations

from ._core import CoreInfo, core_info
from .decorators import acache, cache, lru_cache, mcache
from .errors import (
    CacheKeyError,
    CacheOperationError,
    CacheValueError,
    ConcurrencyError,
    ConfigurationError,
    EngineClosedError,
    EngineConnectionError,
    EngineError,
    EngineNotAvailableError,
    EngineTimeoutError,
    LoadTimeoutError,
    PathError,
    ResourceError,
    SerializationError,
    TamperedValueError,
    TwatCacheError,
)
from .stats import CacheInfo, Stats, Warmed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import events
    from ._folders import get_cache_path
    from ._keys.canonical import register_key
    from ._log import debug
    from ._open import open_engine, resilient
    from ._override import override
    from ._registry import caches, clear_cache, get_stats, invalidate_tags
    from ._request_scope import refreshing, request_scope
    from ._scopes import bypass
    from .async_stores import AsyncCache
    from .codecs.own_types import register_type
    from .config import CacheConfig, create_cache_config
    from .context import CacheContext, engine_context
    from .engine_decorators import bcache, fcache, ucache
    from .engine_types import AsyncEngine, Capabilities, Engine
    from .stores import MISSING, Cache
    from .types import AsyncBoundCached, AsyncCached, BoundCached, Cached, LruCached

    __version__: str

__all__ = [
    "MISSING",
    "AsyncBoundCached",
    "AsyncCache",
    "AsyncCached",
    "AsyncEngine",
    "BoundCached",
    "Cache",
    "CacheConfig",
    "CacheContext",
    "CacheInfo",
    "CacheKeyError",
    "CacheOperationError",
    "CacheValueError",
    "Cached",
    "Capabilities",
    "ConcurrencyError",
    "ConfigurationError",
    "CoreInfo",
    "Engine",
    "EngineClosedError",
    "EngineConnectionError",
    "EngineError",
    "EngineNotAvailableError",
    "EngineTimeoutError",
    "LoadTimeoutError",
    "LruCached",
    "PathError",
    "ResourceError",
    "SerializationError",
    "Stats",
    "TamperedValueError",
    "TwatCacheError",
    "Warmed",
    "__version__",
    "acache",
    "bcache",
    "bypass",
    "cache",
    "caches",
    "clear_cache",
    "core_info",
    "create_cache_config",
    "debug",
    "engine_context",
    "events",
    "fcache",
    "get_cache_path",
    "get_stats",
    "invalidate_tags",
    "lru_cache",
    "mcache",
    "open_engine",
    "override",
    "refreshing",
    "register_key",
    "register_type",
    "request_scope",
    "resilient",
    "ucache",
]

_LATER = {
    "AsyncBoundCached": "types",
    "AsyncCache": "async_stores",
    "AsyncCached": "types",
    "AsyncEngine": "engine_types",
    "BoundCached": "types",
    "Cache": "stores",
    "CacheConfig": "config",
    "CacheContext": "context",
    "Cached": "types",
    "Capabilities": "engine_types",
    "Engine": "engine_types",
    "LruCached": "types",
    "MISSING": "stores",
    "bcache": "engine_decorators",
    "bypass": "_scopes",
    "caches": "_registry",
    "clear_cache": "_registry",
    "create_cache_config": "config",
    "debug": "_log",
    "engine_context": "context",
    "events": "events",
    "fcache": "engine_decorators",
    "get_cache_path": "_folders",
    "get_stats": "_registry",
    "invalidate_tags": "_registry",
    "open_engine": "_open",
    "override": "_override",
    "refreshing": "_request_scope",
    "register_key": "_keys.canonical",
    "register_type": "codecs.own_types",
    "request_scope": "_request_scope",
    "resilient": "_open",
    "ucache": "engine_decorators",
}


def __getattr__(name: str) -> object:
    """Loads what a program may do without until it asks for it, and keeps it."""
    if name in _LATER:
        from importlib import import_module

        module = import_module(f".{_LATER[name]}", __name__)
        value: object = module if name == _LATER[name] else getattr(module, name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("twat-cache")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

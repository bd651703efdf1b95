"""The engines on Redis and Valkey: one server, sentinels, or a cluster."""

from __future__ import annotations

from ...errors import EngineNotAvailableError

try:
    import redis.exceptions  # noqa: F401  (before any module of this room, which all need it)
except ImportError as error:
    raise EngineNotAvailableError(
        "the engine redis needs its library: pip install 'twat-cache[redis]'"
    ) from error

from .async_engine import AsyncRedisEngine
from .engine import RedisEngine

__all__ = ["AsyncRedisEngine", "RedisEngine"]

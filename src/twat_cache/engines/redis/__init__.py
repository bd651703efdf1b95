"""The engines on Redis and Valkey: one server, sentinels, or a cluster."""

from __future__ import annotations

from .async_engine import AsyncRedisEngine
from .engine import RedisEngine

__all__ = ["AsyncRedisEngine", "RedisEngine"]

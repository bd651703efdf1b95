"""The engine on a table of a PostgreSQL database, blocking and awaited."""

from __future__ import annotations

from .async_engine import AsyncPostgresqlEngine
from .engine import PostgresqlEngine

__all__ = ["AsyncPostgresqlEngine", "PostgresqlEngine"]

PostgresqlEngine.awaited = AsyncPostgresqlEngine

"""The engine on an SQLite file, or on a database in memory."""

from __future__ import annotations

from .engine import SqliteEngine

__all__ = ["SqliteEngine"]

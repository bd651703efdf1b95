"""The engine on a folder: small values in an SQLite file, large ones in files beside it."""

from __future__ import annotations

from .engine import DiskEngine

__all__ = ["DiskEngine"]

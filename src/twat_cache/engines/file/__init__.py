"""The engine that keeps each value in a file of its own."""

from __future__ import annotations

from .engine import FileEngine

__all__ = ["FileEngine"]

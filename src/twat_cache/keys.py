"""How values of your own types become part of keys, where a method `__cache_key__()` can't be."""

from __future__ import annotations

from ._keys.canonical import register_key

__all__ = ["register_key"]

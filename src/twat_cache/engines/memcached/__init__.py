"""The engine on memcached servers, by the library pymemcache."""

from .engine import MemcachedEngine

__all__ = ["MemcachedEngine"]

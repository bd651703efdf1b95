"""The types of the decorators' options; `twat_cache.types` shows them to everyone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypedDict

__all__ = [
    "Cause",
    "Duration",
    "OnRemoval",
    "Options",
    "Policy",
    "Progress",
    "Ttl",
    "Unhashable",
]

Duration: TypeAlias = int | float | str | timedelta
Ttl: TypeAlias = Duration | Callable[..., Duration | None] | None
Policy: TypeAlias = Literal["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]
Unhashable: TypeAlias = Literal["raise", "bypass", "digest"]
Cause: TypeAlias = Literal["expired", "size", "explicit", "replaced", "collected", "closed"]
OnRemoval: TypeAlias = Callable[[tuple[Any, ...], Any, Cause], object]
Progress: TypeAlias = bool | Callable[[int, int | None], object] | None


class Options(TypedDict, total=False):
    """The options of `mcache` and `acache` that are given by name only, as `mcache` says."""

    tti: Duration | None
    jitter: float
    max_weight: int | None
    weigher: Callable[..., int] | None
    max_bytes: int | str | None
    memory_limit: int | str | None
    on_removal: OnRemoval | None
    typed: bool
    key: Callable[..., object] | None
    ignore: Collection[str]
    unhashable: Unhashable
    cache_if: Callable[..., object] | None
    method: bool | None
    per_instance: bool
    name: str | None
    copy: bool | Callable[[Any], Any]
    clock: Callable[[], int] | None

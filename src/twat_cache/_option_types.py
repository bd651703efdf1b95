"""The types of the decorators' options; `twat_cache.types` shows them to everyone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar  # noqa: TC003 (for get_type_hints)
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypedDict

from .codec_types import Codec  # noqa: TC001 (for get_type_hints)
from .engine_types import AsyncEngine, Engine

__all__ = [
    "Cause",
    "Coherence",
    "CoherenceTerms",
    "Duration",
    "EngineLike",
    "OnRemoval",
    "Options",
    "Policy",
    "Progress",
    "RetryTerms",
    "Secrets",
    "StoreOptions",
    "Ttl",
    "Unhashable",
]

Duration: TypeAlias = int | float | str | timedelta
Ttl: TypeAlias = Duration | Callable[..., Duration | None] | None
Policy: TypeAlias = Literal["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]
Coherence: TypeAlias = Literal["ttl", "tracking", "pubsub"]
Unhashable: TypeAlias = Literal["raise", "bypass", "digest"]
Cause: TypeAlias = Literal["expired", "size", "explicit", "replaced", "collected", "closed"]
OnRemoval: TypeAlias = Callable[[tuple[Any, ...], Any, Cause], object]
EngineLike: TypeAlias = str | Engine | AsyncEngine | Sequence[str | Engine | AsyncEngine] | None
Secrets: TypeAlias = str | bytes | Sequence[str | bytes] | None
Progress: TypeAlias = bool | Callable[[int, int | None], object] | None


class RetryTerms(TypedDict, total=False):
    """How a function that raises is called again, in stamina's terms."""

    on: (
        type[Exception]
        | Sequence[type[Exception]]
        | Callable[[Exception], bool | float | timedelta]
    )
    attempts: int | None
    timeout: Duration | None
    wait_initial: Duration
    wait_max: Duration
    wait_jitter: Duration
    wait_exp_base: float


class CoherenceTerms(TypedDict, total=False):
    """How a table before an engine learns of what others change there."""

    by: Coherence
    bound: Duration


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
    stale: Duration | None
    refresh_ahead: float | None
    beta: float | None
    soft_timeout: Duration | None
    hard_timeout: Duration | None
    retry: int | RetryTerms | None
    cache_exceptions: Mapping[type[Exception], Duration] | None
    single_flight: bool | Literal["process"] | None
    tags: Collection[str] | Callable[..., Collection[str]] | None
    invalidate_by: Collection[str]
    context: ContextVar[Any] | Collection[ContextVar[Any]]
    generators: Literal["replay"] | None


class StoreOptions(Options, total=False):
    """Those of decorators and stores whose results may be in an engine, too."""

    tag_ttl: Duration | None
    coherence: Coherence | CoherenceTerms
    namespace: str
    version: str
    codec: str | Codec
    compress: Literal["zlib", "lz4", "zstd"] | None
    secret: Secrets
    encrypt: Secrets
    checksum: bool
    strict: bool
    unsafe: bool

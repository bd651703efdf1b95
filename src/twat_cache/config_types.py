"""What a configuration may hold, for annotations and for type checkers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar  # noqa: TC003 (for get_type_hints)
from typing import Any, Literal, TypeAlias

from ._option_types import Duration, Options, Policy, Ttl
from .codec_types import Codec  # noqa: TC001
from .engine_types import AsyncEngine, Engine

__all__ = ["ConfigDict", "ConfigOptions", "EngineLike"]

EngineLike: TypeAlias = str | Engine | AsyncEngine | Sequence[str | Engine | AsyncEngine] | None
Secrets: TypeAlias = str | bytes | Sequence[str | bytes] | None


class ConfigOptions(Options, total=False):
    """All options that a decorator or a store may have, besides its engine."""

    maxsize: int | None
    ttl: Ttl
    policy: Policy
    stale: Duration | None
    refresh_ahead: float | None
    beta: float | None
    soft_timeout: Duration | None
    hard_timeout: Duration | None
    retry: Any
    cache_exceptions: Mapping[type[Exception], Duration] | None
    single_flight: bool | Literal["process"] | None
    tags: Collection[str] | Callable[..., Collection[str]] | None
    tag_ttl: Duration | None
    invalidate_by: Collection[str]
    context: ContextVar[Any] | Collection[ContextVar[Any]]
    generators: Literal["replay"] | None
    namespace: str
    version: str
    codec: str | Codec
    compress: Literal["zlib", "lz4", "zstd"] | None
    secret: Secrets
    encrypt: Secrets
    checksum: bool
    strict: bool
    unsafe: bool


class ConfigDict(ConfigOptions, total=False):
    """A configuration as a dict: the options, and the engine."""

    engine: EngineLike

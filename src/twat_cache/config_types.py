"""What a configuration may hold, for annotations and for type checkers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ._option_types import Policy, StoreOptions, Ttl
from .engine_types import AsyncEngine, Engine

__all__ = ["ConfigDict", "ConfigOptions", "EngineLike"]

EngineLike: TypeAlias = str | Engine | AsyncEngine | Sequence[str | Engine | AsyncEngine] | None


class ConfigOptions(StoreOptions, total=False):
    """All options that a decorator or a store may have, besides its engine."""

    maxsize: int | None
    ttl: Ttl
    policy: Policy


class ConfigDict(ConfigOptions, total=False):
    """A configuration as a dict: the options, and the engine."""

    engine: EngineLike

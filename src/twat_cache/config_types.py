"""What a configuration may hold, for annotations and for type checkers."""

from __future__ import annotations

from ._option_types import EngineLike, Policy, StoreOptions, Ttl

__all__ = ["ConfigDict", "ConfigOptions", "EngineLike"]


class ConfigOptions(StoreOptions, total=False):
    """All options that a decorator or a store may have, besides its engine."""

    maxsize: int | None
    ttl: Ttl
    policy: Policy


class ConfigDict(ConfigOptions, total=False):
    """A configuration as a dict: the options, and the engine."""

    engine: EngineLike

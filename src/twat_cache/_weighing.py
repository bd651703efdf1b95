"""What an entry weighs: by the user's `weigher`, or by its bytes."""

from __future__ import annotations

from ._footprint import footprint
from .errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ._keys.plan import Plan

    Weigh: TypeAlias = Callable[[Any, tuple[Any, ...], dict[str, Any]], int]

__all__ = ["ENTRY", "by_bytes", "by_weigher"]

ENTRY = 100
"""Bytes that an entry takes besides its value and its key."""


def by_weigher(weigher: Callable[..., Any]) -> Weigh:
    """A user's weigher as the core's `weigh` hook."""

    def weigh(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        weight = weigher(result, *args, **kwargs)
        index = getattr(type(weight), "__index__", None)
        if index is not None:
            whole: int = index(weight)
            if whole >= 0:
                return whole
        raise refused("weigher", weight, "as its answer an int from 0 on")

    return weigh


def by_bytes(plan: Plan, is_weak: bool, has_key: bool) -> Weigh:
    """The `weigh` hook of `max_bytes`: the value, the arguments that make the key, the entry.

    Args:
        plan: How the function's arguments are bound.
        is_weak: The first argument is no part of what the table holds.
        has_key: Another function makes the keys, so the arguments aren't held at all.
    """
    if has_key:
        return lambda result, args, kwargs: ENTRY + footprint(result)
    left_out = plan.ignored | {0} if is_weak else plan.ignored
    if not left_out and plan.keep_args and plan.keep_kwargs:
        return lambda result, args, kwargs: ENTRY + footprint(result, *args, *kwargs.values())
    fixed = plan.positional
    names = {name: index not in left_out for index, name in enumerate(plan.names)}

    def weigh(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        parts = [
            value
            for index, value in enumerate(args)
            if (index not in left_out if index < fixed else plan.keep_args)
        ]
        parts += [value for name, value in kwargs.items() if names.get(name, plan.keep_kwargs)]
        return ENTRY + footprint(result, *parts)

    return weigh

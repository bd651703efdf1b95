"""Whether `override()` has a say in how long a result lasts; for whoever is about to store one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from ._recipe import Recipe

    class Terms(Protocol):
        """What the blocks around a computation want."""

        def decide(
            self, recipe: Recipe, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
        ) -> int | None:
            """Nanoseconds, as a core's `decide` hook tells them, instead of the recipe's own."""


__all__ = ["find"]

find: Callable[[], Terms | None] | None = None
"""Gives the terms of the context that asks, if it has any; None until a program overrides any."""

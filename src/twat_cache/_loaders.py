"""Loaders that a store is given: called as its path or its batch calls for it."""

from __future__ import annotations

from collections.abc import Mapping

from ._kinds import is_coroutine_function
from ._missing import MISSING
from .errors import CacheValueError, ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ._run.call import Call

__all__ = ["LoadMany", "loading"]


def loading(loader: Any, call: Call, *, awaits: bool) -> Callable[[], Any]:
    """The loader as a function of nothing, which is given the value before if it asks for it.

    Args:
        loader: The loader; a function, or a coroutine function where that is awaited.
        call: Whose value it loads; knows the value before.
        awaits: Whether a coroutine function is to be made of it.

    Raises:
        ConfigurationError: It is a coroutine function, and nobody awaits it.
    """
    _check(loader, awaits)
    load = _given_the_old(loader, call) if _asks_for_old(loader) else loader
    if not awaits:
        return load

    async def aload() -> Any:
        value = load()
        return (await value) if hasattr(value, "__await__") else value

    return aload


def _given_the_old(loader: Any, call: Call) -> Callable[[], Any]:
    def load() -> Any:
        found = call.found
        return loader(old=MISSING if found is None or found.raised else found.value)

    return load


def _asks_for_old(loader: Any) -> bool:
    from ._keys.plan import read_plan

    plan = read_plan(loader)
    return plan is not None and "old" in plan.names[plan.positional_only :]


def _check(loader: Any, awaits: bool) -> None:
    if not callable(loader):
        kind = type(loader).__qualname__
        raise ConfigurationError(f"a loader is a function that gives the value, not a {kind}")
    if not awaits and is_coroutine_function(loader):
        raise ConfigurationError(
            "a Cache can't await this loader, which is a coroutine function; AsyncCache does"
        )


class LoadMany:
    """The effect of asking a loader, of either colour, for the values of many keys."""

    __slots__ = ("_keys", "_loader")

    def __init__(self, loader: Any, keys: Sequence[str]) -> None:
        self._loader = loader
        self._keys = keys

    def run(self) -> Any:
        """Calls it."""
        _check(self._loader, False)
        return self._checked(self._loader(list(self._keys)))

    async def arun(self) -> Any:
        """Calls it, and awaits what it gives if that can be awaited."""
        _check(self._loader, True)
        loaded = self._loader(list(self._keys))
        return self._checked((await loaded) if hasattr(loaded, "__await__") else loaded)

    def _checked(self, loaded: Any) -> Any:
        if not isinstance(loaded, Mapping):
            kind = type(loaded).__qualname__
            raise CacheValueError(f"a loader of many gives a dict of values by key, not a {kind}")
        return loaded

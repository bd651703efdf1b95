"""Options that an engine can't honour: they are refused when a function is decorated."""

from __future__ import annotations

from ._recipe import Recipe
from ._run.tally import kind_of
from .errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._tiers import Tiers

__all__ = [
    "bounds_of",
    "judge_codec",
    "refuse_async",
    "refuse_coherence",
    "refuse_what_engines_lack",
]

_OF_ITS_OWN_TABLE = {
    "weigher": "None in an engine, which maxsize= and max_bytes= bound",
    "max_weight": "None in an engine, which maxsize= and max_bytes= bound",
    "memory_limit": "None before or in an engine, which maxsize= and max_bytes= bound",
    "on_removal": "None before or in an engine, which doesn't tell what leaves it",
    "method": "None in an engine: objects are told by value there, so give their class a method "
    "__cache_key__(), or leave them out by ignore=('self',)",
    "per_instance": "False in an engine: objects are told by value there, so give their class a "
    "method __cache_key__()",
    "typed": "True in an engine: keys are always told by type there",
}
_OF_A_TABLE = {"policy": "'lru' in an engine, which has a policy of its own"}


def bounds_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that are for the engine which is opened."""
    bounds = {name: given.get(name) for name in ("max_bytes", "maxsize")}
    return {name: value for name, value in bounds.items() if value is not None}


def refuse_what_engines_lack(given: Mapping[str, Any], tiers: Tiers) -> None:
    """Judges the options of a function or a store whose results are in an engine.

    Raises:
        ConfigurationError: One of them can't be honoured.
    """
    accepted = _OF_ITS_OWN_TABLE if tiers.near else _OF_ITS_OWN_TABLE | _OF_A_TABLE
    for name, instead in accepted.items():
        value = given.get(name)
        default = True if name == "typed" else getattr(Recipe, name)
        if value is not None and value != default:
            raise refused(name, value, instead)


def refuse_async(tiers: Tiers, what: str) -> None:
    """Judges the engine of what doesn't await.

    Raises:
        ConfigurationError: The engine's methods are coroutine functions.
    """
    if tiers.far is not None and tiers.far.capabilities.async_:
        kind = kind_of(tiers.far)
        raise ConfigurationError(f"the methods of a {kind} are coroutine functions, so {what}")


def refuse_coherence(recipe: Recipe, *, near: bool) -> None:
    """Judges the option `coherence` beside others; the engine itself is asked when it is used.

    Raises:
        ConfigurationError: It can't be honoured.
    """
    terms = recipe.coherence
    if terms is None:
        return
    if not near:
        raise refused(
            "coherence", terms.by, "'ttl', or a near table: ['memory', 'redis://…'] as the engine"
        )
    if recipe.clock is not None:
        raise refused("clock", recipe.clock, "None beside coherence=, which tells by the machine's")


def judge_codec(given: Mapping[str, Any]) -> None:
    """Judges those options that are read when records are made, where there will be none.

    Raises:
        ConfigurationError: One of them has a value that isn't accepted.
    """
    from ._settings import read_setting

    for name in ("codec", "compress", "secret", "encrypt"):
        if given.get(name) is not None:
            read_setting(name, given[name])

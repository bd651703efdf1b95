"""Every cache is known: which there are, what they have counted, and a way to empty them.

The cores know their own gates, weakly: this asks them when it is asked, so it costs a call nothing
and keeps no cache alive. A cache is called by its function's module and name, or by its option
`name`. Several may share a name (a function that was decorated in a loop, a method with
`per_instance=True`): they are counted and emptied together.
"""

from __future__ import annotations

from ._core import gates
from ._options import guess
from .errors import EngineError, refused
from .stats import Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from .types import AsyncCached, Cached, LruCached

    AnyCached: TypeAlias = Cached[..., Any] | AsyncCached[..., Any] | LruCached[..., Any]
if not TYPE_CHECKING:

    def overload(signature):
        """Drops a signature that is there for type checkers only."""


else:
    from typing import overload

__all__ = ["caches", "clear_cache", "get_stats", "invalidate_tags"]

_BOUNDS = ("maxsize", "max_weight")


def caches() -> list[AnyCached]:
    """Every cached function that is alive, the oldest first: those of all decorators."""
    return [gate for gate in gates() if hasattr(type(gate), "cache_info")]  # type: ignore[misc]


@overload
def get_stats(name: None = None) -> dict[str, Stats]: ...
@overload
def get_stats(name: str) -> Stats: ...
def get_stats(name: str | None = None) -> dict[str, Stats] | Stats:
    """What the caches have counted, by name.

    Args:
        name: One cache, by its function's module and name as in `"shop.prices.price"`, or by its
            option `name`; None is all.

    Returns:
        The `Stats` of that name, or a dict of all names. Caches of one name are added up; their
        `maxsize` and `max_weight` are those of the one made last.

    Raises:
        ConfigurationError: No cache has that name.
    """
    if name is not None:
        return _sum(_named(name))
    found: dict[str, list[Any]] = {}
    for cache in caches():
        found.setdefault(_name(cache), []).append(cache)
    return {name: _sum(alike) for name, alike in found.items()}


def clear_cache(name: str | None = None) -> int:
    """Forgets all entries and counts of the caches of a name, or of all that there are.

    Args:
        name: As for `get_stats`.

    Returns:
        How many caches were emptied.

    Raises:
        ConfigurationError: No cache has that name.
    """
    found = caches() if name is None else _named(name)
    for cache in found:
        cache.cache_clear()
    return len(found)


def invalidate_tags(*tags: str) -> None:
    """Forgets all results with one of the tags, in all caches of this process and their engines.

    Of a shared engine it is one write for each tag and namespace in use here, however many results
    have it; other processes see it, too.

    Args:
        tags: The tags, as the option `tags` gives them.

    Raises:
        EngineError: An engine can't serve; all others have forgotten theirs.
    """
    from ._run.drive import run
    from ._stores.tokens import in_use

    error = None
    for tokens in in_use():
        try:
            run(tokens.drop(tags))
        except EngineError as failure:
            error = failure
    for cache in caches():
        forget = getattr(cache, "_forget_tags", None)
        if forget is not None:
            forget(tags)
    if error is not None:
        raise error


def _named(name: str) -> list[Any]:
    everything = caches()
    found = [cache for cache in everything if _name(cache) == name]
    if not found:
        names = sorted({_name(cache) for cache in everything})
        accepted = "the name of a living cache, as get_stats() lists them" + guess(name, names)
        raise refused("name", name, accepted)
    return found


def _name(cache: Any) -> str:
    name: str = cache._registered_name
    return name


def _sum(alike: list[Any]) -> Stats:
    counted = [cache._stats() for cache in alike]
    totals = {
        field: counted[-1][index] if field in _BOUNDS else sum(one[index] for one in counted)
        for index, field in enumerate(Stats._fields)
    }
    return Stats(**totals)

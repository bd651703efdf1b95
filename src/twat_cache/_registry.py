"""Every cache is known: which there are, what they have counted, and a way to empty them.

The cores know their own gates, weakly: this asks them when it is asked, so it costs a call nothing
and keeps no cache alive. Stores are noted here, weakly, too. A cache is called by its function's
module and name, a store by its class, either by its option `name` if that is given. Several may
share a name (a function that was decorated in a loop, a method with `per_instance=True`): they are
counted and emptied together.
"""

from __future__ import annotations

import os
from threading import RLock
from weakref import WeakSet

from ._core import gates
from ._options import guess
from .errors import EngineClosedError, EngineError, refused
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

__all__ = ["caches", "clear_cache", "forget_store", "get_stats", "invalidate_tags", "note_store"]

_BOUNDS = ("maxsize", "max_weight")
_stores: WeakSet[Any] = WeakSet()
_lock = RLock()  # of the set above; finalizers may come upon a cache in here


def note_store(store: Any) -> None:
    """A store is among the caches for as long as it lives, or is open."""
    with _lock:
        _stores.add(store)


def forget_store(store: Any) -> None:
    """A store was closed."""
    with _lock:
        _stores.discard(store)


def caches() -> list[AnyCached]:
    """Every cached function that is alive, the oldest first: those of all decorators."""
    return [gate for gate in gates() if hasattr(type(gate), "cache_info")]  # type: ignore[misc]


def _everything() -> list[Any]:
    """All cached functions, and all stores that are open."""
    with _lock:
        return [*caches(), *_stores]


@overload
def get_stats(name: None = None) -> dict[str, Stats]: ...
@overload
def get_stats(name: str) -> Stats: ...
def get_stats(name: str | None = None) -> dict[str, Stats] | Stats:
    """What the cached functions and the stores have counted, by name.

    Args:
        name: One function, by its module and name as in `"shop.prices.price"`; one store, by its
            class; either by its option `name` if it has one. None is all.

    Returns:
        The `Stats` of that name, or a dict of all names. Caches of one name are added up; their
        `maxsize` and `max_weight` are those of the one made last.

    Raises:
        ConfigurationError: No cache has that name.
    """
    if name is not None:
        return _sum(_named(name))
    found: dict[str, list[Any]] = {}
    for cache in _everything():
        found.setdefault(_name(cache), []).append(cache)
    return {name: _sum(alike) for name, alike in found.items()}


def clear_cache(name: str | None = None) -> int:
    """Forgets all entries and counts of the functions and stores of a name, or of all there are.

    Args:
        name: As for `get_stats`.

    Of what is in an engine, the entries of these functions go, and of a store all that is in its
    namespace.

    Returns:
        How many caches were emptied.

    Raises:
        ConfigurationError: No cache has that name.
        EngineError: An engine can't serve, or is asynchronous; all others are empty. One that was
            closed is passed over.
    """
    error = None
    found = _everything() if name is None else _named(name)
    for cache in found:
        try:
            (getattr(cache, "_empty", None) or cache.cache_clear)()
        except EngineClosedError:
            pass  # nothing is read from it any more
        except EngineError as failure:
            error = failure
    if error is not None:
        raise error
    return len(found)


def invalidate_tags(*tags: str) -> None:
    """Forgets all results with one of the tags, in all caches of this process and their engines.

    Of a shared engine it is one write for each tag and namespace in use here, however many results
    have it; other processes see it, too.

    Args:
        tags: The tags, as the option `tags` gives them.

    Raises:
        ConfigurationError: A tag is no text, or empty.
        EngineError: An engine can't serve, or is asynchronous (`AsyncCache.invalidate_tags` awaits
            it); all others have forgotten theirs. One that was closed is passed over.
    """
    from ._run.drive import run
    from ._stores.tokens import in_use

    given: tuple[Any, ...] = tags
    if not all(isinstance(tag, str) and tag for tag in given):
        raise refused("tags", given, "texts that aren't empty, such as 'user:1'")
    error = None
    for tokens in in_use() if tags else ():
        try:
            run(tokens.drop(tags))
        except EngineClosedError:
            pass  # nothing is read from it any more
        except EngineError as failure:
            error = failure
    for cache in _everything():
        forget = getattr(cache, "_forget_tags", None)
        if forget is not None:
            forget(tags)
    if error is not None:
        raise error


def _named(name: str) -> list[Any]:
    everything = _everything()
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


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()  # the old ones may be held by threads that the child hasn't
    for store in list(_stores):
        store._renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

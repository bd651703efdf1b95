"""What a cache tells of what it does beyond answering from memory: to hooks, as it happens.

    from twat_cache import events

    stop = events.subscribe(print)
    ...
    stop()

A hit tells nothing. A hook is called in the thread of the call that it is told about, so a slow
hook makes misses slow. The classes of events are loaded when the first one is told.
"""

from __future__ import annotations

from contextvars import ContextVar
from threading import local

from ._fork_lock import ForkSafeLock
from ._kinds import is_coroutine_function
from .errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from .event_types import (
        EngineFailed,
        Event,
        Loaded,
        LoadFailed,
        NotStored,
        RecordRefused,
        Refreshed,
        RefreshFailed,
        StaleServed,
        Stored,
        Waited,
    )

    Hook: TypeAlias = Callable[[Event], object]

__all__ = [
    "EngineFailed",
    "Event",
    "LoadFailed",
    "Loaded",
    "NotStored",
    "RecordRefused",
    "RefreshFailed",
    "Refreshed",
    "StaleServed",
    "Stored",
    "Waited",
    "request_id",
    "subscribe",
]

request_id: ContextVar[str] = ContextVar("twat_cache.request_id", default="")
"""What the program calls the request that it is serving; log lines show it, if it is set."""

hooks: tuple[Callable[[Event], object], ...] = ()
"""All hooks. Whoever has something to tell looks here first: no event is made for nobody."""

_MOST_TOLD = 100

_lock = ForkSafeLock()
_telling = local()
_told: set[str] = set()


def subscribe(hook: Hook) -> Callable[[], None]:
    """Has every event of every cache told to a function, until what is returned is called.

    Args:
        hook: Is called with each event, one after the other in a thread, and by several threads at
            once. What it raises is logged once for each place, under the logger `twat_cache`, and
            reaches no caller. What it causes in caches is told to nobody.

    Returns:
        A function without arguments that ends the subscription; again does nothing.

    Raises:
        ConfigurationError: The hook can't be called, or is a coroutine function.
    """
    global hooks  # noqa: PLW0603 (who tells must read one name, and no call)
    given: object = hook
    if not callable(given) or is_coroutine_function(given):
        raise refused("hook", hook, "a function of one event, and no coroutine function")
    mine = [hook]
    with _lock:
        hooks = (*hooks, hook)

    def unsubscribe() -> None:
        global hooks  # noqa: PLW0603
        with _lock:
            if mine:
                rest = list(hooks)
                del rest[next(i for i, one in enumerate(rest) if one is mine[0])]
                hooks = tuple(rest)
                mine.clear()

    return unsubscribe


def emit(event: Event) -> None:
    """Tells every hook; never raises what a hook raises."""
    if getattr(_telling, "is_on", False):
        return
    _telling.is_on = True
    try:
        for hook in hooks:
            try:
                hook(event)
            except Exception as error:
                _note(event, error)
    finally:
        _telling.is_on = False


def _note(event: Event, error: Exception) -> None:
    """Logs what a hook raised, once for each place: the class, since a message may tell a key."""
    from ._listener import place_of

    what = f"{type(error).__qualname__}{place_of(error)}"
    with _lock:
        if what in _told or len(_told) >= _MOST_TOLD:
            return
        _told.add(what)
    from logging import getLogger

    getLogger("twat_cache").error(
        "A hook that was told %s of %s raised %s. The same again won't be logged",
        type(event).__name__,
        event.cache,
        what,
    )


def __getattr__(name: str) -> object:
    """Loads the classes of events when one is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import event_types

    value: object = getattr(event_types, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""`debug()`: events as lines of a log, with loguru where it is installed, else by `logging`.

Loaded only when a log is asked for; until then nobody listens, and no event is made.
"""

from __future__ import annotations

import os
from dataclasses import asdict

from ._fork_lock import ForkSafeLock
from ._sinks import LEVELS, sink
from .errors import refused
from .events import request_id, subscribe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._sinks import Write
    from .event_types import Event

__all__ = ["SWITCH", "debug", "log_if_asked"]

SWITCH = "TWAT_CACHE_LOG"

_DEBUG, _WARNING = "DEBUG", "WARNING"
_LINES = {
    "Loaded": (_DEBUG, "loaded"),
    "LoadFailed": (_DEBUG, "load failed"),
    "Waited": (_DEBUG, "waited"),
    "Stored": (_DEBUG, "stored"),
    "NotStored": (_WARNING, "not stored"),
    "Refreshed": (_DEBUG, "refreshed"),
    "RefreshFailed": (_WARNING, "refresh failed"),
    "StaleServed": (_DEBUG, "stale served"),
    "EngineFailed": (_WARNING, "engine failed"),
    "RecordRefused": (_WARNING, "record refused"),
}

_lock = ForkSafeLock()
_stops: list[Callable[[], None]] = []


def debug(level: str = "DEBUG") -> Callable[[], None]:
    """Logs what caches do on a miss; of a hit nothing is logged.

    The lines go to loguru where it is installed (`pip install 'twat-cache[log]'`), otherwise to the
    logger `twat_cache` of `logging`, whose level is set to this one meanwhile; if no handler is
    there to take them, they go to standard error. The fields of the event are in the line, and
    beside it as `extra`; so is `request_id`, if `twat_cache.events.request_id` is set.

    There is one log: asking again changes its level. Safe in any thread.

    Args:
        level: `"DEBUG"` for everything, or `"INFO"`, `"WARNING"` or `"ERROR"` for as much as that.

    Returns:
        A function without arguments that ends this log; again does nothing.

    Raises:
        ConfigurationError: There is no such level.
    """
    return _debug(level, "level")


def log_if_asked() -> None:
    """Does as `debug` if the environment says `TWAT_CACHE_LOG=DEBUG`, or another level.

    Raises:
        ConfigurationError: There is no such level.
    """
    level = os.environ.get(SWITCH, "")
    if level.lower() not in ("", "0", "false"):
        _debug("DEBUG" if level.lower() in ("1", "true") else level, SWITCH)


def _debug(level: object, option: str) -> Callable[[], None]:
    least = LEVELS.get(level.upper()) if isinstance(level, str) else None
    if least is None:
        raise refused(option, level, ", ".join(map(repr, LEVELS)))
    with _lock:
        while _stops:
            _stops.pop()()
        write, end = sink(least)
        unsubscribe = subscribe(_hook(write, least))

        def close() -> None:
            unsubscribe()
            end()

        _stops.append(close)

    def stop() -> None:
        with _lock:
            if close in _stops:
                _stops.remove(close)
                close()

    return stop


def _hook(write: Write, least: int) -> Callable[[Event], None]:
    def hook(event: Event) -> None:
        name = type(event).__name__
        level, words = _LINES[name]
        if getattr(event, "reason", "refreshing") != "refreshing":
            level = _WARNING  # the function is slow, or fails
        number = LEVELS[level]
        if number < least:
            return
        fields = {field: value for field, value in asdict(event).items() if value != ""}
        if request := request_id.get():
            fields["request_id"] = request
        text = " ".join([words, *(f"{field}={_shown(value)}" for field, value in fields.items())])
        write(number, text, {"event": name, **fields})

    return hook


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)

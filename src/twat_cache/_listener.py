"""`on_removal=`: a user's function that hears of each entry that leaves."""

from __future__ import annotations

from ._fork_lock import ForkSafeLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Listener", "place_of"]

_MOST_CLASSES = 100


class Listener:
    """A core's `on_removal` hook, which never raises.

    What the user's function raises is counted, and logged once for each class of exception under
    the logger `twat_cache`: the class and the place, but not the message, which may hold a key.

    Attributes:
        errors: How often it raised.
    """

    def __init__(self, function: Callable[[Any, Any, str], object], label: str) -> None:
        """Takes the function, and what the log shall call the cache."""
        self.errors = 0
        self._function = function
        self._label = label
        self._told: set[str] = set()
        self._lock = ForkSafeLock()

    def __call__(self, key: Any, value: Any, cause: str) -> None:
        """Tells the user's function."""
        try:
            self._function(key, value, cause)
        except Exception as error:
            self._note(error)

    def reset(self) -> None:
        """Counts from zero again; what was logged once is still not logged again."""
        self.errors = 0

    def _note(self, error: Exception) -> None:
        cls = type(error)
        name = f"{cls.__module__}.{cls.__qualname__}"
        with self._lock:
            self.errors += 1
            is_new = name not in self._told and len(self._told) < _MOST_CLASSES
            if is_new:
                self._told.add(name)
        if is_new:
            from logging import getLogger

            getLogger("twat_cache").error(
                "%s(): on_removal raised %s%s. More of this class will only be counted, in "
                "stats().listener_errors",
                self._label,
                name.removeprefix("builtins."),
                place_of(error),
            )


def place_of(error: Exception) -> str:
    """Where it was raised."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f" at {code.co_filename}:{trace.tb_lineno}, in {code.co_name}"

"""What an engine has to be told as soon as it can be asked again.

A value that couldn't be written isn't written late: another machine may have changed it since, and
dropped what belongs to it. What has to reach the engine is that the value before is of no use. So
all that is kept here are keys to be dropped, however they came to be due, and they can be told
twice and in any order.
"""

from __future__ import annotations

from weakref import WeakMethod

from .._fork_lock import ForkSafeLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .._run.drive import Steps

    Work = Callable[[Any], Steps[Any]]
    """Steps that ask the engine which they are given."""

__all__ = ["Outbox"]


class Outbox:
    """Keys to be dropped, up to so many, and greater things to be done. Thread-safe.

    If there are more keys, all that caches have in the engine is to be dropped instead: so what
    nobody remembers is not served either.

    Args:
        most: How many keys.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = ForkSafeLock()
        self._keys: dict[str, None] = {}
        self._work: dict[Any, Work] = {}
        self._clearings: dict[str, Any] = {}
        self.overflows = 0
        """How often there were too many keys."""

    def __len__(self) -> int:
        """How many keys and works there are."""
        return len(self._keys) + len(self._work)

    def clears(self, prefix: str, clear: Work) -> None:
        """Notes how all keys that begin so are dropped, by a method that is held weakly."""
        with self._lock:
            self._clearings = {p: c for p, c in self._clearings.items() if c() is not None}
            self._clearings[prefix] = WeakMethod(
                clear
            )  # any of those that share the prefix will do

    def drop(self, keys: Iterable[str]) -> None:
        """These keys are to be dropped."""
        with self._lock:
            self._keys.update(dict.fromkeys(keys))
            if len(self._keys) > self._most:
                self.overflows += 1
                self._keys.clear()
                for prefix, method in self._clearings.items():
                    clear = method()
                    if clear is not None:
                        self._work[prefix] = clear

    def do(self, name: Any, work: Work) -> None:
        """Something greater is to be done; once, if it has the same name."""
        with self._lock:
            self._work[name] = work

    def take(self, many: int) -> tuple[list[str], list[tuple[Any, Work]]]:
        """Up to so many keys and all work, which are no longer in here; give back what fails."""
        with self._lock:
            work, self._work = list(self._work.items()), {}
            keys = list(self._keys)[:many]
            for key in keys:
                del self._keys[key]
        return keys, work

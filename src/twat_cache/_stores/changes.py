"""What was changed lately, so that a computation that began before doesn't undo it."""

from __future__ import annotations

from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Changes"]

_STRIPES = 256


class Changes:
    """Stamps of keys; a change gives a key, and some others, a new one. Thread-safe."""

    __slots__ = ("_next", "_stamps")

    def __init__(self) -> None:
        self._next = count(1).__next__
        self._stamps = [0] * _STRIPES

    def stamp(self, key: str) -> int:
        """The key's stamp; if it is the same later, the key wasn't changed."""
        return self._stamps[hash(key) % _STRIPES]

    def note(self, keys: Iterable[str]) -> None:
        """These keys are changed."""
        for key in keys:
            self._stamps[hash(key) % _STRIPES] = self._next()

    def note_all(self) -> None:
        """All keys are changed."""
        for stripe in range(_STRIPES):
            self._stamps[stripe] = self._next()

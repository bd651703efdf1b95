"""Random: any entry may leave, each with the same chance.

No order is kept, and a hit leaves nothing behind that matters. All entries stand in one list, so
that one can be drawn from it in O(1); the last takes the place of one that leaves. An entry knows
its place.

The numbers come from a generator of the table's own: drawing one must not disturb those who have
seeded Python's.
"""

from __future__ import annotations

from operator import attrgetter
from random import Random

from . import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..store import Entry

__all__ = ["RANDOM"]


class RANDOM(Policy):
    """All alike."""

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        super().__init__(entries, maxsize)
        self._all: list[Entry] = []
        self._below = Random().randrange

    def added(self, entry: Entry) -> None:
        """It stands last."""
        entry.place = len(self._all)
        self._all.append(entry)

    def left(self, entry: Entry) -> None:
        """The last takes its place."""
        last = self._all.pop()
        if last is not entry:
            last.place = entry.place
            self._all[last.place] = last

    def victim(self) -> Entry | None:
        """Any."""
        return self._all[self._below(len(self._all))] if self._all else None

    def order(self) -> list[Entry]:
        """By arrival: which of them is next nobody knows."""
        return sorted(self._all, key=attrgetter("since"))

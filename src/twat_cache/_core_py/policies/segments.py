"""The three queues of W-TinyLFU: a window for newcomers, and a main part that is hard to get into.

After Einziger, Friedman and Manes (see `tinylfu`). What is new enters the *window*, an LRU queue.
Who falls out of it joins *probation*, the part of the main space that has yet to prove itself; a
use there takes it up to *protected*, four fifths of the main space, and whoever falls out of that
is on probation again: a segmented LRU (Karedla, Love and Wherry, IEEE Computer, 1994).

Somebody has to leave. While the window isn't full, that is the last of probation. Else it is the
last of the window or the last of probation, whoever was seen less often lately. If they are even,
or the one from the window is ahead by one only, it is that one, or a loop longer than the cache
would push everything out.

The window's share may change, from a hundredth of all to all, which is plain LRU. Nothing is moved
then. A window that is too small takes its room from the main part, newcomer by newcomer; from one
that is too large, and from too large a protected part, a few items move on with each change.

Items are what its user likes, by identity or by value; entries, or hashes.
"""

from __future__ import annotations

from collections import OrderedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Segments"]

_STEP = 16


class Segments:
    """Window, probation and protected, each least recently used first.

    `parts` is the window's share: 100 is a hundredth of all, 1 is all. What `size` is, all of it,
    is told with each step.
    """

    __slots__ = ("parts", "probation", "protected", "window")

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.window: OrderedDict[Any, None] = OrderedDict()
        self.probation: OrderedDict[Any, None] = OrderedDict()
        self.protected: OrderedDict[Any, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self.window) + len(self.probation) + len(self.protected)

    def add(self, item: Any, size: int) -> None:
        """Takes in what is new."""
        window, probation = self.window, self.probation
        window[item] = None
        room = size // self.parts or 1
        for _ in range(min(len(window) - room, _STEP)):
            probation[window.popitem(last=False)[0]] = None
        self._demote(size - room)

    def use(self, item: Any, size: int) -> bool:
        """Sees to a use of an item; False if it isn't here."""
        if item in self.protected:
            self.protected.move_to_end(item)
        elif item in self.window:
            self.window.move_to_end(item)
        elif item in self.probation:
            del self.probation[item]
            self.protected[item] = None
            self._demote(size - (size // self.parts or 1))
        else:
            return False
        return True

    def _demote(self, main: int) -> None:
        probation, protected = self.probation, self.protected
        for _ in range(min(len(protected) - main * 4 // 5, _STEP)):
            probation[protected.popitem(last=False)[0]] = None

    def remove(self, item: Any) -> None:
        """Takes an item out."""
        for queue in (self.window, self.probation, self.protected):
            if item in queue:
                del queue[item]
                return

    def victim(self, size: int, frequency: Callable[[Any], int]) -> Any:
        """Who has to leave; None if nobody is here."""
        new = next(iter(self.window), None)
        old = next(iter(self.probation or self.protected), None)
        if new is None or old is None:
            return old if new is None else new
        if len(self.window) < (size // self.parts or 1):
            return old
        return old if frequency(new) > frequency(old) + 1 else new

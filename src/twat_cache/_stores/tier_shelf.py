"""A near table before an engine, by name: what is read far is near then, and changes go to both."""

from __future__ import annotations

from .in_tiers import TieredStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from .._run.call import Found
    from .._run.drive import Steps
    from .engine_shelf import EngineShelf
    from .table_shelf import TableShelf

__all__ = ["TierShelf"]


class TierShelf(TieredStore):
    """As `TieredStore`; the engine decides, and what it refuses the table doesn't have."""

    near: TableShelf
    far: EngineShelf

    def read(self, places: Sequence[str]) -> Steps[list[Found | None]]:
        """What there is, the engine asked for what the table doesn't have."""
        found = dict(zip(places, (yield from self.near.read(places)), strict=True))
        missing = [place for place, one in found.items() if one is None]
        if missing:
            found.update(zip(missing, (yield from self.far.read(missing)), strict=True))
        return [found[place] for place in places]

    def write(
        self, items: Mapping[str, Any], lasts: float | None, tags: Collection[str] = ()
    ) -> Steps[None]:
        """Stores the values far; near they are when they are first read.

        Of two who write a key at once, who comes last is known to the engine only.
        """
        yield from self.near.drop(list(items))
        yield from self.far.write(items, lasts, tags)
        yield from self.near.drop(list(items))

    def add(
        self, place: str, value: Any, lasts: float | None, tags: Collection[str] = ()
    ) -> Steps[bool]:
        """Stores the value if the engine has none; tells whether it did."""
        added = yield from self.far.add(place, value, lasts, tags)
        yield from self.near.drop([place])
        return added

    def drop(self, places: Sequence[str]) -> Steps[int]:
        """Forgets the keys; tells how many the engine had."""
        yield from self.near.drop(places)
        dropped = yield from self.far.drop(places)
        yield from self.near.drop(places)
        return dropped

    def drop_all(self, prefix: str) -> Steps[int]:
        """Forgets all keys that begin so; tells how many the engine had."""
        dropped = yield from self.far.drop_all(prefix)
        yield from self.near.drop_all(prefix)
        return dropped

    def names(self, prefix: str) -> Steps[list[str]]:
        """The engine's keys that begin so."""
        return (yield from self.far.names(prefix))

    def touch(self, places: Sequence[str], lasts: float | None) -> Steps[int]:
        """Gives values so many seconds from now; tells how many of them the engine had."""
        touched = yield from self.far.touch(places, lasts)
        yield from self.near.drop(places)
        return touched

    def change(
        self, place: str, function: Callable[[Any], Any], start: Any, lasts: float | None
    ) -> Steps[Any]:
        """Puts what a function makes of the engine's value in its place; gives the new value."""
        value = yield from self.far.change(place, function, start, lasts)
        yield from self.near.drop([place])
        return value

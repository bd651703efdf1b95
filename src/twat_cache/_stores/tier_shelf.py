"""A near table before an engine, by name: what is read far is near then, and changes go to both."""

from __future__ import annotations

from .._run.call import Call
from .in_tiers import TieredStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from .._run.call import Found
    from .._run.drive import Steps
    from .engine_shelf import Lasts, Times
    from .table_shelf import TableShelf

__all__ = ["TierShelf"]


class TierShelf(TieredStore):
    """As `TieredStore`; the engine decides, and what it refuses the table doesn't have.

    What is written goes to the engine, and is in the table when it is read: of two who write a key
    at once, only the engine knows who came last. The table forgets before and after, also if the
    engine fails: it may have done what it was asked.
    """

    near: TableShelf

    def read(self, places: Sequence[str]) -> Steps[list[Found | None]]:
        """What there is, the engine asked for what the table doesn't have."""
        found = dict(zip(places, (yield from self.near.read(places)), strict=True))
        missing = [place for place, one in found.items() if one is None or one.left <= 0]
        if missing:
            ways = [self._promotion(_shadow(place)) for place in missing]
            try:
                there = yield from self.far.read(missing)
                for way, one in zip(ways, there, strict=True):
                    way.take(one)
            finally:
                for way in ways:
                    way.end()
            found.update(zip(missing, there, strict=True))
        return [found[place] for place in places]

    def write(
        self, items: Mapping[str, Any], times: Times, tags: Collection[str] = ()
    ) -> Steps[None]:
        """Stores the values."""
        yield from self._changed(list(items), self.far.write(items, times, tags))

    def add(
        self, place: str, value: Any, lasts: float | None, tags: Collection[str] = ()
    ) -> Steps[bool]:
        """Stores the value if the engine has none; tells whether it did."""
        added: bool = yield from self._changed([place], self.far.add(place, value, lasts, tags))
        return added

    def drop(self, places: Sequence[str]) -> Steps[int]:
        """Forgets the keys; tells how many the engine had."""
        dropped: int = yield from self._changed(places, self.far.drop(places))
        return dropped

    def drop_all(self, prefix: str) -> Steps[None]:
        """Forgets all keys that begin so."""
        yield from self.far.drop_all(prefix)
        yield from self.near.drop_all(prefix)

    def names(self, prefix: str) -> Steps[list[str]]:
        """The engine's keys that begin so."""
        return (yield from self.far.names(prefix))

    def touch(self, places: Sequence[str], lasts: Lasts) -> Steps[int]:
        """Gives values another time from now; tells how many of them the engine had."""
        touched: int = yield from self._changed(places, self.far.touch(places, lasts))
        return touched

    def change(
        self, place: str, function: Callable[[Any], Any], start: Any, lasts: Lasts
    ) -> Steps[Any]:
        """Puts what a function makes of the engine's value in its place; gives the new value."""
        change = self.far.change(place, function, start, lasts)
        return (yield from self._changed([place], change))

    def _changed(self, places: Sequence[str], change: Steps[Any]) -> Steps[Any]:
        yield from self.near.drop(places)
        try:
            return (yield from change)
        finally:
            for place in places:
                self.near.table.discard((place,))

    # -- many computations at a time ----------------------------------------------------------

    def depart_many(self, places: Sequence[str], tags: Collection[str]) -> Steps[Any]:
        """Both tiers' notes."""
        near = yield from self.near.depart_many(places, tags)
        try:
            return near, (yield from self.far.depart_many(places, tags))
        except BaseException:  # nobody will abandon what never departed
            self.near.abandon_many(near)
            raise

    def keep_many(self, items: Mapping[str, Any], times: Times, departed: Any) -> Steps[None]:
        """Keeps what was computed in the engine, and in the table."""
        near, far = departed
        are_near: list[str] = []
        try:
            there = yield from self.far.keep_many(items, times, far)
            lives = {place: self._near_life(times[place]) for place in there}
            lasting = [place for place, life in lives.items() if life is None or life > 0]
            kept = {place: items[place] for place in lasting}
            are_near = yield from self.near.keep_many(kept, lives, near)
        finally:
            for place in items.keys() - set(are_near):
                self.near.table.discard((place,))

    def _near_life(self, life: float | None) -> float | None:
        """Until the engine has to be asked."""
        return None if life is None else life - self.far.margin(life, 0.0)

    def abandon_many(self, departed: Any) -> None:
        """Ends both notes."""
        near, far = departed
        self.near.abandon_many(near)
        self.far.abandon_many(far)


def _shadow(place: str) -> Call:
    return Call(place, (place,), dict)

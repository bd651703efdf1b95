"""A table's results by name, also to be read, written, listed and changed by hand."""

from __future__ import annotations

from threading import RLock

from .._run.call import Call
from .in_table import TimedTableStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from .._run.call import Found
    from .._run.drive import Steps

__all__ = ["TableShelf"]


class TableShelf(TimedTableStore):
    """As `TimedTableStore`, on a table whose keys are one text each; waits for nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._changing = RLock()  # values compare and copy by anybody's code

    def _call(self, place: str, tags: Collection[str] | None = None) -> Call:
        call = Call(place, (place,), _nothing, is_forced=True)
        call.tags = tags
        return call

    def read(self, places: Sequence[str]) -> Steps[list[Found | None]]:
        """What there is, fresh or stale, in the order of the keys."""
        yield from ()  # a generator, though it waits for nothing
        return [self.look(self._call(place)) for place in places]

    def write(
        self, items: Mapping[str, Any], lasts: float | None, tags: Collection[str] = ()
    ) -> Steps[None]:
        """Stores the values."""
        for place, value in items.items():
            call = self._call(place, tags)
            call.ttl = float("inf") if lasts is None else lasts
            nanoseconds, weight = self._terms(value, call)
            if nanoseconds is None or nanoseconds >= 0:
                self.put(call, self._copied(value), nanoseconds, weight)
            else:
                self.table.discard(call.place)
        yield from ()  # a generator, though it waits for nothing

    def add(
        self, place: str, value: Any, lasts: float | None, tags: Collection[str] = ()
    ) -> Steps[bool]:
        """Stores the value if there is none; tells whether it did."""
        with self._changing:
            (found,) = yield from self.read([place])
            if found is not None and found.left > 0:
                return False
            yield from self.write({place: value}, lasts, tags)
            return True

    def drop(self, places: Sequence[str]) -> Steps[int]:
        """Forgets the keys, and grounds what is computed for them; tells how many there were."""
        yield from ()
        return sum(self.table.discard((place,)) for place in places)

    def drop_all(self, prefix: str) -> Steps[int]:
        """Forgets all keys that begin so; tells how many there were."""
        return (yield from self.drop((yield from self.names(prefix))))

    def names(self, prefix: str) -> Steps[list[str]]:
        """The keys that begin so and aren't past their time."""
        yield from ()
        return [key[0] for key, _ in self.table.items() if key[0].startswith(prefix)]

    def touch(self, places: Sequence[str], lasts: float | None) -> Steps[int]:
        """Gives values so many seconds from now; tells how many of them were there."""
        touched = 0
        with self._changing:
            found = yield from self.read(places)
            for place, one in zip(places, found, strict=True):
                if one is not None and one.left > 0 and not one.raised:
                    yield from self.write({place: one.value}, lasts, self._tags_of(place))
                    touched += 1
        return touched

    def change(
        self, place: str, function: Callable[[Any], Any], start: Any, lasts: float | None
    ) -> Steps[Any]:
        """Puts what a function makes of a value in its place; gives the new value."""
        with self._changing:
            (found,) = yield from self.read([place])
            if found is None or found.left <= 0 or found.raised:
                value = function(start)
            else:
                value = function(found.value)
                lasts = None if found.left == float("inf") else found.left
            yield from self.write({place: value}, lasts, self._tags_of(place))
        return value

    def _tags_of(self, place: str) -> Collection[str]:
        return () if self._tags is None else self._tags.tags_at((place,))


def _nothing() -> None:
    """What a call by hand would compute."""

"""A table's results by name, also to be read, written, listed and changed by hand.

It waits for nothing; its methods are steps, so that those of engines can stand in their place.
"""

from __future__ import annotations

from math import inf
from threading import RLock

from .._run.call import Call
from .in_table import TimedTableStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any

    from .._run.call import Found
    from .._run.drive import Steps
    from .engine_shelf import Lasts, Times
    from .in_table import Terms

__all__ = ["TableShelf"]

_TRIES = 100


class TableShelf(TimedTableStore):
    """As `TimedTableStore`, on a table whose keys are one text each."""

    _terms: Terms  # always given here

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.renew_lock()

    def renew_lock(self) -> None:
        """Begins anew; the lock may be held by a thread that a forked child hasn't."""
        self._changing = RLock()  # of those who change what is there: they go one by one

    def look(self, call: Call) -> Found | None:
        """As `TimedTableStore.look`; and the policy learns of it, since here no gate tells it."""
        self.table.get(call.place)
        return super().look(call)

    def read(self, places: Sequence[str]) -> Steps[list[Found | None]]:
        """What there is, fresh or stale, in the order of the keys."""
        yield from ()
        return [self.look(_call(place)) for place in places]

    def write(
        self, items: Mapping[str, Any], times: Times, tags: Collection[str] = ()
    ) -> Steps[None]:
        """Stores the values; those that aren't to be stored are dropped."""
        yield from ()
        for place, value in items.items():
            call = _call(place, tags, times[place])
            time, weight = self._terms(value, call)
            if time is None or time >= 0:
                self.put(call, self._copied(value), time, weight)
            else:
                self.table.discard(call.place)

    def add(
        self, place: str, value: Any, lasts: float | None, tags: Collection[str] = ()
    ) -> Steps[bool]:
        """Stores the value if there is none; tells whether it did."""
        yield from ()
        call = _call(place, tags, lasts)
        for _ in range(_TRIES):
            departed = self.depart(call)
            try:
                if self._value(call) is not None:
                    return False
                time, weight = self._terms(value, call)
                if self._store(call, departed, self._copied(value), time, weight, False):
                    return True
            finally:
                self.abandon(departed)
        return False  # there is no room for it

    def drop(self, places: Sequence[str]) -> Steps[int]:
        """Forgets the keys, and grounds what is computed for them; tells how many there were."""
        yield from ()
        return sum(self.table.discard((place,)) for place in places)

    def drop_all(self, _: str) -> Steps[None]:
        """Forgets everything, and grounds what is computed."""
        yield from ()
        self.table.clear()

    def forget_tags(self, tags: Iterable[str]) -> None:
        """Forgets what has one of the tags."""
        if self._tags is not None:
            self._tags.drop(tags)

    def names(self, prefix: str) -> Steps[list[str]]:
        """The keys that begin so and aren't past their time."""
        yield from ()
        return [key[0] for key, _ in self.table.items() if key[0].startswith(prefix)]

    def touch(self, places: Sequence[str], lasts: Lasts) -> Steps[int]:
        """Gives values another time from now; tells how many of them were there."""
        touched = 0
        for place in places:
            touched += yield from self._replaced(
                place, lambda found: (found.value, lasts(found.value))
            )
        return touched

    def change(
        self, place: str, function: Callable[[Any], Any], start: Any, lasts: Lasts
    ) -> Steps[Any]:
        """Puts what a function makes of a value in its place; gives the new value.

        The value keeps its time. Where there is none, the function gets `start`, and what it makes
        lasts as `lasts` says.
        """
        made: list[Any] = []

        def changed(found: Found | None) -> tuple[Any, float | None]:
            made[:] = [function(start if found is None else found.value)]
            if found is None:
                return made[0], lasts(made[0])
            return made[0], None if found.left == inf else found.left

        yield from self._replaced(place, changed, add=True)
        return made[0]

    # -- many computations at a time ----------------------------------------------------------

    def depart_many(self, places: Sequence[str], tags: Collection[str]) -> Steps[Any]:
        """Notes that values for these keys are computed, all with these tags."""
        yield from ()
        calls = {place: _call(place, tags) for place in places}
        return {place: (call, self.depart(call)) for place, call in calls.items()}

    def keep_many(self, items: Mapping[str, Any], times: Times, departed: Any) -> Steps[list[str]]:
        """Keeps what was computed, of that what wasn't grounded; gives those keys."""
        yield from ()
        kept = []
        for place, value in items.items():
            call, one = departed[place]
            time = times[place]
            call.ttl = inf if time is None else time
            if self.keep(call, value, one):
                kept.append(place)
        return kept

    def abandon_many(self, departed: Any) -> None:
        """Ends the notes."""
        for _, one in departed.values():
            self.abandon(one)

    # -- what they share ----------------------------------------------------------------------

    def _value(self, call: Call) -> Found | None:
        """What there is, if it is fresh and no exception."""
        found = self.look(call)
        return None if found is None or found.left <= 0 or found.raised else found

    def _replaced(
        self,
        place: str,
        change: Callable[[Any], tuple[Any, float | None]],
        *,
        add: bool = False,
    ) -> Steps[bool]:
        """Puts another value, or another time, in the place of what is there."""
        yield from ()
        with self._changing:
            for _ in range(_TRIES):
                call = _call(place)
                call.tags = () if self._tags is None else self._tags.tags_at((place,))
                departed = self.depart(call)
                try:
                    found = self._value(call)
                    if found is None and not add:
                        return False
                    value, lasts = change(found)
                    call.ttl = inf if lasts is None else lasts
                    time, weight = self._terms(value, call)
                    if time is not None and time < 0:
                        self.table.discard(call.place)
                        return True
                    if self._store(call, departed, value, time, weight, True):
                        return True
                finally:
                    self.abandon(departed)
        return False  # there is no room for it


def _call(place: str, tags: Collection[str] | None = None, lasts: float | None = None) -> Call:
    call = Call(place, (place,), _nothing)
    call.tags = tags
    call.ttl = inf if lasts is None else lasts
    return call


def _nothing() -> None:
    """What a call by hand would compute."""

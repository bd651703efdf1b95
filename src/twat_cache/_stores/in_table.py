"""Results in a table of the core: objects, as they are."""

from __future__ import annotations

from math import inf

from .. import _overrides
from .._run.call import Found
from .._run.exceptions import put_together, taken_apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .._core import Table
    from .._run.call import Call
    from .._run.early import Early
    from .tag_index import TagIndex

    Terms = Callable[[Any, Call], tuple[int | None, int]]

__all__ = ["PlainTableStore", "TableStore", "TimedTableStore"]

_MISSING: Any = object()
_ALIKE: tuple[int | None, int] = (0, 1)
_AGES = 2_000_000_000.0  # seconds, some 63 years: a table's clock can tell no more than 292


class TableStore:
    """Fresh results; what is past its time is gone. Waits for nothing.

    Args:
        table: Where they are.
        terms: Gives the nanoseconds that a result lasts (None is for ever, 0 the table's time, less
            than 0 not at all) and its weight.
        copier: Copies what is stored.
        tags: Which entries have which tags, if any may have some.
        alike: Whether each result lasts for the table's time and weighs the same, so that terms are
            not asked, unless something overrides them.
    """

    waits = False

    def __init__(
        self,
        table: Table,
        terms: Terms,
        copier: Callable[[Any], Any] | None = None,
        *,
        tags: TagIndex | None = None,
        alike: bool = False,
    ) -> None:
        self.table = table
        self._terms = terms
        self._alike = alike
        self._copier = copier
        self._tags = tags

    def look(self, call: Call) -> Found | None:
        """What another has stored since the call was made."""
        value = self.table.peek(call.place, _MISSING)
        if value is _MISSING:
            return None
        return Found(self._copied(value), inf, 0.0)

    def depart(self, call: Call) -> Any:
        """The table's own note, and that of the tags."""
        if self._tags is None:
            return self.table.depart(call.place), None
        tagged = self._tags.depart(call)
        return self.table.depart(call.place), tagged

    def keep(
        self,
        call: Call,
        value: Any,
        departed: Any,
        raised: int = 0,  # noqa: ARG002 - exceptions are for `TimedTableStore`
    ) -> bool:
        """Stores the result, if its terms want it stored; tells whether it did."""
        if self._alike and _overrides.find is None:
            lasts, weight = _ALIKE
        else:
            lasts, weight = self._terms(value, call)
        if lasts is None or lasts >= 0:
            if self._copier is not None:
                value = self._copier(value)
            return self._store(call, departed, value, lasts, weight, call.is_forced)
        return False

    def put(self, call: Call, value: Any, lasts: int | None, weight: int) -> None:
        """Stores a value by hand for so many nanoseconds; nothing on its way will replace it."""
        self.table.put(call.place, value, lasts, weight=weight)
        if self._tags is not None:
            self._put_again(call, value, lasts, weight)

    def _put_again(self, call: Call, value: Any, lasts: int | None, weight: int) -> None:
        """With its tags, and with all its deadlines."""
        tagged = None if self._tags is None else self._tags.depart(call)
        departed = self.table.depart(call.place), tagged
        try:
            self._store(call, departed, value, lasts, weight, True)
        finally:
            self.abandon(departed)

    def abandon(self, departed: Any) -> None:
        """Ends both notes."""
        flight, tagged = departed
        self.table.abandon(flight)
        if tagged is not None:
            self._tags.abandon(tagged)  # type: ignore[union-attr]

    def _copied(self, value: Any) -> Any:
        return value if self._copier is None else self._copier(value)

    def _store(
        self,
        call: Call,  # noqa: ARG002 - those who have deadlines ask how long it took
        departed: Any,
        value: Any,
        lasts: int | None,
        weight: int,
        replace: bool,
    ) -> bool:
        """Has the table store it, and the tags know; tells whether it did."""
        flight, tagged = departed
        land = self.table.land
        if tagged is None:
            return land(flight, value, lasts, weight=weight, replace=replace)
        options = {"weight": weight, "replace": replace}
        return self._tags.land(tagged, land, flight, value, lasts, **options)  # type: ignore[union-attr]


class PlainTableStore(TableStore):
    """Results as they are, all alike and without tags: a shorter way for what most functions are.

    Args:
        table: As for `TableStore`.
        terms: As for `TableStore`, where something overrides them.
    """

    def __init__(self, table: Table, terms: Terms) -> None:
        super().__init__(table, terms, alike=True)

    def depart(self, call: Call) -> Any:
        """The table's own note."""
        return self.table.depart(call.place)

    def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> bool:
        """Stores the result; tells whether it did."""
        if _overrides.find is None:
            return self.table.land(departed, value, replace=call.is_forced)
        return super().keep(call, value, (departed, None), raised)

    def abandon(self, departed: Any) -> None:
        """Ends the note."""
        self.table.abandon(departed)


class TimedTableStore(TableStore):
    """Results that can be stale, or looked at before their end; exceptions.

    A result's time in the table ends where its margin begins: so hits stay the core's alone, and
    all that is to be looked at more closely is a miss there. An exception is never a hit.

    Args:
        table: Where they are; one that keeps deadlines, and those of stale entries, too.
        terms: As for `TableStore`.
        copier: As for `TableStore`.
        stale: How many seconds a result is kept past its time.
        early: When a result is computed anew before that.
        lives: How many seconds an exception of the nth class is kept.
        tags: As for `TableStore`.
        alike: As for `TableStore`.
        weigh: Gives the weight of an exception from what it is made of; without it that is 1.
    """

    def __init__(
        self,
        table: Table,
        terms: Terms,
        copier: Callable[[Any], Any] | None = None,
        *,
        stale: float = 0.0,
        early: Early | None = None,
        lives: Sequence[float] = (),
        tags: TagIndex | None = None,
        alike: bool = False,
        weigh: Callable[[Any, Call], int] | None = None,
    ) -> None:
        super().__init__(table, terms, copier, tags=tags, alike=alike)
        self._stale = int(min(stale, _AGES) * 1e9)
        self._early = early
        self._lives = lives
        self._weigh = weigh

    def look(self, call: Call) -> Found | None:
        """What there is, and how long it is still good."""
        kept = self.table.look(call.place)
        if kept is None:
            return None
        value, fresh, end = kept
        if type(value) is _Raised:
            return Found(value.error, self._left(end), 0.0, value.index)
        value = self._copied(value)
        if fresh is None:
            return Found(value, inf, 0.0)
        expiry = fresh if end is None else max(fresh, end - self._stale)
        return Found(value, self._left(expiry), (expiry - fresh) / 1e9)

    def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> bool:
        """Stores the result, with its margin, or an exception; tells whether it did."""
        if not raised:
            return super().keep(call, value, departed)
        parts = taken_apart(value)
        kept = put_together(type(value), parts)
        if kept is not None:  # nothing can be raised again that can't be copied
            weight = 1 if self._weigh is None else self._weigh(parts, call)
            now = self.table.now()
            end = now + int(self._lives[raised - 1] * 1e9)
            kept = _Raised(kept, raised)
            return self._land_until(departed, kept, now, end, weight=weight, replace=True)
        return False

    def put(self, call: Call, value: Any, lasts: int | None, weight: int) -> None:
        """Stores a value by hand, as `TableStore.put`."""
        self.table.put(call.place, value, lasts, weight=weight)
        self._put_again(call, value, lasts, weight)

    def _left(self, moment: int | None) -> float:
        return inf if moment is None else (moment - self.table.now()) / 1e9

    def _store(
        self,
        call: Call,
        departed: Any,
        value: Any,
        lasts: int | None,
        weight: int,
        replace: bool,
    ) -> bool:
        table = self.table
        lasts = table.ttl if lasts == 0 else lasts
        fresh = end = None
        if lasts is not None:
            fresh = table.now() + lasts
            end = fresh + self._stale
            if self._early is not None:
                fresh -= int(self._early.margin(lasts / 1e9, call.took) * 1e9)
        return self._land_until(departed, value, fresh, end, weight=weight, replace=replace)

    def _land_until(self, departed: Any, *args: Any, **options: Any) -> bool:
        """Has the table store it, and the tags know; tells whether it did."""
        flight, tagged = departed
        land = self.table.land_until
        if tagged is None:
            return land(flight, *args, **options)
        return self._tags.land(tagged, land, flight, *args, **options)  # type: ignore[union-attr]


class _Raised:
    """Stands in a table for an exception; never fresh there."""

    __slots__ = ("error", "index")

    def __init__(self, error: Exception, index: int) -> None:
        self.error = error
        self.index = index

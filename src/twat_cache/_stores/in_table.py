"""Results in a table of the core: objects, as they are."""

from __future__ import annotations

from math import inf

from .._run.call import Found
from .._run.exceptions import put_together, taken_apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .._core import Table
    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.early import Early
    from .tag_index import TagIndex

    Terms = Callable[[Any, Call], tuple[int | None, int]]

__all__ = ["TableStore", "TimedTableStore"]

_MISSING: Any = object()


class TableStore:
    """Fresh results; what is past its time is gone.

    Args:
        table: Where they are.
        terms: Gives the nanoseconds that a result lasts (None is for ever, 0 the table's time, less
            than 0 not at all) and its weight.
        copier: Copies what is stored.
    """

    def __init__(
        self, table: Table, terms: Terms, copier: Callable[[Any], Any] | None = None
    ) -> None:
        self.table = table
        self._terms = terms
        self._copier = copier

    def look(self, call: Call) -> Steps[Found | None]:
        """What another has stored since the call was made."""
        value = self.table.peek(call.place, _MISSING)
        if value is _MISSING:
            return None
        return Found(value if self._copier is None else self._copier(value), inf, 0.0)
        yield  # a generator, though it waits for nothing

    def depart(self, call: Call) -> Steps[Any]:
        """The table's own note."""
        return self.table.depart(call.place)
        yield

    def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> Steps[None]:
        """Stores the result, if its terms want it stored."""
        lasts, weight = self._terms(value, call)
        if lasts is None or lasts >= 0:
            kept = value if self._copier is None else self._copier(value)
            self.table.land(departed, kept, lasts, weight=weight, replace=call.is_forced)
        return
        yield

    def abandon(self, departed: Any) -> None:
        """Ends the table's note."""
        self.table.abandon(departed)


class TimedTableStore(TableStore):
    """Results that can be stale, or looked at before their end; exceptions; tags.

    A result's time in the table ends where its margin begins: so hits stay the core's alone, and
    all that is to be looked at more closely is a miss there. An exception is never a hit.

    Args:
        table: Where they are; one that keeps deadlines, and those of stale entries, too.
        terms: As for `TableStore`.
        copier: As for `TableStore`.
        stale: How many seconds a result is kept past its time.
        early: When a result is computed anew before that.
        lives: How many seconds an exception of the nth class is kept.
        tags: Which entries have which tags.
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
    ) -> None:
        super().__init__(table, terms, copier)
        self._stale = int(stale * 1e9)
        self._early = early
        self._lives = lives
        self._tags = tags

    def look(self, call: Call) -> Steps[Found | None]:
        """What there is, and how long it is still good."""
        kept = self.table.look(call.place)
        if kept is None:
            return None
        value, fresh, end = kept
        if type(value) is _Raised:
            left = inf if end is None else (end - self.table.now()) / 1e9
            return Found(value.error, left, 0.0, value.index)
        if self._copier is not None:
            value = self._copier(value)
        if end is None:
            return Found(value, inf, 0.0)
        expiry = end - self._stale
        margin = 0.0 if fresh is None else (expiry - fresh) / 1e9
        return Found(value, (expiry - self.table.now()) / 1e9, margin)
        yield

    def depart(self, call: Call) -> Steps[Any]:
        """The table's note, and that of the tags."""
        if self._tags is None:
            return self.table.depart(call.place), None
        return self.table.depart(call.place), self._tags.depart(call)
        yield

    def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> Steps[None]:
        """Stores the result, with its margin."""
        flight, tagged = departed
        table = self.table
        now = table.now()
        if raised:
            self._keep_exception(call, value, flight, now, raised)
            return
        lasts, weight = self._terms(value, call)
        if lasts is not None and lasts < 0:
            return
        if lasts == 0:
            lasts = table.ttl
        if tagged is not None and not self._tags.land(tagged, call):  # type: ignore[union-attr]
            return
        fresh = end = None
        if lasts is not None:
            fresh = now + lasts
            end = fresh + self._stale
            if self._early is not None:
                fresh -= int(self._early.margin(lasts / 1e9, call.took) * 1e9)
        kept = value if self._copier is None else self._copier(value)
        table.land_until(flight, kept, fresh, end, weight=weight, replace=call.is_forced)
        return
        yield

    def _keep_exception(
        self, call: Call, error: Exception, flight: Any, now: int, index: int
    ) -> None:
        kept = put_together(type(error), taken_apart(error))
        if kept is None:  # nothing can be raised again that can't be copied
            return
        end = now + int(self._lives[index - 1] * 1e9)
        self.table.land_until(flight, _Raised(kept, index), now, end, replace=True)

    def abandon(self, departed: Any) -> None:
        """Ends both notes."""
        flight, tagged = departed
        self.table.abandon(flight)
        if tagged is not None:
            self._tags.abandon(tagged)  # type: ignore[union-attr]


class _Raised:
    """Stands in a table for an exception; never fresh there."""

    __slots__ = ("error", "index")

    def __init__(self, error: Exception, index: int) -> None:
        self.error = error
        self.index = index

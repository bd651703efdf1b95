"""LFU: the entry that was used least often leaves; of several, the one used longest ago. O(1).

After Shah, Mitra and Matani, "An O(1) algorithm for implementing the LFU cache eviction scheme"
(2010). Entries that were used equally often stand in one *bucket*, in the order in which they came
to it; that is, since any use takes an entry to another bucket, in the order of their last use.
Buckets stand in a ring by their frequency, with an empty one of frequency 0 as its beginning and
end. A use takes an entry to the next bucket, which is made if it isn't there or is of a higher
frequency than needed; the entry that leaves is the first of the first bucket. None of this depends
on how many entries or frequencies there are.

Invariants. No bucket in the ring but the first is empty. Along the ring frequencies grow. An
entry's `place` is its bucket. Storing an entry is its first use; storing it again is one more.

Frequencies never age: what was popular once stays for long. `tinylfu` is the cure.
"""

from __future__ import annotations

from collections import OrderedDict

from . import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..store import Entry

__all__ = ["LFU"]


class _Bucket:
    """The entries of one frequency, in the order of their last use."""

    __slots__ = ("after", "before", "entries", "frequency")

    def __init__(self, frequency: int, before: _Bucket | None = None) -> None:
        """An empty bucket behind another one, or a ring of its own."""
        self.frequency = frequency
        self.entries: OrderedDict[Entry, None] = OrderedDict()
        if before is None:
            self.before = self.after = self
        else:
            self.before, self.after = before, before.after
            self.before.after = self.after.before = self

    def drop(self, entry: Entry) -> None:
        """Takes an entry out, and the bucket out of its ring if that was the last."""
        del self.entries[entry]
        if not self.entries:
            self.before.after, self.after.before = self.after, self.before


class LFU(Policy):
    """Least frequently used first, then least recently."""

    notes = True

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        super().__init__(entries, maxsize)
        self._ring = _Bucket(0)

    def added(self, entry: Entry) -> None:
        """One use."""
        self._enter(entry, self._ring)

    def used(self, entry: Entry) -> None:
        """One more: on to the next bucket."""
        bucket: _Bucket = entry.place
        self._enter(entry, bucket)
        bucket.drop(entry)

    def left(self, entry: Entry) -> None:
        """Out of its bucket."""
        entry.place.drop(entry)

    def _enter(self, entry: Entry, behind: _Bucket) -> None:
        bucket, frequency = behind.after, behind.frequency + 1
        if bucket.frequency != frequency:
            bucket = _Bucket(frequency, behind)
        bucket.entries[entry] = None
        entry.place = bucket

    def victim(self) -> Entry | None:
        """The first of the first bucket."""
        return next(iter(self._ring.after.entries), None)

    def order(self) -> list[Entry]:
        """Bucket by bucket."""
        found: list[Entry] = []
        bucket = self._ring.after
        while bucket is not self._ring:
            found += bucket.entries
            bucket = bucket.after
        return found

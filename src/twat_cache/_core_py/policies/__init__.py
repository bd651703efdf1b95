"""Policies by name, and what a policy is: one small file here, one class in it.

A policy decides one thing, which entry leaves when room is needed. It knows of entries only, not
of keys, bounds, deadlines, weights or counters; these are the table's. The table tells it

    added(entry)     the entry is new; room for it has been made before
    used(entry)      the entry was stored again; and of each hit, if the policy `notes` them
    left(entry)      the entry is gone, whatever the reason: evicted, expired, removed
    victim()         asks for the entry to go next; `left` follows at once

and asks for its `order()`, coldest first: the order in which entries would leave as far as that
can be known beforehand. It is listed, saved and, when the policy begins or ends to work, gone on
with. A policy that is to forget everything is dropped, and a new one made.

Of a hit a policy learns in one of three ways, from the cheapest to the dearest:

    nothing to do    `entry.used` has the tick of its last use; ticks only grow
    counts = n       `entry.hits` counts the hits, up to n; the policy sets it back as it likes
    notes = True     `used(entry)` is called for each hit, in order, before anything else happens

Single-threaded, always: whatever threads, signal handlers and destructors do to the table, they
only leave word of it, and one of them at a time tells the policy (`store.Store`). So a policy
needs no locks, and is never called while it is at work. It calls nobody's code: entries are told
apart by identity. If anything interrupts it, it is dropped and a new one is told of all entries.

A new policy is one file: `name.py` with a class `NAME`, and its name in POLICIES.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..store import Entry

__all__ = ["POLICIES", "Policy", "policy_named"]

POLICIES = ("lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu")


class Policy:
    """What the table calls; see above for when.

    Args:
        entries: The table's own dict of entries. Entries that the policy hasn't been told of yet
            may stand in it, and some that it knows may be missing.
        maxsize: Most entries that the table holds; None if they are not bounded by number.
    """

    counts = 0
    """Hits are counted in `entry.hits`, up to this."""

    notes = False
    """`used` is called for each hit."""

    hashes = False
    """`entry.hash` has the key's mixed hash."""

    def __init__(self, entries: dict[Any, Entry], maxsize: int | None) -> None:
        self.entries = entries
        self.maxsize = maxsize
        """The table sets it anew when it is resized; `victim` is asked for the surplus after."""

    def added(self, entry: Entry) -> None:
        """The entry is new."""

    def used(self, entry: Entry) -> None:
        """The entry was stored again, or hit."""

    def left(self, entry: Entry) -> None:
        """The entry is gone."""

    def victim(self) -> Entry | None:
        """The entry to go next; None if there is none."""
        raise NotImplementedError

    def order(self) -> Iterable[Entry]:
        """All entries, coldest first."""
        raise NotImplementedError


def policy_named(name: str) -> type[Policy]:
    """The class of a policy; imports the one that is asked for, and no other."""
    if name not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {name!r}")
    kind = name.upper()
    found: type[Policy] = getattr(__import__(f"{__name__}.{name}", fromlist=(kind,)), kind)
    return found

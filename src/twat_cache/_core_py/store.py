"""What is stored, and how it leaves: entries, their keys, and the turn in which room is made.

The entries live in one dict under their keys. A change of the dict is one C call, and what it says
is the truth: an entry that is in it may answer, one that isn't has left.

The turn. All else that is known about entries, the policy's order, the sum of weights, who dies
when, is kept by one at a time. Who has changed something leaves *word* of it, and then takes the
turn, if it is free, and does what there is word of, in order, until there is none. If the turn is
taken, whoever has it will come to it. So nobody waits: neither another thread, nor a signal handler
or a destructor that comes in the middle of a turn of its own thread. With one thread nothing is
ever left to another: all that has happened is known before the next one is chosen to leave.

    hit ──► entry.used = tick                (and word, if the policy asks for it)
    write ──► dict ──► word ──┐
    leave ──► dict ──► word ──┼──► turn ──► room, policy, weights, deadlines ──► listener
    sweep, shed, resize ──────┘

Word of an entry is the entry itself. What there is to do is seen from its state, so it does no harm
if word is left twice, late, or in another order:

    entry.home is the policy in office       known: if it is gone, it is forgotten; else it was used
    entry.home is None, and it is not gone   new: room is made, and the policy told
    anything else                            of no interest any more

Room for an entry is made before the policy hears of it, so it is never the one to go. Whatever else
there is word of is a *request*, something to call during the turn.

When a turn is interrupted in the middle (Ctrl-C, no memory, no stack), what it kept is *torn*, and
whoever has the turn next keeps everything anew, from the dict. An interrupt between a change and
the word of it is found out after some more writes, and mended likewise.

What has left is told to the listener by the one whose turn it was, when the turn is over.

Without the GIL. A C call on a dict, a deque or a list is one step there too, and so is reading or
setting an attribute; the turn and the word rest on nothing else. Two things are made one step by a
lock: to draw from a counter, and to take over an entry that has not left. The lock is taken by a
loop (`_alone`), and no call follows until it is given back: for after calls Python sees to signals
and garbage. So nobody's code runs while it is held, and no interrupt leaves it taken. Who has
marked an entry as gone takes the lock once, if only to count; from then on its value is its last.

Look-ups that are interrupted. To look a key up may run the `__eq__` of its objects, and with it
anybody's code, in the middle of the C code of the dict. That sees by the address of the dict's
memory whether the dict has changed, and is fooled if the memory was freed and other, smaller memory
of the same dict came to lie there: it reads on beyond its end. What it gives is another key's
entry, or any object at all, or a crash; this is so in all versions of CPython. Besides, a key that
isn't a str may get into memory for nothing but strs, if the dict was cleared while its place was
looked for (gh-140551; from 3.11 on, mended in 3.13.10 and 3.14.1). For both the memory has to
change its size. So such changes are counted, in one step with what makes them, and a key whose
comparison may run anybody's code is *guarded*: if there was a change, it breaks the look-up off, by
`Moved`, before the C code goes on; the look-up is made anew. Keys of plain objects run nobody's
code; they aren't guarded and cost nothing. Not guarded against are arguments of another type with
the very hash of a plain key, as `Fraction(5)` has that of 5; and without the GIL a change is
counted a moment after it is made.

A look-up that was interrupted may also miss what was stored meanwhile, so that the dict has a key
twice. It answers with the first, until that leaves, and what leaves takes the others along.

The file is long because much of it says why: steps, guarded keys, entries, counting and the turn
rest on what each of the others promises about the dict, and are understood only side by side.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, _local
from _weakref import ref
from collections import deque
from itertools import count, starmap
from operator import attrgetter, sub

from .policies import policy_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .expiry import Deadlines
    from .policies import Policy
    from .table import Flight

    Gone = list[tuple["Entry", Any, str]]
    Request = Callable[[int, Gone], object]

__all__ = [
    "CROWD",
    "GONE",
    "TICK_BITS",
    "Entry",
    "Key",
    "Moved",
    "Owner",
    "Store",
    "atomic",
    "guard",
    "shown",
    "step",
]

CROWD = 64
"""So many hits are noted before a call goes the long way to have them seen to."""

TICK_BITS = 27
"""A write takes no notice of deadlines in the running tick, of 2^27 ns."""

_len = len  # CPython's tests put a cached function in the place of builtins.len

GONE: Any = object()
"""What an entry gives that isn't taken over."""


# -- steps -----------------------------------------------------------------------------------------

_HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
_one = RLock()
_alone = iter(_one.acquire, None)  # for each round of a loop the lock is taken
_NO_ARGUMENTS = ((),)

if not _HAS_GIL and hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one._at_fork_reinit)  # type: ignore[attr-defined]


def atomic(call: Callable[..., Any]) -> Callable[..., Any]:
    """One C call, made one step on builds without the GIL too."""
    if _HAS_GIL:
        return call

    def alone() -> Any:
        found = None
        once = starmap(call, _NO_ARGUMENTS)  # it is called when this is unpacked
        for _ in _alone:
            try:
                (found,) = once
            finally:
                _one.release()
            break
        return found

    return alone


step = atomic(bool)
"""Does nothing, as a step: any that began before is over."""


# -- keys and entries ------------------------------------------------------------------------------


class Key(tuple):  # type: ignore[type-arg]  # noqa: SLOT001 - a tuple can't have slots
    """A vector that was hashed already, so that no table need ask its objects again."""

    hash: int

    def __hash__(self) -> int:
        return self.hash


class Moved(Exception):  # noqa: N818 - no error: the look-up is made anew
    """The memory of a dict has moved since one of its keys was looked up."""


class Seen(_local):
    """How often a dict's memory had changed when this thread last compared two of its keys."""

    changes = -1


class Extent:
    """The size in bytes of a dict's memory, and how often it has changed."""

    __slots__ = ("changes", "seen", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.changes = 0
        self.seen = Seen()


class Guarded(Key):
    """A key whose comparison may run anybody's code, and so sees whether its dict has moved.

    It may have moved before the comparison began, but after the look-up did. So the first one that
    a thread makes after a change breaks off in any case.

    Raises:
        Moved: It has.
    """

    extent: Extent

    __hash__ = Key.__hash__

    def __eq__(self, other: object) -> bool:
        extent = self.extent
        seen, changes = extent.seen, extent.changes
        if seen.changes != changes:
            seen.changes = changes
            raise Moved
        is_equal = tuple.__eq__(self, other)
        if extent.changes == changes:  # from here on there is no call, so nobody comes between
            return is_equal
        raise Moved


_PLAIN: frozenset[Any] = frozenset(
    kind.__eq__ for kind in (object, int, str, float, bytes, complex)
)
_BY_ITEMS: frozenset[Any] = frozenset((tuple.__eq__, frozenset.__eq__))
_IN_C = type(object.__eq__)
_HOLDS_OBJECTS = 1 << 14  # CPython's Py_TPFLAGS_HAVE_GC


def guard(key: Any, extent: Extent) -> None:
    """Makes a key a guarded one, unless its objects are known to run nobody's code if compared."""
    objects = [*key]
    for item in objects:
        kind = type(item)
        equals: Any = kind.__eq__
        if equals in _PLAIN:
            continue
        if equals in _BY_ITEMS:
            objects += item  # these come next
        elif (
            type(equals) is not _IN_C
            or kind.__flags__ & _HOLDS_OBJECTS
            or getattr(item, "tzinfo", None) is not None  # a time may ask its time zone
        ):
            key.__class__ = Guarded
            key.extent = extent
            return


class Entry:
    """One stored value, and what is known about it.

    Attributes:
        key: What it is filed under: a `Key`, or a lone int or str.
        value: What was stored.
        fresh: From this reading of the clock on it doesn't answer; None is never.
        stale: From this one on it isn't kept either; None is never.
        idle: If it isn't used it is dead from here on; None is never.
        owner: The instance that its key begins with, held weakly, or None.
        weight: Its weight, 0 in a table without weights.
        weighed: The weight that the table's sum has of it.
        generation: The table's when it was stored.
        used: The tick of its last use.
        since: The tick of its arrival.
        hits: How often it was hit, for policies that count, or what they make of it.
        hash: Its key's mixed hash, for policies that ask for it.
        place: What the policy knows about it.
        home: The policy that knows it.
        alarm: The tick after which the table will look whether it is dead; None is never.
        gone: Whether it has left.
    """

    __slots__ = (
        "__weakref__",
        "alarm",
        "fresh",
        "generation",
        "gone",
        "hash",
        "hits",
        "home",
        "idle",
        "key",
        "owner",
        "place",
        "since",
        "stale",
        "used",
        "value",
        "weighed",
        "weight",
    )

    key: Any
    value: Any
    fresh: int | None
    stale: int | None
    idle: int | None
    owner: Owner | None
    weight: int
    weighed: int
    generation: int
    used: int
    since: int
    hits: int
    hash: int
    place: Any
    home: Policy | None
    alarm: int | None
    gone: bool

    def take_over(self, new: Entry, flight: Flight | None) -> Any:
        """Becomes what `new` is, under its own key; gives what it was.

        Or gives GONE, if it has left, or the flight that `new` came with is grounded.

        No call lies between the question and the change, so with the GIL nobody can come between
        them; without it `_take_over_alone` stands here.
        """
        if self.gone or (flight is not None and flight.grounded):
            return GONE
        old = self.value
        self.value = new.value
        self.fresh = new.fresh
        self.stale = new.stale
        self.idle = new.idle
        self.weight = new.weight
        self.generation = new.generation
        return old

    def end(self) -> int | None:
        """The moment from which on it is of no more use; None is never."""
        stale, idle = self.stale, self.idle  # read once: another thread may store anew
        return idle if stale is None or (idle is not None and idle < stale) else stale


def _take_over_alone(entry: Entry, new: Entry, flight: Flight | None) -> Any:
    """`Entry.take_over` as a step."""
    old = GONE
    for _ in _alone:
        try:
            if not entry.gone and (flight is None or not flight.grounded):
                old = entry.value
                entry.value = new.value
                entry.fresh = new.fresh
                entry.stale = new.stale
                entry.idle = new.idle
                entry.weight = new.weight
                entry.generation = new.generation
        finally:
            _one.release()
        break
    return old


if not _HAS_GIL:
    Entry.take_over = _take_over_alone  # type: ignore[assignment, method-assign]


def shown(entry: Entry) -> Any:
    """The key of an entry as its user knows it."""
    key = (*entry.key,) if isinstance(entry.key, Key) else entry.key
    return key if entry.owner is None else (entry.owner(), *key[1:])


class Owner(ref["Any"]):
    """The object whose method was called, held weakly; takes an entry along when it dies."""

    __slots__ = ("home", "key")

    home: ref[Store]
    key: Key

    @staticmethod
    def died(owner: Owner) -> None:
        """Called by the interpreter, at any point of anything."""
        store = owner.home()
        if store is not None:
            while True:
                try:
                    entry = store._entries.get(owner.key)
                    break
                except Moved:
                    continue
            if entry is not None and entry.owner is owner:
                store._drop(entry, "collected", store._time())


class _Unraisable:
    """An error that nobody can be given: Python reports it as it does one of a destructor."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error


# -- counting --------------------------------------------------------------------------------------


class Tally:
    """Counters that any thread may raise at any time, and that are read at one moment.

    Ticks count the hits as well; a *stamp* is a tick that is no hit.
    """

    def __init__(self) -> None:
        self._counts = counts = tuple([count() for _ in range(10)])
        (
            self.hit,
            self.missed,
            self.stored,
            self.evicted,
            self.expired,
            self.removed,
            self.collected,
            self.bypassed,
            self.rejected,
            _,
        ) = [atomic(counter.__next__) for counter in counts]
        self.stamp = atomic(zip(counts[0], counts[9]).__next__)  # noqa: B905 - a pair: tick first
        self._zero = [0] * 10

    def read(self) -> tuple[int, ...]:
        """Hits, misses, stores, evictions, expirations, removals, collected, bypasses, rejected."""
        zero = self._zero  # first: it may be set anew meanwhile, and be the greater then
        ticks, *events, stamps = map(sub, self._now(), zero)
        return (ticks - stamps, *events)

    def reset(self) -> None:
        """Counts from zero."""
        self._zero = self._now()

    def _now(self) -> list[int]:
        """All counts at one moment: their `repr` is one C call, and draws nothing."""
        text = atomic(self._counts.__repr__)()
        return [int(number) for number in text[7:-2].split("), count(")]


# -- the store -------------------------------------------------------------------------------------


class Store:
    """Entries within bounds, and the ways in which they leave; what a `Table` is built on."""

    timed: bool
    weighted: bool
    _watchful: bool

    def __init__(
        self,
        maxsize: int | None,
        max_weight: int | None,
        policy: str,
        ordered: bool,
        on_removal: Callable[[Any, Any, str], object] | None,
    ) -> None:
        self.policy = policy
        self.on_removal = on_removal
        self._maxsize = maxsize
        self._max_weight = max_weight
        self._ordered = ordered
        self._is_shed = False
        self._entries: dict[Any, Entry] = {}  # for good: the door is bound to it
        self._extent = Extent(self._entries.__sizeof__())
        self._word: deque[Entry | Request] = deque()
        self._turn: dict[int, object] = {}
        self._is_torn = False
        self._tally = tally = Tally()
        self._chosen = policy_named(policy)
        self._count = {
            "expired": tally.expired,
            "size": tally.evicted,
            "explicit": tally.removed,
            "replaced": step,  # the store that replaced it counts
            "collected": tally.collected,
        }
        self._take_office()

    def _kind(self) -> type[Policy]:
        """The policy that is called for: where nothing has to leave, order of insertion will do."""
        is_bounded = self._maxsize is not None or self._max_weight is not None
        self._is_kept: bool = (
            is_bounded or self._ordered or self.weighted or self.timed or self._is_shed
        )
        return self._chosen if is_bounded or self._ordered else policy_named("fifo")

    def _take_office(self) -> None:
        """Begins to keep all that is kept about entries, with none."""
        self._home = self._kind()(self._entries, self._maxsize)
        self._known = 0
        self._load = 0
        self._oddities = 0
        self._deadlines: Deadlines | None = None
        if self.timed:
            from .expiry import Deadlines as Buckets

            self._deadlines = Buckets(TICK_BITS)

    # -- what the table knows ---------------------------------------------------------------------

    def _is_dead(self, entry: Entry, now: int) -> bool:
        raise NotImplementedError

    def _time(self) -> int:
        raise NotImplementedError

    def _look_where(self) -> None:
        raise NotImplementedError

    # -- the dict ---------------------------------------------------------------------------------

    def _add(self, filed: Any, new: Entry, flight: Flight | None) -> Entry | None:
        """The entry that is there, else the new one, which is now; None for a grounded flight."""
        entries, extent = self._entries, self._extent
        while True:
            storing = starmap(entries.setdefault, ((filed, new),))
            measuring = starmap(entries.__sizeof__, _NO_ARGUMENTS)
            try:
                if flight is None or not flight.grounded:  # asked in one step with what follows
                    (entry,) = storing
                    (size,) = measuring
                    if size != extent.size:
                        extent.size = size
                        extent.changes += 1
                    return entry
            except Moved:
                continue
            return None

    def _wipe(self) -> None:
        """Empties the dict; what was in it is let go of after that, since it may run any code."""
        entries, extent = self._entries, self._extent
        listing: Any = starmap(list, ((entries.values(),),))
        clearing = starmap(entries.clear, _NO_ARGUMENTS)
        measuring = starmap(entries.__sizeof__, _NO_ARGUMENTS)
        (_held,) = listing
        (_,) = clearing
        (extent.size,) = measuring
        extent.changes += 1

    # -- leaving ----------------------------------------------------------------------------------

    def _leave(self, entry: Entry, cause: str, gone: Gone) -> bool:
        """Takes an entry out of the dict, or, in a race, a newer one of its key, no harm.

        Leaves word of it, and tells whether there was one.
        """
        was_there = False
        while True:
            try:
                left = self._entries.pop(entry.key, None)
            except Moved:
                continue
            if left is None:
                break
            was_there = left.gone = True
            self._count[cause]()  # a step: from here on nobody takes it over
            gone.append((left, left.value, cause))
            if self._is_kept:
                self._word.append(left)
            if type(entry.key) is not Guarded:
                break
        return was_there

    def _let_go(self, entry: Entry, cause: str, now: int, gone: Gone) -> bool:
        """Takes an entry out when it isn't one's turn: the hits so far are heard of before it."""
        if self._word:
            self._settle(now, gone)
        return self._leave(entry, cause, gone)

    def _drop(self, entry: Entry, cause: str, now: int) -> bool:
        """Takes an entry out, with all that belongs to it; tells whether it was there."""
        gone: Gone = []
        try:
            was_there = self._let_go(entry, cause, now, gone)
            self._settle(now, gone)
        finally:
            if self.on_removal is not None:
                self._tell(gone)
        return was_there

    def _tell(self, gone: Gone) -> None:
        """Tells the listener what left. It may do anything, so nothing may be at stake here."""
        listener = self.on_removal
        if listener is not None:
            for entry, value, cause in gone:
                key = shown(entry)
                try:
                    listener(key, value, cause)
                except BaseException as error:
                    _Unraisable(error)

    # -- the turn ---------------------------------------------------------------------------------

    def _ask(self, request: Request, now: int) -> None:
        """Has something done in a turn: in this very call, unless the turn is another's."""
        self._word.append(request)
        self._catch_up(now)

    def _catch_up(self, now: int) -> None:
        """Has what there is word of done, and told."""
        gone: Gone = []
        try:
            self._settle(now, gone)
        finally:
            if self.on_removal is not None:
                self._tell(gone)

    def _settle(self, now: int, gone: Gone) -> None:
        """Takes the turn and does all that there is word of, unless somebody else is at it.

        The turn is an item of a dict, so that whoever has it can be told from the dict alone: were
        it a lock, an interrupt between taking it and knowing would leave it taken. Giving it back
        takes no call, so no interrupt comes between; for Python looks for signals after calls.
        """
        word, turn = self._word, self._turn
        while word or self._is_torn:
            mine = object()
            try:
                if turn.setdefault(0, mine) is not mine:
                    return
                self._hear(now, gone)
            finally:
                try:
                    if 0 in turn and turn[0] is mine:
                        del turn[0]
                except KeyError:
                    pass  # another's, given back just now

    def _hear(self, now: int, gone: Gone) -> None:
        """Does what there is word of. Whatever stops it in the middle leaves things torn."""
        word = self._word
        is_torn, self._is_torn = self._is_torn, True
        if is_torn:
            self._keep_anew(now, gone)
        while word:
            item = word.popleft()
            if not isinstance(item, Entry):
                item(now, gone)
            elif item.home is None:
                if not item.gone:
                    self._admit(item, now, gone)
            elif item.home is self._home:
                if item.gone:
                    self._forget(item)
                else:
                    self._heed(item, now, gone)
        self._is_torn = self._is_odd()

    def _is_odd(self) -> bool:
        """Whether an interrupt has come between a change of the dict and the word of it.

        So it seems as well while another thread is about to leave word. Only if it has seemed so as
        often as there are entries, they are all gone through: that takes no longer.
        """
        if not self._is_kept or _len(self._entries) == self._known:
            self._oddities = 0
        else:
            self._oddities += 1
        return self._oddities > _len(self._entries) + CROWD

    def _admit(self, entry: Entry, now: int, gone: Gone) -> None:
        """A new entry: room first, so that it isn't the one to go."""
        self._make_room(1, entry.weight, now, gone)
        if not entry.gone:
            self._enrol(entry)
            if self._known == 1:
                self._make_room(0, 0, now, gone)  # the bounds may have become too narrow for any

    def _enrol(self, entry: Entry) -> None:
        entry.home = self._home
        entry.weighed = weight = entry.weight
        self._known += 1
        self._load += weight
        self._home.added(entry)
        if self._deadlines is not None:
            entry.alarm = None
            self._deadlines.set(entry)

    def _heed(self, entry: Entry, now: int, gone: Gone) -> None:
        """An entry was hit or stored again."""
        self._home.used(entry)
        if entry.weighed != entry.weight and entry not in self._word:  # else this was a hit before
            weight = entry.weight
            self._load += weight - entry.weighed
            entry.weighed = weight
            self._make_room(0, 0, now, gone)
        if self._deadlines is not None and not entry.gone:
            self._deadlines.set(entry)

    def _forget(self, entry: Entry) -> None:
        """An entry is gone."""
        entry.gone = True
        if entry.home is self._home:
            entry.home = None
            self._known -= 1
            self._load -= entry.weighed
            self._home.left(entry)
            if self._deadlines is not None:
                self._deadlines.drop(entry)

    def _make_room(self, entries: int, weight: int, now: int, gone: Gone) -> None:
        """Lets entries go until so many more, of that weight in all, are within bounds."""
        most, heaviest = self._maxsize, self._max_weight  # read once: others may set them anew
        while self._known and (
            (most is not None and self._known + entries > most)
            or (heaviest is not None and self._load + weight > heaviest)
        ):
            if not self._let_one_go(now, gone):
                return

    def _let_one_go(self, now: int, gone: Gone) -> bool:
        """Removes the entry that the policy names, if it names one."""
        victim = self._home.victim() if self._known else None
        if victim is None:
            return False
        cause = "size"
        if victim.owner is not None and victim.owner() is None:
            cause = "collected"
        elif self._watchful and self._is_dead(victim, now):
            cause = "expired"
        self._leave(victim, cause, gone)
        self._forget(victim)
        return True

    def _keep_anew(self, now: int, gone: Gone) -> None:
        """Forgets all that was kept and begins again with what is in the dict."""
        self._begin_with(self._by_last_use(), now, gone)

    def _begin_with(self, entries: list[Entry], now: int, gone: Gone) -> None:
        """Another policy takes over, or the same one anew, with these entries in this order."""
        self._take_office()
        for entry in entries:
            self._enrol(entry)
        self._make_room(0, 0, now, gone)
        self._look_where()

    # -- requests ---------------------------------------------------------------------------------

    def _expire(self, before: int, most: int, gone: Gone) -> int:
        """Removes up to so many entries that died before a tick, those of the oldest ticks first.

        It looks at no more than four times as many: most may have been used meanwhile.
        """
        deadlines, found, looks = self._deadlines, 0, 4 * most
        while deadlines is not None and found < most and looks:
            due = deadlines.pop(before)
            if due is None:
                break
            looks -= 1
            entry, is_dead = due
            if is_dead:
                found += self._leave(entry, "expired", gone)
                self._forget(entry)
            else:
                deadlines.set(entry)
        return found

    def _sweep(self, now: int, gone: Gone) -> int:
        """Removes all entries that are dead by now."""
        tick, found = now >> TICK_BITS, 0
        if self._deadlines is not None:
            found = self._expire(tick, sys.maxsize, gone)
            for entry in self._deadlines.within(tick):
                end = entry.end()
                if end is not None and end <= now:
                    found += self._leave(entry, "expired", gone)
                    self._forget(entry)
        return found

    def _shed(self, many: int, now: int, gone: Gone) -> int:
        """Removes up to so many entries in the policy's order."""
        if not self._is_kept:
            self._is_shed = self._is_kept = True  # from now on what is stored is kept in order
            self._begin_with(list(self._home.order()), now, gone)
        found = 0
        while found < many and self._let_one_go(now, gone):
            found += 1
        return found

    def _refit(self, now: int, gone: Gone) -> None:
        """The bounds are new. If there were none before, or are none now, the policy changes."""
        was_kept, kind = self._is_kept, self._kind()
        if type(self._home) is kind and self._is_kept == was_kept:
            self._home.maxsize = self._maxsize
            self._make_room(0, 0, now, gone)
            return
        entries = [entry for entry in self._home.order() if not entry.gone]
        for entry in entries:
            entry.used = entry.since = self._tally.stamp()[0]  # the order so far is gone on with
        self._begin_with(entries, now, gone)

    def _in_order(self, now: int) -> list[Entry]:
        """All entries, coldest first; by their last use, if it's another's turn."""
        found: list[Entry] = []
        self._ask(lambda now, gone: found.extend(self._home.order()), now)
        return found or self._by_last_use()

    def _by_last_use(self) -> list[Entry]:
        entries = list(self._entries.values())  # in one step
        entries.sort(key=attrgetter("used"))
        return entries

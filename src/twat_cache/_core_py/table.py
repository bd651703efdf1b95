"""The Table: finding what is stored, and changing it.

A stored vector is a `Key`, which remembers its hash; a call under functools' rules makes one before
it looks, so its arguments are hashed once. Those of other calls are hashed to be looked up, and on
a miss once more to be stored.

The *door* is the short way of a call into the table. It stands open as far as the table's options
allow, and what a look-up has to see to is built into it: a deadline, the time to idle, a policy
that counts hits or has them noted. What is more than that, calls see to on the long way, `_look`.

What makes it safe. `__eq__`, `__hash__`, `__del__`, weakref callbacks, listeners, signal handlers
and other threads may use the table at any point. Each change of the dict is one C call. None runs
anybody's code, but for the `__eq__` of keys with one and the same hash, and for the `__del__` of
what has already left. An entry found may therefore be gone when it is answered: as if the call had
come a moment sooner. One that is stored again keeps its first key. What an `__eq__` could do to the
C code that called it is prevented in `store`.

A *flight* is a computation that has started and not ended. `put`, `discard`, `clear` and `resize`
ground the flights they concern: their result is older than the change and is not stored. So a
flight ends when its result is stored, not sooner, and whether it is grounded is asked with no call
between the question and the change. Where a key's own `__eq__` runs in that change, or without the
GIL, a result may be stored in spite of it, and is taken out again before the landing ends.

Deadlines are nanoseconds of a monotonic clock, never of the wall clock.

The file is long because it is the type of the compiled core: each question, look-up and change says
here what it does, what it gives and what it raises.
"""

from __future__ import annotations

from _weakref import ref
from itertools import count
from time import monotonic_ns

from .store import (
    CROWD,
    GONE,
    TICK_BITS,
    Entry,
    Key,
    Moved,
    Owner,
    Store,
    guard,
    shown,
    step,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from typing import Any

    from .store import Gone

    Find = Callable[[Any], Entry | None]

__all__ = ["Door", "Flight", "Table"]

_PER_WRITE = 16
_UNCHANGED: Any = type("_Unchanged", (), {"__repr__": lambda self: "unchanged"})()
_GOLDEN = 0x9E3779B97F4A7C15
_PRIME = 0xC2B2AE3D27D4EB4F
_64_BITS = 1 << 64
_len = len  # CPython's tests put a cached function in the place of builtins.len


class Flight:
    """A computation on its way: the key it is for, and whether its result may still be stored."""

    __slots__ = ("_filed", "_key", "grounded")

    def __init__(self, key: Any, filed: Any) -> None:
        self._key = key
        self._filed = filed
        self.grounded = False


# -- the door --------------------------------------------------------------------------------------


class Door:
    """The short way of a call into a table: `find` what it asks for, `tick` if it is there."""

    def __init__(self, find: Find, tick: Callable[[], int]) -> None:
        self.find = find
        self.tick = tick


def _never(_: object) -> None:
    """Finds nothing: such calls go the long way."""


def _fresh(find: Find, now: Callable[[], int]) -> Find:
    """Finds entries before their deadline."""

    def find_fresh(vector: Any) -> Entry | None:
        entry = find(vector)
        if entry is None or (until := entry.fresh) is None or now() < until:
            return entry
        return None

    return find_fresh


def _fresh_and_busy(find: Find, now: Callable[[], int], tti: int) -> Find:
    """Finds entries before their deadline that aren't idle for too long; being found counts."""

    def find_busy(vector: Any) -> Entry | None:
        entry = find(vector)
        if entry is not None:
            time, until, idle = now(), entry.fresh, entry.idle
            if (until is not None and time >= until) or (idle is not None and time >= idle):
                return None
            entry.idle = time + tti
        return entry

    return find_busy


def _counted(find: Find, most: int) -> Find:
    """Counts what it finds, up to that many times."""

    def find_and_count(vector: Any) -> Entry | None:
        entry = find(vector)
        if entry is not None and (hits := entry.hits) < most:
            entry.hits = hits + 1
        return entry

    return find_and_count


def _noted(find: Find, word: deque[Any]) -> Find:
    """Leaves word of what it finds; finds nothing when there is too much that nobody has heard."""

    def find_and_note(vector: Any) -> Entry | None:
        if _len(word) >= CROWD:
            return None
        entry = find(vector)
        if entry is not None:
            word.append(entry)
        return entry

    return find_and_note


# -- the table -------------------------------------------------------------------------------------


class Table(Store):
    """A bounded store of entries, with optional deadlines and weights.

    Args:
        maxsize: Most entries it holds, 0 or more; None is no bound.
        policy: Which entry leaves when room is needed, one of `POLICIES`. Where neither `maxsize`
            nor `max_weight` bounds the table, order of insertion is kept instead.
        width: Number of objects in every key, or None if keys differ in length.
        ttl: Nanoseconds an entry stays fresh, or None.
        stale: Nanoseconds an entry is kept, unanswered, after its TTL; where there are any, 0
            too, entries may bring an end of their own by `land_until`.
        tti: Nanoseconds after which an entry that was not used is dead, or None.
        timed: Keep deadlines even without a `ttl`, for entries that bring their own.
        weak: The first object of each key is held weakly and told by identity.
        weighted: Keep a weight for each entry, and their sum.
        max_weight: Most that its entries weigh together, 0 or more; None is no bound.
        ordered: Keep the policy's order even if there is no bound, for `shed`.
        generational: Entries of an earlier `generation` are dead.
        clock: Called without arguments, gives nanoseconds; None is a monotonic clock.
        on_removal: `on_removal(key, value, cause)` is called for each entry that has left, and for
            each value that was replaced by another object: after the change, while nothing is
            held, so it may use the table. `cause` is `"expired"`, `"size"`, `"explicit"`,
            `"replaced"`, `"collected"` (the instance that the key began with is None then) or
            `"closed"`. What it raises goes to `sys.unraisablehook`.

    Raises:
        ValueError: There is no policy of that name.

    Any thread, task or destructor may use it at any time.
    """

    def __init__(
        self,
        maxsize: int | None,
        *,
        policy: str = "lru",
        width: int | None = None,
        ttl: int | None = None,
        stale: int | None = None,
        tti: int | None = None,
        timed: bool = False,
        weak: bool = False,
        weighted: bool = False,
        max_weight: int | None = None,
        ordered: bool = False,
        generational: bool = False,
        clock: Callable[[], int] | None = None,
        on_removal: Callable[[Any, Any, str], object] | None = None,
    ) -> None:
        self.width = width
        self.ttl = ttl
        self.stale = stale
        self.tti = tti
        self.timed = timed or ttl is not None or stale is not None or tti is not None
        self.weak = weak
        self.weighted = weighted or max_weight is not None
        self.generational = generational
        self.clock = clock
        self.generation = 0
        self._now = clock or monotonic_ns
        self._bypass = 0
        self._valid_until: int | None = None
        self._is_diverted = False
        self._flights: set[Flight] = set()
        self._door = Door(_never, count().__next__)
        super().__init__(maxsize, max_weight, policy, ordered, on_removal)
        self._door.tick = self._tally.hit
        self._look_where()

    def _look_where(self) -> None:
        """Decides what a look-up has to see to, and how far the door is open."""
        while True:
            seen = self._bypass, self._is_diverted, self._valid_until, self._maxsize, self._home
            self._set_door()
            now = self._bypass, self._is_diverted, self._valid_until, self._maxsize, self._home
            if seen == now:  # else another thread has set something meanwhile
                return

    def _set_door(self) -> None:
        is_special = self.generational or self._valid_until is not None
        self._watchful = self.timed or is_special
        self._heeds = self._home.counts > 0 or self._home.notes or self.tti is not None
        find: Find = self._entries.get
        is_off = self._bypass or self._is_diverted or self._maxsize == 0
        if is_special or self.weak or is_off:
            self._door.find = _never
            return
        if self.tti is not None:
            find = _fresh_and_busy(find, self._now, self.tti)
        elif self.timed:
            find = _fresh(find, self._now)
        if self._home.counts:
            find = _counted(find, self._home.counts)
        elif self._home.notes:
            find = _noted(find, self._word)
        self._door.find = find

    # -- what can be asked and set ----------------------------------------------------------------

    def __len__(self) -> int:
        return _len(self._entries)

    @property
    def maxsize(self) -> int | None:
        """Most entries it holds; None is no bound."""
        return self._maxsize

    @property
    def max_weight(self) -> int | None:
        """Most that its entries weigh together; None is no bound."""
        return self._max_weight

    @property
    def weight(self) -> int:
        """The sum of the entries' weights."""
        return self._load

    @property
    def bypass(self) -> int:
        """While it isn't 0, calls go to the function and leave the table alone."""
        return self._bypass

    @bypass.setter
    def bypass(self, depth: int) -> None:
        self._bypass = depth
        self._look_where()

    def _divert(self, is_diverted: bool) -> None:
        """Whether calls have to take a detour: see `gate.detour`."""
        self._is_diverted = is_diverted
        self._look_where()

    @property
    def valid_until(self) -> int | None:
        """From this reading of the clock on the whole table answers nothing; None is never."""
        return self._valid_until

    @valid_until.setter
    def valid_until(self, deadline: int | None) -> None:
        self._valid_until = deadline
        self._look_where()

    def now(self) -> int:
        """The table's clock, in nanoseconds."""
        return self._now()

    def counters(self) -> tuple[int, ...]:
        """What was counted since the table was made or cleared.

        Returns:
            Hits, misses, stores, evictions, expirations, removals, collected, bypasses, rejections
            (values that were not stored because they alone weigh more than `max_weight`).
        """
        return self._tally.read()

    def count_bypass(self) -> None:
        """Counts a call that was answered without a look-up."""
        self._tally.bypassed()

    # -- look-up ----------------------------------------------------------------------------------

    def _file(self, key: Any) -> Any:
        """What `key` is stored under; from here on it isn't hashed again."""
        if self.width is not None and (type(key) is not tuple or _len(key) != self.width):
            raise TypeError(f"a key of this table is a tuple of {self.width} objects")
        if self.weak:
            if type(key) is not tuple or not key:
                raise TypeError("a key of this table is a tuple that begins with an instance")
            key = (id(key[0]), *key[1:])
        elif type(key) is not tuple:
            return key
        filed = Key(key)
        filed.hash = hash(key)
        return filed

    def _time(self) -> int:
        return self._now() if self._watchful else 0

    def _find(self, key: Any, filed: Any) -> Entry | None:
        """The entry stored under `key`, fresh or not. Runs the keys' `__eq__`."""
        while True:
            try:
                entry = self._entries.get(filed)
                break
            except Moved:
                continue
        if entry is not None and entry.owner is not None and entry.owner() is not key[0]:
            self._drop(entry, "collected", self._time())  # a dead object's, at the same address
            return None
        return entry

    def _is_fresh(self, entry: Entry, now: int) -> bool:
        """Whether the entry may answer now."""
        if not self._watchful:
            return True
        if self.generational and entry.generation != self.generation:
            return False
        until, idle = entry.fresh, entry.idle  # read once: another thread may store anew
        return (
            (until is None or now < until)
            and (idle is None or now < idle)
            and not self._is_over(now)
        )

    def _is_dead(self, entry: Entry, now: int) -> bool:
        """Whether the entry is of no more use at all."""
        if entry.owner is not None and entry.owner() is None:
            return True
        if self.generational and entry.generation != self.generation:
            return True
        end = entry.end()
        return end is not None and now >= end and not self._is_over(now)

    def _is_kept_at(self, now: int, entry: Entry) -> bool:
        """Whether the entry is of use now, if only as a stale one."""
        return not (self._is_over(now) or self._is_dead(entry, now))

    def _is_over(self, now: int) -> bool:
        """Whether the table as a whole answers nothing any more."""
        until = self._valid_until
        return until is not None and now >= until

    def _look(self, key: Any, filed: Any) -> Entry | None:
        """The fresh entry under `key`, counted as a hit; or None, counted as a miss."""
        now = self._now() if self._watchful else 0
        entry = self._find(key, filed)
        if entry is not None and self._is_fresh(entry, now):
            entry.used = self._door.tick()
            if self._heeds:
                self._heed_hit(entry, now)
            return entry
        self._tally.missed()
        if entry is not None and self._is_dead(entry, now):
            self._drop(entry, "expired", now)
        return None

    def _heed_hit(self, entry: Entry, now: int) -> None:
        """What the door does for a hit, on the long way."""
        if self.tti is not None:
            entry.idle = now + self.tti
        if entry.hits < self._home.counts:
            entry.hits += 1
        if self._home.notes:
            self._word.append(entry)
            if _len(self._word) >= CROWD:
                self._catch_up(now)

    def get(self, key: Any, default: Any = None) -> Any:
        """The fresh value under `key`, counted as a hit, or `default`, counted as a miss."""
        entry = self._look(key, self._file(key))
        return default if entry is None else entry.value

    def peek(self, key: Any, default: Any = None, *, stale: bool = False) -> Any:
        """The value under `key` without counting it or using it.

        Args:
            key: The key.
            default: Returned if there is none.
            stale: Also give a value that is past its TTL and still kept.
        """
        filed = self._file(key)
        now = self._time()
        entry = self._find(key, filed)
        if entry is None:
            return default
        is_kept = stale and self._is_kept_at(now, entry)
        return entry.value if is_kept or self._is_fresh(entry, now) else default

    def look(self, key: Any) -> tuple[Any, int | None, int | None] | None:
        """What is kept under `key`, fresh or stale, without counting it or using it.

        Returns:
            The value, the reading of the clock from which on it is stale, and the one from which on
            it isn't kept; None is never. An entry that has a time to idle may leave sooner. None if
            nothing is kept.
        """
        filed = self._file(key)
        now = self._time()
        entry = self._find(key, filed)
        if entry is None or not self._is_kept_at(now, entry):
            return None
        fresh, end = entry.fresh, entry.stale  # before the value, so they aren't later than its own
        return entry.value, fresh, end

    def items(self) -> list[tuple[Any, Any]]:
        """Keys and values of the fresh entries, coldest first: as the policy would let them go."""
        return [(key, value) for key, value, _, _ in self.dump()]

    def dump(self) -> list[tuple[Any, Any, int | None, int]]:
        """The fresh entries, coldest first, with all that it takes to store them again.

        Returns:
            For each its key, its value, the nanoseconds that it stays fresh, None being for ever
            (how long it may still idle is not told), and its weight, 1 in a table without weights.
        """
        now = self._time()
        found = []
        for entry in self._in_order(now):
            if entry.gone or not self._is_fresh(entry, now):
                continue
            key, until = shown(entry), entry.fresh
            if entry.owner is None or key[0] is not None:
                lasts = None if until is None else until - now
                found.append((key, entry.value, lasts, entry.weight if self.weighted else 1))
        return found

    # -- change -----------------------------------------------------------------------------------

    def put(self, key: Any, value: Any, ttl: int | None = 0, *, weight: int = 1) -> None:
        """Stores a value, replacing what was there; flights for the key won't overwrite it.

        Args:
            key: The key.
            value: The value.
            ttl: Nanoseconds; None is for ever, 0 is the table's own.
            weight: The entry's weight, 0 or more, if the table keeps weights.
        """
        filed = self._file(key)
        self._ground(hash(filed))
        self._write(key, filed, value, ttl, weight, True)

    def depart(self, key: Any) -> Flight:
        """Notes that a computation for `key` begins; end it by `land` or `abandon`."""
        return self._take_off(key, self._file(key))

    def _take_off(self, key: Any, filed: Any) -> Flight:
        flight = Flight(key, filed)
        self._flights.add(flight)
        return flight

    def land(
        self,
        flight: Flight,
        value: Any,
        ttl: int | None = 0,
        *,
        weight: int = 1,
        replace: bool = False,
    ) -> bool:
        """Ends a flight and stores its value, unless the flight was grounded.

        Returns:
            Whether the value was stored. A fresh entry that arrived meanwhile stays, unless
            `replace` is true. A value heavier than `max_weight` isn't stored, but what it would
            have replaced leaves.
        """
        try:
            return self._write(flight._key, flight._filed, value, ttl, weight, replace, flight)
        finally:
            self._flights.discard(flight)

    def land_until(
        self,
        flight: Flight,
        value: Any,
        fresh: int | None,
        end: int | None,
        *,
        weight: int = 1,
        replace: bool = False,
    ) -> bool:
        """As `land`, with the value's own deadlines: readings of the clock, None is never.

        Args:
            flight: What `depart` gave.
            value: The value.
            fresh: From here on it is no hit, though `look` still gives it.
            end: From here on it isn't kept.
            weight: The entry's weight, if the table keeps weights.
            replace: Also replace a fresh entry that arrived meanwhile.

        Raises:
            ValueError: The table was made without `stale`.
        """
        try:
            if self.stale is None:
                raise ValueError("a table without stale= has no room for the end of what is stale")
            if end is not None and (fresh is None or end < fresh):
                fresh = end
            until = fresh, end
            return self._write(flight._key, flight._filed, value, 0, weight, replace, flight, until)
        finally:
            self._flights.discard(flight)

    def abandon(self, flight: Flight) -> None:
        """Ends a flight that has no value to store."""
        self._flights.discard(flight)

    def discard(self, key: Any) -> bool:
        """Removes the entry under `key`; tells whether there was one, fresh or stale."""
        filed = self._file(key)
        self._ground(hash(filed))
        now = self._time()
        entry = self._find(key, filed)
        if entry is None:
            return False
        if self._is_dead(entry, now):
            self._drop(entry, "expired", now)
            return False
        return self._drop(entry, "explicit", now)

    def clear(self) -> None:
        """Removes everything and sets all counters to zero."""
        self._empty("explicit")

    def close(self) -> None:
        """Removes everything as `clear` does, and gives `"closed"` as the cause.

        The table may be used again.
        """
        self._empty("closed")

    def _empty(self, cause: str) -> None:
        self._ground(None)
        now = self._time()
        told = self.on_removal is not None
        order = {entry: place for place, entry in enumerate(self._in_order(now))} if told else {}
        left = []
        self._tally.reset()
        while told and self._entries:  # one by one, so that each is told of once by one thread
            try:
                entry = self._entries.popitem()[1]
            except KeyError:
                break
            entry.gone = True
            left.append(entry)
        if not told:
            self._wipe()
        self._ask(self._keep_anew, now)
        step()  # from here on nobody takes them over
        left.sort(key=lambda entry: order.get(entry, -1))
        self._tell([(entry, entry.value, cause) for entry in left])

    def resize(self, maxsize: int | None, *, max_weight: int | None = _UNCHANGED) -> None:
        """Sets the bounds; entries leave in the policy's order until they are kept.

        Args:
            maxsize: Most entries, 0 or more; None is no bound.
            max_weight: Most weight, 0 or more; None is no bound.

        Raises:
            ValueError: The table keeps no weights.
        """
        if max_weight is _UNCHANGED:
            max_weight = self._max_weight
        elif max_weight is not None and not self.weighted:
            raise ValueError("a table that keeps no weights can't be bounded by weight")
        self._ground(None)
        self._maxsize = maxsize
        self._max_weight = max_weight
        self._look_where()
        self._ask(self._refit, self._time())

    def sweep(self) -> int:
        """Removes all entries that are past their deadlines; tells how many. Scans nothing."""
        now, found = self._time(), [0]
        if not self._is_over(now):
            self._ask(lambda now, gone: found.append(self._sweep(now, gone)), now)
        return found[-1]

    def shed(self, many: int) -> int:
        """Evicts up to `many` entries in the policy's order; tells how many have left."""
        found = [0]
        self._ask(lambda now, gone: found.append(self._shed(many, now, gone)), self._time())
        return found[-1]

    def _ground(self, concerned: int | None) -> None:
        for flight in list(self._flights):
            if concerned is None or hash(flight._filed) == concerned:
                flight.grounded = True

    def _write(
        self,
        key: Any,
        filed: Any,
        value: Any,
        ttl: int | None,
        weight: int,
        replace: bool,
        flight: Flight | None = None,
        until: tuple[int | None, int | None] | None = None,
    ) -> bool:
        if self._maxsize == 0:
            return False
        now = self._now() if self._watchful else 0
        gone: Gone = []
        try:
            deadlines = self._deadlines
            if deadlines is not None and deadlines.first < now >> TICK_BITS:
                self._word.append(self._expire_some)
                self._settle(now, gone)
            if flight is not None and flight.grounded:
                return False
            most = self._max_weight
            if most is not None and weight > most:
                self._reject(key, filed, replace, now, gone)
                return False
            new = self._new_entry(key, filed, value, ttl, weight, now, until)
            left = None
            while True:
                entry = self._add(filed, new, flight)
                if entry is None:
                    return False
                is_late = flight is not None and flight.grounded
                if entry is new:
                    new.used = new.since = self._tally.stamp()[0]
                    break
                if self._is_dead(entry, now):
                    self._let_go(entry, "expired", now, gone)
                elif not replace and self._is_fresh(entry, now):
                    self._settle(now, gone)
                    return False
                elif self._replace(entry, new, flight, gone):
                    break
                elif entry is left:  # found again: it is still there, though it is gone
                    self._leave(entry, "replaced", gone)
                left = entry
            self._tally.stored()
            if self._is_kept:
                self._word.append(entry)
                self._settle(now, gone)
            if is_late and entry is new and entry.value is value:
                self._let_go(entry, "explicit", now, gone)
                self._settle(now, gone)
                return False
            return True
        finally:
            if self.on_removal is not None:
                self._tell(gone)

    def _replace(self, entry: Entry, new: Entry, flight: Flight | None, gone: Gone) -> bool:
        """Has an entry become the new one; tells whether it could."""
        old = entry.take_over(new, flight)
        if old is GONE:
            return False
        entry.used = self._tally.stamp()[0]
        if old is not new.value:
            gone.append((entry, old, "replaced"))
        return True

    def _new_entry(
        self,
        key: Any,
        filed: Any,
        value: Any,
        ttl: int | None,
        weight: int,
        now: int,
        until: tuple[int | None, int | None] | None,
    ) -> Entry:
        if type(filed) is Key:
            guard(filed, self._extent)
        new = Entry()
        new.key = filed
        new.value = value
        new.weight = weight if self.weighted else 0
        new.generation = self.generation
        new.fresh = new.stale = new.idle = new.owner = new.home = None
        new.gone = False
        new.used = new.since = new.hits = 0
        if self._chosen.hashes:
            new.hash = mixed_hash(filed, self.weak)
        if self.weak:
            new.owner = Owner(key[0], Owner.died)
            new.owner.home = ref(self)
            new.owner.key = filed
        if self.timed:
            lasts = self.ttl if ttl == 0 else ttl
            if until is not None:
                new.fresh, new.stale = until
            elif lasts is not None:
                new.fresh = now + lasts
                new.stale = new.fresh + (self.stale or 0)
            if self.tti is not None:
                new.idle = now + self.tti
        return new

    def _reject(self, key: Any, filed: Any, replace: bool, now: int, gone: Gone) -> None:
        """A value that alone is too heavy: what it would have replaced is no longer true."""
        self._tally.rejected()
        entry = self._find(key, filed)
        if entry is not None:
            if self._is_dead(entry, now):
                self._let_go(entry, "expired", now, gone)
            elif replace or not self._is_fresh(entry, now):
                self._let_go(entry, "replaced", now, gone)
            self._settle(now, gone)

    def _expire_some(self, now: int, gone: Gone) -> None:
        if not self._is_over(now):
            self._expire(now >> TICK_BITS, _PER_WRITE, gone)


def mixed_hash(filed: Any, weak: bool) -> int:
    """The hash that policies remember keys by: 64 bits, the lowest 8 of them zero.

    A multilinear hash of the objects' own hashes, the same as in the compiled core; of one object
    alone, the lowest bits stand apart. An instance that is held weakly counts by its address.
    Asks the objects for their hashes.
    """
    items = filed if isinstance(filed, Key) else (filed,)
    total = len(items)
    if weak:
        total += (items[0] >> 4) * _PRIME
        items = items[1:]
    if len(items) == 1 and not weak:
        found = hash(items[0])
        return (1 + (found >> 3) * _GOLDEN) % _64_BITS >> 12 << 12 | (found & 7) << 9
    factor = _GOLDEN
    for item in items:
        total += hash(item) * factor
        factor = factor * _PRIME % _64_BITS
    return total % _64_BITS >> 12 << 12

"""The pure-Python core: the same Table and Gate as the compiled one, meant to be read first.

The idea. A `Gate` stands in for a function. It turns a call into a *key*, asks its `Table`, and
only on a miss calls the function. A `Table` is a bounded store of entries in order of use.

    call ─► Gate ── key ──► Table ── fresh entry ──► value
              └─ miss ─► function ─► Table.land ─► value

Keys are tuples of the arguments that take part (the *vector*), or one lone int or str under
functools' rules. Entries live in one dict under their vectors, so that the arguments of a plain
call are looked up as they come: `Gate.__call__` is all that a hit runs. It goes through a
`_Door`, which the table shuts when there is more to see to than that. A stored vector is a `_Key`,
which remembers its hash; a call under functools' rules makes one before it looks, so its arguments
are hashed once. Those of other calls are hashed to be looked up, and on a miss once more to be
stored.

Order. Nothing is moved on a hit: the entry is given the next *tick* of the table's clock of use.
Only what has to make room sorts entries by it (`Table._evict`). Ticks count the hits as well.

What makes it safe. `__eq__`, `__hash__`, `__del__`, weakref callbacks, signal handlers and other
threads may use the table at any point, and nothing waits for a lock. Each change is one C call.
None runs anybody's code, but for the `__eq__` of keys with one and the same hash, and for the
`__del__` of what has already left. An entry found may therefore be gone when it is answered: as if
the call had come a moment sooner. One that is stored again keeps its place and its first key.

A *flight* is a computation that has started and not ended. `put`, `discard`, `clear` and `resize`
ground the flights they concern: their result is older than the change and is not stored.

Deadlines are nanoseconds of a monotonic clock, never of the wall clock.

The file is longer than 400 lines because a Gate reads its Table's inside, and because it is also
the reference for the compiled core: half of it is docstrings and signatures.
"""

from __future__ import annotations

import sys
from _thread import RLock, allocate_lock
from _weakref import ref
from itertools import count
from operator import attrgetter, itemgetter, sub
from time import monotonic_ns
from types import MethodType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Protocol

    class PlanLike(Protocol):
        """What a Gate reads of a function's signature; `_keys.plan.Plan` is one."""

        names: tuple[str, ...]
        positional: int
        positional_only: int
        defaults: dict[int, Any]
        varargs: bool
        varkw: bool
        ignored: frozenset[int]
        keep_args: bool
        keep_kwargs: bool
        least: int
        most: int


ABI = 1

_MARK = type("_Mark", (), {"__slots__": (), "__repr__": lambda self: "**"})()
_GONE = -1
_CROWD = 64
_len = len  # CPython's tests put a cached function in the place of builtins.len
_one = RLock()


def _atomic(call: Callable[..., Any]) -> Callable[..., Any]:
    """One C call, made one step on builds without the GIL too."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return call

    def locked() -> Any:
        with _one:
            return call()

    return locked


class _Key(tuple):  # type: ignore[type-arg]  # noqa: SLOT001 - a tuple can't have slots
    """A vector that was hashed already, so that no table need ask its objects again."""

    hash: int

    def __hash__(self) -> int:
        return self.hash


class _Entry:
    """One stored value. `used` is the tick of its last use, `since` that of its arrival."""

    __slots__ = (
        "__weakref__",
        "fresh",
        "generation",
        "key",
        "owner",
        "since",
        "stale",
        "used",
        "value",
        "weight",
    )

    key: Any
    value: Any
    fresh: int | None
    stale: int | None
    weight: int
    generation: int
    owner: _Owner | None
    used: int
    since: int

    def take_over(self, new: _Entry) -> None:
        """Becomes what `new` is, under its own key."""
        old = self.value  # dropped last: what its __del__ does shall find the entry whole
        self.value = new.value
        self.fresh = new.fresh
        self.stale = new.stale
        self.weight = new.weight
        self.generation = new.generation
        del old


class _Owner(ref["Any"]):
    """The object whose method was called, held weakly; takes an entry along when it dies."""

    __slots__ = ("home", "key")

    home: ref[Table]
    key: _Key


def _owner_died(owner: _Owner) -> None:
    table = owner.home()
    if table is not None:
        entry = table._entries.get(owner.key)
        if entry is not None and entry.owner is owner:
            table._leave(entry, table._collected)


class Flight:
    """A computation on its way: the key it is for, and whether its result may still be stored."""

    __slots__ = ("_filed", "_key", "grounded")

    def __init__(self, key: Any, filed: Any) -> None:
        self._key = key
        self._filed = filed
        self.grounded = False


class _Door:
    """The short way of a call into a table: `find` what it asks for, `tick` if it is there."""

    def __init__(self, find: Callable[[Any], _Entry | None], tick: Callable[[], int]) -> None:
        self.find = find
        self.tick = tick


def _never(_: object) -> None:
    """Finds nothing: such calls go the long way."""


def _fresh(find: Callable[[Any], _Entry | None], now: Callable[[], int]) -> Callable[[Any], Any]:
    """Finds entries before their deadline."""

    def find_fresh(vector: Any) -> _Entry | None:
        entry = find(vector)
        if entry is None or (until := entry.fresh) is None or now() < until:
            return entry
        return None

    return find_fresh


def _lone(door: _Door) -> Callable[[Any], Any]:
    """Finds by functools' rule for one int or str; hashing these twice is nothing."""

    def find_lone(args: tuple[Any, ...]) -> _Entry | None:
        if _len(args) == 1 and type(args[0]) in (int, str):
            return door.find(args[0])
        return None

    return find_lone


_SHUT = _Door(_never, count().__next__)


class Table:
    """A bounded store of entries in order of use (exact LRU), with optional deadlines.

    Args:
        maxsize: Most entries it holds, 0 or more; None is unbounded and keeps order of insertion.
        width: Number of objects in every key, or None if keys differ in length.
        ttl: Nanoseconds an entry stays fresh, or None.
        stale: Nanoseconds an entry is kept, unanswered, after its TTL.
        timed: Keep deadlines even without a `ttl`, for entries that bring their own.
        weak: The first object of each key is held weakly and told by identity.
        weighted: Keep a weight for each entry, and their sum.
        generational: Entries of an earlier `generation` are dead.
        clock: Called without arguments, gives nanoseconds; None is a monotonic clock.

    Any thread, task or destructor may use it at any time.
    """

    def __init__(
        self,
        maxsize: int | None,
        *,
        width: int | None = None,
        ttl: int | None = None,
        stale: int | None = None,
        timed: bool = False,
        weak: bool = False,
        weighted: bool = False,
        generational: bool = False,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.width = width
        self.ttl = ttl
        self.stale = stale
        self.timed = timed or ttl is not None or stale is not None
        self.weak = weak
        self.weighted = weighted
        self.generational = generational
        self.clock = clock
        self.generation = 0
        self._now = clock or monotonic_ns
        self._maxsize = maxsize
        self._bypass = 0
        self._valid_until: int | None = None
        self._entries: dict[Any, _Entry] = {}  # for good: the door is bound to it
        self._queue: list[tuple[int, ref[_Entry]]] = []
        self._turn = allocate_lock()
        self._flights: set[Flight] = set()
        self._counts = counts = tuple([count() for _ in range(9)])
        (
            tick,
            self._missed,
            self._stored,
            self._evicted,
            self._expired,
            self._removed,
            self._collected,
            self._bypassed,
            _,
        ) = [_atomic(counter.__next__) for counter in counts]
        self._stamp = _atomic(zip(counts[0], counts[8]).__next__)  # noqa: B905 - a tick, no hit
        self._zero = [0] * 9
        self._door = _Door(_never, tick)
        self._look_where()

    def _look_where(self) -> None:
        """Decides what a look-up has to see to, and how far the door is open."""
        is_special = self.generational or self._valid_until is not None
        self._watchful = self.timed or is_special
        if is_special or self.weak or self._bypass or self._maxsize == 0:
            self._door.find = _never
        elif self.timed:
            self._door.find = _fresh(self._entries.get, self._now)
        else:
            self._door.find = self._entries.get

    # -- what can be asked and set ------------------------------------------------------------

    def __len__(self) -> int:
        return _len(self._entries)

    @property
    def maxsize(self) -> int | None:
        """Most entries it holds; None is unbounded."""
        return self._maxsize

    @property
    def weight(self) -> int:
        """The sum of the entries' weights."""
        return sum([entry.weight for entry in list(self._entries.values())])

    @property
    def bypass(self) -> int:
        """While it isn't 0, calls go to the function and leave the table alone."""
        return self._bypass

    @bypass.setter
    def bypass(self, depth: int) -> None:
        self._bypass = depth
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

    def counters(self) -> tuple[int, int, int, int, int, int, int, int]:
        """Hits, misses, stores, evictions, expirations, removals, collected, bypasses."""
        ticks, *events, stamps = map(sub, self._read_counts(), self._zero)
        misses, stores, evictions, expirations, removals, collected, bypasses = events
        hits = ticks - stamps
        return hits, misses, stores, evictions, expirations, removals, collected, bypasses

    def count_bypass(self) -> None:
        """Counts a call that was answered without a look-up."""
        self._bypassed()

    def _read_counts(self) -> list[int]:
        """All counts at one moment: their `repr` is one C call, and draws nothing."""
        text = _atomic(self._counts.__repr__)()
        return [int(number) for number in text[7:-2].split("), count(")]

    # -- look-up ------------------------------------------------------------------------------

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
        filed = _Key(key)
        filed.hash = hash(key)
        return filed

    def _find(self, key: Any, filed: Any) -> _Entry | None:
        """The entry stored under `key`, fresh or not. Runs the keys' `__eq__`."""
        entry = self._entries.get(filed)
        if entry is not None and entry.owner is not None and entry.owner() is not key[0]:
            self._leave(entry, self._collected)  # a dead object's, at the same address
            return None
        return entry

    def _is_fresh(self, entry: _Entry, now: int) -> bool:
        """Whether the entry may answer now."""
        if not self._watchful:
            return True
        if self.generational and entry.generation != self.generation:
            return False
        until = entry.fresh  # read once: another thread may store anew
        return not self._is_over(now) and (until is None or now < until)

    def _is_dead(self, entry: _Entry, now: int) -> bool:
        """Whether the entry is of no more use at all."""
        if entry.owner is not None and entry.owner() is None:
            return True
        if self.generational and entry.generation != self.generation:
            return True
        last = entry.stale
        if last is None:
            last = entry.fresh
        return last is not None and now >= last and not self._is_over(now)

    def _is_over(self, now: int) -> bool:
        """Whether the table as a whole answers nothing any more."""
        return self._valid_until is not None and now >= self._valid_until

    def _look(self, key: Any, filed: Any) -> _Entry | None:
        """The fresh entry under `key`, counted as a hit; or None, counted as a miss."""
        now = self._now() if self._watchful else 0
        entry = self._find(key, filed)
        if entry is not None and self._is_fresh(entry, now):
            entry.used = self._door.tick()
            return entry
        self._missed()
        if entry is not None and self._is_dead(entry, now):
            self._leave(entry, self._expired)
        return None

    def get(self, key: Any, default: Any = None) -> Any:
        """The fresh value under `key`, counted as a hit, or `default`, counted as a miss."""
        entry = self._look(key, self._file(key))
        return default if entry is None else entry.value

    def peek(self, key: Any, default: Any = None, *, stale: bool = False) -> Any:
        """The value under `key` without counting it or moving it.

        Args:
            key: The key.
            default: Returned if there is none.
            stale: Also give a value that is past its TTL and still kept.
        """
        filed = self._file(key)
        now = self._now() if self._watchful else 0
        entry = self._find(key, filed)
        if entry is None:
            return default
        is_kept = stale and not (self._is_over(now) or self._is_dead(entry, now))
        return entry.value if is_kept or self._is_fresh(entry, now) else default

    def items(self) -> list[tuple[Any, Any]]:
        """Keys and values of the fresh entries, least recently used first."""
        now = self._now() if self._watchful else 0
        found = []
        for entry in self._in_order():
            if self._is_fresh(entry, now):
                key = (*entry.key,) if type(entry.key) is _Key else entry.key
                if entry.owner is not None:
                    key = (entry.owner(), *key[1:])
                    if key[0] is None:
                        continue
                found.append((key, entry.value))
        return found

    def _in_order(self) -> list[_Entry]:
        order = attrgetter("since" if self._maxsize is None else "used")
        return sorted(list(self._entries.values()), key=order)  # noqa: C414 - one step, as it must

    # -- change -------------------------------------------------------------------------------

    def put(self, key: Any, value: Any, ttl: int | None = 0, *, weight: int = 1) -> None:
        """Stores a value, replacing what was there; flights for the key won't overwrite it.

        Args:
            key: The key.
            value: The value.
            ttl: Nanoseconds; None is for ever, 0 is the table's own.
            weight: The entry's weight, if the table keeps weights.
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
            `replace` is true.
        """
        self._flights.discard(flight)
        if flight.grounded:
            return False
        return self._write(flight._key, flight._filed, value, ttl, weight, replace)

    def abandon(self, flight: Flight) -> None:
        """Ends a flight that has no value to store."""
        self._flights.discard(flight)

    def discard(self, key: Any) -> bool:
        """Removes the entry under `key`; tells whether there was a fresh one."""
        filed = self._file(key)
        self._ground(hash(filed))
        now = self._now() if self._watchful else 0
        entry = self._find(key, filed)
        if entry is not None:
            if self._is_fresh(entry, now):
                return self._leave(entry, self._removed) is not None
            if self._is_dead(entry, now):
                self._leave(entry, self._expired)
        return False

    def clear(self) -> None:
        """Removes everything and sets all counters to zero."""
        self._ground(None)
        self._zero = self._read_counts()
        self._queue.clear()
        self._entries.clear()

    def resize(self, maxsize: int | None) -> None:
        """Sets the bound; the least recently used entries leave if there are too many."""
        self._ground(None)
        if (maxsize is None) != (self._maxsize is None):
            for entry in self._in_order():  # the order so far is the one to go on with
                if maxsize is None:
                    entry.since = entry.used
                else:
                    entry.used = entry.since
        self._maxsize = maxsize
        self._look_where()
        self._evict()

    def _ground(self, concerned: int | None) -> None:
        for flight in list(self._flights):
            if concerned is None or hash(flight._filed) == concerned:
                flight.grounded = True

    def _write(
        self, key: Any, filed: Any, value: Any, ttl: int | None, weight: int, replace: bool
    ) -> bool:
        if self._maxsize == 0:
            return False
        new = _Entry()
        new.key = filed
        new.value = value
        new.fresh = new.stale = new.owner = None
        new.weight = weight if self.weighted else 0
        new.generation = self.generation
        new.used = new.since = 0
        if self.weak:
            new.owner = _Owner(key[0], _owner_died)
            new.owner.home = ref(self)
            new.owner.key = filed
        now = self._now() if self._watchful else 0
        lasts = self.ttl if ttl == 0 else ttl
        if self.timed and lasts is not None:
            new.fresh = now + lasts
            if self.stale is not None:
                new.stale = new.fresh + self.stale
        while True:
            entry = self._entries.setdefault(filed, new)
            if entry is new:
                new.used = new.since = self._stamp()[0]
                break
            if self._is_dead(entry, now):
                self._leave(entry, self._expired)
            elif not replace and self._is_fresh(entry, now):
                return False
            else:
                entry.take_over(new)
                entry.used = self._stamp()[0]
                break
        self._stored()
        self._evict()
        return True

    def _evict(self) -> None:
        """Removes the least recently used entries until there are no more than `maxsize`.

        One thread at a time, or two would remove too much for one entry too many. Nobody waits:
        who finds another at it leaves it to that one, who looks again when it is done. (Where more
        are waiting than there can be, an interrupt has hit just where the turn was taken.)
        """
        entries = self._entries
        while (most := self._maxsize) is not None and (surplus := _len(entries) - most) > 0:
            has_turn = self._turn.acquire(False)
            if not has_turn and surplus < _CROWD:
                return
            gone = None  # dropped when the turn is over: its __del__ may do anything
            try:
                if _len(entries) > most:
                    gone = self._evict_oldest()
            finally:
                if has_turn:
                    self._turn.release()
            del gone

    def _evict_oldest(self) -> _Entry | None:
        """Removes the least recently used entry, or brings the queue nearer to it.

        The queue has the entries that were there when it was made, and when each had been used
        last; the one used the longest ago is at its end. Entries used or stored since then have
        later ticks than all that stands in it. So an entry from its end that has not been used
        since, is exactly the least recently used of all, and one that has been, or is gone, is
        none to remove. An empty queue is made anew. Each place in it is paid for by an eviction,
        a removal or a hit: a hit costs O(log n) in the long run.
        """
        if not self._queue:
            queue = [(entry.used, ref(entry)) for entry in list(self._entries.values())]
            queue.sort(key=itemgetter(0), reverse=True)
            self._queue = queue
        try:
            used, watched = self._queue.pop()
        except IndexError:
            return None  # cleared meanwhile
        entry = watched()
        if entry is None or entry.used != used:
            return None
        return self._leave(entry, self._evicted)

    def _leave(self, entry: _Entry, count: Callable[[], object]) -> _Entry | None:
        """Removes and counts an entry; or, in a race, a newer one of its key, no harm."""
        gone = self._entries.pop(entry.key, None)
        if gone is not None:
            gone.used = _GONE
            count()
        return gone


async def ready(value: Any) -> Any:
    """What a hit of a coroutine function gives to await."""
    return value


class Gate:
    """The callable that stands in for a function.

    Args:
        function: What is called on a miss.
        table: Where results are kept; for bound keys its width must be the plan's.
        plan: How arguments are bound, from the function's signature; None keys by call pattern
            as functools does: nothing bound or reordered, a lone exact int or str its own key.
        typed: The arguments' types belong to the key.
        key: `key(*args, **kwargs)` gives the key instead.
        copier: Called with a value when it is stored and when it is answered from the table.
        awaitable: Hits are given to be awaited; needs `on_miss`.
        decide: `decide(result, args, kwargs)` gives nanoseconds to keep the result, None for
            ever, 0 for the table's TTL, less than 0 not to store it.
        on_miss: `on_miss(gate, key, args, kwargs)` answers a miss instead of the function.
        on_key_error: `on_key_error(gate, args, kwargs, error)` answers a call whose arguments
            can't be a key; None lets the TypeError through.
    """

    __slots__ = (
        "_awaitable",
        "_copier",
        "_decide",
        "_door",
        "_key",
        "_least",
        "_most",
        "_on_key_error",
        "_on_miss",
        "_plan",
        "_typed",
        "function",
        "table",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        table: Table,
        *,
        plan: PlanLike | None = None,
        typed: bool = False,
        key: Callable[..., Any] | None = None,
        copier: Callable[[Any], Any] | None = None,
        awaitable: bool = False,
        decide: Callable[[Any, tuple[Any, ...], dict[str, Any]], int | None] | None = None,
        on_miss: Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any] | None = None,
        on_key_error: Callable[[Any, tuple[Any, ...], dict[str, Any], TypeError], Any]
        | None = None,
    ) -> None:
        self.function = function
        self.table = table
        self._plan = plan
        self._typed = typed
        self._key = key
        self._copier = copier
        self._awaitable = awaitable
        self._decide = decide
        self._on_miss = on_miss
        self._on_key_error = on_key_error
        # Positional calls with this many arguments are their own key.
        self._least, self._most = 1, 0
        if plan is not None and not typed and key is None:
            self._least, self._most = plan.least, plan.most
        # Where that holds, the arguments of any positional call may be looked up as they are: one
        # with fewer or more finds nothing. For every stored vector has all fixed parameters, and
        # more only by *args, which are arguments of such a call, or behind a _MARK, which nobody
        # passes.
        if copier is not None or awaitable:
            self._door = _SHUT
        elif self._least <= self._most:
            self._door = table._door
        elif plan is None and not typed and key is None:
            self._door = _Door(_lone(table._door), table._door.tick)
        else:
            self._door = _SHUT

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            door = self._door
            try:
                entry = door.find(args)
            except TypeError as error:
                if _is_hashable(args):
                    raise  # it comes from an __eq__
                return self._refuse(args, kwargs, error)
            if entry is not None:
                entry.used = door.tick()
                return entry.value
        return self._call_any(args, kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def _call_any(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        table = self.table
        if table._bypass:
            table._bypassed()
            return self.function(*args, **kwargs)
        if table._maxsize == 0:
            table._missed()
            return self.function(*args, **kwargs)
        is_key = not kwargs and self._least <= _len(args) <= self._most
        key = args if is_key else self.bind(args, kwargs)
        if key is None or (table.weak and not key):
            return self.function(*args, **kwargs)
        return self.through(key, args, kwargs)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The key of a call, or None if the arguments don't fit the function's signature."""
        if self._key is not None:
            return (self._key(*args, **kwargs),)
        plan = self._plan
        if plan is None:
            return self._pattern(args, kwargs)
        if _len(args) > plan.positional and not plan.varargs:
            return None
        values = list(args[: plan.positional])
        taken = 0
        for index in range(_len(values), _len(plan.names)):
            name = plan.names[index]
            if index >= plan.positional_only and name in kwargs:
                values.append(kwargs[name])
                taken += 1
            elif index in plan.defaults:
                values.append(plan.defaults[index])
            else:
                return None
        extra: list[str] = []
        if taken != _len(kwargs):
            known = plan.names[plan.positional_only :]
            extra = sorted(name for name in kwargs if name not in known)
            if taken + _len(extra) != _len(kwargs) or (extra and not plan.varkw):
                return None
        if plan.ignored:
            values = [value for i, value in enumerate(values) if i not in plan.ignored]
        if plan.keep_args:
            values += args[plan.positional :]
        key = list(values)
        if extra and plan.keep_kwargs:
            key.append(_MARK)
            for name in extra:
                key += (name, kwargs[name])
                values.append(kwargs[name])
        if self._typed:
            key += map(type, values)
        return tuple(key)

    def _pattern(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = list(args)
        if kwargs:
            key.append(_MARK)
            for item in kwargs.items():
                key += item
        if self._typed:
            key += map(type, args)
            key += map(type, kwargs.values())
        return key[0] if _len(key) == 1 and type(key[0]) in (int, str) else tuple(key)

    def through(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answers a call whose key is already made: a counted look-up, then the miss."""
        table = self.table
        try:
            filed = table._file(key)
        except TypeError as error:
            return self._refuse(args, kwargs, error)
        entry = table._look(key, filed)
        if entry is None:
            return self._miss(key, filed, args, kwargs)
        value = entry.value if self._copier is None else self._copier(entry.value)
        return ready(value) if self._awaitable else value

    def _miss(self, key: Any, filed: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        table = self.table
        if table.weak:
            try:
                ref(key[0])
            except TypeError as error:
                return self._refuse(args, kwargs, error)
        if self._on_miss is not None:
            return self._on_miss(self, key, args, kwargs)
        if self._plan is None and self._key is None:  # functools: nothing is grounded
            result = self.function(*args, **kwargs)
            table._write(key, filed, result, 0, 1, False)
            return result
        flight = table._take_off(key, filed)
        try:
            result = self.function(*args, **kwargs)
            ttl = 0 if self._decide is None else self._decide(result, args, kwargs)
            if ttl is None or ttl >= 0:
                kept = result if self._copier is None else self._copier(result)
                table.land(flight, kept, ttl)
        finally:
            table._flights.discard(flight)  # no Python frame: after a RecursionError there is none
        return result

    def _refuse(self, args: tuple[Any, ...], kwargs: dict[str, Any], error: TypeError) -> Any:
        """Answers a call whose arguments can't be a key."""
        if self._on_key_error is None:
            raise error
        return self._on_key_error(self, args, kwargs, error)


def _is_hashable(args: tuple[Any, ...]) -> bool:
    try:
        hash(args)
    except TypeError:
        return False
    return True


if TYPE_CHECKING:
    _ready_is_a_coroutine: Callable[[Any], Coroutine[Any, Any, Any]] = ready

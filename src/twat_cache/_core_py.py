"""The pure-Python core: the same Table and Gate as the compiled one, meant to be read first.

The idea. A `Gate` stands in for a function. It turns a call into a *key*, asks its `Table`, and
only on a miss calls the function. A `Table` is a bounded store of entries in order of use.

    call ─► Gate ── key ──► Table ── fresh entry ──► value
              └─ miss ─► function ─► Table.store ─► value

Keys are tuples of the arguments that take part (the *vector*), or one lone int or str under
functools' rules. A key is hashed once per call, left to right, and compared with `stored == given`
only where the whole hashes agree, as a dict would.

What makes it safe. All entries live in one `OrderedDict` under plain ints (the hash of the key),
so that each change of the table is one C-level operation that runs nobody's code: no lock is
needed, and `__eq__`, `__hash__`, `__del__`, weakref callbacks, signal handlers and other threads
may use the table at any point. Two keys with one hash are rare; the second one then lives under a
slot of its own, listed in `_overflow`. Whatever ran user code looks again before it acts.

A *flight* is a computation that has started and not ended. `put`, `discard`, `clear` and `resize`
ground the flights they concern: their result is older than the change and is not stored.

Deadlines are nanoseconds of a monotonic clock, never of the wall clock.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock
from _weakref import ref
from collections import OrderedDict
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
_HAS_GIL = bool(getattr(sys, "_is_gil_enabled", lambda: True)())
_counting = allocate_lock()
_len = len  # CPython's tests put a cached function in the place of builtins.len


class Entry:
    """One stored value. `slot` is where the table's dict keeps it."""

    __slots__ = ("fresh", "generation", "key", "owner", "slot", "stale", "value", "weight")

    slot: Any
    key: Any
    value: Any
    fresh: int | None
    stale: int | None
    weight: int
    generation: int
    owner: Owner | None


class Owner:
    """The object whose method was called, held weakly; knows the slots of its entries."""

    __slots__ = ("ref", "slots")

    def __init__(self, table: Table, instance: object) -> None:
        home = ref(table)
        ident = id(instance)

        def died(_: object, self: Owner = self) -> None:
            table = home()
            if table is not None:
                table._disown(ident, self)

        self.ref = ref(instance, died)
        self.slots: set[Any] = set()


class Flight:
    """A computation on its way: the key it is for, and whether its result may still be stored."""

    __slots__ = ("grounded", "hash", "key")

    def __init__(self, key: Any, hash: int) -> None:
        self.key = key
        self.hash = hash
        self.grounded = False


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
        self.weak = weak
        self.weighted = weighted
        self.generational = generational
        self.clock = clock
        self.generation = 0
        self.bypass = 0
        self.weight = 0
        self._maxsize = maxsize
        self._now = clock or monotonic_ns
        self._deadlines = timed or ttl is not None or stale is not None
        self._valid_until: int | None = None
        self._entries: OrderedDict[Any, Entry] = OrderedDict()
        self._overflow: dict[int, list[Any]] = {}
        self._owners: dict[int, Owner] = {}
        self._flights: set[Flight] = set()
        self._look_where()
        self._reset_counters()

    def _look_where(self) -> None:
        """Decides what a hit has to look at."""
        self._watchful = (
            self._deadlines or self.generational or self._valid_until is not None
        )
        self._aside = self._watchful or not _HAS_GIL

    def count_bypass(self) -> None:
        """Counts a call that was answered without a look-up."""
        self._count("bypasses")

    def _reset_counters(self) -> None:
        self.hits = self.misses = self.stores = self.evictions = 0
        self.expirations = self.removals = self.collected = self.bypasses = 0

    def _count(self, counter: str) -> None:
        """Adds one, exactly, also on builds without the GIL."""
        with _counting:
            setattr(self, counter, getattr(self, counter) + 1)

    # -- what can be asked and set ------------------------------------------------------------

    def __len__(self) -> int:
        return _len(self._entries)

    @property
    def maxsize(self) -> int | None:
        """Most entries it holds; None is unbounded."""
        return self._maxsize

    @property
    def timed(self) -> bool:
        """Whether entries have deadlines."""
        return self._deadlines

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
        return (
            self.hits,
            self.misses,
            self.stores,
            self.evictions,
            self.expirations,
            self.removals,
            self.collected,
            self.bypasses,
        )

    # -- look-up ------------------------------------------------------------------------------

    def hash(self, key: Any) -> int:
        """The hash that this table files `key` under."""
        return hash((id(key[0]), *key[1:]) if self.weak else key)

    def find(self, key: Any, hash: int) -> Entry | None:
        """The entry stored under `key`, fresh or not. Runs the keys' `__eq__`."""
        if self.weak:
            owner = self._owners.get(id(key[0]))
            if owner is None or owner.ref() is not key[0]:
                return None
            key = (owner, *key[1:])
        entries = self._entries
        entry = entries.get(hash)
        while entry is not None:
            if entry.key == key:
                if entries.get(hash) is entry:
                    return entry
            elif entries.get(hash) is entry:
                break
            entry = entries.get(hash)  # __eq__ changed the table: look again
        for slot in tuple(self._overflow.get(hash, ())):
            entry = entries.get(slot)
            if entry is not None and entry.key == key and entries.get(slot) is entry:
                return entry
        return None

    def is_fresh(self, entry: Entry) -> bool:
        """Whether the entry may answer now; one that is of no more use leaves the table."""
        if self.generational and entry.generation != self.generation:
            self._remove(entry, "expirations")
            return False
        if entry.fresh is None and self._valid_until is None:
            return True
        now = self._now()
        if self._valid_until is not None and now >= self._valid_until:
            return False
        if entry.fresh is None or now < entry.fresh:
            return True
        if entry.stale is None or now >= entry.stale:
            self._remove(entry, "expirations")
        return False

    def touch(self, entry: Entry) -> None:
        """Makes the entry the most recently used one."""
        if self._maxsize is not None:
            try:
                self._entries.move_to_end(entry.slot)
            except KeyError:
                pass  # it left meanwhile

    def get(self, key: Any, default: Any = None) -> Any:
        """The fresh value under `key`, counted as a hit, or `default`, counted as a miss."""
        entry = self.find(key, self.hash(key))
        if entry is None or (self._watchful and not self.is_fresh(entry)):
            self._count("misses")
            return default
        self._count("hits")
        self.touch(entry)
        return entry.value

    def peek(self, key: Any, default: Any = None, *, stale: bool = False) -> Any:
        """The value under `key` without counting it or moving it.

        Args:
            key: The key.
            default: Returned if there is none.
            stale: Also give a value that is past its TTL and still kept.
        """
        entry = self.find(key, self.hash(key))
        if entry is None or (self.generational and entry.generation != self.generation):
            return default
        if not self._watchful:
            return entry.value
        now = self._now()
        if self._valid_until is not None and now >= self._valid_until:
            return default
        until = entry.stale if stale and entry.stale is not None else entry.fresh
        return entry.value if until is None or now < until else default

    def items(self) -> list[tuple[Any, Any]]:
        """Keys and values of the fresh entries, least recently used first."""
        entries = list(self._entries.values())
        now = self._now() if self._watchful else 0
        if self._valid_until is not None and now >= self._valid_until:
            return []
        found = []
        for entry in entries:
            if self.generational and entry.generation != self.generation:
                continue
            if entry.fresh is not None and now >= entry.fresh:
                continue
            key = entry.key
            if entry.owner is not None:
                instance = entry.owner.ref()
                if instance is None:
                    continue
                key = (instance, *key[1:])
            found.append((key, entry.value))
        return found

    # -- change -------------------------------------------------------------------------------

    def put(self, key: Any, value: Any, ttl: int | None = 0, *, weight: int = 1) -> None:
        """Stores a value, replacing what was there; flights for the key won't overwrite it.

        Args:
            key: The key.
            value: The value.
            ttl: Nanoseconds; None is for ever, 0 is the table's own.
            weight: The entry's weight, if the table keeps weights.
        """
        hash = self.hash(key)
        self._ground(hash)
        self._write(key, hash, value, ttl, weight, True)

    def depart(self, key: Any) -> Flight:
        """Notes that a computation for `key` begins; end it by `land` or `abandon`."""
        flight = Flight(key, self.hash(key))
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
        return self._write(flight.key, flight.hash, value, ttl, weight, replace)

    def abandon(self, flight: Flight) -> None:
        """Ends a flight that has no value to store."""
        self._flights.discard(flight)

    def discard(self, key: Any) -> bool:
        """Removes the entry under `key`; tells whether there was a fresh one."""
        hash = self.hash(key)
        self._ground(hash)
        entry = self.find(key, hash)
        if entry is None or (self._watchful and not self.is_fresh(entry)):
            return False
        return self._remove(entry, "removals")

    def clear(self) -> None:
        """Removes everything and sets all counters to zero."""
        self._ground(None)
        dropped, self._entries = self._entries, OrderedDict()
        self._overflow = {}
        self._owners = {}
        self.weight = 0
        self._reset_counters()
        del dropped

    def resize(self, maxsize: int | None) -> None:
        """Sets the bound; the least recently used entries leave if there are too many."""
        self._ground(None)
        self._maxsize = maxsize
        self._evict()

    def _ground(self, hash: int | None) -> None:
        for flight in tuple(self._flights):
            if hash is None or flight.hash == hash:
                flight.grounded = True

    def _write(
        self, key: Any, hash: int, value: Any, ttl: int | None, weight: int, replace: bool
    ) -> bool:
        if self._maxsize == 0:
            return False
        owner = self.adopt(key[0]) if self.weak else None
        entry = self.find(key, hash)
        if entry is not None and (not self._watchful or self.is_fresh(entry)) and not replace:
            return False
        new = Entry()
        new.key = key if owner is None else (owner, *key[1:])
        new.value = value
        new.owner = owner
        new.weight = weight if self.weighted else 0
        new.generation = self.generation
        new.fresh = new.stale = None
        if self._deadlines:
            lasts = self.ttl if ttl == 0 else ttl
            if lasts is not None:
                new.fresh = self._now() + lasts
                if self.stale is not None:
                    new.stale = new.fresh + self.stale
        self._place(new, hash, self.find(key, hash))
        self._count("stores")
        self._evict()
        return True

    def _place(self, new: Entry, hash: int, old: Entry | None) -> None:
        """Puts the entry where `old` is, or in a free slot, as the most recently used one."""
        entries = self._entries
        if old is not None:
            new.slot = old.slot
        elif hash in entries:
            new.slot = (hash, object())
            self._overflow.setdefault(hash, []).append(new.slot)
        else:
            new.slot = hash
        if new.owner is not None:
            new.owner.slots.add(new.slot)
        self.weight += new.weight - (old.weight if old is not None else 0)
        entries[new.slot] = new
        if old is not None:
            self.touch(new)

    def _evict(self) -> None:
        while self._maxsize is not None and _len(self._entries) > self._maxsize:
            try:
                entry = self._entries.popitem(last=False)[1]
            except KeyError:
                return
            self._forget(entry)
            self._count("evictions")

    def _remove(self, entry: Entry, counter: str) -> bool:
        if self._entries.get(entry.slot) is not entry:
            return False
        del self._entries[entry.slot]
        self._forget(entry)
        self._count(counter)
        return True

    def _forget(self, entry: Entry) -> None:
        """Settles the books of an entry that has left `_entries`."""
        self.weight -= entry.weight
        slot = entry.slot
        if type(slot) is tuple:
            slots = self._overflow.get(slot[0])
            if slots is not None:
                slots.remove(slot)
                if not slots:
                    self._overflow.pop(slot[0], None)
        owner = entry.owner
        if owner is not None:
            owner.slots.discard(slot)
            if not owner.slots:
                instance = owner.ref()
                if instance is not None and self._owners.get(id(instance)) is owner:
                    self._owners.pop(id(instance), None)

    # -- objects held weakly ------------------------------------------------------------------

    def adopt(self, instance: object) -> Owner:
        """The owner record of an object.

        Raises:
            TypeError: The object can't be referenced weakly.
        """
        owner = self._owners.get(id(instance))
        if owner is None or owner.ref() is not instance:
            owner = self._owners[id(instance)] = Owner(self, instance)
        return owner

    def _disown(self, ident: int, owner: Owner) -> None:
        if self._owners.get(ident) is owner:
            self._owners.pop(ident, None)
        for slot in tuple(owner.slots):
            entry = self._entries.get(slot)
            if entry is not None and entry.owner is owner:
                self._remove(entry, "collected")


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
        self._lone = plan is None and not typed and key is None
        self._plain = copier is None and not awaitable
        # Positional calls with this many arguments are their own key.
        self._least, self._most = 1, 0
        if plan is None:
            self._least, self._most = 0, sys.maxsize
        elif not (table.weak and plan.least == 0):
            self._least, self._most = plan.least, plan.most
        if typed or key is not None:
            self._least, self._most = 1, 0

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        table = self.table
        if table.bypass:
            table._count("bypasses")
            return self.function(*args, **kwargs)
        if table._maxsize == 0:
            table._count("misses")
            return self.function(*args, **kwargs)
        if kwargs or not self._least <= _len(args) <= self._most:
            key = self.bind(args, kwargs)
            if key is None or (table.weak and key == ()):
                return self.function(*args, **kwargs)
        elif self._lone and _len(args) == 1 and type(args[0]) in (int, str):
            key = args[0]
        else:
            key = args
        if table.weak:
            return self.through(key, args, kwargs)
        try:
            h = hash(key)
        except TypeError as error:
            if self._on_key_error is None:
                raise
            return self._on_key_error(self, args, kwargs, error)
        entries = table._entries
        entry = entries.get(h)
        if (
            entry is None
            or table._aside
            or entry.key != key
            or entries.get(h) is not entry  # __eq__ changed the table
        ):
            return self._look(key, h, args, kwargs)
        table.hits += 1
        if table._maxsize is not None:
            try:
                entries.move_to_end(h)
            except KeyError:
                pass  # it left meanwhile, in another thread
        if self._plain:
            return entry.value
        value = entry.value if self._copier is None else self._copier(entry.value)
        return ready(value) if self._awaitable else value

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

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
        if self._lone and not kwargs and _len(args) == 1 and type(args[0]) in (int, str):
            return args[0]
        key = list(args)
        if kwargs:
            key.append(_MARK)
            for item in kwargs.items():
                key += item
        if self._typed:
            key += map(type, args)
            key += map(type, kwargs.values())
        return tuple(key)

    def through(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answers a call whose key is already made: a counted look-up, then the miss."""
        try:
            hash = self.table.hash(key)
        except TypeError as error:
            if self._on_key_error is None:
                raise
            return self._on_key_error(self, args, kwargs, error)
        return self._look(key, hash, args, kwargs)

    def _look(self, key: Any, hash: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        table = self.table
        entry = table.find(key, hash)
        if entry is None or (table._watchful and not table.is_fresh(entry)):
            table._count("misses")
            return self._miss(key, hash, args, kwargs)
        table._count("hits")
        table.touch(entry)
        value = entry.value if self._copier is None else self._copier(entry.value)
        return ready(value) if self._awaitable else value

    def _miss(self, key: Any, hash: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        table = self.table
        if table.weak:
            try:
                table.adopt(key[0])
            except TypeError as error:
                if self._on_key_error is None:
                    raise
                return self._on_key_error(self, args, kwargs, error)
        if self._on_miss is not None:
            return self._on_miss(self, key, args, kwargs)
        if self._plan is None and self._key is None:  # functools: nothing is grounded
            result = self.function(*args, **kwargs)
            table._write(key, hash, result, 0, 1, False)
            return result
        flight = Flight(key, hash)
        table._flights.add(flight)
        try:
            result = self.function(*args, **kwargs)
            ttl = 0 if self._decide is None else self._decide(result, args, kwargs)
            if ttl is None or ttl >= 0:
                kept = result if self._copier is None else self._copier(result)
                table.land(flight, kept, ttl)
        finally:
            table._flights.discard(flight)
        return result


if TYPE_CHECKING:
    _ready_is_a_coroutine: Callable[[Any], Coroutine[Any, Any, Any]] = ready

"""An engine's results by name, also to be read, written, listed and changed by hand.

All this raises an `EngineError` where the engine can't serve, but `depart_many` and `keep_many`,
which are for those who compute.
"""

from __future__ import annotations

from math import inf

from .._missing import MISSING
from .._run.effects import Scan, Whole, ask
from .._run.tally import kind_of
from ..codecs.record import Damage
from ..errors import (
    CacheOperationError,
    CacheValueError,
    ConcurrencyError,
    ConfigurationError,
    EngineClosedError,
    EngineError,
)
from .groups import Groups
from .in_engine import EngineStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from .._run.call import Call, Found
    from .._run.drive import Steps
    from ..codecs.transcoder import Loaded

    Lasts = Callable[[Any], float | None]
    """Gives the seconds that a value is good for: None is for ever, 0 or less not at all."""
    Times = Mapping[str, float | None]
    """The same, by key."""

__all__ = ["EngineShelf", "added"]

_NONE: Mapping[str, bytes] = {}
_BATCH = 500
_TRIES = 1000
_OURS = "\x1f"
"""What the tags of groups begin with, and no tag that anybody would type."""


class EngineShelf(EngineStore):
    """As `EngineStore`, by hand.

    Where an engine can't list its keys, those of a group can't be dropped one by one. There each
    record has the groups that it belongs to as tags, and dropping a group is dropping its tag.

    Args:
        args: As for `EngineStore`.
        groups: What the keys begin with that may be dropped all at once.
        options: As for `EngineStore`.
    """

    def __init__(self, *args: Any, groups: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        is_needed = not self.engine.capabilities.scan
        if is_needed:
            self.groups = Groups([_OURS + group for group in groups], self.tokens)
            self.tokens.unremembered = self.groups.tags
        self._circuits = getattr(self.engine, "circuits", ())
        for circuit in self._circuits if groups else ():
            tag = _OURS + groups[0]
            token = self.tokens.key(tag) if is_needed else None
            circuit.outbox.knows((groups[0], self.tokens.key("")), token, tag, self.tokens)

    def values(self, places: Mapping[str, str]) -> Steps[dict[str, Any]]:
        """The values that are fresh of keys that have names, by name and in this order."""
        names, keys, groups = [*places], [*places.values()], self.groups
        data = yield ask(self.engine, "get", [*keys, *groups.keys])
        data, tokens = data[: len(keys)], data[len(keys) :]
        tags = groups.written(tokens)
        found, others = self._transcoder.plain_values(names, keys, data, self._clock(), tags)
        if not others:
            return found
        known = dict(zip(groups.tags, tokens, strict=True))  # others have other tags besides, say
        read = self._read([keys[at] for at in others], [data[at] for at in others], known)
        for at, record in zip(others, (yield from read), strict=True):
            if record is not None and record.left > 0 and not record.raised:
                found[names[at]] = record.value
        return {name: found[name] for name in names if name in found}

    def plain_values(
        self, names: Sequence[Any], keys: Sequence[str], data: Sequence[Any], tokens: list[Any]
    ) -> tuple[dict[Any, Any], list[int]]:
        """What `plain` makes of many data, by name, in any order; and the indices of others."""
        tags = self.groups.written(tokens)
        found, others = self._transcoder.plain_values(names, keys, data, self._clock(), tags)
        unread = []
        for at in others:  # with other tags, say, or compressed
            value = self.plain(keys[at], data[at], tokens)
            if value is MISSING:
                unread.append(at)
            else:
                found[names[at]] = value
        return found, unread

    def told(self, place: str, data: Any) -> Steps[Any]:
        """The value in these bytes, if it is fresh, else `MISSING`."""
        (found,) = yield from self._read([place], [data])
        if found is None or found.left <= 0 or found.raised:
            return MISSING
        return found.value

    def read(self, places: Sequence[str]) -> Steps[list[Found | None]]:
        """What there is, fresh or stale, in the order of the keys."""
        data = yield ask(self.engine, "get", list(places))
        return (yield from self._read(places, data))

    def _read(
        self, places: Sequence[str], data: Sequence[Any], known: Mapping[str, bytes] = _NONE
    ) -> Steps[list[Found | None]]:
        """What these bytes are; tokens that aren't known are read first."""
        opened = [
            None if one is None else self._opened(place, one)
            for place, one in zip(places, data, strict=True)
        ]
        tags = {tag for record in opened if record is not None for tag in record.tags}
        tags -= known.keys()
        tokens = {**known, **(yield from self.tokens.read(tags))} if tags else known
        return [
            None if record is None else self._made(place, record, tokens)
            for place, record in zip(places, opened, strict=True)
        ]

    def write(
        self, items: Mapping[str, Any], times: Times, tags: Collection[str] = ()
    ) -> Steps[None]:
        """Stores the values in one batch; those that aren't to be stored are dropped.

        Raises:
            SerializationError: The codec can't carry a value.
        """
        tokens = yield from self._tokens(tags)
        records, lives, dropped = {}, [], []
        for place, value in items.items():
            time = times[place]
            if time is None or time > 0:
                records[place], life = self._record(place, value, time, tokens, 0.0, 0)
                lives.append(life)
            else:
                dropped.append(place)
        if dropped:
            yield from self.drop(dropped)
        if records:
            yield from self._changing(records, "put", records, _longest(lives))

    def add(
        self, place: str, value: Any, lasts: float | None, tags: Collection[str] = ()
    ) -> Steps[bool]:
        """Stores the value if there is none; tells whether it did.

        Raises:
            SerializationError: The codec can't carry the value.
        """
        tokens = yield from self._tokens(tags)
        record, life = self._record(place, value, lasts, tokens, 0.0, 0)
        if (yield from self._changing([place], "add", place, record, life)):
            return True
        (data,) = yield ask(self.engine, "get", [place])
        (found,) = yield from self._read([place], [data])
        if found is not None and found.left > 0 and not found.raised:
            return False
        if data is not None and self.engine.capabilities.swap:  # stale, or of no use
            return (yield from self._swap(place, data, record, life))
        yield ask(self.engine, "drop", [place])
        return bool((yield from self._changing([place], "add", place, record, life)))

    def drop(self, places: Sequence[str]) -> Steps[int]:
        """Forgets the keys, and grounds what is computed for them; tells how many there were."""
        return int((yield from self._changing(places, "drop", list(places))))

    def drop_all(self, prefix: str) -> Steps[None]:
        """Forgets all keys that begin so, and grounds what is computed."""
        yield from self._changes.changing(None, self._dropping_all(prefix))

    def _dropping_all(self, prefix: str) -> Steps[None]:
        if self.groups.tags:
            yield from self.tokens.drop([_OURS + prefix])
            return
        if hasattr(type(self.engine), "emptying"):  # first, so that nothing that began before stays
            yield from self.engine.emptying()
        try:
            keys = yield Scan(self.engine, prefix)
            for start in range(0, len(keys), _BATCH):
                yield ask(self.engine, "drop", keys[start : start + _BATCH])
        except EngineClosedError:
            raise
        except EngineError as error:
            for circuit in self._circuits:
                circuit.clear_later(error, prefix)
            if hasattr(type(self.engine), "emptied_later"):
                self.engine.emptied_later(error)
            raise

    def ground(self, places: Collection[str] | None = None) -> None:
        """Nothing that is on its way, or for these keys alone, will be stored."""
        if places is None:
            self._changes.note_all()
        else:
            self._changes.note(places)

    def names(self, prefix: str) -> Steps[list[str]]:
        """The keys that begin so and that the engine still has.

        Raises:
            ConfigurationError: The engine can't list its keys.
        """
        if not self.engine.capabilities.scan:
            kind = kind_of(self.engine)
            raise ConfigurationError(f"a {kind} can't list its keys; keep a list of your own")
        found: list[str] = yield Scan(self.engine, prefix)
        return found

    def items(self, prefix: str) -> Steps[list[tuple[str, Any]]]:
        """Keys that begin so, with their values, of those that are fresh."""
        names = yield from self.names(prefix)
        pairs = []
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            for name, found in zip(batch, (yield from self.read(batch)), strict=True):
                if found is not None and found.left > 0 and not found.raised:
                    pairs.append((name, found.value))
        return pairs

    def touch(self, places: Sequence[str], lasts: Lasts) -> Steps[int]:
        """Gives values another time from now; tells how many of them were there.

        How long a value is good for stands in its record, so the record is written anew.
        """
        touched = 0
        for place in places:
            touched += yield from self._replaced(place, lambda old: (old, lasts(old)), add=False)
        return touched

    def change(
        self, place: str, function: Callable[[Any], Any], start: Any, lasts: Lasts
    ) -> Steps[Any]:
        """Puts what a function makes of a value in its place, in one step; gives the new value.

        The value keeps its time. Where there is none, the function gets `start`, and what it makes
        lasts as `lasts` says.

        Raises:
            ConcurrencyError: Others were quicker a thousand times.
            ConfigurationError: The engine can't replace a value on condition.
        """
        made: list[Any] = []

        def changed(old: Any) -> tuple[Any, float | None]:
            made[:] = [function(start if old is _NOTHING else old)]
            return made[0], (lasts(made[0]) if old is _NOTHING else _SAME)

        yield from self._replaced(place, changed, add=True)
        return made[0]

    # -- many computations at a time ----------------------------------------------------------

    def depart_many(self, places: Sequence[str], tags: Collection[str]) -> Steps[Any]:
        """Notes that values for these keys are computed, all with these tags."""
        if self._follows:
            yield from self._joining()
        notes = {place: self._changes.depart(place) for place in places}
        drops = self.tokens.drops
        try:
            return notes, (yield from self._tokens(tags)), drops
        except Exception as error:
            self._tally.engine_failed(self.engine, places[0], "add", error)
            return notes, None, drops
        except BaseException:  # nobody will abandon what never departed
            self.abandon_many((notes, None, drops))
            raise

    def keep_many(self, items: Mapping[str, Any], times: Times, departed: Any) -> Steps[list[str]]:
        """Keeps in one batch what was computed, of that what wasn't grounded; gives those keys."""
        notes, tokens, drops = departed
        records, lives = {}, []
        for place, value in items.items() if tokens is not None else ():
            time = times[place]
            if notes[place].grounded or (time is not None and time <= 0):
                continue
            try:
                records[place], life = self._record(place, value, time, tokens, 0.0, 0)
                lives.append(life)
            except CacheOperationError as error:
                self._refuse(place, value, error)
        if records and not (tokens and not (yield from self._are_valid(tokens, drops))):
            going = [notes[place] for place in records]
            try:
                yield Whole(self.engine, self._put(going, records, _longest(lives)))
            except Exception as error:
                self._tally.engine_failed(self.engine, next(iter(records)), "put", error)
        return [place for place in items if not notes[place].grounded]

    def abandon_many(self, departed: Any) -> None:
        """Ends the notes."""
        for note in departed[0].values():
            self._changes.end(note)

    # -- what they share ----------------------------------------------------------------------

    def _tagged(self, call: Call) -> Collection[str]:
        tags = super()._tagged(call)
        groups = self.groups.tags
        if groups and groups[0] not in tags:
            tags = call.tags = [*tags, *groups]
        return tags

    def _tokens(self, tags: Collection[str]) -> Steps[Mapping[str, bytes]]:
        """The tokens of the tags, and of the groups."""
        wanted = [*tags, *self.groups.tags]
        if not wanted:
            return {}
        return (yield from self.tokens.ensure(wanted, (yield from self.tokens.read(wanted))))

    def _changing(self, places: Collection[str], method: str, *args: Any) -> Steps[Any]:
        """Calls a method of the engine, and grounds what was computed for the keys meanwhile."""

        def change() -> Steps[Any]:
            return (yield ask(self.engine, method, *args))

        return (yield from self._changes.changing(places, change()))

    def _replaced(
        self, place: str, change: Callable[[Any], tuple[Any, float | None]], *, add: bool
    ) -> Steps[bool]:
        """Swaps a record for one with another value or another time."""
        if not self.engine.capabilities.swap:
            kind = kind_of(self.engine)
            raise ConfigurationError(
                f"a {kind} can't replace a value on condition, so nothing can be changed in one "
                "step; use an engine that can, such as sqlite, disk or redis"
            )
        for _ in range(_TRIES):
            (data,) = yield ask(self.engine, "get", [place])
            loaded = None if data is None else (yield from self._sound(place, data))
            if loaded is None and not add:
                return False
            value, lasts = change(_NOTHING if loaded is None else loaded.value)
            if loaded is None:
                tokens = yield from self._tokens(())
            else:
                tokens = loaded.tags
                if lasts is _SAME:
                    left = loaded.fresh_until - self._clock()
                    lasts = None if left == inf else left
            if lasts is not None and lasts <= 0:
                yield from self.drop([place])
                return True
            record, life = self._record(place, value, lasts, tokens, 0.0, 0)
            if (yield from self._swap(place, data, record, life)):
                return True
        raise ConcurrencyError(
            f"a value was changed by others {_TRIES} times before it could be changed here"
        )

    def _swap(self, place: str, there: Any, record: Any, life: float | None) -> Steps[bool]:
        expected = None if there is None else bytes(there)
        new = record if isinstance(record, bytes) else b"".join(record)
        return bool((yield from self._changing([place], "swap", place, expected, new, life)))

    def _sound(self, place: str, data: Any) -> Steps[Loaded | None]:
        """The value, if it may be used and is fresh."""
        record = self._opened(place, data)
        if record is None or record.raised or record.fresh_until <= self._clock():
            return None
        tokens = (yield from self.tokens.read(list(record.tags))) if record.tags else {}
        if any(tokens.get(tag) != token for tag, token in record.tags.items()):
            return None
        loaded = self._transcoder.read(record)
        return None if isinstance(loaded, Damage) else loaded


_NOTHING: Any = type("_Nothing", (), {"__repr__": lambda self: "nothing"})()
_SAME = float("nan")
"""Stands for the time that a value has already."""


def _longest(lives: list[float | None]) -> float | None:
    """As long as an engine has to keep a batch; each record tells its own time besides."""
    known = [life for life in lives if life is not None]
    return max(known) if len(known) == len(lives) else None


def added(old: Any, delta: float) -> Any:
    """A number and what is added to it.

    Raises:
        CacheValueError: There is no number.
    """
    if isinstance(old, bool) or not isinstance(old, (int, float)):
        kind = type(old).__qualname__
        raise CacheValueError(f"a {kind} can't be counted up; incr takes what holds a number")
    return old + delta

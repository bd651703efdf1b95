"""`save` and `load`: the entries of a cache in a file, for a warm start.

The first record of the file says whose entries these are, and when they were written. Each other is
one entry, the first to leave first:

    [key items, special items, value, nanoseconds left or None, weight]

Most items of a key are values, written as such. A few are objects of this library or classes; they
stand, by their place in the key, among the special items.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from contextlib import closing

from ._archive import read_records, write_records
from ._core import MARK
from ._footprint import footprint
from ._keys.naming import reference
from ._keys.plan import Unhashable
from ._pressure import Pressure
from ._unhashable import ByContent
from ._weighing import ENTRY
from .codecs.msgpack import decode, encoder
from .codecs.recordings import packed, unpacked
from .errors import CacheKeyError, SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from os import PathLike
    from typing import Any, TypeAlias

    from .controls import Controls

    Entry: TypeAlias = tuple[tuple[Any, ...], Any, int | None, int]
    """Key, value, how long it lasts as `Table.land` takes it, weight."""

__all__ = ["load", "save"]

_KEYWORDS, _CLASS, _CONTENT, _DEFAULT = "**", "class", "content", "default"
_REMEDY = (
    "Numbers, texts, bytes, lists, tuples, dicts, sets, dates and times, decimals, UUIDs, paths "
    "and numpy arrays can be saved: let the function take and return these, or convert them"
)


def save(gate: Controls, path: str | PathLike[str]) -> int:
    """Writes what is fresh in the cache; tells how many entries that is."""
    _refuse_weak(gate, "saved")
    encode = encoder()
    written = 0
    left_out: Counter[str] = Counter()

    def records() -> Generator[bytes, None, None]:
        nonlocal written
        yield encode({**_identity(gate), "time": time.time_ns()})
        for key, value, lasts, weight in gate.table.dump():
            try:
                items, special = _written_key(key)
                record = encode([items, special, packed(value), lasts, weight])
            except SerializationError as error:
                left_out[str(error)] += 1
            else:
                written += 1
                yield record

    write_records(path, records())
    _warn(gate, left_out, written, "saved")
    return written


def load(gate: Controls, path: str | PathLike[str]) -> int:
    """Stores what a file has and the cache hasn't; tells how many entries that is."""
    _refuse_weak(gate, "loaded")
    left_out: Counter[str] = Counter()
    entries = _read(gate, path, left_out)
    stored = 0
    table = gate.table
    look = gate._weight_of.look if isinstance(gate._weight_of, Pressure) else None
    for key, value, lasts, weight in entries:
        if look is not None:
            look()
        stored += table.land(table.depart(key), value, lasts, weight=weight)
    _warn(gate, left_out, stored, "loaded")
    return stored


def _read(gate: Controls, path: str | PathLike[str], left_out: Counter[str]) -> list[Entry]:
    """The entries of a file that there is room for, the last to leave last; changes nothing.

    The records are checked against all that a table relies on: a file may be damaged and match.
    """
    taken: deque[Entry] = deque(maxlen=gate.table.maxsize)
    with closing(read_records(path)) as records:
        header = _decoded(next(records, b""), path)
        _refuse_strange(gate, header, path)
        read = _Reader(gate, header)
        for record in records:
            try:
                entry = read(_decoded(record, path))
            except _LeftOutError as reason:
                left_out[str(reason)] += 1
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise SerializationError(f"{path} has an entry that can't be read") from error
            else:
                if entry is not None:
                    taken.append(entry)
    return _lighter(taken, gate.table.max_weight)


def _decoded(record: bytes, path: str | PathLike[str]) -> Any:
    try:
        return decode(record)
    except SerializationError as error:
        raise SerializationError(f"{path} can't be read: {error}") from error


def _lighter(entries: deque[Entry], most: int | None) -> list[Entry]:
    """The last entries that together weigh no more than that."""
    kept: list[Entry] = []
    weight = 0
    while entries:
        entry = entries.pop()
        weight += entry[3]
        if most is not None and weight > most:
            break
        kept.append(entry)
    kept.reverse()
    return kept


class _LeftOutError(Exception):
    """An entry that is sound, and yet can't be one of this cache."""


class _Reader:
    """Makes entries of decoded records."""

    def __init__(self, gate: Controls, header: dict[str, Any]) -> None:
        self._table = gate.table
        self._recipe = gate._recipe
        self._has_recordings = hasattr(gate, "_play")  # it is a generator function
        self._had_times = bool(header["timed"])
        self._passed = max(0, time.time_ns() - int(header["time"]))
        defaults = gate._binding.defaults.values()
        self._defaults = {d.parameter: d for d in defaults if type(d) is Unhashable}

    def __call__(self, row: list[Any]) -> Entry | None:
        """The entry; None if its time is over."""
        items, special, value, lasts, weight = row
        for index, (kind, name) in special.items():
            items[index] = self._special(kind, name)
        if self._has_recordings:
            value = unpacked(value)
        key = tuple(items)
        hash(key)
        if self._table.width not in (None, len(key)) or type(items) is not list:
            raise ValueError(len(key))
        if lasts is not None:
            lasts = int(lasts) - self._passed
            if lasts <= 0:
                return None
        return key, value, self._lasts(lasts), self._weight(key, value, int(weight))

    def _lasts(self, lasts: int | None) -> int | None:
        """How long the entry may last here, as `Table.land` takes it."""
        ttl = self._table.ttl
        if not self._recipe.timed:
            if lasts is not None:
                raise _LeftOutError("they have a time to live, and the function has none")
            return None
        if not self._had_times:
            return 0
        if ttl is not None:
            return ttl if lasts is None else min(lasts, ttl)
        return lasts

    def _weight(self, key: tuple[Any, ...], value: Any, weight: int) -> int:
        if self._recipe.max_bytes is not None:
            return ENTRY + footprint(value, *key)
        if weight < 0:
            raise ValueError(weight)
        return weight

    def _special(self, kind: str, name: Any) -> object:
        if kind == _KEYWORDS:
            return MARK
        if kind == _CONTENT and type(name) is bytes:
            return ByContent(name)
        if kind == _DEFAULT:
            return self._defaults[name]
        if kind == _CLASS:
            return _class(name)
        raise ValueError(kind)


def _written_key(key: tuple[Any, ...]) -> tuple[list[Any], dict[int, list[Any]]]:
    """A key's items, None in the place of special ones, and those."""
    items = list(key)
    special: dict[int, list[Any]] = {}
    for index, item in enumerate(items):
        if item is MARK:
            special[index] = [_KEYWORDS, None]
        elif type(item) is ByContent:
            special[index] = [_CONTENT, item.digest]
        elif type(item) is Unhashable:
            special[index] = [_DEFAULT, item.parameter]
        elif isinstance(item, type):
            try:
                special[index] = [_CLASS, reference(item)]
            except CacheKeyError as error:
                raise SerializationError(
                    f"the class {item.__qualname__} can't be found again by its name"
                ) from error
        else:
            continue
        items[index] = None
    return items, special


def _class(name: str) -> type:
    """The class of that name, if its module is loaded; nothing is imported or run for it."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    if not isinstance(found, type):
        raise _LeftOutError(f"there is no class {name} here")
    return found


def _identity(gate: Controls) -> dict[str, Any]:
    """Whose entries these are: what has to be the same for a key to mean the same call."""
    plan = gate._binding
    recipe = gate._recipe
    names = [name for index, name in enumerate(plan.names) if index not in plan.ignored]
    names += ["*"] * (plan.varargs and plan.keep_args)
    names += ["**"] * (plan.varkw and plan.keep_kwargs)
    return {
        "function": f"{getattr(gate, '__module__', None)}.{getattr(gate, '__qualname__', None)}",
        "parameters": ", ".join(names) if recipe.key is None else "key=",
        "typed": recipe.typed,
        "timed": recipe.timed,
        "weigher": recipe.weigher is not None,
    }


def _refuse_strange(gate: Controls, header: Any, path: str | PathLike[str]) -> None:
    """Sees to it that the file is this function's.

    Raises:
        SerializationError: It is another's, or was saved by the function as it was.
    """
    mine = _identity(gate)
    if type(header) is not dict or not {*mine, "time"} <= header.keys():
        header = {"time": None}
    if type(header["time"]) is not int:
        raise SerializationError(f"{path} has no header that can be read")
    if any(header[part] != mine[part] for part in ("function", "parameters", "typed")):
        raise SerializationError(
            f"{path} holds entries of {_shown(header)}, and this is {_shown(mine)}: save it anew"
        )
    if mine["weigher"] and not header["weigher"]:
        raise SerializationError(
            f"{path} was saved when {_shown(mine)} had no weigher, so its entries have no weights: "
            "save it anew"
        )


def _shown(identity: dict[str, Any]) -> str:
    typed = " with typed=True" if identity["typed"] is True else ""
    return f"{identity['function']}({identity['parameters']}){typed}"


def _refuse_weak(gate: Controls, what: str) -> None:
    if gate._weak:
        raise SerializationError(
            f"{gate._label}(): entries that belong to objects in memory can't be {what}. With "
            "per_instance=True each object's own can, by object.method.save(path); or use "
            "method=False, or key=, which make keys of values"
        )


def _warn(gate: Controls, left_out: Counter[str], done: int, what: str) -> None:
    """One warning for all entries that didn't come along."""
    if left_out:
        from warnings import warn

        reasons = "; ".join(f"{reason} ({n})" for reason, n in left_out.most_common(5))
        warn(
            f"{gate._label}(): {sum(left_out.values())} entries were not {what}, {done} were: "
            f"{reasons}. {_REMEDY}",
            RuntimeWarning,
            stacklevel=4,
        )

"""The Gate: the callable that stands in for a function.

    call ─► Gate ── key ──► Table ── fresh entry ──► value
              └─ miss ─► function ─► Table.land ─► value

Keys are tuples of the arguments that take part (the *vector*), or one lone int or str under
functools' rules. Stored vectors are looked up by the arguments of a plain call as they come:
`Gate.__call__` is all that a hit runs. It goes through the table's `Door`, which the table shuts
when there is more to see to than that.
"""

from __future__ import annotations

from _weakref import ref
from itertools import count
from types import MethodType

from .store import Moved, atomic
from .table import Door

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Protocol

    from .store import Entry
    from .table import Table

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


__all__ = ["MARK", "Gate", "detour", "gates", "ready"]

MARK = type("_Mark", (), {"__slots__": (), "__repr__": lambda self: "**"})()
"""In a key it stands between the positional arguments and those of `**kwargs`."""

_len = len  # CPython's tests put a cached function in the place of builtins.len
_number = atomic(count().__next__)
_live: dict[int, _Seen] = {}
_hook: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any] | None = None


class _Seen(ref["Gate"]):
    """A Gate that was made, which this does not keep alive."""

    __slots__ = ("number",)

    number: int

    @staticmethod
    def last(seen: _Seen) -> None:
        """It is no more."""
        _live.pop(seen.number, None)


def gates() -> list[Gate]:
    """Every live Gate, in the order in which they were made; keeps none alive by itself."""
    return [gate for seen in list(_live.values()) if (gate := seen()) is not None]


def detour(hook: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any] | None) -> None:
    """Has `hook(gate, args, kwargs)` answer all calls of all gates; None ends that.

    While there is none, nothing asks for it: tables send calls on the long way, where gates do. To
    be used by one at a time. Calls that have begun may still go the other way.
    """
    global _hook  # noqa: PLW0603 - calls must read one name
    _hook = hook
    for gate in gates():
        gate.table._divert(_hook is not None)


def _lone(door: Door) -> Callable[[Any], Entry | None]:
    """Finds by functools' rule for one int or str; hashing these twice is nothing."""

    def find_lone(args: tuple[Any, ...]) -> Entry | None:
        if _len(args) == 1 and type(args[0]) in (int, str):
            return door.find(args[0])
        return None

    return find_lone


def _never(_: object) -> None:
    """Finds nothing: such calls go the long way."""


_SHUT = Door(_never, count().__next__)


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
        weigh: `weigh(result, args, kwargs)` gives the weight of a result that is to be stored.
        on_miss: `on_miss(gate, key, args, kwargs)` answers a miss instead of the function.
        on_key_error: `on_key_error(gate, args, kwargs, error)` answers a call whose arguments
            can't be a key; None lets the TypeError through.
    """

    __slots__ = (
        "__weakref__",
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
        "_seen",
        "_typed",
        "_weigh",
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
        weigh: Callable[[Any, tuple[Any, ...], dict[str, Any]], int] | None = None,
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
        self._weigh = weigh
        # Positional calls with this many arguments are their own key.
        self._least, self._most = 1, 0
        if plan is not None and not typed and key is None:
            self._least, self._most = plan.least, plan.most
        # Where that holds, the arguments of any positional call may be looked up as they are: one
        # with fewer or more finds nothing. For every stored vector has all fixed parameters, and
        # more only by *args, which are arguments of such a call, or behind a MARK, which nobody
        # passes.
        if copier is not None or awaitable:
            self._door = _SHUT
        elif self._least <= self._most:
            self._door = table._door
        elif plan is None and not typed and key is None:
            self._door = Door(_lone(table._door), table._door.tick)
        else:
            self._door = _SHUT
        if not hasattr(self, "_seen"):
            self._seen = seen = _Seen(self, _Seen.last)
            seen.number = _number()
            _live[seen.number] = seen
        while table._is_diverted != (_hook is not None):  # by now `detour` would find it, too
            table._divert(_hook is not None)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            door = self._door
            try:
                entry = door.find(args)
            except Moved:
                entry = None  # the long way looks again
            except TypeError as error:
                if _is_hashable(args):
                    raise  # it comes from an __eq__
                return self._refuse(args, kwargs, error)
            if entry is not None:
                entry.used = door.tick()
                return entry.value
        hook = _hook
        return self.answer(args, kwargs) if hook is None else hook(self, args, kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answers a call as if there were no detour."""
        table = self.table
        if table._bypass:
            table._tally.bypassed()
            return self.function(*args, **kwargs)
        if table._maxsize == 0:
            table._tally.missed()
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
        if not kwargs and self._least <= _len(args) <= self._most:
            return args
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
            key.append(MARK)
            for name in extra:
                key += (name, kwargs[name])
                values.append(kwargs[name])
        if self._typed:
            key += map(type, values)
        return tuple(key)

    def _pattern(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = list(args)
        if kwargs:
            key.append(MARK)
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
        flight = None
        if self._plan is not None or self._key is not None:  # functools grounds nothing
            flight = table._take_off(key, filed)
        try:
            result = self.function(*args, **kwargs)
            ttl = 0 if self._decide is None else self._decide(result, args, kwargs)
            if ttl is None or ttl >= 0:
                weight = 1 if self._weigh is None else self._weigh(result, args, kwargs)
                kept = result if self._copier is None else self._copier(result)
                table._write(key, filed, kept, ttl, weight, False, flight)
        finally:
            if flight is not None:
                table._flights.discard(flight)  # no Python frame: there may be no stack for one
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

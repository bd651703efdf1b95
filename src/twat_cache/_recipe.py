"""What a decorator's options come to, for all its functions and for the first argument of one."""

from __future__ import annotations

from ._duration import ttl_of_result
from ._keys.plan import Plan
from ._options import read_max_weight, read_options
from ._size import read_size
from .errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ._coherence_option import CoherenceTerms
    from ._pressure import MemoryLimit
    from ._weighing import Weigh

    Decide = Callable[[Any, tuple[Any, ...], dict[str, Any]], int | None]

__all__ = [
    "Recipe",
    "is_method",
    "keeps_first",
    "label_of",
    "led_by_self",
    "nanoseconds",
    "shortened",
    "ttl_decider",
    "without_first",
]

_UNREADABLE_METHOD = Plan(("self",), 1, 1, {}, True, True)
_AGES = 3_000_000_000.0  # seconds, some 95 years: from here on a deadline is not worth its room
_OF_THE_TABLE = {"maxsize", "ttl", "tti", "policy", "clock"}
_OF_THE_PATH = {
    "stale", "refresh_ahead", "beta", "hard_timeout", "retry", "cache_exceptions", "single_flight",
    "tags", "invalidate_by",
}  # fmt: skip


class Recipe:
    """The options of one decorator, read and decided; shared by all the gates that it makes.

    The options have their own names, as `mcache` describes them, and here their defaults.

    Attributes:
        table: What tables are made with besides their bound and their keys, as keywords.
        timed: Whether tables keep deadlines.
        life: Tells how long a value lasts, where the table doesn't: a core's `decide` hook.
        decide: `life` and `cache_if` in one, for the core; None if there is neither.
        weigh: The weigher as a core's `weigh` hook, or None.
        copier: What copies values on their way in and out, or None.
        is_plain: Whether there is nothing to see to but the table.
        outlasts: Whether a table's entries have more to them than a value and a time as a hit:
            they may be stale, refreshed early, exceptions or tagged.
        has_path: Whether a miss goes by steps, whatever the function's colour.
    """

    maxsize: int | None = 1024
    ttl: float | Callable[..., Any] | None = None
    policy: str = "lru"
    tti: float | None = None
    jitter: float = 0.0
    max_weight: int | None = None
    weigher: Callable[..., Any] | None = None
    max_bytes: int | None = None
    memory_limit: MemoryLimit | None = None
    on_removal: Callable[[Any, Any, str], object] | None = None
    typed: bool = False
    key: Callable[..., Any] | None = None
    ignore: tuple[str, ...] = ()
    unhashable: str = "raise"
    cache_if: Callable[..., object] | None = None
    method: bool | None = None
    per_instance: bool = False
    name: str | None = None
    copy: bool | Callable[[Any], Any] = False
    clock: Callable[[], int] | None = None

    stale: float = 0.0
    refresh_ahead: float | None = None
    beta: float = 0.0
    soft_timeout: float | None = None
    hard_timeout: float | None = None
    retry: Any = None
    cache_exceptions: tuple[tuple[type[Exception], float], ...] = ()
    single_flight: bool | str | None = None
    tags: Callable[..., Iterable[str]] | tuple[str, ...] | None = None
    tag_ttl: float = 0.0
    coherence: CoherenceTerms | None = None
    invalidate_by: tuple[str, ...] = ()
    context: tuple[Any, ...] = ()
    generators: str | None = None

    namespace: str = ""
    version: str = ""
    codec: Any = "msgpack"
    compress: str | None = None
    secret: Any = None
    encrypt: Any = None
    checksum: bool = False
    strict: bool = False
    unsafe: bool = False

    timed: bool = False
    life: Decide | None = None
    decide: Decide | None = None
    weigh: Weigh | None = None
    copier: Callable[[Any], Any] | None = None
    outlasts: bool = False
    has_path: bool = False

    def __init__(self, given: dict[str, Any]) -> None:
        """Reads the options that were given, of whatever shape.

        Raises:
            ConfigurationError: As `read_options`.
        """
        if given:
            self.__dict__.update(read_options(given))
        self.table: dict[str, Any] = {}
        if self.policy != "lru":
            self.table["policy"] = self.policy
        if self.clock is not None:
            self.table["clock"] = self.clock
        if self.ttl is not None or self.tti is not None:
            self._set_times()
        self.is_plain = self.life is None and given.keys() <= _OF_THE_TABLE
        if self.is_plain:
            return
        if not _OF_THE_PATH.isdisjoint(given):
            self._set_path()
        if self.cache_if is not None:
            self.decide = _when(self.cache_if, self.life)
        self._set_bounds("maxsize" in given)
        if self.copy is True:
            from copy import deepcopy

            self.copier = deepcopy
        elif self.copy is not False:
            self.copier = self.copy

    def _set_times(self) -> None:
        self.timed = self.table["timed"] = True
        if self.tti is not None:
            self.table["tti"] = nanoseconds(self.tti)
        if callable(self.ttl):
            self.life = ttl_decider(self.ttl)
        elif self.ttl is not None:
            self.table["ttl"] = lasts = nanoseconds(self.ttl)
            if self.jitter:
                self.life = lambda result, args, kwargs: lasts
        if self.jitter and self.life is not None:
            self.life = _shortened(self.life, self.jitter)
        self.decide = self.life

    def _set_path(self) -> None:
        early = self.refresh_ahead is not None or self.beta > 0
        tagged = self.tags is not None or self.invalidate_by != ()
        self.outlasts = early or tagged or self.stale > 0 or self.cache_exceptions != ()
        if self.outlasts:
            self.timed = self.table["timed"] = True
            self.table["stale"] = 0  # there is room for the end of what is stale
        self.has_path = (
            self.outlasts
            or self.hard_timeout is not None
            or self.retry is not None
            or self.single_flight is True
        )

    def _set_bounds(self, is_counted: bool) -> None:
        bound = self.max_weight if self.max_bytes is None else self.max_bytes
        if bound is not None:
            self.table["max_weight"] = bound
            if not is_counted:
                self.maxsize = None
        elif self.maxsize is None and self.memory_limit is not None:
            self.table["ordered"] = True  # nothing leaves for room, yet some may have to
        if self.weigher is not None:
            from ._weighing import by_weigher

            self.weigh = by_weigher(self.weigher)

    def in_context(self, function: Callable[..., Any]) -> Recipe:
        """The options for a function whose keys are to have the values of context variables."""
        from copy import copy

        from ._core import Gate, Table
        from ._keys.plan import read_plan
        from ._keys.surroundings import present

        variables, key = self.context, self.key
        plan = read_plan(function, ignore=self.ignore) or Plan((), 0, 0, {}, True, True)
        bind = Gate(function, Table(0), plan=plan, typed=self.typed, key=key).bind

        def key_in_context(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
            return bind(args, kwargs), present(variables)

        made = copy(self)
        made.key, made.ignore, made.context = key_in_context, (), ()
        return made

    def read_weight(self, bound: Any) -> int:
        """Another bound for the sum of weights, in the units of the one that was given.

        Raises:
            ConfigurationError: It isn't accepted, or there was none.
        """
        if self.max_bytes is not None:
            return read_size(bound, option="max_weight")
        if self.max_weight is None:
            raise refused("max_weight", bound, "None, since entries have no weights")
        return read_max_weight(bound)


def label_of(recipe: Recipe, function: Any) -> str:
    """What errors and events call a function."""
    named: str | None = recipe.name or getattr(function, "__qualname__", None)
    return named or type(function).__qualname__  # whose repr may show arguments


def nanoseconds(length: float) -> int | None:
    """Seconds as the core counts them, at least 1; None, for ever, from some 95 years on."""
    return None if length >= _AGES else max(1, int(length * 1e9))


def ttl_decider(ttl: Callable[..., Any], option: str = "ttl") -> Decide:
    """A user's ttl function as the core's `decide` hook."""

    def decide(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
        lasts = ttl_of_result(ttl(result, *args, **kwargs), option=option)
        if lasts is None:
            return None
        return nanoseconds(lasts) if lasts > 0 else -1

    return decide


def shortened(lasts: int | None, jitter: float) -> int | None:
    """A number of nanoseconds, less a random part of it: up to `jitter` of the whole."""
    if not lasts or lasts < 0:
        return lasts
    from random import random

    return max(1, int(lasts * (1.0 - jitter * random())))


def _shortened(life: Decide, jitter: float) -> Decide:
    return lambda result, args, kwargs: shortened(life(result, args, kwargs), jitter)


def _when(cache_if: Callable[..., object], life: Decide | None) -> Decide:
    def decide(result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
        if not cache_if(result, *args, **kwargs):
            return -1
        return 0 if life is None else life(result, args, kwargs)

    return decide


def is_method(plan: Plan, function: Callable[..., Any]) -> bool:
    """Whether a function stands in a class body and takes what a method takes first."""
    home = function.__qualname__.rpartition(".")[0]
    if home == "" or home.endswith("<locals>"):
        return False
    return plan.positional > 0 and plan.names[0] in ("self", "cls")


def keeps_first(plan: Plan | None) -> bool:
    """Whether the first positional argument of each call is the first item of its key."""
    if plan is None:
        return True
    return 0 not in plan.ignored if plan.positional else plan.varargs and plan.keep_args


def led_by_self(plan: Plan | None) -> Plan:
    """The plan with a first parameter of its own, for methods that take `self` by `*args`."""
    if plan is None:
        return _UNREADABLE_METHOD
    return Plan(
        ("self", *plan.names),
        1,
        1,
        {index + 1: value for index, value in plan.defaults.items()},
        plan.varargs,
        plan.varkw,
        frozenset(index + 1 for index in plan.ignored),
        plan.keep_args,
        plan.keep_kwargs,
    )


def without_first(plan: Plan | None) -> Plan:
    """The plan with the first argument left out of the key."""
    if plan is None or not plan.positional:
        plan = led_by_self(plan)
    return Plan(
        plan.names,
        plan.positional,
        plan.positional_only,
        plan.defaults,
        plan.varargs,
        plan.varkw,
        plan.ignored | {0},
        plan.keep_args,
        plan.keep_kwargs,
    )

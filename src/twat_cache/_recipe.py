"""What a decorator's options come to, for all its functions and for the first argument of one."""

from __future__ import annotations

from ._duration import seconds, ttl_of_result
from ._keys.plan import Plan
from ._options import read_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Decide = Callable[[Any, tuple[Any, ...], dict[str, Any]], int | None]

__all__ = [
    "Recipe",
    "is_method",
    "keeps_first",
    "led_by_self",
    "nanoseconds",
    "plain_recipe",
    "ttl_decider",
    "without_first",
]

_UNREADABLE_METHOD = Plan(("self",), 1, 1, {}, True, True)
_AGES = 3_000_000_000.0  # seconds, some 95 years: from here on a deadline is not worth its room


class Recipe:
    """The options of one decorator, read and decided; shared by all the gates that it makes.

    Attributes:
        maxsize: Most entries of a table, or None.
        typed: Whether the arguments' types belong to the key.
        key: The function that makes keys, or None.
        ignore: Names of the parameters that are left out of the key.
        unhashable: `"raise"`, `"bypass"` or `"digest"`.
        method: Whether a first argument is held weakly; None is to be found out.
        per_instance: Whether each object gets a table of its own.
        name: What errors call the cache, or None for the function's own name.
        clock: The tables' clock, or None.
        ttl: Nanoseconds that entries stay fresh, or None.
        timed: Whether tables keep deadlines.
        life: The ttl function as a core's `decide` hook, or None.
        decide: `life` and `cache_if` in one, for the core; None if there is neither.
        copier: What copies values on their way in and out, or None.
    """

    maxsize: int | None = 1024
    typed: bool = False
    key: Callable[..., Any] | None = None
    ignore: tuple[str, ...] = ()
    unhashable: str = "raise"
    method: bool | None = None
    per_instance: bool = False
    name: str | None = None
    clock: Callable[[], int] | None = None
    ttl: int | None = None
    timed: bool = False
    life: Decide | None = None
    decide: Decide | None = None
    copier: Callable[[Any], Any] | None = None

    def __init__(
        self,
        maxsize: Any,
        ttl: Any,
        policy: Any,
        typed: Any,
        key: Any,
        ignore: Any,
        unhashable: Any,
        cache_if: Any,
        method: Any,
        per_instance: Any,
        name: Any,
        copy: Any,
        clock: Any,
    ) -> None:
        self.maxsize, lasts, self.ignore = read_options(
            maxsize,
            ttl,
            policy,
            typed,
            key,
            ignore,
            unhashable,
            cache_if,
            method,
            per_instance,
            name,
            copy,
            clock,
        )
        self.typed = typed
        self.key = key
        self.unhashable = unhashable
        self.method = method
        self.per_instance = per_instance
        self.name = name
        self.clock = clock
        self.timed = lasts is not None
        if lasts is not None:
            if callable(lasts):
                self.life = self.decide = ttl_decider(lasts)
            else:
                self.ttl = nanoseconds(lasts)
        if cache_if is not None:
            self.decide = _when(cache_if, self.life)
        if copy is True:
            from copy import deepcopy

            self.copier = deepcopy
        elif copy is not False:
            self.copier = copy


def plain_recipe(maxsize: int, ttl: Any) -> Recipe:
    """What `Recipe` makes of a good `maxsize` and a `ttl` that is no function, more quickly."""
    recipe = object.__new__(Recipe)
    recipe.maxsize = maxsize
    if ttl is not None:
        recipe.ttl = nanoseconds(seconds(ttl))
        recipe.timed = True
    return recipe


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

"""The plan of a function's parameters, by which a core binds a call without `inspect`.

A plan is read once, when the function is decorated, from the function's own `__code__`. It never
follows `__wrapped__`: what is called is the wrapper, so its parameters and its defaults decide
what a call means, not those of the function that it dresses up as.
"""

from __future__ import annotations

from sys import maxsize
from types import FunctionType, MethodType

from ..errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import CodeType

__all__ = ["Plan", "Unhashable", "plan_of", "read_plan"]

_HAS_VARARGS = 0x04  # inspect.CO_VARARGS
_HAS_VARKW = 0x08  # inspect.CO_VARKEYWORDS
_blank = object.__new__


class Unhashable:
    """Stands in a key for a default that can't be hashed; equal to itself only."""

    __slots__ = ("parameter",)

    def __init__(self, parameter: str) -> None:
        """Remembers which parameter's default it stands for."""
        self.parameter = parameter

    def __repr__(self) -> str:
        """Names the parameter, and leaves the default itself unsaid."""
        return f"<default of {self.parameter!r}>"


class Plan:
    """How to bind a call of one function, and which of its arguments make the key.

    Attributes:
        names: The fixed parameters: the positional ones in order, then the keyword-only ones.
        positional: How many of them may be given by position.
        positional_only: How many of them can't be given by name.
        defaults: From an index in `names` to the default; one that can't be hashed is replaced
            by an `Unhashable`.
        varargs: Whether further positional arguments are taken (`*args`).
        varkw: Whether further keywords are taken (`**kwargs`).
        ignored: The indices in `names` that are left out of the key.
        keep_args: Whether the further positional arguments belong to the key.
        keep_kwargs: Whether the further keywords belong to the key.
        least: The fewest positional arguments that are, as they stand, the whole key …
        most: … and the most; less than `least` if no call is so simple.
    """

    # What most plans have in common stands here, so that `plan_of` sets little.
    positional: int = 0
    positional_only: int = 0
    varargs: bool = False
    varkw: bool = False
    ignored: frozenset[int] = frozenset()
    keep_args: bool = True
    keep_kwargs: bool = True
    least: int = 1
    most: int = 0
    _names: tuple[str, ...] | None = None
    _code: CodeType
    _defaults: dict[int, object] | None = None
    _given: tuple[object, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The fixed parameters."""
        if self._names is None:
            self._names = self._code.co_varnames[: self.positional]
        return self._names

    @names.setter
    def names(self, names: tuple[str, ...]) -> None:
        self._names = names

    @property
    def defaults(self) -> dict[int, object]:
        """From an index in `names` to the default."""
        if self._defaults is None:
            given = self._given
            first = self.positional - len(given)  # below 0 if __defaults__ was set by hand
            self._defaults = {
                index: _hashable(given[index - first], self.names[index])
                for index in range(max(first, 0), self.positional)
            }
        return self._defaults

    @defaults.setter
    def defaults(self, defaults: dict[int, object]) -> None:
        self._defaults = defaults

    @property
    def width(self) -> int | None:
        """How many arguments make a key; None if that differs from call to call."""
        if (self.varargs and self.keep_args) or (self.varkw and self.keep_kwargs):
            return None
        return len(self.names) - len(self.ignored)

    def __init__(
        self,
        names: tuple[str, ...],
        positional: int,
        positional_only: int,
        defaults: dict[int, object],
        varargs: bool,
        varkw: bool,
        ignored: frozenset[int] = frozenset(),
        keep_args: bool = True,
        keep_kwargs: bool = True,
    ) -> None:
        """Takes the parts as they are; `read_plan` is what finds them."""
        self.names = names
        self.positional = positional
        self.positional_only = positional_only
        self.defaults = defaults
        self.varargs = varargs
        self.varkw = varkw
        self.ignored = ignored
        self.keep_args = keep_args
        self.keep_kwargs = keep_kwargs
        _settle(self)

    def __repr__(self) -> str:
        """Shows the parameters as a `def` would, and then what the key leaves out."""
        shown: list[str] = []
        for index, name in enumerate(self.names):
            if index == self.positional:
                shown.append("*args" if self.varargs else "*")
            shown.append(f"{name}={self.defaults[index]!r}" if index in self.defaults else name)
            if index + 1 == self.positional_only:
                shown.append("/")
        if self.varargs and self.positional == len(self.names):
            shown.append("*args")
        if self.varkw:
            shown.append("**kwargs")
        left_out = [self.names[index] for index in sorted(self.ignored)]
        left_out += [] if self.keep_args else ["*args"]
        left_out += [] if self.keep_kwargs else ["**kwargs"]
        return f"<Plan ({', '.join(shown)}){' ignoring ' * bool(left_out)}{', '.join(left_out)}>"


def read_plan(function: Callable[..., object], *, ignore: Collection[str] = ()) -> Plan | None:
    """The plan of a plain function or of a bound method of one; None for any other callable.

    Args:
        function: What is going to be called. The first parameter of a bound method is taken.
        ignore: Names of parameters that shall not be part of the key, those of `*args` and
            `**kwargs` among them. A lone text is one name.

    Raises:
        ConfigurationError: `ignore` names what isn't a parameter, or the callable has no plan.
    """
    plain = function
    if type(plain) is MethodType:
        plain = plain.__func__
    if type(plain) is not FunctionType:
        if ignore:
            raise refused(
                "ignore",
                ignore,
                "(), since this callable has no readable parameters, or key= in its place",
            )
        return None
    code = plain.__code__
    flags = code.co_flags
    positional = code.co_argcount
    fixed = positional + code.co_kwonlyargcount
    plan = plan_of(plain)
    variables = code.co_varnames
    plan.names = variables[:fixed]
    plan.varargs = flags & _HAS_VARARGS != 0
    plan.varkw = flags & _HAS_VARKW != 0
    defaults = plan.defaults
    by_name = plain.__kwdefaults__
    if by_name:
        for index in range(positional, fixed):
            name = variables[index]
            if name in by_name:
                defaults[index] = _hashable(by_name[name], name)
    if plain is not function and positional:
        _take_self(plan)
    if ignore:
        _leave_out(plan, ignore, variables[fixed:][: plan.varargs + plan.varkw])
    _settle(plan)
    return plan


def plan_of(function: FunctionType) -> Plan:
    """The plan of a function that has positional parameters only.

    Goes without `__init__`, and names and defaults wait until a call has to be bound: decorating
    may cost little more than a microsecond in all.
    """
    code = function.__code__
    plan = _blank(Plan)
    plan._code = code
    plan._given = function.__defaults__ or ()
    plan.positional_only = code.co_posonlyargcount
    plan.least = plan.most = plan.positional = code.co_argcount
    return plan


def _settle(plan: Plan) -> None:
    """Works out which calls are their own key."""
    plan.least, plan.most = 1, 0
    if not plan.ignored and plan.positional == len(plan.names):
        if not plan.varargs:
            plan.least = plan.most = plan.positional
        elif plan.keep_args:
            plan.least, plan.most = plan.positional, maxsize


def _take_self(plan: Plan) -> None:
    """Drops what a bound method fills in; without one, `self` is the unseen first of `*args`."""
    plan.names = plan.names[1:]
    plan.positional -= 1
    plan.positional_only -= plan.positional_only > 0
    plan.defaults = {index - 1: value for index, value in plan.defaults.items() if index}


def _hashable(value: object, parameter: str) -> object:
    try:
        hash(value)
    except Exception:  # whatever a foreign __hash__ raises, the default can't be compared
        return Unhashable(parameter)
    return value


def _leave_out(plan: Plan, ignore: Collection[str], rest: tuple[str, ...]) -> None:
    """Marks the named parameters; `rest` has the names of `*args` and `**kwargs`, as far as any."""
    ignored: set[int] = set()
    for name in (ignore,) if isinstance(ignore, str) else ignore:
        if name in plan.names:
            ignored.add(plan.names.index(name))
        elif name not in rest:
            known = ", ".join(map(repr, plan.names + rest)) or "nothing, it has no parameters"
            raise refused("ignore", ignore, known)
        elif plan.varargs and name == rest[0]:
            plan.keep_args = False
        else:
            plan.keep_kwargs = False
    plan.ignored = frozenset(ignored)

"""What a function is made of, as a state: instructions, constants, names, defaults, closure.

Where a line stands, its comments and its blanks are no part of it. What a function calls itself is
none either: of what `functools.wraps` dressed up as another the wrapper's own code counts, and the
function within is part of it as far as it closes over that. Only caches are looked through.
"""

from __future__ import annotations

from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType

from ..errors import CacheKeyError
from .naming import home, reference
from .own_name import behind_caches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Tell: TypeAlias = Callable[[Any], object]

__all__ = ["callable_state", "plain_function"]

_KIND = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200
"""Of a code's flags those that say what it is: *args, **kwargs, generators, coroutines."""


def plain_function(function: object) -> FunctionType | None:
    """The function that has the code: itself, or the one behind a bound method."""
    plain = function.__func__ if type(function) is MethodType else function
    return plain if type(plain) is FunctionType else None  # a proxy says that it is an instance


def callable_state(
    function: Any, tell: Tell, *, by_name: bool, seen: dict[FunctionType, int] | None = None
) -> object:
    """The state, made of what has a canonical encoding.

    Args:
        function: A function, or any other callable; what isn't made of functions is told by `tell`.
        tell: Gives what tells a value that a function closes over or has as a default.
        by_name: Whether functions among these are told by their names, if those are their own, and
            any others by their module, too, since there one global name is one thing.
        seen: The functions that this one is part of, with their numbers.
    """
    seen = {} if seen is None else seen
    function = behind_caches(function)

    def told(value: Any) -> object:
        value = behind_caches(value)
        name = _found(value) if by_name and type(value) is FunctionType else None
        if name is not None:
            return "function", name
        return callable_state(value, tell, by_name=by_name, seen=seen)

    if type(function) is MethodType:
        return "method", told(function.__func__), told(function.__self__)
    if isinstance(function, partial) and type(function).__call__ is partial.__call__:
        named = tuple((name, told(value)) for name, value in function.keywords.items())
        return "partial", told(function.func), tuple(map(told, function.args)), named
    if isinstance(function, ModuleType):
        return "module", function.__name__
    if type(function) is not FunctionType:
        return tell(function)
    if function in seen:  # it calls itself, or two call each other
        return "again", seen[function]
    seen[function] = len(seen)
    code = function.__code__
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    by_keyword = (function.__kwdefaults__ or {}).items()
    return (
        "function",
        _origin(function) if by_name else None,
        _code(code),
        tuple(map(told, function.__defaults__ or ())),
        tuple((name, told(value)) for name, value in by_keyword),
        tuple((name, _content(cell, told)) for name, cell in cells),
    )


def _origin(function: FunctionType) -> str | None:
    """The module whose globals it has; another function may have lent it `__module__`."""
    module = function.__globals__.get("__name__")
    return home(module) or module if isinstance(module, str) else None


def _code(code: CodeType) -> object:
    return (
        "code",
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _KIND),
        (code.co_code, getattr(code, "co_exceptiontable", b"")),
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        tuple(_code(const) if isinstance(const, CodeType) else const for const in code.co_consts),
    )


def _content(cell: Any, told: Tell) -> object:
    try:
        value = cell.cell_contents
    except ValueError:  # nothing yet; the function itself, when it is being decorated
        return "empty"
    return told(value)


def _found(function: FunctionType) -> str | None:
    """Where it can be found again, if it can; names that were typed in by hand are everybody's."""
    try:
        return reference(function) if home(function.__module__) is not None else None
    except CacheKeyError:
        return None

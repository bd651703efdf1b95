"""What a function is made of, as a state: instructions, constants, names, defaults, closure.

Where a line stands, its comments and its blanks are no part of it.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MethodType, ModuleType

from ..errors import CacheKeyError
from .naming import reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Tell: TypeAlias = Callable[[Any], object]

__all__ = ["function_state", "plain_function"]

_KIND = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200
"""Of a code's flags those that say what it is: *args, **kwargs, generators, coroutines."""


def plain_function(function: object) -> FunctionType | None:
    """The function that has the code: itself, or the one behind a bound method."""
    plain = function.__func__ if isinstance(function, MethodType) else function
    return plain if isinstance(plain, FunctionType) else None


def function_state(
    function: FunctionType,
    tell: Tell,
    *,
    by_name: bool,
    seen: dict[FunctionType, int] | None = None,
) -> object:
    """The state, made of what has a canonical encoding.

    Args:
        function: A function written in Python.
        tell: Gives what tells a value that it closes over or has as a default.
        by_name: Whether functions among these are told by their names, if those are their own.
        seen: The functions that this one is part of, with their numbers.
    """
    seen = {} if seen is None else seen
    if function in seen:  # it calls itself, or two call each other
        return "again", seen[function]
    seen[function] = len(seen)

    def told(value: Any) -> object:
        plain = plain_function(getattr(value, "__wrapped__", value))
        if plain is not None:
            name = _found(plain) if by_name else None
            return "function", name or function_state(plain, tell, by_name=by_name, seen=seen)
        if isinstance(value, ModuleType):
            return "module", value.__name__
        return tell(value)

    code = function.__code__
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    named = (function.__kwdefaults__ or {}).items()
    return (
        _code(code),
        tuple(map(told, function.__defaults__ or ())),
        tuple((name, told(value)) for name, value in named),
        tuple((name, _content(cell, told)) for name, cell in cells),
    )


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
    """Where it can be found again, if it can."""
    try:
        return reference(function)
    except CacheKeyError:
        return None

"""What tells a function by its code, where its name doesn't, or shouldn't.

Two lambdas of one module have one name, and two functions made by one `def` within another have
too. And a function that was changed keeps its name, while its old results are wrong. A digest of
what the compiler made of it tells them apart: instructions, constants, names, defaults, and what it
closes over at that time. Where a line stands, its comments and its blanks don't matter.

Bytecode differs between versions of Python (3.11 and 3.12, say; not 3.12.1 and 3.12.2), so these
digests do too, and what a program stored under one version it computes anew under another. What
the function calls in turn is no part of it, unless it closes over it.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MethodType, ModuleType

from ..errors import CacheKeyError
from .canonical import digest, encode
from .naming import reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["plain_function", "source_digest"]

_KIND = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200
"""Of a code's flags those that say what it is: *args, **kwargs, generators, coroutines."""


def plain_function(function: object) -> FunctionType | None:
    """The function that has the code: itself, or the one behind a bound method."""
    plain = function.__func__ if isinstance(function, MethodType) else function
    return plain if isinstance(plain, FunctionType) else None


def source_digest(function: FunctionType, *, strict: bool = False) -> str:
    """The digest, in 32 hexadecimal digits.

    Args:
        function: A function written in Python.
        strict: Whether each value that it closes over or has as a default must be told apart, and
            a function among them is told by its name if that is its own. Otherwise a function is
            told by its code, and of what can't be told apart the type will do.

    Raises:
        CacheKeyError: (if strict) One can't be.
    """
    return digest(_function(function, {}, strict)).hex()


def _function(function: FunctionType, seen: dict[FunctionType, int], strict: bool) -> object:
    if function in seen:  # it calls itself, or two call each other
        return "again", seen[function]
    seen[function] = len(seen)
    code = function.__code__
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    named = (function.__kwdefaults__ or {}).items()
    return (
        _code(code),
        tuple(_value(value, seen, strict) for value in function.__defaults__ or ()),
        tuple((name, _value(value, seen, strict)) for name, value in named),
        tuple((name, _content(cell, seen, strict)) for name, cell in cells),
    )


def _code(code: CodeType) -> object:
    return (
        "code",
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _KIND),
        (code.co_code, getattr(code, "co_exceptiontable", b"")),
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        tuple(_code(const) if isinstance(const, CodeType) else const for const in code.co_consts),
    )


def _content(cell: Any, seen: dict[FunctionType, int], strict: bool) -> object:
    try:
        value = cell.cell_contents
    except ValueError:  # nothing yet; the function itself, when it is being decorated
        return "empty"
    return _value(value, seen, strict)


def _found(function: FunctionType) -> str | None:
    """Where it can be found again, if it can."""
    try:
        return reference(function)
    except CacheKeyError:
        return None


def _value(value: Any, seen: dict[FunctionType, int], strict: bool) -> object:
    plain = plain_function(getattr(value, "__wrapped__", value))
    if plain is not None:
        return "function", (strict and _found(plain)) or _function(plain, seen, strict)
    if isinstance(value, ModuleType):
        return "module", value.__name__
    try:
        return "value", encode(value)
    except CacheKeyError:
        if strict:
            raise
        return "type", f"{type(value).__module__}:{type(value).__qualname__}"

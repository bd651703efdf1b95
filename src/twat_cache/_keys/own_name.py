"""Whether a function's module and qualified name are its own, or a name that others have too.

What was written by `def` at the top of a module, or in a class there, has its name to itself, even
before the name is bound and after another was bound in its place: results outlive the function
that was there yesterday. Whatever was *given* its name, as by `functools.wraps`, pretends to be
another function; the name is its own only where it leads back to it, or will: a wrapper around a
`def` whose name isn't bound yet stands between the two in a stack of decorators.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import FunctionType, MethodType

from .._core import Gate
from .naming import found_under, home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["behind_caches", "has_own_name", "is_made_again"]

_MOST_LAYERS = 100  # a chain of wrappers may lead back to itself
_FUNCTOOLS = type(lru_cache(len))
_TYPE_PARAMETERS = ("typing", "typing_extensions")


def behind_caches(function: Any) -> Any:
    """The function behind caches in memory or in a store, which answer as it does."""
    for _ in range(_MOST_LAYERS):
        if not _is_cache(function):
            break
        function = function.__wrapped__
    return function


def has_own_name(function: Any) -> bool:
    """Whether no other callable has this one's name, as far as can be seen.

    Args:
        function: What is going to be decorated, with a module and a qualified name that are texts;
            no cache.
    """
    module, name = function.__module__, function.__qualname__
    if home(module) is None or "<" in name or type(function) is MethodType:
        return False
    standing = found_under(module, name)
    if standing is None and _is_being_written(function, name):
        return True
    if type(function) is not FunctionType:
        return standing is function or not _is_dressed(function)
    if _is_written_as(function, name):
        return not any(layer is function for layer in _beneath(standing))
    return standing is function and not any(map(_is_cache, _beneath(function)))


def is_made_again(function: Any) -> bool:
    """Whether a cache has its name whose function was made by the same code: before a reload."""
    standing = found_under(function.__module__, function.__qualname__)
    before = behind_caches(standing)
    code = getattr(function, "__code__", None)
    return (
        code is not None
        and before is not standing
        and getattr(before, "__code__", None) == code
        and _inmost(before) is not _inmost(function)
        and _is_being_written(function, function.__qualname__)
    )


def _is_cache(function: object) -> bool:
    return isinstance(function, Gate) or type(function) is _FUNCTOOLS


def _is_dressed(function: Any) -> bool:
    own = getattr(function, "__dict__", {})
    return "__qualname__" in own or getattr(function, "__wrapped__", None) is not None


def _is_written_as(function: FunctionType, name: str) -> bool:
    """Whether the name is that of the code, at the top of its module or in a class there."""
    code = function.__code__
    if function.__globals__.get("__name__", function.__module__) != function.__module__:
        return False
    if sys.version_info >= (3, 11):
        is_its = code.co_qualname == name
    else:
        is_its = code.co_name == name.rpartition(".")[2] and not _is_dressed(function)
    return is_its and all(map(_is_of_class, code.co_freevars, function.__closure__ or ()))


def _is_being_written(function: Any, name: str) -> bool:
    """Whether it wraps what is written by a `def` of this name in its own module."""
    inmost = _inmost(function)
    return (
        type(inmost) is FunctionType
        and inmost is not function
        and inmost.__module__ == function.__module__
        and _is_written_as(inmost, name)
    )


def _inmost(function: Any) -> Any:
    """What is below all wrappers; None if a cache or a method is among them."""
    for layer in _beneath(function):
        if _is_cache(layer) or type(layer) is MethodType:
            return None
        function = layer
    return function


def _is_of_class(variable: str, cell: Any) -> bool:
    """Whether a function closes over it because of what stands around: a class, `[T]`."""
    try:
        value = cell.cell_contents
    except ValueError:  # the class isn't there yet
        return variable == "__class__"
    return variable == "__class__" or type(value).__module__ in _TYPE_PARAMETERS


def _beneath(value: Any) -> Iterator[Any]:
    """What a wrapper wraps, layer by layer, if it is one; a cache or a bound method isn't."""
    value = behind_caches(value)
    if type(value) is MethodType:
        value = behind_caches(value.__func__)
    for _ in range(_MOST_LAYERS):
        value = getattr(value, "__wrapped__", None)
        if value is None:
            return
        yield value

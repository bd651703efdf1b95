"""Tells functions, coroutine functions and generator functions apart, without `inspect`."""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType, MethodType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "ASYNC",
    "GENERATES",
    "NOT_PLAIN",
    "is_async_generator_function",
    "is_coroutine_function",
    "is_generator_function",
]

ASYNC = 0x80  # inspect.CO_COROUTINE
_GENERATES_ASYNC = 0x200  # inspect.CO_ASYNC_GENERATOR
GENERATES = 0x20 | _GENERATES_ASYNC  # inspect.CO_GENERATOR
NOT_PLAIN = ASYNC | GENERATES | 0x04 | 0x08  # inspect.CO_VARARGS, inspect.CO_VARKEYWORDS


def is_coroutine_function(function: object) -> bool:
    """Whether a call gives a coroutine: an `async def`, however wrapped, or marked as one."""
    return _flags(function) & ASYNC != 0 or _is_marked(function)


def is_generator_function(function: object) -> bool:
    """Whether a call gives a generator or an async generator."""
    return _flags(function) & GENERATES != 0


def is_async_generator_function(function: object) -> bool:
    """Whether a call gives an async generator."""
    return _flags(function) & _GENERATES_ASYNC != 0


def _flags(function: Any) -> int:
    """The code flags of the Python function that a call ends in; 0 if there is none."""
    while type(function) is not FunctionType:
        if type(function) is MethodType:
            function = function.__func__
        elif isinstance(function, partial):
            function = function.func
        else:
            function = getattr(type(function), "__call__", None)  # noqa: B004
            if type(function) is not FunctionType:
                return 0
    return function.__code__.co_flags


def _is_marked(function: object) -> bool:
    """Whether `inspect` or asyncio were told that it is one; if neither is loaded, they weren't."""
    name = "inspect" if sys.version_info >= (3, 12) else "asyncio.coroutines"
    module: Any = sys.modules.get(name)
    return module is not None and bool(module.iscoroutinefunction(function))

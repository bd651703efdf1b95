"""Exceptions taken apart and put together again: for a copy, or for a store.

Of an exception its arguments and its attributes are kept, as pickle does it. Other than pickle,
nothing of the class's own runs when it is put together: an `__init__` that makes a message of a
number would make another message of that message. And the class isn't among the parts. Who puts
them together says which class it shall be, so parts from a store make an instance of exactly that
class, or nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    E = TypeVar("E", bound=BaseException)

__all__ = ["put_together", "taken_apart"]


def taken_apart(error: BaseException) -> list[Any] | None:
    """Arguments and attributes; None if there may be more to it, such as slots."""
    cls: Any = type(error)
    if any("__slots__" in base.__dict__ and base.__slots__ for base in cls.__mro__):
        return None
    _, args, *attributes = _pythons(cls, "__reduce__")(error)
    return [list(args), dict(*attributes)]


def put_together(cls: type[E], parts: Any) -> E | None:
    """An exception of this class and no other; None if these are no parts of one."""
    base: Any = cls
    while base.__module__ != "builtins":
        base = base.__base__
    try:
        args, attributes = parts
        if any(name.startswith("__") and name != "__notes__" for name in attributes):
            return None
        error: E = base.__new__(cls, *args)
        _pythons(cls, "__init__")(error, *args)
        _pythons(cls, "__setstate__")(error, attributes)
    except Exception:  # of what was never taken apart, or of a type in C that is made otherwise
        return None
    return error if type(error) is cls else None


def _pythons(cls: type, method: str) -> Any:
    """The method as Python's own classes have it."""
    own = [base.__dict__ for base in cls.__mro__ if base.__module__ == "builtins"]
    return next(names[method] for names in own if method in names)

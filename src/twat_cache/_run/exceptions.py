"""Exceptions taken apart and put together again: for a copy, or for a store.

Of an exception its arguments and its attributes are kept, as pickle does it. Other than pickle,
nothing of the class's own runs when it is put together: an `__init__` that makes a message of a
number would make another message of that message. And no class is looked for. Who puts the parts
together says which class it shall be, and they only have to be that one's: so parts from a store
make an instance of exactly that class, or nothing.
"""

from __future__ import annotations

from .drive import disguised, original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    E = TypeVar("E", bound=BaseException)

__all__ = ["put_together", "taken_apart", "twin"]


def taken_apart(error: BaseException) -> list[Any] | None:
    """Name of the class, arguments, attributes; None if there may be more to it, such as slots."""
    cls: Any = type(error)
    if any("__slots__" in base.__dict__ and base.__slots__ for base in cls.__mro__):
        return None
    _, args, *attributes = _pythons(cls, "__reduce__")(error)
    return [_name(cls), list(args), dict(*attributes)]


def put_together(cls: type[E], parts: Any) -> E | None:
    """An exception of this class and no other; None if these are no parts of one."""
    base: Any = cls
    while base.__module__ != "builtins":
        base = base.__base__
    try:
        name, args, attributes = parts
        if name != _name(cls) or any(map(_is_pythons_own, attributes)):
            return None
        error: E = base.__new__(cls, *args)
        _pythons(cls, "__init__")(error, *args)
        _pythons(cls, "__setstate__")(error, attributes)
    except Exception:  # of what was never taken apart, or of a type in C that is made otherwise
        return None
    return error if type(error) is cls else None


def twin(error: BaseException) -> BaseException:
    """A copy of an exception, caused by it, as steps may raise it; itself if it can't be copied."""
    cause = original(error)
    other = put_together(type(cause), taken_apart(cause))
    if other is None:
        return error
    other.__cause__ = cause
    return disguised(other)


def _name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _is_pythons_own(attribute: str) -> bool:
    return attribute.startswith("__") and attribute != "__notes__"


def _pythons(cls: type, method: str) -> Any:
    """The method as Python's own classes have it."""
    own = [base.__dict__ for base in cls.__mro__ if base.__module__ == "builtins"]
    return next(names[method] for names in own if method in names)

"""Types of the user's own that MessagePack carries because they were registered.

A registered type is written as its name and a state. Reading looks the name up among the types
that are registered, and nowhere else: nothing is imported, and no class that wasn't meant for it is
ever made. So both who writes and who reads has to register it, best beside the class:

    @register_type
    @dataclass
    class Order: ...

Members of enumerations are written by name (flags by value), named tuples by their items, and
dataclasses by their fields. Any other type needs two functions.
"""

from __future__ import annotations

import sys

from ..errors import ConfigurationError, SerializationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    C = TypeVar("C", bound=type)

__all__ = ["read_own", "register_type", "state_of"]

_writers: dict[type, tuple[str, Callable[[Any], Any]]] = {}
_readers: dict[str, tuple[type, Callable[[Any], Any]]] = {}


def register_type(
    cls: C,
    write: Callable[[Any], Any] | None = None,
    read: Callable[[Any], Any] | None = None,
    *,
    name: str | None = None,
) -> C:
    """Lets values of exactly this class be stored, and gives the class back.

    Args:
        cls: An enumeration, a dataclass, a named tuple; or any class, with both functions.
        write: Gives the state that stands for a value, made of what can be stored.
        read: Makes a value of such a state.
        name: What stands for the class in what is stored; `module:name` unless given. A class that
            is going to be moved keeps its stored values by keeping its name.

    Raises:
        ConfigurationError: The class needs functions, or another one has the name.
    """
    if not isinstance(cls, type):
        raise refused("cls", cls, "a class")
    if (write is None) != (read is None):
        raise refused("write", write, "write= and read= together, or neither of them")
    if write is None or read is None:
        write, read = _ways(cls)
    own = f"{cls.__module__}:{cls.__qualname__}"
    name = own if name is None else name
    other = _readers[name][0] if name in _readers else cls
    if f"{other.__module__}:{other.__qualname__}" != own:  # the same one again: it was reloaded
        raise refused("name", name, "a name that no other registered class has")
    _readers[name] = cls, read
    _writers[cls] = name, write
    return cls


def state_of(value: object) -> list[Any] | None:
    """Name and state of a value of a registered type; None for any other."""
    found = _writers.get(type(value))
    if found is None:
        return None
    name, write = found
    try:
        return [name, write(value)]
    except SerializationError:
        raise
    except Exception as error:
        raise SerializationError(
            f"a value of type {name} can't be written: its write= raised {type(error).__name__}"
        ) from error


def read_own(state: list[Any]) -> Any:
    """The value of a name and a state."""
    name, inner = state
    cls, read = _readers[name]
    value = read(inner)
    if type(value) is not cls:
        raise TypeError(name)
    return value


def _ways(cls: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """How values of a class of a well-known kind are written and read."""
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(cls, enum.Flag):
        return (lambda value: value._value_), cls
    if enum is not None and issubclass(cls, enum.Enum):
        return (lambda value: value._name_), lambda name: cls[name]
    if "__dataclass_fields__" in cls.__dict__ and cls.__new__ is object.__new__:
        return _by_fields(cls)
    if issubclass(cls, tuple) and {"_fields", "_make"} <= cls.__dict__.keys():
        return list, cls._make
    raise ConfigurationError(
        f"register_type({cls.__qualname__}): values of this class can't be taken apart and put "
        "together again without write=, a function that gives what stands for a value, and read=, "
        "one that makes a value of that"
    )


def _by_fields(cls: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """By the fields of a dataclass; neither `__init__` nor `__post_init__` runs again."""
    names = [field.name for field in sys.modules["dataclasses"].fields(cls)]
    put = object.__setattr__  # a frozen one has no other

    def write(value: Any) -> list[Any]:
        missing = [name for name in names if not hasattr(value, name)]
        if missing or not getattr(value, "__dict__", {}).keys() <= {*names}:
            raise SerializationError(
                f"a value of type {cls.__qualname__} can't be written: its attributes aren't its "
                "fields"
            )
        return [names, [getattr(value, name) for name in names]]

    def read(state: Any) -> Any:
        found, parts = state
        if found != names:
            raise ValueError(found)  # the class has changed since
        value: Any = object.__new__(cls)
        for name, part in zip(names, parts, strict=True):
            put(value, name, part)
        return value

    return write, read

"""The states of well-known types: what stands for a value of theirs in the canonical encoding.

A type is recognised only if its module has been imported already: where there is a value of a
type, there is its module. Nothing is imported here, numpy least of all.
"""

from __future__ import annotations

import sys
from copyreg import _slotnames  # type: ignore[attr-defined]  # pickle asks it, too

from .frames import pandas_state
from .naming import reference, unencodable
from .zones import fixed_state, timedelta_state, zone_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["known_state"]


def known_state(value: Any) -> tuple[str, object]:
    """The name and the state of a value whose type is neither built in nor the user's own affair.

    Raises:
        CacheKeyError: The type isn't known, and no guess is made.
    """
    cls = type(value)
    for module, name, state in _LIBRARY:
        if cls is getattr(sys.modules.get(module), name, None):
            return f"{module}:{name}", state(value)
    pandas = sys.modules.get("pandas")
    found = None if pandas is None else pandas_state(pandas, value)
    if found is not None:
        return found
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(cls, numpy.generic):
        if getattr(numpy, cls.__name__, None) is cls:
            return f"numpy:{value.dtype.name}", _array(value)
    elif "enum" in sys.modules and issubclass(cls, sys.modules["enum"].Enum):
        flag = issubclass(cls, sys.modules["enum"].Flag)  # a union of flags may have no name
        return reference(cls), value._value_ if flag else value._name_
    elif "__dataclass_fields__" in cls.__dict__ and _holds_attributes_only(cls):
        return reference(cls), _attributes(value)
    elif (
        issubclass(cls, tuple)
        and isinstance(getattr(cls, "_fields", None), tuple)
        and (
            not getattr(value, "__dict__", None)  # else it's a subclass that holds more
        )
    ):
        return reference(cls), tuple(value)
    raise unencodable(cls)


def _holds_attributes_only(cls: type) -> bool:
    """Whether no base has contents of its own, as a list has."""
    makers = [base.__dict__.get("__new__") for base in cls.__mro__[:-1]]
    return all(maker is None or type(maker) is staticmethod for maker in makers)


def _attributes(value: Any) -> dict[str, object]:
    """All fields that are set, those that `==` leaves out included, and what else is set.

    What a cached property has kept only says again what the rest says.
    """
    cls = type(value)
    names = [field.name for field in sys.modules["dataclasses"].fields(value)]
    names += _slotnames(cls)
    found = {name: getattr(value, name) for name in names if hasattr(value, name)}
    for name, more in getattr(value, "__dict__", {}).items():
        if type(getattr(cls, name, None)).__name__ != "cached_property":
            found.setdefault(name, more)
    return found


def _decimal(value: Any) -> object:
    return tuple(value.as_tuple())  # its text would depend on the context


def _fraction(value: Any) -> object:
    return value.numerator, value.denominator


def _uuid(value: Any) -> object:
    return value.int


def _date(value: Any) -> object:
    return value.year, value.month, value.day


def _time(value: Any) -> object:
    clock = (value.hour, value.minute, value.second, value.microsecond, value.fold)
    return *clock, zone_state(value)


def _datetime(value: Any) -> object:
    return _date(value), _time(value)


def _zoneinfo(value: Any) -> object:
    if value.key is None:
        raise unencodable(type(value), "it was read from a file and has no key")
    return value.key


def _path(value: Any) -> object:
    return str(value)


def _ordered(value: Any) -> object:
    return tuple(value.items())


def _deque(value: Any) -> object:
    return value.maxlen, tuple(value)


def _array(value: Any) -> object:
    """Type, shape and the elements in C order, however they lie in memory."""
    dtype = value.dtype
    remarks = () if dtype.metadata is None else (dict(dtype.metadata),)
    if dtype.names is not None:  # by field, since there may be junk between them
        fields = [(name, *dtype.fields[name][1:], _array(value[name])) for name in dtype.names]
        return value.shape, dtype.itemsize, tuple(fields), *remarks
    if dtype.kind not in "biufcmMSUV" or dtype.char in "gG":  # long doubles hold junk too
        raise unencodable(type(value), f"its elements are of dtype {dtype.name}")
    return dtype.str, value.shape, value.tobytes(), *remarks


_LIBRARY: tuple[tuple[str, str, Callable[[Any], object]], ...] = (
    ("decimal", "Decimal", _decimal),
    ("fractions", "Fraction", _fraction),
    ("uuid", "UUID", _uuid),
    ("datetime", "date", _date),
    ("datetime", "time", _time),
    ("datetime", "datetime", _datetime),
    ("datetime", "timedelta", timedelta_state),
    ("datetime", "timezone", fixed_state),
    ("zoneinfo", "ZoneInfo", _zoneinfo),
    ("pathlib", "PosixPath", _path),
    ("pathlib", "PurePosixPath", _path),
    ("pathlib", "WindowsPath", _path),
    ("pathlib", "PureWindowsPath", _path),
    ("collections", "OrderedDict", _ordered),
    ("collections", "Counter", dict),
    ("collections", "deque", _deque),
    ("numpy", "ndarray", _array),
)

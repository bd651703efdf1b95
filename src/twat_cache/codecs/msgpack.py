"""MessagePack, with a word for the types of Python that it has none for.

What is read equals what was written, type by type: a tuple stays a tuple, an int of any size an
int, and a type that has no word is refused, never guessed at. Reading makes values of the types
listed below and nothing else, so a file from anywhere runs no code of its own.

A value that MessagePack itself can't say is an array that begins with a *tag*, an extension object
whose code tells the type. Nothing else is ever written as one, so an array is a list or it begins
with a tag. Extension objects with the value inside would be the usual way, but their readers nest,
and each takes 40 KB of the C stack: a hundred tuples within one another could end the process. Here
one reader sees it all, and it counts how deep it is.

| code | type | written as |
|---|---|---|
| 1, 2, 3 | tuple, set, frozenset | its items |
| 4 | complex | real and imaginary part |
| 5 | int of more than 64 bits | bytes, the least first, signed |
| 6, 7 | Decimal, UUID | text; 16 bytes |
| 8, 9, 10 | date, time, datetime | the numbers, `fold` and the zone |
| 11, 12, 13 | timedelta, timezone, ZoneInfo | days, seconds, microseconds; its parts; its key |
| 14, 15, 16 | Path, PurePosixPath, PureWindowsPath | text |
| 17, 18 | numpy array, numpy scalar | dtype, shape and bytes in C order; dtype and bytes |
| 19 | a type that was registered | its name, and the state that stands for the value |
| 20 | numpy array behind the message | dtype, shape, and where it begins |
| 21 | pandas' types | name and state, see `frames` |
| 22 | Arrow's tables | name and stream, see `tables` |

The codes are a format: they are never given to another type.
"""

from __future__ import annotations

import sys

from ..errors import SerializationError
from .arrays import ArrayReader, near, scalar
from .frames import read_pandas, write_pandas
from .own_types import read_own, state_of
from .tables import read_arrow, write_arrow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from ..engine_types import Bytes
    from .arrays import Far

    Write: TypeAlias = Callable[[Any], list[Any]]
    Read: TypeAlias = Callable[[list[Any]], Any]

__all__ = ["UNUSED", "decode", "decoder", "encoder"]

UNUSED = b"\xc1"
"""What no message begins with."""


def encoder(far: Far | None = None) -> Callable[[object], bytes]:
    """What turns values into bytes, one at a time: for one thread, and quicker when used again.

    Args:
        far: Takes the large arrays, which are then no part of the bytes.

    Raises:
        SerializationError: (by what is returned) A part of the value has no word here; the
            message names its type and no value.
    """
    from msgpack import ExtType, Packer  # type: ignore[import-untyped]

    tags = [ExtType(code, b"") for code in range(_ARROW + 1)]

    def say(value: object) -> list[Any]:
        own = state_of(value)
        if own is not None:
            _look_for_buffers(own[1])
            return [tags[_OWN], *own]
        code, write = _word(value)
        if code == _PANDAS:
            state = write(value)
            _look_for_buffers(state)
            return [tags[code], *state]
        if code == _ARRAY and far is not None:
            place = far.take(value)
            if place is not None:
                return [tags[_FAR], *place]
        return [tags[code], *write(value)]

    pack = Packer(default=say, strict_types=True, unicode_errors="surrogatepass").pack

    def encode(value: object) -> bytes:
        try:
            packed: bytes = pack(value)
        except SerializationError:
            raise
        except (ValueError, RecursionError, OverflowError) as error:
            raise SerializationError(
                f"a value of type {_named(type(value))} contains itself, is nested too deeply, or "
                "is too large to be written"
            ) from error
        _look_for_buffers(value)
        return packed

    return encode


def decode(data: Bytes, arrays: ArrayReader | None = None) -> Any:
    """The value that was written as these bytes; takes and raises what `decoder` tells."""
    return decoder(arrays)(data)


def decoder(
    arrays: ArrayReader | None = None, otherwise: Callable[[Bytes], Any] | None = None
) -> Callable[[Bytes], Any]:
    """What turns bytes into the values that were written: for any thread, and again and again.

    Args:
        arrays: Makes the arrays; without it each has its own bytes, and none lies behind these.
        otherwise: Reads what begins as no message does.

    Raises:
        SerializationError: (by what is returned) No value was written as these bytes, or one of a
            type that this version doesn't know or for which a library is missing.
    """
    from msgpack import unpackb

    reader = ArrayReader() if arrays is None else arrays
    special = {
        _ARRAY: reader.near,
        _SCALAR: reader.scalar,
        _OWN: read_own,
        _FAR: reader.far,
        _PANDAS: read_pandas,
        _ARROW: read_arrow,
    }

    def listed(items: list[Any]) -> Any:
        if items and type(items[0]) is _Tag:
            code = items[0].code
            read = special[code] if code in special else _WORDS[code - 1][3]
            return read(items[1:])
        return items

    def decode(data: Bytes) -> Any:
        try:
            return unpackb(
                data,
                ext_hook=_Tag,
                list_hook=listed,
                strict_map_key=False,
                unicode_errors="surrogatepass",
            )
        except ImportError as error:
            raise SerializationError(
                f"a value needs {error.name}, which isn't installed"
            ) from error
        except Exception as error:  # of the reader, or of the type that got damaged parts
            if otherwise is None or data[:1] != UNUSED:  # asked last: it is hardly ever so
                name = type(error).__name__
                raise SerializationError(f"bytes that nobody wrote: {name}") from error
        return otherwise(data)

    return decode


class _Tag:
    """The first item of an array that stands for another type."""

    __slots__ = ("code",)

    def __init__(self, code: int, data: bytes) -> None:
        if data or not 1 <= code <= _ARROW:
            raise ValueError(code)
        self.code = code


def _word(value: object) -> tuple[int, Write]:
    """The code of a value's type, and what writes its state."""
    cls = type(value)
    for code, (module, name, write, _) in enumerate(_WORDS, 1):
        if cls is getattr(sys.modules.get(module), name, None):
            return code, write
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(cls, numpy.generic):
        return _SCALAR, scalar
    if cls is getattr(sys.modules.get("pathlib"), _CONCRETE, None):
        return _PATH, _text
    library = cls.__module__.partition(".")[0]
    if library in _LIBRARIES and library in sys.modules:
        return _LIBRARIES[library]
    raise _wordless(cls)


def _look_for_buffers(value: object) -> None:
    """Refuses what MessagePack takes for bytes, which it would be ever after."""
    unseen = [value]
    while unseen:
        part = unseen.pop()
        if isinstance(part, dict):
            items: tuple[object, ...] = (*part, *part.values())
        elif isinstance(part, (list, tuple, set, frozenset)):
            items = (*part,)
        elif isinstance(part, (bytearray, memoryview)):
            raise _wordless(type(part))
        else:
            continue
        kinds = set(map(type, items))  # most containers hold atoms only, and are done here
        if not kinds <= _ATOMS:
            unseen += [item for item in items if type(item) not in _ATOMS]


def _wordless(cls: type) -> SerializationError:
    return SerializationError(f"values of type {_named(cls)} can't be written")


def _named(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


# -- what is written for a value, and what is made of that again ---------------------------------


def _items(value: Any) -> list[Any]:
    return list(value)


def _text(value: Any) -> list[Any]:
    return [str(value)]


def _write_complex(value: complex) -> list[Any]:
    return [value.real, value.imag]


def _read_complex(state: list[Any]) -> complex:
    real, imaginary = state
    return complex(real, imaginary)


def _write_int(value: int) -> list[Any]:
    return [value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)]


def _read_int(state: list[Any]) -> int:
    (data,) = state
    return int.from_bytes(data, "little", signed=True)


def _read_decimal(state: list[Any]) -> object:
    from decimal import Decimal

    (text,) = state
    return Decimal(text)


def _write_uuid(value: Any) -> list[Any]:
    return [value.bytes]


def _read_uuid(state: list[Any]) -> object:
    from uuid import UUID

    (data,) = state
    return UUID(bytes=data)


def _write_date(value: Any) -> list[Any]:
    return [value.year, value.month, value.day]


def _read_date(state: list[Any]) -> object:
    from datetime import date

    return date(*state)


def _write_time(value: Any) -> list[Any]:
    return [*_clock(value)]


def _read_time(state: list[Any]) -> Any:
    from datetime import time

    hour, minute, second, microsecond, fold, zone = state
    return time(hour, minute, second, microsecond, zone, fold=fold)


def _write_datetime(value: Any) -> list[Any]:
    return [*_write_date(value), *_clock(value)]


def _read_datetime(state: list[Any]) -> object:
    from datetime import date, datetime

    year, month, day, *clock = state
    return datetime.combine(date(year, month, day), _read_time(clock))


def _clock(value: Any) -> list[Any]:
    return [value.hour, value.minute, value.second, value.microsecond, value.fold, value.tzinfo]


def _write_timedelta(value: Any) -> list[Any]:
    return [value.days, value.seconds, value.microseconds]


def _read_timedelta(state: list[Any]) -> object:
    from datetime import timedelta

    return timedelta(*state)


def _write_timezone(value: Any) -> list[Any]:
    return [*value.__getinitargs__()]  # the offset, and the name if it has one of its own


def _read_timezone(state: list[Any]) -> object:
    from datetime import timedelta, timezone

    return timezone.utc if state == [timedelta(0)] else timezone(*state)


def _write_zone(value: Any) -> list[Any]:
    if value.key is None:
        raise _wordless(type(value))
    return [value.key]


def _read_zone(state: list[Any]) -> object:
    from zoneinfo import ZoneInfo

    return ZoneInfo(*state)


def _by_arrays(state: list[Any]) -> object:
    raise NotImplementedError  # these words are read by an `ArrayReader`


def _read_path(state: list[Any]) -> object:
    from pathlib import Path

    return Path(*state)


def _read_posix_path(state: list[Any]) -> object:
    from pathlib import PurePosixPath

    return PurePosixPath(*state)


def _read_windows_path(state: list[Any]) -> object:
    from pathlib import PureWindowsPath

    return PureWindowsPath(*state)


_WORDS: tuple[tuple[str, str, Write, Read], ...] = (
    ("builtins", "tuple", _items, tuple),
    ("builtins", "set", _items, set),
    ("builtins", "frozenset", _items, frozenset),
    ("builtins", "complex", _write_complex, _read_complex),
    ("builtins", "int", _write_int, _read_int),
    ("decimal", "Decimal", _text, _read_decimal),
    ("uuid", "UUID", _write_uuid, _read_uuid),
    ("datetime", "date", _write_date, _read_date),
    ("datetime", "time", _write_time, _read_time),
    ("datetime", "datetime", _write_datetime, _read_datetime),
    ("datetime", "timedelta", _write_timedelta, _read_timedelta),
    ("datetime", "timezone", _write_timezone, _read_timezone),
    ("zoneinfo", "ZoneInfo", _write_zone, _read_zone),
    ("pathlib", "PosixPath", _text, _read_path),
    ("pathlib", "PurePosixPath", _text, _read_posix_path),
    ("pathlib", "PureWindowsPath", _text, _read_windows_path),
    ("numpy", "ndarray", near, _by_arrays),
    ("numpy", "generic", scalar, _by_arrays),
)
_PATH, _ARRAY, _SCALAR, _OWN, _FAR, _PANDAS, _ARROW = 14, 17, 18, 19, 20, 21, 22
_LIBRARIES = {"pandas": (_PANDAS, write_pandas), "pyarrow": (_ARROW, write_arrow)}
_CONCRETE = "WindowsPath"  # this or PosixPath, whichever Path is here; both are read as Path
_ATOMS = {type(None), bool, int, float, str, bytes, complex}

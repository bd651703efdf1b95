"""The canonical encoding: bytes that say exactly what a value is, the same in every process.

Two values have one encoding if and only if they are recursively of one type and can't be told
apart: 1, 1.0 and True differ, so do 0.0 and -0.0, `("a", "b")` and `("ab",)`, a list and a tuple.
Dicts and sets are encoded in the order of their encoded keys, so neither the order of insertion
nor `PYTHONHASHSEED` shows. Every piece carries its tag and its length, so no two values can run
into the same bytes: it can be read back, although nothing does.

A type that isn't built in is written as its name and a *state* made of what is:

| type | state |
|---|---|
| any with a method `__cache_key__()` | what it returns |
| any given to `register_key` | what the function returns |
| enum members, NamedTuples, dataclasses | name (value for flags); the fields and attributes |
| Decimal, datetime, UUID, paths, numpy arrays … | see `states` |

Names must lead back to the class or function they belong to, as with pickle: two local classes
may well have one name. A function that was typed in by hand is told by its code, too: the next one
of its name will be another. Anything else is refused; a guess would be a wrong answer some day. The
encoding is a format: a change of it would orphan stored values, so golden digests are tested.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from types import BuiltinFunctionType, FunctionType

from ..errors import refused
from .code import callable_state
from .naming import home, reference, unencodable
from .states import known_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from ..errors import CacheKeyError

    Pieces: TypeAlias = list[bytes]

__all__ = ["digest", "encode", "register_key"]

_DEEPEST = 200  # far below the interpreter's own limit, and the same on all of them
_FORMAT = b"twat-cache-key-1"
_size = Struct(">Q").pack
_double = Struct(">d").pack


def digest(value: object, size: int = 16) -> bytes:
    """The keyless BLAKE2b of the canonical encoding, `size` bytes (1 to 64) long.

    Raises:
        CacheKeyError: A part of the value has no canonical encoding.
    """
    return blake2b(encode(value), digest_size=size, person=_FORMAT).digest()


def encode(value: object) -> bytes:
    """The canonical encoding: equal for what can't be told apart, and for nothing else.

    Raises:
        CacheKeyError: A part of the value has none, or it contains itself.
    """
    atom = _ATOMS.get(type(value))
    if atom is not None:
        return atom(value)
    pieces: Pieces = []
    try:
        _encode(value, pieces, 0)
    except RecursionError:
        raise _too_deep(value) from None
    return b"".join(pieces)


def register_key(cls: type, state: Callable[[Any], object]) -> None:
    """Lets values of exactly this class be part of keys.

    Args:
        cls: A class that can be found by its module and name; not a built-in one.
        state: Called with the value, returns what tells it from others, such as a tuple.

    Raises:
        ConfigurationError: The class has an encoding of its own that can't be replaced.
    """
    if not isinstance(cls, type):
        raise refused("cls", cls, "a class")
    if cls in _ATOMS or cls in _CONTAINERS:
        raise refused("cls", cls, "a class that isn't built in")
    if not callable(state):
        raise refused("state", state, "a function of one value")
    _registered[cls] = state


def _encode(value: object, out: Pieces, depth: int) -> None:
    if depth > _DEEPEST:
        raise _too_deep(value)
    cls = type(value)
    if cls in _ATOMS:
        out.append(_ATOMS[cls](value))
    elif cls in _CONTAINERS:
        _CONTAINERS[cls](value, out, depth)
    elif isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        out.append(_text(b"@", reference(value)))
        if isinstance(value, FunctionType) and home(value.__module__) is None:
            out.append(b"=")
            _encode(callable_state(value, _itself, by_name=True), out, depth + 1)
    else:
        name, state = _state(value)
        out.append(_text(b"o", name))
        _encode(state, out, depth + 1)


def _state(value: Any) -> tuple[str, object]:
    """The name of the value's class and the state that stands for it."""
    cls = type(value)
    own = getattr(cls, "__cache_key__", None)
    if own is not None:
        return reference(cls), own(value)
    function = _registered.get(cls)
    if function is not None:
        return reference(cls), function(value)
    return known_state(value)


def _itself(value: object) -> object:
    return "value", value


def _too_deep(value: object) -> CacheKeyError:
    return unencodable(type(value), "it contains itself, or is nested too deeply")


def _framed(tag: bytes, payload: bytes) -> bytes:
    return tag + _size(len(payload)) + payload


def _text(tag: bytes, text: str) -> bytes:
    return _framed(tag, text.encode("utf-8", "surrogatepass"))


_BEFORE_INT = [b"i" + _size(size) for size in range(10)]


def _int(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    payload = value.to_bytes(size, "big", signed=True)
    return _BEFORE_INT[size] + payload if size < 10 else _framed(b"i", payload)


def _complex(value: complex) -> bytes:
    return b"j" + _double(value.real) + _double(value.imag)


def _memoryview(value: memoryview, out: Pieces, depth: int) -> None:
    try:
        parts = (value.format, value.shape, value.tobytes())
    except ValueError:
        raise unencodable(memoryview, "it was released") from None
    out.append(b"m")
    _tuple(parts, out, depth)


def _tuple(value: tuple[object, ...], out: Pieces, depth: int) -> None:
    _in_order(b"(", value, out, depth)


def _list(value: list[object], out: Pieces, depth: int) -> None:
    _in_order(b"[", tuple(value), out, depth)  # a copy, since foreign code may run meanwhile


def _range(value: range | slice, out: Pieces, depth: int) -> None:
    tag = b"r" if type(value) is range else b":"
    _in_order(tag, (value.start, value.stop, value.step), out, depth)


def _dict(value: dict[object, object], out: Pieces, depth: int) -> None:
    _sorted(b"{", list(value.items()), out, depth)


def _set(value: set[object], out: Pieces, depth: int) -> None:
    _sorted(b"<", [(item,) for item in value], out, depth)


def _frozenset(value: frozenset[object], out: Pieces, depth: int) -> None:
    _sorted(b">", [(item,) for item in value], out, depth)


def _in_order(tag: bytes, items: tuple[object, ...], out: Pieces, depth: int) -> None:
    out += (tag, _size(len(items)))
    depth += 1
    for item in items:
        _encode(item, out, depth)


def _sorted(tag: bytes, rows: Iterable[tuple[object, ...]], out: Pieces, depth: int) -> None:
    encoded: list[list[bytes]] = []
    for row in rows:
        cells = []
        for cell in row:
            pieces: Pieces = []
            _encode(cell, pieces, depth + 1)
            cells.append(b"".join(pieces))
        encoded.append(cells)
    encoded.sort()
    out += (tag, _size(len(encoded)))
    for cells in encoded:
        out += cells


_registered: dict[type, Callable[[Any], object]] = {}
_ATOMS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    type(...): lambda _: b".",
    type(NotImplemented): lambda _: b"!",
    bool: lambda value: b"T" if value else b"F",
    int: _int,
    float: lambda value: b"f" + _double(value),
    complex: _complex,
    str: lambda value: _text(b"s", value),
    bytes: lambda value: _framed(b"b", value),
    bytearray: lambda value: _framed(b"a", bytes(value)),
}
_CONTAINERS: dict[type, Callable[[Any, Pieces, int], None]] = {
    memoryview: _memoryview,
    tuple: _tuple,
    list: _list,
    range: _range,
    slice: _range,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
}

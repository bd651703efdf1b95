"""numpy's arrays and scalars as MessagePack: near in the message, or far behind it.

A small array is part of the message. A large one may be put behind it as it is, where it can be
read in place. Elements have to be their bytes and nothing more: no objects, no fields, and no long
doubles, which differ between machines and hold junk.
"""

from __future__ import annotations

import sys

from ..errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..engine_types import Bytes

__all__ = ["ALIGNED", "ArrayReader", "Far", "near", "scalar"]

ALIGNED = 16  # bytes: what any element needs to be read in place
_FAR = 1 << 16  # bytes: what is smaller costs less to copy than to keep apart
_ELEMENTS = "biufcmMSU"
_LONG_DOUBLES = "gG"


class Far:
    """The arrays that shall lie behind a message."""

    def __init__(self) -> None:
        self.pieces: list[Bytes] = []
        self.size = 0

    def take(self, array: Any) -> list[Any] | None:
        """What the message says of an array that lies behind it; None if it shall lie in it."""
        name = _dtype(array)
        if array.nbytes < _FAR:
            return None
        start = self.size
        padding = -array.nbytes % ALIGNED
        ordered = sys.modules["numpy"].ascontiguousarray(array)  # a copy only if it isn't in order
        self.pieces += [memoryview(ordered.reshape(-1).view("u1")), bytes(padding)]
        self.size += array.nbytes + padding
        return [name, [*array.shape], start]

    def hand_over(self) -> list[Bytes]:
        """The arrays that were taken, padded; begins anew."""
        pieces = self.pieces
        self.pieces, self.size = [], 0
        return pieces


class ArrayReader:
    """Makes arrays again.

    Args:
        far: What lies behind the message.
        views: Whether arrays stay where they lie, and can't be changed; otherwise each has its own
            bytes, so that it can be changed as the one written could.
    """

    def __init__(self, far: Bytes = b"", *, views: bool = False) -> None:
        self._far = far
        self._views = views

    def near(self, state: list[Any]) -> Any:
        """An array whose elements are part of the message."""
        name, shape, data = state
        array = _laid(name, shape, data, 0)
        if array.nbytes != len(data):
            raise ValueError(shape)
        return self._given(array)

    def far(self, state: list[Any]) -> Any:
        """An array that lies behind the message."""
        name, shape, start = state
        return self._given(_laid(name, shape, self._far, start))

    def scalar(self, state: list[Any]) -> Any:
        """A scalar."""
        name, data = state
        return self.near([name, [], data])[()]

    def _given(self, array: Any) -> Any:
        if not self._views or not array.flags.aligned:
            array = array.copy()
        array.flags.writeable = not self._views
        return array


def near(array: Any) -> list[Any]:
    """What is written for an array that is part of the message."""
    return [_dtype(array), [*array.shape], array.tobytes()]


def scalar(value: Any) -> list[Any]:
    """What is written for a scalar."""
    return [_dtype(value), value.tobytes()]


def _laid(name: Any, shape: list[int], data: Bytes, start: int) -> Any:
    """The array that lies in these bytes, if it does."""
    import numpy as np

    dtype = np.dtype(name)
    if type(name) is not str or dtype.kind not in _ELEMENTS or dtype.char in _LONG_DOUBLES:
        raise ValueError(name)
    return np.ndarray(tuple(shape), dtype, data, start)


def _dtype(value: Any) -> str:
    cls, dtype = type(value), value.dtype
    if dtype.kind not in _ELEMENTS or dtype.char in _LONG_DOUBLES:
        raise SerializationError(
            f"values of type {cls.__module__}.{cls.__name__} and dtype {dtype} can't be written"
        )
    name: str = dtype.str
    return name

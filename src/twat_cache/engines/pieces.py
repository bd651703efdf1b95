"""Values that come in pieces, such as a header and a large array: written from where they lie."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from ..engine_types import Bytes

    Value: TypeAlias = Bytes | Sequence[Bytes]

__all__ = ["pieces_of", "write_pieces"]

_LARGE = 4096
"""Bytes: what is smaller costs less to copy than to write by itself."""


def pieces_of(value: Value) -> list[memoryview]:
    """The pieces of a value, which may be one."""
    several = [value] if isinstance(value, (bytes, bytearray, memoryview)) else value
    return [memoryview(piece).cast("B") for piece in several]


def write_pieces(file: int, pieces: Iterable[Bytes]) -> None:
    """Writes one after the other, small ones together.

    Raises:
        OSError: Not all could be written.
    """
    waiting = bytearray()
    for piece in pieces:
        if len(piece) < _LARGE:
            waiting += piece
        else:
            _write(file, waiting)
            _write(file, piece)
            waiting = bytearray()
    _write(file, waiting)


def _write(file: int, data: Bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]

"""What the index holds for a key: the value itself, or where it lies.

A first byte of 0 is followed by the value; a 1 by the length of a file and its name, which begins
with the row of the key, so that whoever finds the file can look whether anyone still wants it.
"""

from __future__ import annotations

import os
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...engine_types import Bytes

__all__ = ["INLINE", "SPILLED", "is_spilled", "length_of", "name_of", "new_pointer", "row_of"]

INLINE = b"\0"
SPILLED = b"\1"
_LENGTH = Struct("<Q")
_NAME_AT = 1 + _LENGTH.size
_ROWS = 1 << 64


def new_pointer(row: int, length: int) -> bytes:
    """A pointer to a file that no other pointer names."""
    name = f"{row % _ROWS:016x}{os.urandom(8).hex()}"
    return SPILLED + _LENGTH.pack(length) + name.encode()


def is_spilled(pointer: Bytes) -> bool:
    """Whether it points to a file."""
    return pointer[:1] == SPILLED


def length_of(pointer: Bytes) -> int:
    """The length of the file."""
    length: int = _LENGTH.unpack_from(pointer, 1)[0]
    return length


def name_of(pointer: Bytes) -> str:
    """The name of the file: 32 hexadecimal digits."""
    return bytes(pointer[_NAME_AT:]).decode("ascii")


def row_of(name: str) -> int:
    """The row of the key whose value the file was."""
    row = int(name[:16], 16)
    return row - _ROWS if row >= _ROWS // 2 else row

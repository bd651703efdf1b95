"""What the index has in place of a large value: the name and the length of its file, as a text.

The name begins with the row of the key, so that whoever finds the file can look whether anyone
still wants it.
"""

from __future__ import annotations

import os

__all__ = ["length_of", "name_of", "new_pointer", "row_of"]

_ROWS = 1 << 64


def new_pointer(row: int, length: int) -> str:
    """A pointer to a file that no other pointer names."""
    return f"{row % _ROWS:016x}{os.urandom(8).hex()} {length}"


def name_of(pointer: str) -> str:
    """The name of the file: 32 hexadecimal digits."""
    return pointer[:32]


def length_of(pointer: str) -> int:
    """The length of the file."""
    return int(pointer[33:])


def row_of(name: str) -> int:
    """The row of the key whose value the file was."""
    row = int(name[:16], 16)
    return row - _ROWS if row >= _ROWS // 2 else row

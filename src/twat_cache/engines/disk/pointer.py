"""What the index has in place of a large value: the name of its file, a space, and the length.

The name begins with the row of the key, so that whoever finds the file can look whether anyone
still wants it.
"""

from __future__ import annotations

import os

__all__ = ["is_name", "new_name", "parse", "pointer_to", "row_of"]

_ROWS = 1 << 64
_DIGITS = frozenset("0123456789abcdef")


def new_name(row: int) -> str:
    """A name that no other file has."""
    return f"{row % _ROWS:016x}{os.urandom(8).hex()}"


def pointer_to(name: str, length: int) -> str:
    """The pointer to a file."""
    return f"{name} {length}"


def parse(pointer: str | bytearray) -> tuple[str, int] | None:
    """The name of the file and its length; None if the pointer is damaged."""
    text = pointer if isinstance(pointer, str) else pointer.decode("ascii", "replace")
    name, _, length = text.partition(" ")
    return (name, int(length)) if is_name(name) and length.isdecimal() else None


def is_name(name: str) -> bool:
    """Whether it is the name of such a file: 32 hexadecimal digits."""
    return len(name) == 32 and _DIGITS.issuperset(name)


def row_of(name: str) -> int:
    """The row of the key whose value the file was."""
    row = int(name[:16], 16)
    return row - _ROWS if row >= _ROWS // 2 else row

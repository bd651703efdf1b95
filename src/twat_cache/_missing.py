"""What stands for no value, where None may be one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["MISSING", "Missing"]


class Missing:
    """The class of `MISSING`, of which there is one: false, and the same when copied or pickled."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""Stands for no value, where None may be one."""

"""What engines need where a process forks: locks that are found at rest, and what isn't closed."""

from __future__ import annotations

from .._fork_lock import ForkSafeLock, living

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ForkSafeLock", "leak", "living"]

_leaked: list[Any] = []


def leak(inherited: Any) -> None:
    """Keeps what a child must not close, beyond the end of the interpreter, which would."""
    _leaked.append(inherited)
    try:
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
    except (ImportError, AttributeError):  # no ctypes, or not CPython
        pass

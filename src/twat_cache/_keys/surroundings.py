"""What a call's surroundings add to its key: the values of context variables, a tenant's say."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextvars import ContextVar
    from typing import Any

__all__ = ["present"]


def present(variables: Iterable[ContextVar[Any]]) -> tuple[tuple[Any, ...], ...]:
    """The values that the variables have here and now, in their order.

    Each is `(value,)`; or `()` where the variable has none, which is not the same as None.
    """
    return tuple([_content(variable) for variable in variables])


def _content(variable: ContextVar[Any]) -> tuple[Any, ...]:
    try:
        return (variable.get(),)
    except LookupError:
        return ()

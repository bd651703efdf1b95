"""The first step: counts where answers come from."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.tally import Tally

__all__ = ["observe"]


def observe(inner: Any, tally: Tally) -> Any:
    """Counts the answer by its origin, also if it is an exception."""

    def step(call: Call) -> Steps[Any]:
        try:
            return (yield from inner(call))
        finally:
            if call.origin:  # not by the function, which `load` has counted
                tally.answered(call.origin)

    return step

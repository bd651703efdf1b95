"""`hard_timeout=`: nobody waits longer than this for the function."""

from __future__ import annotations

from .._run.effects import Within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.tally import Tally

__all__ = ["timeout"]


def timeout(inner: Any, seconds: float, tally: Tally) -> Any:
    """Raises `LoadTimeoutError` after so many seconds."""

    def step(call: Call) -> Steps[Any]:
        return (yield Within(inner(call), seconds, tally.name))

    return step

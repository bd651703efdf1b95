"""`stale=`: where there can't be a new value, the one before answers."""

from __future__ import annotations

from .. import events
from .._run.call import STALE
from .._run.drive import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.tally import Tally

__all__ = ["failsafe"]


def failsafe(inner: Any, tally: Tally, exceptions: Sequence[type[Exception]] = ()) -> Any:
    """Answers with what was found, if what comes behind raises.

    Exceptions of these classes are answers themselves.
    """
    answers = tuple(exceptions)

    def step(call: Call) -> Steps[Any]:
        try:
            return (yield from inner(call))
        except Exception as error:
            found = call.found
            if found is None or found.raised or isinstance(original(error), answers):
                raise
            call.origin = STALE
            if events.hooks:
                age = max(-found.left, 0.0)
                events.emit(events.StaleServed(tally.name, tally.shown(call), age, "failed"))
            return found.value

    return step

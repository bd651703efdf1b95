"""The last step: the function itself."""

from __future__ import annotations

from time import perf_counter

from .. import events
from .._run.drive import Halted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.tally import Tally

__all__ = ["load"]


def load(tally: Tally) -> Any:
    """Calls the function, and takes the time."""

    def step(call: Call) -> Steps[Any]:
        start = perf_counter()
        try:
            value = yield call
        except Exception as error:
            took = call.took = perf_counter() - start
            tally.failed(took)
            if events.hooks:
                cause = error.error if type(error) is Halted else error
                name = type(cause).__name__
                events.emit(events.LoadFailed(tally.name, tally.shown(call), took, name))
            raise
        took = call.took = perf_counter() - start
        tally.loaded(took)
        if events.hooks:
            events.emit(events.Loaded(tally.name, tally.shown(call), took))
        return value

    return step

"""The last step: the function itself, and keeping what it gives."""

from __future__ import annotations

from time import perf_counter

from .. import events
from .._run.drive import disguised, original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._run.call import Call, Store
    from .._run.drive import Steps
    from .._run.tally import Tally

__all__ = ["load"]


def load(store: Store, tally: Tally, exceptions: Sequence[type[Exception]] = ()) -> Any:
    """Calls the function, takes the time and keeps the result.

    Exceptions of these classes, and of classes that inherit from them, are kept as well, and raised
    all the same. One that comes of an early refresh is not kept while the value is still good.
    """
    numbers = {cls: number for number, cls in enumerate(exceptions, 1)}
    waits = store.waits

    def step(call: Call) -> Steps[Any]:
        departed = (yield from store.depart(call)) if waits else store.depart(call)
        try:
            start = perf_counter()
            try:
                if call.is_awaited:
                    value = yield call
                else:
                    value = call.function(*call.args, **call.kwargs)
            except Exception as error:
                failed(call, error, perf_counter() - start)
                cause = original(error)
                number = next((numbers[cls] for cls in type(cause).__mro__ if cls in numbers), 0)
                if number and not (yield from is_still_good(call)):
                    kept = store.keep(call, cause, departed, number)
                    if waits:
                        yield from kept
                del cause  # it refers to this frame
                if isinstance(error, StopIteration):
                    raise disguised(error) from None
                raise
            took = call.took = perf_counter() - start
            tally.loaded(took)
            if events.hooks:
                events.emit(events.Loaded(tally.name, tally.shown(call), took))
            kept = store.keep(call, value, departed)
            if waits:
                yield from kept
            return value
        finally:
            store.abandon(departed)

    def is_still_good(call: Call) -> Steps[bool]:
        """Whether the value that was to be computed anew answers all the same."""
        if not call.is_behind or call.found is None or call.found.left <= 0:
            return False
        look = call.again()
        found = (yield from store.look(look)) if waits else store.look(look)
        return found is not None and found.left > 0 and not found.raised

    def failed(call: Call, error: Exception, took: float) -> None:
        call.took = took
        tally.failed(took)
        if events.hooks:
            name = type(original(error)).__name__
            events.emit(events.LoadFailed(tally.name, tally.shown(call), took, name))

    return step

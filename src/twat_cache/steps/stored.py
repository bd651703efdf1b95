"""What was computed before, and keeping what is computed now."""

from __future__ import annotations

from .._run.call import STORED
from .._run.flight import twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._run.call import Call, Store
    from .._run.drive import Steps

    Classes = Sequence[type[Exception]]

__all__ = ["keeping", "stored"]


def stored(inner: Any, store: Store, exceptions: Classes = ()) -> Any:  # noqa: ARG001
    """Looks in the store, unless that was done; raises a kept exception again."""

    def step(call: Call) -> Steps[Any]:
        if call.is_forced:
            return (yield from inner(call))
        if not call.is_looked_up:
            call.found = yield from store.look(call)
        found = call.found
        if found is None or found.left <= 0:
            return (yield from inner(call))
        call.origin = STORED
        if found.raised:
            raise twin(found.value)
        return found.value

    return step


def keeping(inner: Any, store: Store, exceptions: Classes = ()) -> Any:
    """Has it computed, and keeps it; also exceptions of these classes, which raise all the same."""
    kept = tuple(exceptions)

    def step(call: Call) -> Steps[Any]:
        departed = yield from store.depart(call)
        try:
            value = yield from inner(call)
            yield from store.keep(call, value, departed)
        except kept as error:
            index = next(i for i, one in enumerate(kept, 1) if isinstance(error, one))
            yield from store.keep(call, error, departed, index)
            raise
        finally:
            store.abandon(departed)
        return value

    return step

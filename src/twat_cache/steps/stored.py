"""What was computed before: by another who was quicker, or in another process."""

from __future__ import annotations

from .._run.call import STORED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call, Store
    from .._run.drive import Steps

__all__ = ["stored"]


def stored(inner: Any, store: Store) -> Any:
    """Looks in the store, unless that was done; raises a kept exception again."""

    def step(call: Call) -> Steps[Any]:
        if call.is_forced or call.is_looked_up:
            return (yield from inner(call))
        found = call.found = yield from store.look(call)
        if found is None or found.left <= 0:
            return (yield from inner(call))
        call.origin = STORED
        return found.answer()

    return step

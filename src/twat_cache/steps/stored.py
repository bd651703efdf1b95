"""What was computed before: by another who was quicker, or in another process."""

from __future__ import annotations

from .._run.call import STORED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call, Found, Store
    from .._run.drive import Steps

__all__ = ["stored"]


def stored(inner: Any, store: Store) -> Any:
    """Looks in the store, unless that was done; raises a kept exception again."""

    def step(call: Call) -> Steps[Any]:
        if not (call.is_forced or call.is_looked_up):
            found = call.found = yield from store.look(call)
            if found is not None and found.left > 0:
                call.origin = STORED
                return found.answer()
        return (yield from inner(call))

    def step_at_once(call: Call) -> Steps[Any]:
        """Is no generator, but gives one: there is nothing to wait for, and nothing to do after."""
        if not (call.is_forced or call.is_looked_up):
            found = call.found = store.look(call)
            if found is not None and found.left > 0:
                call.origin = STORED
                return answer(found)
        steps: Steps[Any] = inner(call)
        return steps

    def answer(found: Found) -> Steps[Any]:
        yield from ()
        return found.answer()

    return step if store.waits else step_at_once

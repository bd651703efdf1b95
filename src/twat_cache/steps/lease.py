"""`single_flight="process"`: one computation at a time among all processes that share an engine.

Who takes the lease computes. The others look, now and then, whether the value has come; if the
lease is given back or runs out before, one of them takes it. A holder whose lease ran out stores
nothing: another may have computed since.
"""

from __future__ import annotations

from functools import partial
from random import uniform

from .._run.call import STORED
from .._run.effects import Sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call, Store
    from .._run.drive import Steps
    from .._stores.leases import Leases

__all__ = ["lease"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1  # seconds


def lease(inner: Any, store: Store, leases: Leases) -> Any:
    """Computes under a lease, or waits for who has it."""

    def step(call: Call) -> Steps[Any]:
        pause = _FIRST_PAUSE
        while (held := (yield from leases.take(call.place))) is None:
            yield Sleep(uniform(pause / 2, pause))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            found = yield from store.look(call)
            if found is not None and found.left > 0 and not found.raised:
                call.origin = STORED
                return found.value
        if not call.is_forced:  # whoever had the lease may have stored just before it was ours
            found = yield from store.look(call)
            if found is not None and found.left > 0 and not found.raised:
                yield from leases.give_back(held)
                call.origin = STORED
                return found.value
        call.lease = partial(leases.is_held, held)
        try:
            value = yield from inner(call)
        except GeneratorExit:  # nothing can be waited for any more
            raise
        except BaseException:
            yield from leases.give_back(held)
            raise
        yield from leases.give_back(held)
        return value

    return step

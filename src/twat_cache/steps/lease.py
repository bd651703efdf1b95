"""`single_flight="process"`: one computation at a time among all processes that share an engine.

Who takes the lease computes. The others look, now and then, whether the value has come; if the
lease is given back or runs out before, one of them takes it. A holder whose lease ran out stores
nothing: another may have computed since. Nobody waits for longer than two leases last: after one
was left by a process that was killed, there is time for another to compute.

Nobody waits in the background where the value before goes on answering: threads for that are few,
and another sees to it. Unless calls wait for the new one, for as long as `soft_timeout=` says.

With `hard_timeout=` a lease is given back when the call is over, since nobody shall wait for what
may hang for ever. What the function comes to after that is stored if nobody has stored anything
meanwhile: or a function that always takes longer would never be cached.
"""

from __future__ import annotations

from functools import partial
from random import uniform
from time import monotonic

from .._run.call import STORED, UNSEEN
from .._run.effects import Sleep
from .._run.flight import HANDED_OVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._run.call import Call, Found, Store
    from .._run.drive import Steps
    from .._stores.leases import Lease, Leases

__all__ = ["lease"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.1  # seconds


def lease(
    inner: Any, store: Store, leases: Leases, *, outlived: bool = False, awaited: bool = False
) -> Any:
    """Computes under a lease, or waits for who has it.

    `outlived` says that computations go on after their call, and so after their lease; `awaited`
    that calls wait for what is computed in the background.
    """

    def strict(_: Call, held: Lease, took: float) -> Steps[bool]:
        return leases.is_held(held, took)

    def lenient(call: Call, held: Lease, _: float) -> Steps[bool]:
        if (yield from leases.is_held(held, 0.0)):  # no lease shall last for as long as it took
            return True
        return (yield from _newer(call.again(), store)) is None

    def is_over(call: Call) -> bool:
        return call.found is None or call.found.left <= 0

    right = lenient if outlived else strict

    def step(call: Call) -> Steps[Any]:
        pause, end = _FIRST_PAUSE, monotonic() + 2 * leases.seconds
        while (held := (yield from leases.take(call.place))) is None and monotonic() < end:
            if call.is_behind and not (awaited and is_over(call)):
                call.origin = STORED  # not by this process
                return HANDED_OVER
            yield Sleep(uniform(pause / 2, pause))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            found = yield from _newer(call, store)
            if found is not None:
                call.origin = STORED
                return found.answer()
        if held is None:
            return (yield from inner(call))
        try:
            found = yield from _newer(call, store)  # who had the lease may have stored just before
            if call.seen is UNSEEN:  # a call that computes, whatever is there, is fenced, too
                yield from store.look(call)
            if found is None:
                call.lease = partial(right, call, held)
                value = yield from inner(call)
            else:
                call.origin = STORED
                value = found.answer()
        except GeneratorExit:  # nothing can be waited for any more
            raise
        except BaseException:
            yield from leases.give_back(held)
            raise
        yield from leases.give_back(held)
        return value

    return step


def _newer(call: Call, store: Store) -> Steps[Found | None]:
    """What another has stored since this call looked."""
    if call.is_forced and not call.is_behind:
        return None
    before = 0.0 if call.found is None else max(call.found.left, 0.0)
    found: Found | None = yield from store.look(call)
    return None if found is None or found.left <= before else found

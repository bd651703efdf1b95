"""The first step: it drives the others, in either colour, and counts where answers come from."""

from __future__ import annotations

from .._run.drive import arun, run
from .._run.flight import running_loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from .._run.call import Call
    from .._run.tally import Tally

__all__ = ["observe"]


def observe(
    inner: Any, tally: Tally
) -> tuple[Callable[[Call], Any], Callable[[Call], Awaitable[Any]]]:
    """What answers a call in this thread, and what answers one in this task.

    Without asyncio a coroutine is alone: nobody shares what it computes, and nothing goes on in the
    background.
    """

    def answer(call: Call) -> Any:
        try:
            return run(inner(call))
        finally:
            if call.origin:  # not by the function, which `load` has counted
                tally.answered(call.origin)

    async def answer_awaited(call: Call) -> Any:
        call.is_awaited = True
        call.loop = running_loop()
        call.is_alone = call.loop is None
        try:
            return await arun(inner(call))
        finally:
            if call.origin:
                tally.answered(call.origin)

    return answer, answer_awaited

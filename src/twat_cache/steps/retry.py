"""`retry=`: a function that fails is called again, later and later, at random moments.

The waiting is stamina's: exponential back-off with jitter.
"""

from __future__ import annotations

from .._run.drive import arun, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps

__all__ = ["retry"]


class _Retrying:
    """The effect of going through steps until they come to something."""

    __slots__ = ("_begin", "_terms")

    def __init__(self, begin: Callable[[], Steps[Any]], terms: Mapping[str, Any]) -> None:
        self._begin = begin
        self._terms = terms

    def run(self) -> Any:
        import stamina

        for attempt in stamina.retry_context(**self._terms):
            with attempt:
                return run(self._begin())
        raise AssertionError("the last attempt gives or raises")

    async def arun(self) -> Any:
        import stamina

        async for attempt in stamina.retry_context(**self._terms):
            with attempt:
                return await arun(self._begin())
        raise AssertionError("the last attempt gives or raises")


def retry(inner: Any, terms: Mapping[str, Any], exceptions: Sequence[type[Exception]] = ()) -> Any:
    """Goes on again after an exception, on these terms of `stamina.retry_context`.

    Where the terms don't say after which, it is any but those of `exceptions`, which are kept as
    answers.
    """
    answers = tuple(exceptions)

    def is_failure(error: Exception) -> bool:
        return not isinstance(error, answers)

    terms = {"on": is_failure, **terms}

    def step(call: Call) -> Steps[Any]:
        return (yield _Retrying(lambda: inner(call), terms))

    return step

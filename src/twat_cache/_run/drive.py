"""Two ways to go through the steps of a miss: one that blocks, and one that awaits.

Steps are written once, as generators. What they have to wait for they yield, as an *effect*: an
object that knows how to do it either way. So no step knows which colour its function has.

    steps ── effect ──►  run: effect.run()  /  arun: await effect.arun()
          ◄─ result ──

A `StopIteration` goes through generators disguised as `Halted`: raised as it is, it would be taken
for the end of a generator.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from typing import Any, Protocol, TypeAlias, TypeVar

    T = TypeVar("T")

    class Effect(Protocol):
        """Something to wait for."""

        def run(self) -> Any:
            """Waits in this thread; gives or raises what comes of it."""

        def arun(self) -> Awaitable[Any]:
            """To be awaited; gives or raises what comes of it."""

    Steps: TypeAlias = Generator[Effect, Any, T]

__all__ = ["Halted", "arun", "disguised", "original", "run"]


class Halted(Exception):  # noqa: N818 - never seen outside
    """Carries a `StopIteration`."""

    def __init__(self, error: StopIteration) -> None:
        super().__init__(error)
        self.error = error


def disguised(error: BaseException) -> BaseException:
    """The exception as steps may raise it."""
    return Halted(error) if isinstance(error, StopIteration) else error


def original(error: BaseException) -> BaseException:
    """The exception as the function raised it."""
    return error.error if type(error) is Halted else error


def run(steps: Steps[T]) -> T:
    """Goes through the steps in this thread; gives or raises what they come to."""
    try:
        effect = steps.send(None)
    except StopIteration as end:  # they had nothing to wait for
        value: T = end.value
        return value
    except Halted as halted:
        stop = halted.error
    else:
        try:
            return _run(steps, effect)
        finally:
            del effect  # what is raised refers to this frame, and an effect may to what is raised
    try:
        raise stop
    finally:
        del stop  # as above


def _run(steps: Steps[T], effect: Effect | None) -> T:
    send = steps.send
    try:
        while True:
            try:
                result = effect.run()  # type: ignore[union-attr]
            except BaseException as error:
                effect = steps.throw(disguised(error))
            else:
                effect = send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    except Halted as halted:
        stop = halted.error
    finally:
        effect = None
    try:
        raise stop  # type: ignore[possibly-undefined]
    finally:
        del stop  # type: ignore[possibly-undefined]


async def arun(steps: Steps[T]) -> T:
    """Goes through the steps in this task; gives or raises what they come to."""
    send = steps.send
    effect: Effect | None = None
    try:
        effect = send(None)
        while True:
            try:
                result = await effect.arun()
            except BaseException as error:
                effect = steps.throw(error)  # no `StopIteration`: no coroutine raises one
            else:
                effect = send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        effect = None

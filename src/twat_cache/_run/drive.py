"""Two ways to go through the steps of a miss: one that blocks, and one that awaits.

Steps are written once, as generators. What they have to wait for they yield, as an *effect*: an
object that knows how to do it either way. So no step knows which colour its function has.

    steps ── effect ──►  run: effect.run()  /  arun: await effect.arun()
          ◄─ result ──
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, Protocol, TypeAlias, TypeVar

    T = TypeVar("T")

    class Effect(Protocol):
        """Something to wait for."""

        def run(self) -> Any:
            """Waits in this thread; gives or raises what comes of it."""

        async def arun(self) -> Any:
            """Awaits; gives or raises what comes of it."""

    Steps: TypeAlias = Generator[Effect, Any, T]

__all__ = ["Halted", "arun", "run"]


class Halted(Exception):  # noqa: N818 - never seen outside
    """Carries a `StopIteration` through generators, which would take it for an end of their own."""

    def __init__(self, error: StopIteration) -> None:
        super().__init__(error)
        self.error = error


def run(steps: Steps[T]) -> T:
    """Goes through the steps in this thread; gives or raises what they come to."""
    send = steps.send
    try:
        effect = send(None)
        while True:
            try:
                result = effect.run()
            except StopIteration as error:
                effect = steps.throw(Halted(error))
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    except Halted as halted:
        raise halted.error from None


async def arun(steps: Steps[T]) -> T:
    """Goes through the steps in this task; gives or raises what they come to."""
    send = steps.send
    try:
        effect = send(None)
        while True:
            try:
                result = await effect.arun()
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = send(result)
    except StopIteration as end:
        value: T = end.value
        return value

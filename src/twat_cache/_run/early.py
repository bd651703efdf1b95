"""When a value that is still good is computed anew, so that nobody has to wait for the next one.

Each way gives a *margin*: how long before a value's end calls begin to look at it more closely, and
tells of each such call whether a new value is due. Until the margin begins, nothing is asked.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Early(Protocol):
        """A way to be early; lengths of time in seconds."""

        def margin(self, life: float, took: float) -> float:
            """The margin of a value that lives so long and took so long to compute."""

        def is_due(self, left: float, margin: float) -> bool:
            """Whether a call that finds the value with so much time left has it computed anew."""


__all__ = ["RefreshAhead", "XFetch"]

_FURTHEST = 25.0  # -ln(1.4e-11): as far as a draw may reach


class RefreshAhead:
    """The first call in the last part of a value's life, beginning at this fraction of it."""

    __slots__ = ("_rest",)

    def __init__(self, fraction: float) -> None:
        """Takes a fraction from 0 to 1."""
        self._rest = 1.0 - fraction

    def margin(self, life: float, took: float) -> float:  # noqa: ARG002
        """The rest of its life."""
        return self._rest * life

    def is_due(self, left: float, margin: float) -> bool:
        """From the margin on."""
        return left < margin


class XFetch:
    """Each call draws; the nearer the end and the longer a value took, the likelier.

    A call computes early if `left < took * beta * -ln(random)`, which is optimal for a beta of 1:
    Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
    """

    __slots__ = ("_reach",)

    def __init__(self, beta: float) -> None:
        """Takes beta, above 0; above 1 is earlier."""
        self._reach = beta * _FURTHEST

    def margin(self, life: float, took: float) -> float:  # noqa: ARG002
        """As far as a draw may reach."""
        return took * self._reach

    def is_due(self, left: float, margin: float) -> bool:
        """Draws."""
        from random import expovariate

        return left < margin / _FURTHEST * expovariate(1.0)

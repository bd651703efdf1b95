"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["FakeClock"]

_MICROSECOND = timedelta(microseconds=1)


class FakeClock:
    """Time that passes when a test says so, for decorators and engines alike.

    Called, it gives nanoseconds, as the `clock=` of a decorator shall; its `seconds` gives the
    same moment as the `clock=` of an engine shall.

    Args:
        start: The first reading, in nanoseconds.
    """

    __slots__ = ("now", "reads")

    def __init__(self, start: int = 1_000_000_000_000) -> None:
        self.now = start
        self.reads = 0
        """How often the clock was read."""

    def __call__(self) -> int:
        """The time now, in nanoseconds."""
        self.reads += 1
        return self.now

    def seconds(self) -> float:
        """The time now, in seconds."""
        self.reads += 1
        return self.now / 1e9

    def advance(self, by: float | timedelta) -> int:
        """Moves the clock and gives the new time in nanoseconds.

        Args:
            by: Seconds or a timedelta; exact to the microsecond.

        Raises:
            ValueError: `by` is negative; this clock never goes back.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise ValueError(f"this clock can't go back by {step}")
        self.now += step // _MICROSECOND * 1_000
        return self.now

    def __repr__(self) -> str:
        return f"FakeClock(now={self.now})"

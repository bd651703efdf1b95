"""A bar on stderr that shows how far a long job has come."""

from __future__ import annotations

import os
import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["Bar"]

_CELLS = 30
_REDRAW = 0.1  # seconds


class Bar:
    """Shows the progress of a job, as a function `(done, total)`.

    On a terminal one line is redrawn, ten times a second at most, and erased at the end. Anywhere
    else, such as in a log, one line is written when all is done.
    """

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        """Draws nothing yet."""
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._begun = monotonic()
        self._drawn = 0.0
        self._width = 0
        self._done = 0

    def __call__(self, done: int, total: int | None) -> None:
        """Says how many parts of how many are done; None, if nobody knows how many."""
        self._done = done
        now = monotonic()
        if not self._is_terminal or now - self._drawn < _REDRAW:
            return
        self._drawn = now
        text = f"{self._label} {done:,}"
        if total:
            full = min(done * _CELLS // total, _CELLS)
            bar = "#" * full + "." * (_CELLS - full)
            text = f"{self._label} [{bar}] {done / total:4.0%}  {done:,} of {total:,}"
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def close(self) -> None:
        """Leaves a clean line, or in a log the only one."""
        if self._is_terminal:
            self._stream.write("\r" + " " * self._width + "\r")
        else:
            seconds = monotonic() - self._begun
            self._stream.write(f"{self._label}: {self._done:,} done in {seconds:.1f} s\n")
        self._stream.flush()

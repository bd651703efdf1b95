"""Progress of a long job: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

WIDTH = 30
REDRAW_SECONDS = 0.1


class Progress:
    """Shows how far a job of `total` parts has come; a context manager.

    It writes to stderr, so stdout stays clean for results. On a terminal one line is redrawn at
    most ten times a second and erased at the end; elsewhere a plain line says that the job began
    and another that it is done.
    """

    def __init__(self, label: str, total: int, stream: TextIO | None = None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._bar = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        encoding = (getattr(self._stream, "encoding", None) or "ascii").lower()
        self._full, self._empty = ("█", "░") if encoding.startswith("utf") else ("#", ".")
        self._begun = self._drawn = 0.0
        self._shown = 0

    def __enter__(self) -> Progress:
        self._begun = time.monotonic()
        if self._bar:
            self._draw()
        else:
            self._line(f"{self.label}: {self.total:,} to do")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._stream.write("\r" + " " * self._shown + "\r")
            self._stream.flush()
        elif kind is None:
            self._line(f"{self.label}: done in {time.monotonic() - self._begun:.1f} s")

    def advance(self, parts: int = 1) -> None:
        """Say that so many more parts are done."""
        self.done += parts
        if self._bar and time.monotonic() - self._drawn >= REDRAW_SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        part = self.done / self.total if self.total else 1.0
        cells = int(part * WIDTH)
        bar = self._full * cells + self._empty * (WIDTH - cells)
        text = f"{self.label} {bar} {part:4.0%}  {self.done:,} of {self.total:,}"
        self._stream.write("\r" + text.ljust(self._shown))
        self._stream.flush()
        self._shown = len(text)

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

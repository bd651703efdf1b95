"""Where lines of a log go: to loguru if it can be imported, else to the logger `twat_cache`."""

from __future__ import annotations

import logging
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Write: TypeAlias = Callable[[int, str, dict[str, Any]], None]
    """Writes a line of a level, with its fields."""

__all__ = ["LEVELS", "sink"]

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
"""The levels that both know, with the numbers that both give them."""


def sink(least: int) -> tuple[Write, Callable[[], None]]:
    """What writes lines of this level and above, and what ends that."""
    try:
        from loguru import logger
    except ImportError:
        return _by_logging(least)
    names = {number: name for name, number in LEVELS.items()}

    def write(level: int, text: str, fields: dict[str, Any]) -> None:
        logger.bind(**fields).log(names[level], text)

    return write, lambda: None


def _by_logging(least: int) -> tuple[Write, Callable[[], None]]:
    logger = logging.getLogger("twat_cache")
    last_resort = _LastResort(logger)
    before = logger.level
    logger.addHandler(last_resort)
    logger.setLevel(least)

    def write(level: int, text: str, fields: dict[str, Any]) -> None:
        if logger.isEnabledFor(level):
            record = logger.makeRecord(logger.name, level, __file__, 0, text, (), None)
            for field, value in fields.items():
                record.__dict__.setdefault(field, value)  # a program's own records may have some
            logger.handle(record)

    def end() -> None:
        logger.removeHandler(last_resort)
        logger.setLevel(before)

    return write, end


class _LastResort(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error for as long as no other handler takes the lines."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the line, to whatever standard error is now."""
        logger = self._logger
        above = logger.parent if logger.propagate else None
        is_taken = logger.handlers != [self] or (above is not None and above.hasHandlers())
        if not is_taken and sys.stderr is not None:
            self.stream = sys.stderr
            super().emit(record)

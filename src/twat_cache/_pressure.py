"""`memory_limit=`: a cache that gives way where memory is short."""

from __future__ import annotations

from ._size import SIZES, read_size
from .errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._core import Table
    from ._weighing import Weigh

__all__ = ["MemoryLimit", "Pressure", "read_memory_limit"]

_INTERVAL = 100_000_000  # nanoseconds between two looks at the memory
_ROUNDS = 4
_SHARE = 16
_ACCEPTED = f'a share of the machine\'s memory like "80%", or for this process {SIZES}'


class MemoryLimit:
    """How much memory may be in use: a share of the machine's, or so many bytes of this process."""

    __slots__ = ("of_machine", "of_process")

    def __init__(self, of_machine: float | None, of_process: int | None) -> None:
        """Takes one of the two: a percentage, or bytes."""
        self.of_machine = of_machine
        self.of_process = of_process

    def is_passed(self) -> bool:
        """Whether more is in use now; costs some tens of microseconds."""
        import psutil  # type: ignore[import-untyped]

        if self.of_process is None:
            used: float = psutil.virtual_memory().percent
            return self.of_machine is not None and used > self.of_machine
        resident: int = psutil.Process().memory_info().rss  # made anew: there may be a fork between
        return resident > self.of_process


class Pressure:
    """A core's `weigh` hook, which makes room first if memory is short.

    The hook runs before each entry is stored. At most ten times a second it asks how much memory
    is in use. While that is above the limit, a sixteenth of the entries leave, in the order of the
    policy, and it asks again; four times at most. So a quarter of the cache may leave at a time,
    and a cache that isn't what fills the memory goes step by step. Nothing happens while nothing
    is stored: that takes no memory.
    """

    def __init__(self, table: Table, limit: MemoryLimit, weigh: Weigh | None) -> None:
        """Takes the table that sheds, and the hook that weighs, if entries have weights."""
        self._table = table
        self._limit = limit
        self._weigh = weigh
        self._looked: int | None = None

    def __call__(self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """The weight of an entry that is about to be stored."""
        self.look()
        return 1 if self._weigh is None else self._weigh(result, args, kwargs)

    def look(self) -> None:
        """Sees to it that there is memory, unless that was seen to a moment ago."""
        now = self._table.now()
        if self._looked is None or now - self._looked >= _INTERVAL:
            self._looked = now
            self._relieve()

    def _relieve(self) -> None:
        table = self._table
        for _ in range(_ROUNDS):
            if not self._limit.is_passed():
                return
            if not table.shed(-(-len(table) // _SHARE)):
                return


def read_memory_limit(value: Any) -> MemoryLimit:
    """The limit that an option says.

    Raises:
        ConfigurationError: It says none, or psutil isn't installed.
    """
    try:
        import psutil  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            f"memory_limit={value!r} needs psutil, which tells how much memory is in use: "
            "pip install 'twat-cache[memory]'"
        ) from error
    if not isinstance(value, str) or not value.rstrip().endswith("%"):
        size = read_size(value, option="memory_limit", accepted=_ACCEPTED)
        return MemoryLimit(None, size)
    try:
        share = float(value.rstrip()[:-1])
    except ValueError:
        share = 0.0
    if not 0.0 < share <= 100.0:
        raise refused("memory_limit", value, _ACCEPTED)
    return MemoryLimit(share, None)

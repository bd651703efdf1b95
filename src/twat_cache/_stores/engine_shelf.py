"""An engine's results, also to be listed, prolonged and changed by hand."""

from __future__ import annotations

from math import inf

from .._run.effects import Scan, ask
from ..codecs.record import Damage
from ..errors import CacheValueError, ConcurrencyError, ConfigurationError
from .in_engine import EngineStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .._run.drive import Steps
    from ..codecs.transcoder import Loaded

__all__ = ["EngineShelf"]

_BATCH = 500
_TRIES = 1000


class EngineShelf(EngineStore):
    """As `EngineStore`; all methods raise `EngineError` where the engine can't serve."""

    def names(self, prefix: str) -> Steps[list[str]]:
        """The keys that begin so and aren't past their time.

        Raises:
            ConfigurationError: The engine can't list its keys.
        """
        if not self.engine.capabilities.scan:
            kind = type(self.engine).__name__
            raise ConfigurationError(f"a {kind} can't list its keys; keep a list of your own")
        found: list[str] = yield Scan(self.engine, prefix)
        return found

    def items(self, prefix: str) -> Steps[list[tuple[str, Any]]]:
        """Keys that begin so, with their values, of those that are fresh."""
        names = yield from self.names(prefix)
        pairs = []
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            for name, found in zip(batch, (yield from self.read(batch)), strict=True):
                if found is not None and found.left > 0 and not found.raised:
                    pairs.append((name, found.value))
        return pairs

    def touch(self, places: Sequence[str], lasts: float | None) -> Steps[int]:
        """Gives values so many seconds from now; tells how many of them were there.

        How long a value is good for stands in its record, so the record is written anew.
        """
        touched = 0
        for place in places:
            touched += yield from self._replaced(place, lambda old: (old, lasts), add=False)
        return touched

    def change(
        self, place: str, function: Callable[[Any], Any], start: Any, lasts: float | None
    ) -> Steps[Any]:
        """Puts what a function makes of a value in its place, in one step; gives the new value.

        The value keeps its time. Where there is none, the function gets `start`, and what it makes
        lasts so many seconds.

        Raises:
            ConcurrencyError: Others were quicker a thousand times.
            ConfigurationError: The engine can't replace a value on condition.
        """
        made: list[Any] = []

        def changed(old: Any) -> tuple[Any, float | None]:
            made[:] = [function(start if old is _NOTHING else old)]
            return made[0], (lasts if old is _NOTHING else -1.0)

        yield from self._replaced(place, changed, add=True)
        return made[0]

    def _replaced(
        self, place: str, change: Callable[[Any], tuple[Any, float | None]], *, add: bool
    ) -> Steps[bool]:
        """Swaps a record for one with another value or another time, which -1 leaves as it is."""
        if not self.engine.capabilities.swap:
            kind = type(self.engine).__name__
            raise ConfigurationError(
                f"a {kind} can't replace a value on condition, so nothing can be changed in one "
                "step; use an engine that can, such as sqlite, disk or redis"
            )
        for _ in range(_TRIES):
            (data,) = yield ask(self.engine, "get", [place])
            loaded = None if data is None else (yield from self._sound(place, data))
            if loaded is None and not add:
                return False
            value, lasts = change(_NOTHING if loaded is None else loaded.value)
            tags = {} if loaded is None else dict(loaded.tags)
            if loaded is not None and lasts == -1.0:
                left = loaded.fresh_until - self._clock()
                lasts = None if left == inf else left
            record, life = self._record(place, value, lasts, tags, 0.0, 0)
            if data is not None and loaded is None:  # of no use, but it is there
                data = bytes(data)
            self._changes.note([place])
            if (yield ask(self.engine, "swap", place, data, record, life)):
                return True
        raise ConcurrencyError(
            f"a value was changed by others {_TRIES} times before it could be changed here"
        )

    def _sound(self, place: str, data: Any) -> Steps[Loaded | None]:
        """The value, if it may be used and is fresh."""
        record = self._opened(place, data)
        if record is None or record.raised or record.fresh_until <= self._clock():
            return None
        tokens = (yield from self.tokens.read(list(record.tags))) if record.tags else {}
        if any(tokens.get(tag) != token for tag, token in record.tags.items()):
            return None
        loaded = self._transcoder.read(record)
        return None if isinstance(loaded, Damage) else loaded

    @property
    def clock(self) -> Callable[[], float]:
        """The wall clock, in seconds."""
        return self._clock


_NOTHING: Any = type("_Nothing", (), {"__repr__": lambda self: "nothing"})()


def added(old: Any, delta: float) -> Any:
    """A number and what is added to it.

    Raises:
        CacheValueError: There is no number.
    """
    if isinstance(old, bool) or not isinstance(old, (int, float)):
        kind = type(old).__qualname__
        raise CacheValueError(f"a {kind} can't be counted up; incr takes what holds a number")
    return old + delta

"""Values as records, and records as values: what they last, what they carry, what is refused."""

from __future__ import annotations

import warnings
from math import inf

from .._run.call import Found
from .._run.exceptions import put_together
from ..codecs.record import Damage
from ..errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .._run.early import Early
    from .._run.tally import Tally
    from ..codecs.record import Record
    from ..codecs.transcoder import Transcoder
    from ..engine_types import Bytes
    from ..errors import CacheOperationError

__all__ = ["Recording"]


class Recording:
    """What makes the records of one engine; the arguments are told at `EngineStore`."""

    def __init__(
        self,
        engine: Any,
        transcoder: Transcoder,
        tally: Tally,
        clock: Callable[[], float],
        stale: float,
        idle: float | None,
        early: Early | None,
        exceptions: Sequence[tuple[type[Exception], float]],
        strict: bool,
    ) -> None:
        self.engine = engine
        self._transcoder = transcoder
        self._tally = tally
        self._clock = clock
        self._stale = stale
        self._idle = idle
        self._early = early
        self._exceptions = exceptions
        self._strict = strict
        self._warned = False

    def _opened(self, place: str, data: Any) -> Record | None:
        record = self._transcoder.open(place, data)
        if isinstance(record, Damage):
            self._tally.record_refused(self.engine, place, record.value)
            return None
        return record if self._clock() < record.stale_until else None

    def _made(self, place: str, record: Record, tokens: Mapping[str, bytes]) -> Found | None:
        if any(tokens.get(tag) != token for tag, token in record.tags.items()):
            return None
        if record.raised > len(self._exceptions):
            return None
        value = self._transcoder.value(record)
        if isinstance(value, Damage):
            self._tally.record_refused(self.engine, place, value.value)
            return None
        if record.raised:
            value = put_together(self._exceptions[record.raised - 1][0], value)
            if value is None:
                self._tally.record_refused(self.engine, place, Damage.VALUE.value)
                return None
        left = record.fresh_until - self._clock()
        margin = self.margin(record.fresh_until - record.created, record.took)
        return Found(value, left, margin, record.raised, record.tags)

    def margin(self, life: float, took: float) -> float:
        """How many seconds before its end a value is looked at more closely; see `early`."""
        return 0.0 if self._early is None or life == inf else self._early.margin(life, took)

    def _record(
        self,
        place: str,
        value: Any,
        lasts: float | None,
        tokens: Mapping[str, bytes],
        took: float,
        raised: int,
    ) -> tuple[bytes | Sequence[Bytes], float | None]:
        """The bytes to store, and how many seconds the engine shall keep them."""
        now = self._clock()
        fresh = inf if lasts is None else now + lasts
        stale = fresh if raised else fresh + self._stale
        data = self._transcoder.pieces(
            place,
            value,
            now=now,
            fresh_until=fresh,
            stale_until=stale,
            tags=tokens,
            took=took,
            raised=raised,
        )
        life = None if stale == inf else stale - now
        if self._idle is not None:
            life = self._idle if life is None else min(life, self._idle)
        return data if self.engine.capabilities.pieces else b"".join(data), life

    def _refuse(self, place: str, value: Any, error: CacheOperationError) -> None:
        """A value can't be stored: it is counted, told and warned of once."""
        self._tally.not_stored(place, value, type(error).__name__)
        if self._strict:
            raise error
        if not self._warned:
            self._warned = True
            why = "" if isinstance(error, SerializationError) else f" ({type(error).__name__})"
            warnings.warn(
                f"{self._tally.name}() returned what can't be stored, so it runs each time{why}: "
                f"{error}",
                RuntimeWarning,
                stacklevel=2,
            )

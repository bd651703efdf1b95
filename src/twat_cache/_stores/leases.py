"""Leases on an engine: for a while, one holder at a time."""

from __future__ import annotations

import os

from .._run.effects import Whole, ask
from .._run.tally import kind_of
from ..errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from .._run.drive import Steps
    from .._run.tally import Tally

    Lease: TypeAlias = tuple[str, bytes | None]
    """A key of the cache, and the token of its holder; None where everybody has the lease."""

__all__ = ["Leases"]

_PREFIX = "~lease:"
_LONGEST = 3600.0  # seconds


class _Taking:
    """A lease that is being taken: whether it was, and whether anybody still wants it."""

    __slots__ = ("is_done", "is_wanted")

    def __init__(self) -> None:
        self.is_done = False
        self.is_wanted = True


class Leases:
    """Takes and gives back leases; where the engine can't serve, everybody has one.

    Args:
        engine: An engine that processes share, and that can `swap`.
        seconds: How long a lease lasts; longer, from then on, where a computation took longer.
        tally: Where trouble is counted.

    Raises:
        ConfigurationError: The engine isn't such a one.
    """

    def __init__(self, engine: Any, seconds: float, tally: Tally) -> None:
        can = engine.capabilities
        if not (can.swap and can.shared):
            why = "can't replace a value on condition" if can.shared else "isn't shared by any"
            raise ConfigurationError(
                f"single_flight='process' needs an engine that processes share and take turns on, "
                f"such as sqlite, disk, file or redis; a {kind_of(engine)} {why}"
            )
        self.seconds = seconds
        self._engine = engine
        self._tally = tally

    def take(self, place: str) -> Steps[Lease | None]:
        """The lease for a key, or None if another has it."""
        lease = place, os.urandom(16)
        taking = _Taking()
        try:
            yield Whole(self._engine, self._taking(lease, taking))
        except Exception as error:
            self._tally.engine_failed(self._engine, place, "add", error)
            return place, None
        except GeneratorExit:  # nothing can be waited for any more
            taking.is_wanted = False
            raise
        except BaseException:
            taking.is_wanted = False
            if taking.is_done:
                yield from self.give_back(lease)
            raise
        return lease if taking.is_done else None

    def _taking(self, lease: Lease, taking: _Taking) -> Steps[None]:
        """Goes on though the call is cancelled, or others would wait for nobody."""
        place, token = lease
        if (yield ask(self._engine, "add", _PREFIX + place, token, self.seconds)):
            taking.is_done = True
            if not taking.is_wanted:
                yield from self.give_back(lease)

    def is_held(self, lease: Lease, took: float) -> Steps[bool]:
        """Whether the lease is still this one; if so, it lasts as long as at first.

        If not, what took so many seconds took too long. The next ones are given time enough, or
        none of many would ever store a value: each would lose its lease to the one after it.
        """
        place, token = lease
        if token is None:
            return True
        try:
            if (yield ask(self._engine, "swap", _PREFIX + place, token, token, self.seconds)):
                return True
        except Exception as error:
            self._tally.engine_failed(self._engine, place, "swap", error)
        self.seconds = max(self.seconds, min(2 * took, _LONGEST))
        return False

    def give_back(self, lease: Lease) -> Steps[None]:
        """Ends the lease, unless another has it by now."""
        place, token = lease
        if token is not None:
            try:
                yield ask(self._engine, "swap", _PREFIX + place, token, None, None)
            except Exception as error:
                self._tally.engine_failed(self._engine, place, "swap", error)

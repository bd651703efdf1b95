"""Leases on an engine: for a while, one holder at a time."""

from __future__ import annotations

import os

from .._run.effects import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from .._run.drive import Steps
    from .._run.tally import Tally

    Lease: TypeAlias = tuple[str, bytes | None]
    """A key of the cache, and the token of its holder; None where everybody has the lease."""

__all__ = ["Leases"]

_PREFIX = "~lease:"


class Leases:
    """Takes and gives back leases; where the engine can't serve, everybody has one.

    Args:
        engine: An engine that can `swap`.
        seconds: How long a lease lasts.
        tally: Where trouble is counted.
    """

    def __init__(self, engine: Any, seconds: float, tally: Tally) -> None:
        self._engine = engine
        self._seconds = seconds
        self._tally = tally

    def take(self, place: str) -> Steps[Lease | None]:
        """The lease for a key, or None if another has it."""
        token = os.urandom(16)
        try:
            taken = yield ask(self._engine, "add", _PREFIX + place, token, self._seconds)
        except Exception as error:
            self._tally.engine_failed(self._engine, place, "add", error)
            return place, None
        return (place, token) if taken else None

    def is_held(self, lease: Lease) -> Steps[bool]:
        """Whether the lease is still this one; if so, it lasts as long as at first."""
        place, token = lease
        if token is None:
            return True
        try:
            held: bool = yield ask(
                self._engine, "swap", _PREFIX + place, token, token, self._seconds
            )
        except Exception as error:
            self._tally.engine_failed(self._engine, place, "swap", error)
            return False
        return held

    def give_back(self, lease: Lease) -> Steps[None]:
        """Ends the lease, unless another has it by now."""
        place, token = lease
        if token is not None:
            try:
                yield ask(self._engine, "swap", _PREFIX + place, token, None, None)
            except Exception as error:
                self._tally.engine_failed(self._engine, place, "swap", error)

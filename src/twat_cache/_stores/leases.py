"""Leases on an engine: for a while, one holder at a time."""

from __future__ import annotations

import os

from .._run.effects import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    from .._run.drive import Steps
    from .._run.tally import Tally

    class Lease(NamedTuple):
        """A lease that was taken."""

        key: str
        token: bytes | None


__all__ = ["Leases"]


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
        key, token = f"~lease:{place}", os.urandom(16)
        try:
            taken = yield ask(self._engine, "add", key, token, self._seconds)
        except Exception as error:
            self._tally.engine_failed(self._engine, place, "add", error)
            return key, None
        return (key, token) if taken else None

    def is_held(self, lease: Lease) -> Steps[bool]:
        """Whether the lease is still this one; if so, it lasts as long as at first."""
        key, token = lease
        if token is None:
            return True
        try:
            held: bool = yield ask(self._engine, "swap", key, token, token, self._seconds)
        except Exception as error:
            self._tally.engine_failed(self._engine, key, "swap", error)
            return False
        return held

    def give_back(self, lease: Lease) -> Steps[None]:
        """Ends the lease, unless another has it by now."""
        key, token = lease
        if token is not None:
            try:
                yield ask(self._engine, "swap", key, token, None, None)
            except Exception as error:
                self._tally.engine_failed(self._engine, key, "swap", error)

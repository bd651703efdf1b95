"""What an engine tells of changes, so that a table before it never answers with what is gone.

An engine that can tell has `streams`, the names of its ways to do so, and a method `stream(name)`,
which makes a `Stream`. Where processes share the engine, it tells of what any of them changes.
"""
# pyright: reportReturnType=false
# (the bodies of protocols are their docstrings)

from __future__ import annotations

from typing import Any, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Follower", "Sent", "Stream"]


class Follower(Protocol):
    """Who wants to know; told by the stream's thread, of one thing after the other.

    Attributes:
        prefixes: What the keys begin with that it wants to know of.
        channel: What it and its like in other processes share: one text for each namespace.
        bound: How many seconds after a change it may still be unaware of it, at most.
    """

    prefixes: tuple[str, ...]
    channel: str
    bound: float

    def changed(self, keys: Sequence[str], *, by_hand: bool) -> None:
        """Keys have another value, or none; also such that it didn't ask for.

        Args:
            keys: The keys.
            by_hand: Whether somebody said so, and not merely what was computed or has expired: then
                what is being computed for them is of no use.
        """

    def emptied(self) -> None:
        """Anything may have changed."""

    def alive_until(self, moment: int) -> None:
        """All changes up to `bound` before this moment have been told; 0: nothing is known.

        The moment is one of `time.monotonic_ns`.
        """


class Sent(Protocol):
    """A change that is on its way on the stream's own connection, or was told there."""

    def run(self) -> Any:
        """What comes of it; blocks for the engine's timeout at most, and raises `EngineError`."""

    async def arun(self) -> Any:
        """The same, for a coroutine."""


class Stream(Protocol):
    """What changes in one engine; one for each engine and process. Thread-safe.

    It connects when it is started, in a thread of its own, and again whenever the connection is
    lost. In a forked child it is to be started anew.

    What is changed on its own connection isn't told to the follower who does it, only to all
    others; `put`, `add`, `drop` and `touch` give None where that can't be done now, and then the
    engine's ordinary way will do, with `tell` after it.

    Attributes:
        tells_all: Whether all changes have to be told by who makes them, and not only those that
            are made by hand.
    """

    tells_all: bool

    @property
    def is_refused(self) -> bool:
        """Whether it can't begin, and that isn't a matter of time."""

    def hears(self, follower: Follower) -> bool:
        """Whether this one is told now of all that changes, and in time."""

    def follow(self, follower: Follower) -> None:
        """From now on, once it is started, this one is told."""

    def leave(self, follower: Follower) -> None:
        """From now on it isn't, if it was; without any the stream ends.

        So it does with the engine: when that is closed, nothing is told any more, nor changed here.
        """

    def start(self) -> None:
        """Begins in the background; does nothing if it has begun."""

    def check(self, follower: Follower | None = None) -> None:
        """Waits for the stream to begin, and to tell this one, for the engine's timeout at most.

        Raises:
            EngineError: It can't; says why.
        """

    def catch_up(self, follower: Follower) -> Sent | None:
        """Waits until it has told all that changed before; None if it can't now.

        It raises `EngineError` if that wasn't told in time.
        """

    def put(
        self, follower: Follower, items: Mapping[str, Any], ttl: float | None, *, by_hand: bool
    ) -> Sent | None:
        """Stores values."""

    def add(
        self, follower: Follower, key: str, value: Any, ttl: float | None, *, by_hand: bool
    ) -> Sent | None:
        """Stores a value if there is none; comes to whether it did."""

    def drop(self, follower: Follower, keys: Sequence[str]) -> Sent | None:
        """Forgets keys by hand; comes to how many there were."""

    def touch(self, follower: Follower, keys: Sequence[str], ttl: float | None) -> Sent | None:
        """Gives entries so many seconds from now; comes to how many there were."""

    def tell(self, follower: Follower, keys: Sequence[str], *, by_hand: bool) -> Sent:
        """Tells others that keys are changed; without any, that anything may be.

        Blocks where the stream's own connection is down.

        Raises:
            EngineError: It couldn't be told.
        """

"""What an engine is: a place for bytes under names, with six methods, the same for all.

An engine knows nothing of Python objects, of functions or of caches. It gets keys, which are texts
of any length and any characters, and values, which are bytes. It may lose entries whenever it
must, but what it gives back is what was put there, and never after its time.
"""
# pyright: reportReturnType=false
# (the bodies of protocols are their docstrings)

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

__all__ = [
    "AsyncEngine",
    "Bytes",
    "Capabilities",
    "Clock",
    "Engine",
    "Swapping",
    "Timing",
    "Touching",
]

Bytes: TypeAlias = bytes | bytearray | memoryview
Clock: TypeAlias = Callable[[], float]
"""Gives the wall-clock time in seconds, as `time.time` does."""


class Capabilities(NamedTuple):
    """What an engine can do beyond getting, putting, adding and dropping."""

    scan: bool = True
    """It can list its keys."""
    swap: bool = False
    """It has `swap`: it can replace a value on condition that it is the expected one."""
    touch: bool = False
    """It has `touch`: it can give entries a new time to live without their values."""
    ttl: bool = True
    """It forgets entries by itself when their time to live is over."""
    shared: bool = False
    """Other processes see what is put."""
    left: bool = False
    """It has `left`: it can tell how long entries still have."""
    async_: bool = False
    """Its methods are coroutine functions: it is an `AsyncEngine`."""
    pieces: bool = False
    """`put` and `add` take a value in pieces, too: a list of bytes that are stored as one."""
    local: bool = False
    """It answers from this machine, in microseconds, so that to ask twice costs next to nothing."""
    remote: bool = False
    """It is reached over a network, so it may be slow or away: `open_engine` makes it resilient."""


class Engine(Protocol):
    """A blocking engine; any of its methods may be called from any thread at any time.

    Whatever goes wrong inside is raised as an `EngineError`, its cause being the engine's own
    error. So is every call but `close` after `close`.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the methods below; the same for as long as it lives."""

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, in the order of the keys; None where there is none or its time is over."""

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values, in place of what is there.

        Args:
            items: The values by key. What doesn't fit is left out, never cut.
            ttl: For how many seconds; None is for ever, and what isn't above 0, as NaN, stores
                nothing and forgets what is there.
        """

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none: of any number who try at once, one is told True."""

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there."""

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, in any order, each once; every character stands for itself.

        A key that is put or dropped meanwhile may be among them or not.
        """

    def close(self) -> None:
        """Gives back what the engine holds; again does nothing."""

    def ping(self) -> None:
        """Returns if the engine can serve, and raises `EngineError` if it can't."""


class Swapping(Engine, Protocol):
    """An engine that can replace a value on a condition: `capabilities.swap`."""

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value if the expected one is there, in one step; tells whether it did.

        Args:
            key: The one key.
            expected: What must be there; None: nothing may be there.
            value: What to store; None forgets the key.
            ttl: For how many seconds; None is for ever.
        """


class Touching(Engine, Protocol):
    """An engine that can prolong or shorten a life: `capabilities.touch`."""

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""


class Timing(Engine, Protocol):
    """An engine that knows how long its entries still have: `capabilities.left`."""

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have; infinity for ever, None where there is none."""


class AsyncEngine(Protocol):
    """As `Engine`, with coroutine functions; every call comes from one event loop.

    One that is opened by a URL serves any number of loops, one after the other and at once. If it
    has an attribute `blocking`, that is an `Engine` on the same place, for those who can't await;
    it is opened when it is first asked for, and closed with this one.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the methods below; `async_` among it."""

    async def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, in the order of the keys; None where there is none or its time is over."""

    async def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values, for so many seconds or for ever, in place of what is there."""

    async def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none: of any number who try at once, one is told True."""

    async def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there."""

    def scan(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin so, in any order, each once; every character stands for itself."""

    async def close(self) -> None:
        """Gives back what the engine holds; again does nothing."""

    async def ping(self) -> None:
        """Returns if the engine can serve, and raises `EngineError` if it can't."""

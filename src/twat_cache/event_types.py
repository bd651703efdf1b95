"""What events are: one class for each thing that a cache tells.

All are immutable and safe in any thread. None holds an argument, a key as the caller knows it, a
value or the message of an exception, since any of these may be a secret.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "EngineFailed",
    "Event",
    "LoadFailed",
    "Loaded",
    "NotStored",
    "RecordRefused",
    "RefreshFailed",
    "Refreshed",
    "StaleServed",
    "Stored",
    "Waited",
]


@dataclass(frozen=True, slots=True)
class Event:
    """What all events tell.

    Attributes:
        cache: The name of the cache: that of its function, or `name=`.
        key: The digest of the key, 32 hexadecimal digits; empty where results are kept in memory
            alone, or where it is about no key. Of a function it is how `f.cache_key(...)` ends.
    """

    cache: str
    key: str


@dataclass(frozen=True, slots=True)
class Loaded(Event):
    """The function was called and returned.

    Attributes:
        seconds: How long it took.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class LoadFailed(Event):
    """The function was called and raised.

    Attributes:
        seconds: How long it took.
        error: The name of the exception's class.
    """

    seconds: float
    error: str


@dataclass(frozen=True, slots=True)
class Waited(Event):
    """A call got the result of a computation that another call had begun.

    Attributes:
        seconds: How long it waited.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Stored(Event):
    """A result was put into an engine.

    Attributes:
        engine: The kind of engine, such as `"sqlite"`.
        seconds: How long the engine took.
        bytes: How long the record is, in bytes: the value as it was encoded, and what is kept
            with it.
    """

    engine: str
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class NotStored(Event):
    """A result was given to the caller, but can't be stored.

    Attributes:
        kind: The name of its class.
        error: The name of the class of the error: `"SerializationError"` where the codec can't
            carry it.
    """

    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class Refreshed(Event):
    """A result was computed in the background, to take the place of an older one.

    Attributes:
        seconds: How long it took, with storing it.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class RefreshFailed(Event):
    """The function raised in the background; the older result stays as long as it may.

    Attributes:
        seconds: How long it took.
        error: The name of the exception's class.
    """

    seconds: float
    error: str


@dataclass(frozen=True, slots=True)
class StaleServed(Event):
    """A call was answered with a result past its time.

    Attributes:
        age: For how many seconds it has been past its time; 0 or more.
        reason: `"refreshing"`: a new one is on its way; `"slow"`: it didn't come within
            `soft_timeout`; `"failed"`: the function raised.
    """

    age: float
    reason: str


@dataclass(frozen=True, slots=True)
class EngineFailed(Event):
    """An engine couldn't serve; the function answers in its place.

    Attributes:
        engine: The kind of engine, such as `"sqlite"`.
        operation: The method of the engine that was called, such as `"get"`.
        error: The name of the exception's class.
    """

    engine: str
    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class RecordRefused(Event):
    """What an engine had can't be used, and counts as missing.

    Attributes:
        engine: The kind of engine, such as `"sqlite"`.
        damage: What is wrong with it, such as `"broken"`, `"tampered"` or `"codec"`.
    """

    engine: str
    damage: str

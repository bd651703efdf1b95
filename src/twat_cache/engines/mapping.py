"""The engine on any `MutableMapping`: a dict, a shelf, a cache of another library.

Each value carries its deadline in its first eight bytes, so that the mapping sees nothing but
texts and bytes and may write them where it likes.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from math import inf
from struct import Struct
from typing import TYPE_CHECKING, Any

from ..engine_types import Bytes, Capabilities, Clock
from ..errors import EngineClosedError, EngineError
from .address import options_of
from .forks import ForkSafeLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence

__all__ = ["MappingEngine"]

_DEADLINE = Struct("<d")


class MappingEngine:
    """Keeps bytes in a mapping, which may evict what it likes; `mapping:` is one on a new dict.

    All methods hold one lock, since few mappings are made for threads; nobody else may write to
    the mapping meanwhile.

    Args:
        mapping: Takes texts as keys and bytes as values; a new dict if left out. It is not closed.
        clock: The wall-clock time in seconds.
    """

    __slots__ = ("_clock", "_closed", "_lock", "_mapping")

    capabilities = Capabilities(swap=True, touch=True, left=True)

    def __init__(
        self, mapping: MutableMapping[Any, Any] | None = None, *, clock: Clock = time.time
    ) -> None:
        self._mapping: MutableMapping[Any, Any] = {} if mapping is None else mapping
        self._clock = clock
        self._closed = False
        self._lock = ForkSafeLock()  # a mapping that tells of evictions may come back to us

    @classmethod
    def from_url(cls, url: str, *, clock: Clock = time.time) -> MappingEngine:
        """An engine on a new dict; the URL says nothing but its scheme."""
        return cls(**options_of(url, frozenset()), clock=clock)

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, each a view of what the mapping holds."""
        with self._held():
            return [self._find(key) for key in keys]

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; what the mapping refuses as too large is left out."""
        with self._held():
            for key, value in items.items():
                self._store(key, value, ttl)

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        with self._held():
            return self._find(key) is None and self._store(key, value, ttl)

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there."""
        with self._held():
            return sum(self._forget(key) for key in keys)

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so and aren't past their time."""
        with self._held():
            found = [_text(key) for key in list(self._mapping)]
            keys = [key for key in found if key.startswith(prefix) and self._find(key) is not None]
        return iter(keys)

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        with self._held():
            if self._find(key) != expected:
                return False
            if value is None or (ttl is not None and not ttl > 0):
                self._forget(key)
                return True
            return self._store(key, value, ttl)

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        with self._held():
            touched = 0
            for key in keys:
                value = self._find(key)
                if value is not None:
                    self._store(key, value, ttl)
                    touched += 1
            return touched

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        with self._held():
            now = self._clock()
            found = [self._mapping.get(key) for key in keys]
            times = [None if f is None else _DEADLINE.unpack_from(f)[0] - now for f in found]
            return [time if time is not None and time > 0 else None for time in times]

    def close(self) -> None:
        """Lets go of the mapping, which stays as it is."""
        with self._lock:
            self._closed = True
            self._mapping = {}

    def ping(self) -> None:
        """Returns if the mapping answers."""
        with self._held():
            self._mapping.get("")

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise EngineClosedError("the engine is closed; open another one")
            try:
                yield
            except EngineError:
                raise
            except Exception as error:
                kind = type(self._mapping).__name__
                raise EngineError(f"the mapping, a {kind}, failed: {error!r}") from error

    def _find(self, key: str) -> memoryview | None:
        framed = self._mapping.get(key)
        if framed is None:
            return None
        if _DEADLINE.unpack_from(framed)[0] > self._clock():
            return memoryview(framed)[_DEADLINE.size :]
        self._mapping.pop(key, None)
        return None

    def _store(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Whether the value is there now."""
        if ttl is not None and not ttl > 0:
            self._forget(key)
            return False
        deadline = inf if ttl is None else self._clock() + ttl
        try:
            self._mapping[key] = b"".join((_DEADLINE.pack(deadline), value))
        except ValueError:  # what cachetools raises for a value above its bound
            self._forget(key)
            return False
        return True

    def _forget(self, key: str) -> bool:
        there = self._find(key) is not None
        self._mapping.pop(key, None)
        return there


def _text(key: str | bytes) -> str:
    return key if isinstance(key, str) else key.decode()  # dbm gives its keys as bytes

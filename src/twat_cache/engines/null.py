"""The engine that keeps nothing: for tests, and to turn a store off by its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine_types import Bytes, Capabilities
from ..errors import EngineClosedError
from .address import options_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["NullEngine"]


class NullEngine:
    """Everything put into it is forgotten at once; `null:` as a URL."""

    __slots__ = ("_closed",)

    capabilities = Capabilities(swap=True, touch=True, left=True)
    maxsize = 0
    """There is room for nothing, as statistics tell."""

    def __init__(self) -> None:
        self._closed = False

    @classmethod
    def from_url(cls, url: str) -> NullEngine:
        """The engine; the URL says nothing but its scheme."""
        return cls(**options_of(url, frozenset()))

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """None for each key."""
        self.ping()
        return [None] * len(keys)

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:  # noqa: ARG002
        """Nothing."""
        self.ping()

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:  # noqa: ARG002
        """False: the value is not there afterwards."""
        self.ping()
        return False

    def drop(self, keys: Sequence[str]) -> int:  # noqa: ARG002
        """0."""
        self.ping()
        return 0

    def scan(self, prefix: str) -> Iterator[str]:  # noqa: ARG002
        """No key."""
        self.ping()
        return iter(())

    def swap(
        self,
        key: str,  # noqa: ARG002
        expected: Bytes | None,
        value: Bytes | None,
        ttl: float | None,  # noqa: ARG002
    ) -> bool:
        """True only where nothing is expected and nothing is to be stored."""
        self.ping()
        return expected is None and value is None

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:  # noqa: ARG002
        """0."""
        self.ping()
        return 0

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """None for each key."""
        self.ping()
        return [None] * len(keys)

    def close(self) -> None:
        """Makes every later call an error, as with all engines."""
        self._closed = True

    def ping(self) -> None:
        """Returns unless the engine was closed."""
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")

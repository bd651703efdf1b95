"""The engine on a Redis or Valkey whose methods block."""

from __future__ import annotations

from typing import Any

from ...engine_types import Capabilities
from ...errors import EngineClosedError, EngineError
from ..forks import living
from . import commands
from .failures import FAILURES, says, told
from .lines import line_to
from .settled import CLOSED, Settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeVar

    from ...engine_types import Bytes
    from .commands import Steps
    from .place import Place

    T = TypeVar("T")

__all__ = ["RedisEngine"]


class RedisEngine(Settled):
    """Keeps bytes in a Redis or Valkey: one server, a service of sentinels, or a cluster.

    Any thread may call any method; after a fork the child has connections of its own.

    Args:
        client: A client of redis-py, blocking or not: its addresses, credentials and TLS are
            taken, the connections are the engine's own, and the client is never closed.
        timeout: How many seconds an operation may take, connecting and waiting for a connection
            each counted anew.
        pool_size: How many connections there may be to one server.
    """

    awaited: Any
    """The class of the engine whose methods are coroutine functions."""

    capabilities = Capabilities(swap=True, touch=True, left=True, shared=True, remote=True)

    def _open(self, place: Place) -> None:
        super()._open(place)
        self._line = line_to(place)

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values."""
        return self._run(commands.get(keys, self._whole))

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; one above 512 MB is left out."""
        self._run(commands.put(items, ttl, self._whole))

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        return self._run(commands.add(key, value, ttl))

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there."""
        return self._run(commands.drop(keys, self._whole))

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, in pages that are fetched as they are wanted."""
        seen: set[bytes] = set()
        for node in self._run(commands.nodes()):
            cursor = b""
            while cursor != b"0":
                cursor, found = self._run(commands.page(node, cursor or b"0", prefix))
                yield from commands.fresh(found, seen)

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        return self._run(commands.swap(key, expected, value, ttl))

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        return self._run(commands.touch(keys, ttl))

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        return self._run(commands.left(keys))

    def ping(self) -> None:
        """Returns if every server that has keys answers."""
        self._run(commands.ping())

    def close(self) -> None:
        """Closes the connections; those in use when their call is over."""
        self._closed = True
        for stream in living(self._streams):
            stream.close()
        self._line.close()

    def _run(self, steps: Steps[T]) -> T:
        if self._closed:
            raise EngineClosedError(CLOSED)
        failure: EngineError
        cause: BaseException | None
        try:
            request = next(steps)
            while True:
                request = steps.send(self._line.ask(request))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except FAILURES as error:
            if says(error, "READONLY"):
                self._line.forget()
            failure, cause = told(error, self._place)
        raise failure from cause  # out here, where it has no other context

    def _renew(self) -> None:
        self._line.renew()

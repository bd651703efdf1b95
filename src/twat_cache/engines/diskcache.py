"""The engine on the `diskcache` library, whose pickling never runs here.

That library pickles what is neither text, number nor bytes, and unpickles what its file says is a
pickle: who can write the file can run code in who reads it (CVE-2025-69872, not fixed in 5.6.3).
Our `Disk` takes bytes only and refuses to read anything else. Deadlines stand in our own first
eight bytes, as in the engine on mappings; the library is told them too, so that it may cull.

The library has a connection for each thread, and none of them may cross a fork: a child that has
one believes in locks which it doesn't hold, and the log is deleted under it. So threads take turns
here, at one connection, which is closed before a fork.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from math import inf
from struct import Struct
from typing import Any
from weakref import ref

from .._size import read_size
from ..engine_types import Bytes, Capabilities, Clock
from ..errors import (
    EngineClosedError,
    EngineError,
    EngineNotAvailableError,
    EngineTimeoutError,
    PathError,
)
from .address import folder_of, options_of, seconds
from .forks import ForkSafeLock, leak
from .private import private_file, private_folder

try:
    import diskcache
    from diskcache.core import DBNAME, MODE_BINARY, MODE_RAW, UNKNOWN
except ImportError as error:
    raise EngineNotAvailableError(
        "the engine diskcache needs its library: pip install 'twat-cache[diskcache]'"
    ) from error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["DiskcacheEngine"]

_DEADLINE = Struct("<d")
_UNBOUNDED = 1 << 62
_TRIES = 10


class _NotOurs(Exception):  # noqa: N818
    """What is in the file wasn't put there by this engine."""


class _BytesDisk(diskcache.Disk):  # type: ignore[misc]
    """Takes bytes, gives bytes, and pickles nothing."""

    def put(self, key: bytes) -> Any:
        if type(key) is not bytes:
            raise TypeError("keys are bytes here")
        return super().put(key)

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise _NotOurs
        return super().get(key, raw)

    def store(self, value: bytes, read: bool, key: Any = UNKNOWN) -> Any:
        if type(value) is not bytes or read:
            raise TypeError("values are bytes here")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode not in {MODE_RAW, MODE_BINARY}:
            raise _NotOurs
        return super().fetch(mode, filename, value, read)

    def _write(
        self, full_path: str, iterator: Iterator[bytes], mode: str, encoding: str | None = None
    ) -> int:
        """Writes the file of a large value, with the modes that all our files have."""
        for left in reversed(range(_TRIES)):
            try:
                private_folder(os.path.dirname(full_path))
                with open(full_path, mode, encoding=encoding, opener=_private) as file:
                    return sum(map(file.write, iterator))
            except (FileNotFoundError, PathError):  # who deletes a folder's last file deletes it
                if not left:
                    raise
        raise AssertionError


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Cache(diskcache.Cache):  # type: ignore[misc]
    """The library's cache with one connection for all threads."""

    _only: sqlite3.Connection | None = None

    @property
    def _con(self) -> sqlite3.Connection:
        if self._only is None:
            path = os.path.join(self._directory, DBNAME)
            self._only = sqlite3.connect(
                path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            try:
                settings = self._only.execute("SELECT key, value FROM Settings").fetchall()
            except sqlite3.OperationalError:  # they are made later
                settings = []
            for key, value in settings:
                if key.startswith("sqlite_"):
                    self.reset(key, value, update=False)
        return self._only

    def close(self) -> None:
        """Closes the connection; the next use makes another."""
        connection, self._only = self._only, None
        if connection is not None:
            connection.close()

    def __del__(self) -> None:
        self.close()


class DiskcacheEngine:
    """Keeps bytes in a folder of the library's own format, `diskcache:///absolute/folder`.

    Args:
        path: The folder; made if it is missing.
        max_bytes: A bound, as `1_000_000_000` or `"1GB"`; None is unbounded.
        timeout: How many seconds to wait for a lock.
        clock: The wall-clock time in seconds.
    """

    capabilities = Capabilities(swap=True, touch=True, shared=True, local=True)

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = None,
        timeout: float | str = 5.0,
        clock: Clock = time.time,
    ) -> None:
        self._clock = clock
        self._closed = False
        self._path = os.path.abspath(path)
        self._file = os.path.join(self._path, "cache.db")
        self._timeout = seconds(timeout)
        self._bound = None if max_bytes is None else read_size(max_bytes, option="max_bytes")
        self._lock = _Lock(self)
        self._cache: Any = None
        private_folder(self._path)
        self.ping()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> DiskcacheEngine:
        """The engine at `diskcache:///absolute/folder` or `diskcache:relative/folder`.

        Args:
            url: `max_bytes` and `timeout` may stand in it, as in `?max_bytes=1GB`.
            options: Those of the class; they go before those in the URL.
        """
        given = options_of(url, frozenset({"max_bytes", "timeout"}))
        return cls(folder_of(url), **{**given, **options})

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, one after the other."""
        with self._serving():
            return [self._find(_bytes(key)) for key in keys]

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values in one transaction."""
        if ttl is not None and not ttl > 0:
            self.drop(list(items))
            return
        with self._serving(), self._cache.transact():
            for key, value in items.items():
                self._store(_bytes(key), value, ttl)

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        return self.swap(key, None, value, ttl) and (ttl is None or ttl > 0)

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys in one transaction; tells how many of them were there."""
        with self._serving(), self._cache.transact():
            return sum(self._forget(_bytes(key)) for key in keys)

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so and aren't past their time."""
        start = _bytes(prefix)
        with self._serving():
            found = [key for key in self._cache.iterkeys() if key.startswith(start)]
        return (key.decode("utf-8", "surrogatepass") for key in found if self._is_live(key))

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        name = _bytes(key)
        with self._serving(), self._cache.transact():
            if self._find(name) != expected:
                return False
            if value is None or (ttl is not None and not ttl > 0):
                self._forget(name)
            else:
                self._store(name, value, ttl)
            return True

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        if ttl is not None and not ttl > 0:
            return self.drop(keys)
        touched = 0
        with self._serving(), self._cache.transact():
            for name in map(_bytes, keys):
                value = self._find(name)
                if value is not None:
                    self._store(name, value, ttl)
                    touched += 1
        return touched

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._closed = True
            if self._cache is not None:
                self._cache.close()

    def ping(self) -> None:
        """Reads from the database; begins it anew if its file was deleted."""
        with self._serving():
            self._find(b"")

    @contextmanager
    def _serving(self) -> Iterator[None]:
        with self._lock:
            yield from self._serve()

    def _serve(self) -> Iterator[None]:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")
        try:
            if self._cache is None or not os.path.exists(self._file):
                self._begin()
            yield
        except EngineError:
            raise
        except diskcache.Timeout as error:  # whatever kept a transaction from beginning
            if "locked" not in str(error.__context__):
                raise self._failed(error.__context__ or error) from error
            raise EngineTimeoutError(f"the store {self._path} was locked for too long") from error
        except Exception as error:  # of a damaged file the library makes anything
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> EngineError:
        return EngineError(f"the store {self._path} failed: {error!r}")

    def _begin(self) -> None:
        private_folder(self._path)
        private_file(self._file)
        if self._cache is not None:
            self._cache.close()
        self._cache = _Cache(
            self._path,
            timeout=self._timeout,
            disk=_BytesDisk,
            size_limit=self._bound or _UNBOUNDED,
            eviction_policy="least-recently-used" if self._bound else "none",
        )

    def _find(self, name: bytes) -> memoryview | None:
        try:
            framed = self._cache.get(name)
        except _NotOurs:
            return None
        if framed is None or len(framed) < _DEADLINE.size:
            return None
        if _DEADLINE.unpack_from(framed)[0] <= self._clock():
            return None
        return memoryview(framed)[_DEADLINE.size :]

    def _store(self, name: bytes, value: Bytes, ttl: float | None) -> None:
        deadline = inf if ttl is None else self._clock() + ttl
        self._cache.set(name, b"".join((_DEADLINE.pack(deadline), value)), expire=ttl)

    def _forget(self, name: bytes) -> bool:
        there = self._find(name) is not None
        self._cache.delete(name)
        return there

    def _is_live(self, name: bytes) -> bool:
        with self._serving():
            return self._find(name) is not None


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


class _Lock(ForkSafeLock):
    """Brings an engine to rest before a fork, and closes its connection."""

    __slots__ = ("_engine",)

    def __init__(self, engine: DiskcacheEngine) -> None:
        super().__init__()
        self._engine = ref(engine)

    def before_fork(self) -> None:
        super().before_fork()
        engine = self._engine()
        if engine is not None and self._taken and engine._cache is not None:
            engine._cache.close()

    def after_fork(self, *, child: bool) -> None:
        engine = self._engine()
        if engine is not None and child and not self._taken:
            leak(engine._cache)
            engine._cache = None
        super().after_fork(child=child)

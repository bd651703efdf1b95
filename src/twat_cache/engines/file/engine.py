"""Bytes in files: made for large values, which are read by mapping them into memory."""

from __future__ import annotations

import os
import random
import time
from contextlib import contextmanager
from typing import Any

from ..._size import read_size
from ...engine_types import Bytes, Capabilities, Clock
from ...errors import EngineClosedError, EngineError, PathError
from ..address import entries, flag, folder_of, options_of, seconds
from ..pieces import pieces_of
from .entry import Head, prolong, read_head, read_value, write_new
from .folder import SHARDS, Folder
from .locks import Locks
from .size import Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..pieces import Value

__all__ = ["FileEngine"]

_SWEEP = 64


class FileEngine:
    """Keeps each value in one file under a folder, `file:///absolute/folder`.

    A value is complete or isn't there, whoever is killed while writing it. Files have mode 0600 in
    folders of mode 0700, and names that are digests. Any number of threads and processes may share
    the folder. Values from 256 KB on are read as views of the mapped file; what is in pieces is
    written as it lies, so that a large array is copied neither way.

    Args:
        path: The folder; made if it is missing, refused if other things lie in it.
        max_bytes: A bound on all files, as `10_000_000_000` or `"10GB"`; the least recently used
            leave first. None is unbounded.
        maxsize: A bound on the number of files, as `1000` or `"1000"`, which leave likewise. At
            times there are more, by a sixteenth of it for each process that writes; a bound below
            16 is exact. None is unbounded.
        fsync: Whether a put waits until the value is on the disk. If not, a failing machine may
            lose the last values, or leave files that are found to be damaged.
        timeout: How many seconds to wait for a writer in another thread or process.
        clock: The wall-clock time in seconds.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = None,
        maxsize: int | str | None = None,
        fsync: bool | str = False,
        timeout: float | str = 5.0,
        clock: Clock = time.time,
    ) -> None:
        self._folder = Folder(os.path.abspath(path))
        self._locks = Locks(self._folder.locks, seconds(timeout))
        self._fsync = flag("fsync", fsync)
        self._clock = clock
        bound = None if max_bytes is None else read_size(max_bytes, option="max_bytes")
        self._size = Size(self._folder, bound, entries(maxsize))
        self._writes = 0
        self._closed = False
        self.capabilities = Capabilities(
            swap=True, touch=True, left=True, shared=True, pieces=True, local=True
        )

    @classmethod
    def from_url(cls, url: str, **options: Any) -> FileEngine:
        """The engine at `file:///absolute/folder` or `file:relative/folder`.

        Args:
            url: `max_bytes`, `maxsize`, `fsync` and `timeout` may stand in it, as in
                `?max_bytes=10GB`.
            options: Those of the class; they go before those in the URL.
        """
        given = options_of(url, frozenset({"max_bytes", "maxsize", "fsync", "timeout"}))
        return cls(folder_of(url), **{**given, **options})

    @property
    def maxsize(self) -> int | None:
        """The bound on the number of files; None if there is none."""
        return self._size.maxsize

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values; large ones are views of files that stay as they are."""
        with self._serving():
            now = self._clock()
            return [self._read(key, now) for key in keys]

    def put(self, items: Mapping[str, Value], ttl: float | None) -> None:
        """Stores the values, one after the other; what is larger than the bound is left out."""
        if ttl is not None and not ttl > 0:
            self.drop(list(items))
            return
        with self._serving():
            for key, value in items.items():
                name, shard, path = self._named(key)
                self._store(name, shard, path, value, ttl, onto=None)

    def add(self, key: str, value: Value, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        return self.swap(key, None, value, ttl) and (ttl is None or ttl > 0)

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there."""
        with self._serving():
            dropped = 0
            for key in keys:
                name, shard, path = self._named(key)
                with self._locks.held(shard):
                    dropped += self._live(path, name) is not None
                    _delete(path)
            return dropped

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, read from shard after shard."""
        with self._serving():
            return self._scan(_bytes(prefix))

    def swap(
        self, key: str, expected: Bytes | None, value: Value | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        with self._serving():
            name, shard, path = self._named(key)
            if value is not None and (ttl is None or ttl > 0):
                return self._store(name, shard, path, value, ttl, onto=(expected,))
            with self._locks.held(shard):
                if self._value(path, name) != expected:
                    return False
                _delete(path)
                return True

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        if ttl is not None and not ttl > 0:
            return self.drop(keys)
        with self._serving():
            touched = 0
            for key in keys:
                name, shard, path = self._named(key)
                with self._locks.held(shard):
                    if self._live(path, name) is None:
                        continue
                    try:
                        prolong(path, None if ttl is None else self._clock() + ttl)
                    except FileNotFoundError:  # another process needed the room
                        continue
                    touched += 1
            return touched

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        with self._serving():
            now = self._clock()
            named = [self._named(key) for key in keys]
            heads = [self._live(path, name) for name, _, path in named]
            return [head and head.deadline - now for head in heads]

    def close(self) -> None:
        """Makes every later call an error; nothing is held open between calls."""
        self._closed = True

    def ping(self) -> None:
        """Looks for the folder; makes it anew if it was deleted."""
        with self._serving():
            if not self._folder.is_there():
                self._folder.make()

    @contextmanager
    def _serving(self) -> Iterator[None]:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")
        try:
            yield
        except OSError as error:
            if isinstance(error, EngineError):
                raise
            raise EngineError(f"the store {self._folder.path} failed: {error}") from error
        except PathError as error:
            raise EngineError(f"the store {self._folder.path} failed: {error}") from error

    def _named(self, key: str) -> tuple[bytes, str, str]:
        name = _bytes(key)
        return name, *self._folder.place(name)

    def _read(self, key: str, now: float) -> bytes | memoryview | None:
        name, _, path = self._named(key)
        try:
            value = read_value(path, name, now)
        except FileNotFoundError:
            return None
        if value is not None and self._size.is_bounded:
            self._size.used(path, now)
        return value

    def _store(
        self,
        name: bytes,
        shard: str,
        path: str,
        value: Value,
        ttl: float | None,
        *,
        onto: tuple[Bytes | None] | None,
    ) -> bool:
        """Writes the value beside its place, then gives it the place if what is there allows it."""
        pieces = pieces_of(value)
        size = sum(map(len, pieces)) + len(name)
        if size > self._size.max_bytes:
            if onto is None:
                _delete(path)
            return False
        self._upkeep(size)
        if not self._folder.is_there():
            self._folder.make()
        now = self._clock()
        deadline = None if ttl is None else now + ttl
        new = self._folder.new()
        try:
            write_new(new, name, pieces, deadline, fsync=self._fsync)
            if self._size.is_bounded:
                os.utime(new, ns=(int(now * 1e9), int(now * 1e9)))
            with self._locks.held(shard):
                if onto is not None and self._value(path, name) != onto[0]:
                    return False
                self._folder.take(new, path, fsync=self._fsync)
        finally:
            _delete(new)
        self._size.trim()
        return True

    def _value(self, path: str, name: bytes) -> bytes | memoryview | None:
        try:
            return read_value(path, name, self._clock())
        except FileNotFoundError:
            return None

    def _live(self, path: str, name: bytes) -> Head | None:
        try:
            head = read_head(path)
        except FileNotFoundError:
            return None
        return head if head and head.key == name and head.deadline > self._clock() else None

    def _scan(self, prefix: bytes) -> Iterator[str]:
        for shard in SHARDS:
            with self._serving():
                entries = list(self._folder.entries(shard))
            for entry in entries:
                try:
                    with self._serving():
                        head = read_head(entry.path)
                except EngineError as error:
                    if isinstance(error.__cause__, FileNotFoundError):
                        continue
                    raise
                if head and head.deadline > self._clock() and head.key.startswith(prefix):
                    yield head.key.decode("utf-8", "surrogatepass")

    def _upkeep(self, size: int) -> None:
        self._size.make_room(size)
        self._writes += 1
        if self._writes % _SWEEP == 0:
            self._sweep(random.choice(SHARDS))

    def _sweep(self, shard: str) -> None:
        """Deletes what is past its time, or damaged, in one shard."""
        for entry in self._folder.entries(shard):
            try:
                with self._locks.held(shard):
                    head = read_head(entry.path)
                    if head is None or head.deadline <= self._clock():
                        _delete(entry.path)
            except FileNotFoundError:
                pass


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _delete(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass

"""Bytes on the disk, small and large: an SQLite index, with large values in files beside it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import Any

from ..._size import read_size
from ...errors import EngineClosedError, EngineError, PathError
from ..address import folder_of, options_of
from ..pieces import pieces_of
from ..private import private_folder
from ..sqlite import statements as sql
from .files import Files
from .index import STEP, Index
from .pointer import new_name, parse, pointer_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...engine_types import Bytes, Clock
    from ..pieces import Value

__all__ = ["DiskEngine"]

_TRIES = 5
_TIDY = 64


class DiskEngine:
    """Keeps bytes in a folder, `disk:///absolute/folder`: values from 32 KB on in files.

    What holds of `SqliteEngine` holds here. A large value is written before the index names it and
    deleted after the index forgot it, so that no crash makes a wrong or torn value; what a killed
    writer leaves is found and deleted later. Values from 256 KB on are views of the mapped file.

    Args:
        path: The folder; made if it is missing.
        max_bytes: A bound on the index and the files together, as `1_000_000_000` or `"1GB"`; the
            least recently used entries leave first. None is unbounded.
        maxsize: A bound on the number of entries, as of `SqliteEngine`.
        spill: From which size on a value gets a file, as `32_768` or `"32KiB"`.
        timeout: How many seconds to wait for a lock that another process holds.
        clock: The wall-clock time in seconds.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | str | None = None,
        maxsize: int | str | None = None,
        spill: int | str = "32KiB",
        timeout: float | str = 5.0,
        clock: Clock = time.time,
    ) -> None:
        self._spill = read_size(spill, option="spill")
        folder = os.path.abspath(path)
        private_folder(folder)
        file = os.path.join(folder, "index.db")
        self._index = Index(
            file, max_bytes=max_bytes, maxsize=maxsize, timeout=timeout, clock=clock
        )
        self._files = Files(os.path.join(folder, "values"))
        self._folder = folder
        self._writes = 0
        self._closed = False
        self.capabilities = self._index.capabilities._replace(pieces=True)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> DiskEngine:
        """The engine at `disk:///absolute/folder` or `disk:relative/folder`.

        Args:
            url: `max_bytes`, `maxsize`, `spill` and `timeout` may stand in it, as in
                `?max_bytes=1GB`.
            options: Those of the class; they go before those in the URL.
        """
        given = options_of(url, frozenset({"max_bytes", "maxsize", "spill", "timeout"}))
        return cls(folder_of(url), **{**given, **options})

    @property
    def maxsize(self) -> int | None:
        """The bound on the number of entries; None if there is none."""
        return self._index.maxsize

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values; large ones are views of files that stay as they are."""
        found: list[Any] = self._index.get(keys)
        for one in found:
            if type(one) is bytearray:
                return self._from_files(keys, found)
        return found

    def put(self, items: Mapping[str, Value], ttl: float | None) -> None:
        """Stores the values, large ones first in their files, then all in the index."""
        small: Mapping[str, Any] = items
        for value in small.values():
            if type(value) is not bytes or len(value) >= self._spill:
                self._put_placed(items, ttl)
                return
        self._index.put(small, ttl)
        self._writes += 1
        if self._writes % _TIDY == 0 or (ttl is not None and not ttl > 0):
            with self._serving():
                self._tidy()

    def add(self, key: str, value: Value, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        with self._serving():
            with self._placed({key: value}) as placed:
                if self._index.add(key, placed[key], ttl):
                    return True
                self._take_back(placed)
            found: Any = self._index.get([key])[0]
            if type(found) is not bytearray:
                return False
        return self.swap(key, None, value, ttl) and (ttl is None or ttl > 0)  # its file may be gone

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys, and deletes their files; tells how many of them were there."""
        with self._serving():
            dropped = self._index.drop(keys)
            self._tidy()
            return dropped

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so."""
        return self._index.scan(prefix)

    def swap(
        self, key: str, expected: Bytes | None, value: Value | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        if ttl is not None and not ttl > 0:
            value = None
        with self._serving():
            while True:
                (found,) = self._index.get([key])
                if self._value(key, found) != expected:
                    return False
                with self._placed({} if value is None else {key: value}) as placed:
                    if self._index.swap(key, found, placed.get(key), ttl):
                        self._tidy()
                        return True
                    self._take_back(placed)
                if self._index.get([key]) == [found]:
                    return False  # it isn't another who was faster: the value doesn't fit

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        if ttl is not None and not ttl > 0:
            return self.drop(keys)
        return self._index.touch(keys, ttl)

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        return self._index.left(keys)

    def close(self) -> None:
        """Closes the index; views of large values stay as they are."""
        self._closed = True
        self._index.close()

    def ping(self) -> None:
        """Reads from the index; begins it anew if its file was deleted."""
        self._index.ping()

    @contextmanager
    def _serving(self) -> Iterator[None]:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")
        try:
            yield
        except EngineError:
            raise
        except (OSError, PathError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> EngineError:
        return EngineError(f"the store {self._folder} failed: {error}")

    def _put_placed(self, items: Mapping[str, Value], ttl: float | None) -> None:
        with self._serving():
            if ttl is not None and not ttl > 0:
                self._index.drop(list(items))
            else:
                with self._placed(items) as placed:
                    self._index.put_placed(placed, ttl)
            self._tidy()

    @contextmanager
    def _placed(self, items: Mapping[str, Value]) -> Iterator[dict[str, Any]]:
        """The items as the index takes them; their files are deleted if the block raises."""
        placed: dict[str, Any] = {}
        try:
            for key, value in items.items():
                pieces = pieces_of(value)
                size = sum(map(len, pieces))
                if size < self._spill:
                    placed[key] = b"".join(pieces)
                else:
                    name = new_name(sql.row_of(key)[0])
                    placed[key] = pointer_to(name, size)
                    self._files.write(name, pieces)
            yield placed
        except BaseException:
            self._take_back(placed)
            raise

    def _take_back(self, placed: Mapping[str, Any]) -> None:
        for pointer in placed.values():
            pointed = parse(pointer) if type(pointer) is str else None
            try:
                if pointed and not self._index.wants(pointed[0]):
                    self._files.delete(pointed[0])
            except EngineError:
                pass  # nobody can tell now whether it is wanted; `_tidy` will, when it is old

    def _from_files(self, keys: Sequence[str], found: list[Any]) -> list[Any]:
        try:
            return [self._value(key, one) for key, one in zip(keys, found, strict=True)]
        except OSError as error:
            if isinstance(error, EngineError):  # a time-out is both
                raise
            raise self._failed(error) from error

    def _value(self, key: str, found: Any) -> Any:
        """The value that the index has or points to."""
        for _ in range(_TRIES):
            if type(found) is not bytearray:
                return found
            pointed = parse(found)
            value = self._files.read(*pointed) if pointed else None
            if value is not None:
                return value
            again: Any = self._index.get([key])[0]  # the file went because another value came
            if again == found:
                return None
            found = again
        return None

    def _tidy(self) -> None:
        """Deletes the files that the index has forgotten, and now and then those it never knew."""
        orphans = None
        while orphans is None or len(orphans) == STEP:
            orphans = self._index.orphans()
            for _, pointer in orphans:
                if pointed := parse(pointer):
                    self._files.delete(pointed[0])
            if orphans:
                self._index.forget_orphans(orphans)
        self._writes += 1
        if self._writes % _TIDY == 1:
            for name in self._files.abandoned():
                if not self._index.wants(name):
                    self._files.delete(name)

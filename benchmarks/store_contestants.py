"""Places for bytes on the disk, ours and the ones to beat, each with the loops that users write.

Keys are such as the decorators make. Every store writes through to the system (what was put
outlives the process) and none waits for the disk itself, which is what diskcache does, and what
SQLite does by its log in the mode NORMAL.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Protocol

from twat_cache import open_engine

Items = Sequence[tuple[str, bytes]]


class Store(Protocol):
    """One contestant on one folder."""

    def read(self, keys: Sequence[str]) -> None:
        """Gets each key, all of its bytes."""

    def write(self, items: Items) -> None:
        """Puts one after the other."""

    def write_all(self, items: Items) -> None:
        """Puts all in one go, in the store's own way."""

    def close(self) -> None:
        """Gives back what it holds."""


class Engine:
    """One of our engines."""

    def __init__(self, url: str) -> None:
        self._engine: Any = open_engine(url)

    def read(self, keys: Sequence[str]) -> None:
        get = self._engine.get
        for key in keys:
            (value,) = get([key])
            if type(value) is memoryview:  # a mapped file: nothing is read before it is used
                bytes(value)
            del value  # as the others do, whose values have no name

    def write(self, items: Items) -> None:
        put = self._engine.put
        for key, value in items:
            put({key: value}, None)

    def write_all(self, items: Items) -> None:
        self._engine.put(dict(items), None)

    def close(self) -> None:
        self._engine.close()


class DiskCache:
    """The diskcache library with its defaults; its batch is a transaction."""

    def __init__(self, folder: str) -> None:
        from diskcache import Cache

        self._cache: Any = Cache(folder)

    def read(self, keys: Sequence[str]) -> None:
        get = self._cache.get
        for key in keys:
            get(key)

    def write(self, items: Items) -> None:
        put = self._cache.set
        for key, value in items:
            put(key, value)

    def write_all(self, items: Items) -> None:
        put = self._cache.set
        with self._cache.transact():
            for key, value in items:
                put(key, value)

    def close(self) -> None:
        self._cache.close()


class Statement:
    """One prepared statement of sqlite3 each, tuned by hand: the ids of the keys are at hand."""

    _TUNED = (
        "page_size = 4096", "journal_mode = WAL", "synchronous = NORMAL",
        "wal_autocheckpoint = 8000", "cache_size = -16384", "temp_store = MEMORY",
    )  # fmt: skip
    _GET = "SELECT value FROM t WHERE id = ?"
    _PUT = "INSERT INTO t VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value"

    def __init__(self, file: str, keys: Sequence[str]) -> None:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        self._db = sqlite3.connect(file, isolation_level=None, timeout=60)
        for setting in self._TUNED:
            self._db.execute(f"PRAGMA {setting}")
        self._db.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, value BLOB)")
        digests = {key: blake2b(key.encode(), digest_size=8).digest() for key in keys}
        self._ids = {k: int.from_bytes(d, "little", signed=True) for k, d in digests.items()}

    def read(self, keys: Sequence[str]) -> None:
        execute, ids, get = self._db.execute, self._ids, self._GET
        for key in keys:
            execute(get, (ids[key],)).fetchone()

    def write(self, items: Items) -> None:
        execute, ids, put = self._db.execute, self._ids, self._PUT
        for key, value in items:
            execute(put, (ids[key], value))

    def write_all(self, items: Items) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(self._PUT, [(self._ids[key], value) for key, value in items])
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


class Files:
    """A file for each key, written under another name and renamed."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._folder = folder
        self._new = os.path.join(folder, f"new-{os.getpid()}")

    def _path(self, key: str) -> str:
        return os.path.join(self._folder, key.rpartition(":")[2])

    def read(self, keys: Sequence[str]) -> None:
        for key in keys:
            with open(self._path(key), "rb", buffering=0) as file:
                file.read()

    def write(self, items: Items) -> None:
        for key, value in items:
            with open(self._new, "wb", buffering=0) as file:
                file.write(value)
            os.replace(self._new, self._path(key))

    def write_all(self, items: Items) -> None:
        self.write(items)

    def close(self) -> None:
        pass


NAMES = ("sqlite", "disk", "diskcache", "sqlite3", "rename")


def open_store(name: str, folder: str, keys: Sequence[str]) -> Store:
    """The contestant on its own place in the folder."""
    place = os.path.join(folder, name)
    if name == "sqlite":
        return Engine(f"sqlite:///{place}/store.db")
    if name == "disk":
        return Engine(f"disk://{place}")
    if name == "diskcache":
        return DiskCache(place)
    if name == "sqlite3":
        return Statement(os.path.join(place, "store.db"), keys)
    return Files(place)

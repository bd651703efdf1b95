"""Opening the database: none but ours, private, and tuned.

A file belongs to us if its header carries our application id; any other file is refused and left
untouched. One of ours that SQLite finds damaged is set aside under the name `….damaged`, where it
can be looked at, and a new one is begun.

The schema is written in rollback mode, in one transaction with the application id, and only then is
the log turned on. Before that the header is there already, without our id: turning on the vacuum
writes it. So a database with nothing in it, where another process may be at just this point or may
have died at it, is nobody's and can be taken.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager

from ...errors import EngineError
from ..private import private_file, private_folder
from . import log
from . import statements as sql
from .trouble import ERRORS, is_damage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MEMORY", "connect", "identity", "set_aside", "transaction"]

MEMORY = ":memory:"

_MAGIC = b"SQLite format 3\0"
_HEADER = 100
_NUMBER = slice(68, 72)  # in the header: the application id
_CACHE = "PRAGMA cache_size = -16384"  # KB
_SETTINGS = (
    "PRAGMA synchronous = NORMAL",
    f"PRAGMA wal_autocheckpoint = {log.PAGES}",
    f"PRAGMA journal_size_limit = {log.BYTES}",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = OFF",  # Debian's default is to write zeros over what was dropped
    _CACHE,
)
# No mmap_size: of a file that is cut short by somebody else, a mapped page kills the process.


def connect(path: str, setup: Sequence[str]) -> sqlite3.Connection:
    """A connection, with the schema in place, for use under a lock by any thread.

    Args:
        path: The file, or `:memory:`.
        setup: Statements to begin with, once the schema is in place.

    Raises:
        EngineError: The file isn't ours, or of another format.
        PathError: It can't be made.
        sqlite3.Error: It is locked, damaged or can't be opened.
    """
    if path != MEMORY:
        private_folder(os.path.dirname(path))
        private_file(path)
    db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    db.text_factory = bytearray  # which a damaged text can be, too, and whose bytes are compared
    try:
        if path != MEMORY:
            _refuse_foreign(db, path)
        _prepare(db, path)
        for statement in setup:
            db.execute(statement)
    except BaseException:
        db.close()
        raise
    return db


def identity(path: str) -> tuple[int, int] | None:
    """What tells the file from another one of its name; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: str) -> None:
    """Gives a damaged database another name, with its log; an earlier one of that name goes."""
    for suffix in ("-wal", "-journal", "-shm", ""):
        try:
            os.replace(path + suffix, path + ".damaged" + suffix)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise EngineError(
                f"{path} is damaged and can't be renamed; close what uses it and delete it"
            ) from error


@contextmanager
def transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """One transaction around the block; undone if the block raises."""
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _refuse_foreign(db: sqlite3.Connection, path: str) -> None:
    """Asks SQLite whose file it is.

    The file itself must not be opened here: when a process closes a file, the system drops all the
    locks that it has on it, those of its other connections, too. Then who ends in another process
    takes itself for the last one and deletes the log (seen as lost writes and I/O errors).
    """
    try:
        # in this order: another process may write the schema, with our id, between the two
        is_empty = db.execute("SELECT 1 FROM sqlite_master").fetchone() is None
        (number,) = db.execute("PRAGMA application_id").fetchone()
    except ERRORS as error:
        if is_damage(error) and not _is_ours_by_header(path):
            raise _foreign(path) from error
        raise
    if number != sql.APPLICATION_ID and (number or not is_empty):
        raise _foreign(path)


def _is_ours_by_header(path: str) -> bool:
    """Looks into a file that SQLite can't read, so that there is no lock to be lost."""
    with open(path, "rb") as file:
        header = file.read(_HEADER)
    number = int.from_bytes(header[_NUMBER], "big")
    return header.startswith(_MAGIC) and number == sql.APPLICATION_ID


def _foreign(path: str) -> EngineError:
    return EngineError(
        f"{path} is not a store of twat-cache, and was left as it is; choose another path, or"
        " delete the file if it is a store that was damaged"
    )


def _prepare(db: sqlite3.Connection, path: str) -> None:
    for setting in _SETTINGS:
        db.execute(setting)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in {0, sql.FORMAT}:
        raise EngineError(f"{path} has format {version}, not {sql.FORMAT}; choose another path")
    if not version:
        db.execute(f"PRAGMA page_size = {log.PAGE_SIZE}")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        with transaction(db, "EXCLUSIVE"):
            db.execute(sql.CREATE)
            db.execute(sql.CREATE_EXPIRING)
            db.execute(f"PRAGMA application_id = {sql.APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {sql.FORMAT}")
    if path != MEMORY:
        db.execute("PRAGMA journal_mode = WAL")

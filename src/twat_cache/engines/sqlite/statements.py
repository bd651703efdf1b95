"""The table and every statement on it.

A row's id is a 64-bit hash of its key, so that a look-up descends one tree of small integers and
no second index is kept; the key stands in the row and is always compared. Two keys of one hash,
one in 2⁶⁴ pairs, take each other's place, as any entry of a cache may have to go. A text as the key
of a table `WITHOUT ROWID` took twice as long at 10 KB, where rows no longer fit their pages.

`expires` is infinite for ever, `used` is when the row was last put or got. Where `file` names a
file, that has the value, and `value` is its length.

What is bound to a statement is an int, a float, a str or a bytearray wherever it can be: at each
bytes and each None, Python's sqlite3 first looks for an adapter, which took 0.4 µs of a put's 11.
For the same reason `GET` only gives what tells whether the row counts, and Python does the telling.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["bindable", "key_text", "row_of", "size_of"]

APPLICATION_ID = 0x74776174  # "twat"
FORMAT = 2
ROW_BYTES = 40
"""What a row takes beside its key and value, about."""

CREATE = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY,
    key NOT NULL,
    expires REAL NOT NULL,
    used REAL NOT NULL,
    file TEXT,
    value NOT NULL
)
"""
_MORTAL = "expires < 9e999"
CREATE_EXPIRING = f"CREATE INDEX IF NOT EXISTS expiring ON entries (expires) WHERE {_MORTAL}"
CREATE_RECENCY = "CREATE INDEX IF NOT EXISTS recency ON entries (used)"

_THIS = "id = ?1 AND key = ?2 AND expires > ?3"

GET = "SELECT key, value, expires FROM entries WHERE id = ?1"
EXPIRES = "SELECT key, NULL, expires FROM entries WHERE id = ?1"
PUT = (
    "INSERT INTO entries (id, key, expires, used, value) VALUES (?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (id) DO UPDATE SET key = ?2, expires = ?3, used = ?4, value = ?5"
)
IF_NONE = " WHERE key != ?2 OR expires <= ?4"
"""Behind a put: only in place of another key, or of one whose time is over."""
DROP = f"DELETE FROM entries WHERE {_THIS}"  # noqa: S608
TOUCH = f"UPDATE entries SET expires = ?4 WHERE {_THIS}"  # noqa: S608
SCAN = (
    "SELECT id, key FROM entries WHERE id >= ?1 AND expires > ?4"
    " AND (?2 = 0 OR substr(CAST(key AS BLOB), 1, ?2) = ?3) ORDER BY id LIMIT ?5"
)

USED = "UPDATE entries SET used = max(used, ?2) WHERE id = ?1"
HAS_EXPIRED = f"SELECT 1 FROM entries WHERE expires <= ?1 AND {_MORTAL} LIMIT 1"  # noqa: S608
DROP_EXPIRED = (
    "DELETE FROM entries WHERE id IN (SELECT id FROM entries"  # noqa: S608
    f" WHERE expires <= ?1 AND {_MORTAL} ORDER BY expires LIMIT ?2)"
)
OLDEST = (
    f"SELECT id, {ROW_BYTES} + length(key)"  # noqa: S608
    " + CASE WHEN file IS NULL THEN length(value) ELSE value END"
    " FROM entries ORDER BY used LIMIT ?1"
)
DROP_ID = "DELETE FROM entries WHERE id = ?1"

_INT64 = Struct("<q").unpack
_SMALL = 4096


def row_of(key: str) -> tuple[int, str | bytes]:
    """The row of the key, a signed 64-bit hash of it, and the key as it is stored.

    Any text has its own: one that isn't Unicode (lone surrogates) is stored as bytes.
    """
    stored: str | bytes = key
    try:
        name = key.encode()
    except UnicodeEncodeError:
        stored = name = key.encode("utf-8", "surrogatepass")
    return _INT64(blake2b(name, digest_size=8).digest())[0], stored


def key_text(stored: str | bytes) -> str:
    """The key that is stored so."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def bindable(value: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    """The value as it is bound fastest; `len` of it is its bytes."""
    if len(value) < _SMALL:
        return bytearray(value)
    return value.cast("B") if isinstance(value, memoryview) else value


def size_of(row: tuple[Any, ...]) -> int:
    """What the row of a put takes, in bytes, about; with the file that it names."""
    value = row[4]
    return ROW_BYTES + len(row[1]) + (value if type(value) is int else len(value))

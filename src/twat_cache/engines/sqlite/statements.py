"""The table and every statement on it.

A row's id is a 64-bit hash of its key, so that a look-up descends one tree of small integers and
no second index is kept; the key stands in the row and is always compared. Two keys of one hash,
one in 2⁶⁴ pairs, take each other's place, as any entry of a cache may have to go. A text as the key
of a table `WITHOUT ROWID` took twice as long at 10 KB, where rows no longer fit their pages.

`expires` is infinite for ever, `used` is when the row was last put or got. `file` points to the
file that has the value, if the row hasn't it: 32 characters, a space, and the length of the file.

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

__all__ = ["bound", "key_text", "live", "row_for", "row_of"]

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
    value BLOB NOT NULL
)
"""
_MORTAL = "expires < 9e999"
CREATE_EXPIRING = f"CREATE INDEX IF NOT EXISTS expiring ON entries (expires) WHERE {_MORTAL}"
CREATE_RECENCY = "CREATE INDEX IF NOT EXISTS recency ON entries (used)"

_THIS = "id = ? AND key = ? AND expires > ?"

GET = "SELECT key, value, expires FROM entries WHERE id = ?"
EXPIRES = "SELECT key, x'', expires FROM entries WHERE id = ?"
PUT = (
    "INSERT INTO entries (id, key, expires, used, value) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET key = excluded.key, expires = excluded.expires,"
    " used = excluded.used, value = excluded.value"
)
IF_NONE = " WHERE entries.key != excluded.key OR entries.expires <= excluded.used"
"""Behind a put: only in place of another key, or of one whose time is over."""
DROP = f"DELETE FROM entries WHERE {_THIS}"  # noqa: S608
TOUCH = f"UPDATE entries SET expires = ? WHERE {_THIS}"  # noqa: S608
SCAN = (
    "SELECT id, key FROM entries WHERE id >= ? AND expires > ?"
    " AND coalesce(substr(CAST(key AS BLOB), 1, ?), x'') = ? ORDER BY id LIMIT ?"
)

USED = "UPDATE entries SET used = max(used, ?) WHERE id = ?"
HAS_EXPIRED = f"SELECT 1 FROM entries WHERE expires <= ? AND {_MORTAL} LIMIT 1"  # noqa: S608
DROP_EXPIRED = (
    "DELETE FROM entries WHERE id IN (SELECT id FROM entries"  # noqa: S608
    f" WHERE expires <= ? AND {_MORTAL} ORDER BY expires LIMIT ?)"
)
OLDEST = (
    f"SELECT id, {ROW_BYTES} + length(key)"  # noqa: S608
    " + length(value) + coalesce(CAST(substr(file, 34) AS INTEGER), 0)"
    " FROM entries ORDER BY used LIMIT ?"
)
DROP_SURPLUS = (
    "DELETE FROM entries WHERE id IN (SELECT id FROM entries ORDER BY used"
    " LIMIT min(?, max(0, (SELECT count(*) FROM entries) - ?)))"
)
DROP_ID = "DELETE FROM entries WHERE id = ?"

_INT64 = Struct("<q").unpack
_SMALL = 4096


def row_of(key: str) -> tuple[int, bytes]:
    """The row of the key, a signed 64-bit hash of it, and the key in bytes, as it is read."""
    name = key.encode("utf-8", "surrogatepass")
    return _INT64(blake2b(name, digest_size=8).digest())[0], name


def bound(key: str) -> tuple[int, str | bytes]:
    """The row of the key, and the key as it is bound: as text, if it is one.

    What isn't Unicode, lone surrogates, is bound as bytes. So each key has its own.
    """
    stored: str | bytes = key
    try:
        name = key.encode()
    except UnicodeEncodeError:
        stored = name = key.encode("utf-8", "surrogatepass")
    return _INT64(blake2b(name, digest_size=8).digest())[0], stored


def row_for(key: str, value: Any, used: float, expires: float) -> tuple[Any, ...]:
    """What `PUT` takes; the length of its last is the value's in bytes."""
    if len(value) < _SMALL:
        value = bytearray(value)
    elif type(value) is memoryview:
        value = value.cast("B")
    row, stored = bound(key)
    return row, stored, expires, used, value


def key_text(name: bytes) -> str | None:
    """The key that was read as these bytes; None if they are damaged."""
    try:
        return name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def live(found: tuple[Any, Any, Any] | None, name: bytes, now: float) -> Any:
    """The value of the row, if it is this key's, its time isn't over, and nothing is damaged."""
    if found is None:
        return None
    stored, value, expires = found
    if stored == name and isinstance(expires, float) and expires > now:
        return value if isinstance(value, (bytes, bytearray)) else None
    return None

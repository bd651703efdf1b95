"""The table and every statement on it.

A row's id is a 64-bit hash of its key, so that a look-up descends one tree of small integers and
no second index is kept; the key stands in the row and is always compared. Two keys of one hash,
one in 2⁶⁴ pairs, take each other's place, as any entry of a cache may have to go. A text as the key
of a table `WITHOUT ROWID` took twice as long at 10 KB, where rows no longer fit their pages.

`expires` is NULL for ever. `used` is when the row was last put or got, `size` what it takes.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["id_of", "key_bytes", "key_text"]

APPLICATION_ID = 0x74776174  # "twat"
FORMAT = 1

CREATE = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    expires REAL,
    used REAL NOT NULL,
    size INTEGER NOT NULL,
    value BLOB NOT NULL
)
"""
CREATE_EXPIRING = """
CREATE INDEX IF NOT EXISTS expiring ON entries (expires) WHERE expires IS NOT NULL
"""
CREATE_RECENCY = "CREATE INDEX IF NOT EXISTS recency ON entries (used)"

_LIVE = "(expires IS NULL OR expires > :now)"
_THIS = f"id = :id AND key = :key AND {_LIVE}"


def _numbered(sql: str) -> str:
    """With numbers for names: tuples bind faster than dicts."""
    names = ("id", "key", "now", "expires", "size", "value")
    for number, name in enumerate(names, 1):
        sql = sql.replace(f":{name}", f"?{number}")
    return sql


GET = _numbered(f"SELECT value FROM entries WHERE {_THIS}")  # noqa: S608
EXPIRES = _numbered(f"SELECT expires FROM entries WHERE {_THIS}")  # noqa: S608
PUT = _numbered(
    "INSERT INTO entries (id, key, used, expires, size, value)"
    " VALUES (:id, :key, :now, :expires, :size, :value)"
    " ON CONFLICT (id) DO UPDATE SET key = excluded.key, used = excluded.used,"
    " expires = excluded.expires, size = excluded.size, value = excluded.value"
)
ADD = f"{PUT} WHERE entries.key != excluded.key OR entries.expires <= ?3"
DROP = _numbered(f"DELETE FROM entries WHERE {_THIS}")  # noqa: S608
TOUCH = _numbered(f"UPDATE entries SET expires = :expires WHERE {_THIS}")  # noqa: S608
SCAN = (
    "SELECT id, key FROM entries WHERE id >= ?1 AND (?2 = 0 OR substr(key, 1, ?2) = ?3)"
    " AND (expires IS NULL OR expires > ?4) ORDER BY id LIMIT ?5"
)

USED = "UPDATE entries SET used = max(used, ?2) WHERE id = ?1"
HAS_EXPIRED = "SELECT 1 FROM entries WHERE expires <= ?1 LIMIT 1"
DROP_EXPIRED = (
    "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires <= ?1"
    " ORDER BY expires LIMIT ?2)"
)
OLDEST = "SELECT id, size FROM entries ORDER BY used LIMIT ?1"
DROP_ID = "DELETE FROM entries WHERE id = ?1"


def key_bytes(key: str) -> bytes:
    """The key as it is stored; any text has one, and no two texts have the same."""
    return key.encode("utf-8", "surrogatepass")


def key_text(key: bytes) -> str:
    """The key that was stored as these bytes."""
    return key.decode("utf-8", "surrogatepass")


def id_of(key: bytes) -> int:
    """The row of the key: a signed 64-bit hash, the same in every process."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little", signed=True)

"""The table, and what is said to it.

A row's key is the key's bytes, up to so many; of a longer one its beginning and its digest, since
an index takes no more than a third of a page. Such a row has the whole key in `name`. So all keys
that begin alike lie in one range of the index.

Time is the server's: `now()` is when the statement began. What has no time has no `expires`.
"""

# ruff: noqa: S608  (what goes into the statements is a name of letters, digits and _)

from __future__ import annotations

from hashlib import blake2b
from math import inf
from struct import Struct
from typing import TYPE_CHECKING, Any

from .link import Statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from ...engine_types import Bytes

__all__ = [
    "SETTINGS",
    "Statements",
    "array",
    "key_text",
    "limit",
    "read_seconds",
    "read_whole",
    "row_of",
    "seconds",
    "whole",
]

SETTINGS = {
    # A plan that was made when the table was small would read all of it for ever, and a plan by
    # bitmap would lock rows in another order than a batch of puts does.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # A stricter one would refuse a write only because another one came between.
    "default_transaction_isolation": r"read\ committed",
    "synchronous_commit": "off",
}
"""Of each connection; the time-out of statements comes on top."""

_LONGEST = 1024  # bytes of a key
_BYTES, _BYTES_ARRAY, _FLOAT, _INT = 17, 1001, 701, 20  # object ids of types
_FLOAT8 = Struct("!d")
_INT8 = Struct("!q")
_HEAD = Struct("!iiIii")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)
_FOR_EVER = 1e11  # seconds, 3,000 years, beyond which the server's timestamps might not reach


class Statements:
    """The statements on one table.

    Args:
        table: Its name.
        schema: Where it is; None is the first schema of the server's search path that has one.
    """

    def __init__(self, table: str, schema: str | None) -> None:
        name = f'"{table}"' if schema is None else f'"{schema}"."{table}"'
        alive = "(expires IS NULL OR expires > now())"
        until = "now() + $4 * interval '1 second'"
        insert = f"INSERT INTO {name} AS old (key, name, value, expires)"
        replace = (
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
        )
        self.table = name

        def statement(name: str, sql: str, *types: int) -> Statement:
            mark = blake2b(sql.encode(), digest_size=6).hexdigest()
            return Statement(f"twat_cache_{name}_{mark}".encode(), sql.encode(), types)

        self.ping = statement(
            "ping",
            "SELECT current_setting('transaction_read_only') = 'on' FROM (SELECT count(*)"
            f" FROM {name} WHERE key = '' AND {alive}) AS any_row",
        )
        self.get = statement("get", f"SELECT value FROM {name} WHERE key = $1 AND {alive}", _BYTES)
        self.get_many = statement(
            "get_many",
            f"SELECT key, value FROM {name} WHERE key = ANY ($1) AND {alive}",
            _BYTES_ARRAY,
        )
        self.put = statement(
            "put",
            f"{insert} VALUES ($1, $2, $3, {until}) {replace}",
            *(_BYTES, _BYTES, _BYTES, _FLOAT),
        )
        self.put_many = statement(
            "put_many",
            f"{insert} SELECT k, n, v, {until} FROM unnest($1, $2, $3) AS new (k, n, v) {replace}",
            *(_BYTES_ARRAY, _BYTES_ARRAY, _BYTES_ARRAY, _FLOAT),
        )
        self.add = statement(
            "add",
            f"{insert} VALUES ($1, $2, $3, {until}) {replace} WHERE old.expires <= now()",
            *(_BYTES, _BYTES, _BYTES, _FLOAT),
        )
        self.swap = statement(
            "swap",
            f"UPDATE {name} SET value = $3, expires = {until}"
            f" WHERE key = $1 AND value = $2 AND {alive}",
            *(_BYTES, _BYTES, _BYTES, _FLOAT),
        )
        self.swap_for_nothing = statement(
            "swap_for_nothing",
            f"DELETE FROM {name} WHERE key = $1 AND value = $2 AND {alive}",
            *(_BYTES, _BYTES),
        )
        self.drop = statement(
            "drop",
            f"WITH gone AS (DELETE FROM {name} WHERE key = ANY ($1) RETURNING expires)"
            f" SELECT count(*) FROM gone WHERE {alive}",
            _BYTES_ARRAY,
        )
        self.touch = statement(
            "touch",
            f"UPDATE {name} SET expires = now() + $2 * interval '1 second'"
            f" WHERE key = ANY ($1) AND {alive}",
            *(_BYTES_ARRAY, _FLOAT),
        )
        self.left = statement(
            "left",
            "SELECT key, extract(epoch FROM expires - now())::float8"
            f" FROM {name} WHERE key = ANY ($1) AND {alive}",
            _BYTES_ARRAY,
        )
        self.scan = statement(
            "scan",
            f"SELECT key, name FROM {name} WHERE key >= $1 AND key < $2 AND {alive}"
            " ORDER BY key LIMIT $3",
            *(_BYTES, _BYTES, _INT),
        )
        # Two who sweep at once take different rows, and neither waits for whoever writes.
        self.sweep = statement(
            "sweep",
            f"DELETE FROM {name} WHERE key IN (SELECT key FROM {name} WHERE expires <= now()"
            " ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED)",
            _INT,
        )
        # Values may be compressed already: the server need not try.
        # Names have no quotes in them, so they can stand in a text.
        self.create = f"""
            SELECT pg_advisory_xact_lock(hashtext('twat_cache'), hashtext('{name}'));
            DO $do$ BEGIN
                IF to_regclass('{name}') IS NULL THEN
                    CREATE UNLOGGED TABLE {name} (
                        key bytea PRIMARY KEY,
                        name bytea,
                        value bytea NOT NULL,
                        expires timestamptz
                    ) WITH (autovacuum_vacuum_scale_factor = 0.05);
                    ALTER TABLE {name} ALTER COLUMN value SET STORAGE EXTERNAL;
                    CREATE INDEX ON {name} (expires) WHERE expires IS NOT NULL;
                END IF;
            END $do$"""


def row_of(key: str) -> tuple[bytes, bytes | None]:
    """A row's key, and its whole key if that is another one."""
    name = key.encode("utf-8", "surrogatepass")
    if len(name) <= _LONGEST:
        return name, None
    return name[:_LONGEST] + blake2b(name, digest_size=32).digest(), name


def key_text(name: bytes) -> str:
    """The key whose bytes these are."""
    return name.decode("utf-8", "surrogatepass")


def limit(prefix: bytes) -> tuple[bytes, bytes]:
    """From where on, and up to where not, the rows lie whose keys begin so."""
    start = prefix[:_LONGEST]
    if not start:
        return b"", b"\xff"  # with which no key begins
    return start, start[:-1] + bytes([start[-1] + 1])


def array(items: Collection[Bytes | None]) -> bytes:
    """Bytes as a parameter of the type `bytea[]`."""
    parts: list[Any] = [_HEAD.pack(1, int(None in items), _BYTES, len(items), 1)]
    for item in items:
        if item is None:
            parts.append(_NULL)
        else:
            parts += (_LENGTH.pack(len(item)), item)
    return b"".join(parts)


def whole(number: int) -> bytes:
    """A number as a parameter."""
    return _INT8.pack(number)


def read_whole(value: bytes) -> int:
    """A number that is a result."""
    number: int = _INT8.unpack(value)[0]
    return number


def seconds(ttl: float | None) -> bytes | None:
    """A time to live as a parameter; None if it is for ever."""
    return None if ttl is None or ttl > _FOR_EVER else _FLOAT8.pack(ttl)


def read_seconds(value: bytes | None) -> float:
    """The time left that is a result; infinity if it is for ever."""
    left: float = inf if value is None else _FLOAT8.unpack(value)[0]
    return left

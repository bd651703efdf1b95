"""The one place that imports psycopg, of which the layer that wraps libpq is used.

`psycopg.pq` is documented, the same in all its implementations, and gives results as bytes. It
never waits by itself, so that each wait here has a deadline, also while connecting, which those of
psycopg's connections have not (3.3). And it is lean: a get takes 57 µs where a prepared select by a
cursor takes 106 (psycopg 3.3, PostgreSQL 15, 2026-11).
"""

from __future__ import annotations

from ...errors import EngineNotAvailableError

try:
    from psycopg import errors, pq
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
except ImportError as error:
    raise EngineNotAvailableError(
        "the engine postgresql needs its library: pip install 'twat-cache[postgresql]'"
    ) from error

__all__ = ["conninfo_to_dict", "errors", "make_conninfo", "pq"]

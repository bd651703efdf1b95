"""What went wrong, as an `EngineError`: with the place and a remedy, without user or password.

What refuses a connection has no code in libpq, only a text, in the server's language. So texts are
known here in English; one that isn't known counts as what may pass by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import EngineConnectionError, EngineError, EngineTimeoutError
from .library import errors

if TYPE_CHECKING:
    from .place import Place

__all__ = ["told"]

_PASSING = (
    *("starting up", "shutting down", "recovery mode", "too many", "slots are reserved"),
    "unexpected eof",
)

_BY_TEXT = {
    ("authentication failed", "no password supplied", "not permitted to log in", 'role "'): (
        "refuses the user or the password; look at those in the URL, or at pg_hba.conf"
    ),
    ("no encryption", "SSL off"): (
        "refuses a connection without TLS; add ?sslmode=verify-full to the URL, or sslmode=require,"
        " which trusts any certificate"
    ),
    ("pg_hba.conf",): "has no entry in pg_hba.conf for this client, user and database",
    ("permission denied for database",): "lets this user not into the database; GRANT CONNECT",
    ("certificate", "sslmode", "SSL error"): (
        "can't be trusted by TLS; look at sslmode, sslrootcert and the server's certificate"
    ),
    ("does not exist",): "has no such database; create it, or name another one in the URL",
    ("does not support SSL",): "speaks no TLS; turn it on there, or leave out sslmode",
    ("invalid response to SSL", "expected authentication request", "unsupported frontend"): (
        "is no PostgreSQL server; look at host and port"
    ),
    ("unrecognized configuration parameter", "unsupported startup parameter"): (
        "doesn't take our settings; it must be PostgreSQL 12 or newer, and a pooler before it must"
        " pass on the parameter options"
    ),
}
"""What won't pass by itself, the first that has a piece of the text."""

_READ_ONLY = (
    "is read-only, perhaps a standby; name the primary, or add ?target_session_attrs=read-write to"
    " the URL"
)

_BY_CODE: dict[type[Exception] | tuple[type[Exception], ...], str] = {
    errors.ReadOnlySqlTransaction: _READ_ONLY,
    errors.InvalidSchemaName: "has no such schema; create it, or name another one by schema=",
    (
        *(errors.UndefinedColumn, errors.DatatypeMismatch, errors.UndefinedFunction),
        *(errors.InvalidColumnReference, errors.WrongObjectType, errors.NotNullViolation),
    ): "has a table of that name which isn't one of twat-cache's; choose another one by table=",
    errors.InsufficientPrivilege: (
        "denies the right to it; grant SELECT, INSERT, UPDATE and DELETE on the table, or CREATE on"
        " its schema so that it can be made"
    ),
    (
        *(errors.DiskFull, errors.OutOfMemory, errors.ProgramLimitExceeded),
    ): "has no room left for it",
}
_LATE = (errors.QueryCanceled, errors.LockNotAvailable, errors.DeadlockDetected)


def told(error: BaseException, place: Place, table: str, timeout: float) -> EngineError:
    """The error, to be raised from its cause."""
    server = f"PostgreSQL at {place}"
    if isinstance(error, TimeoutError):
        text = str(error) or "didn't answer; raise timeout= or look at the server"
        return EngineTimeoutError(f"{server}, given {timeout:g} s: {text}")
    if isinstance(error, _LATE):
        return EngineTimeoutError(
            f"{server} didn't finish within {timeout:g} s; raise timeout= or look at what keeps it:"
            f" {error}"
        )
    if getattr(error, "sqlstate", None) is None:
        return _lost(str(error), server)
    if "recovery" in str(error):  # no unlogged table is there on a standby
        return EngineError(f"{server} {_READ_ONLY}: {error}")
    for kinds, what in _BY_CODE.items():
        if isinstance(error, kinds):
            return EngineError(f"{server} {what}: table {table}: {error}")
    if isinstance(error, errors.OperationalError):
        return EngineConnectionError(f"{server} can't serve now: {error}")
    return EngineError(f"{server} failed: table {table}: {error}")


def _lost(text: str, server: str) -> EngineError:
    if not any(passing in text for passing in _PASSING):
        for known, what in _BY_TEXT.items():
            if any(piece in text for piece in known):
                return EngineError(f"{server} {what}: {text}")
    return EngineConnectionError(
        f"{server} can't be reached, or the connection broke; look whether it runs: {text}"
    )

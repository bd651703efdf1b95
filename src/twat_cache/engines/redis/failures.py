"""What went wrong at a Redis, as an error of ours: what may pass by itself, and what won't."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, NamedTuple

from redis import exceptions as theirs

from ...errors import EngineConnectionError, EngineError, EngineTimeoutError
from ..network import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .place import Place

__all__ = [
    "FAILURES", "Busy", "NoCredentials", "Redirect", "checked", "redirect", "says", "told",
]  # fmt: skip

FAILURES = (theirs.RedisError, OSError, asyncio.TimeoutError)
"""What the library raises when it can't serve."""

_PASSING = (
    "LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY", "MISCONF",
)  # fmt: skip
_LONGEST = 120


class Busy(theirs.RedisError):
    """All connections were in use for as long as one may wait."""


class NoCredentials(theirs.RedisError):
    """The provider of the user and the password failed, which is its cause."""


class Redirect(NamedTuple):
    """Where a node of a cluster says that a key is, or is about to be."""

    node: Node
    asking: bool


def checked(replies: list[Any]) -> list[Any]:
    """The replies, none of which is an error.

    Raises:
        redis.ResponseError: The first of those that are.
    """
    for reply in replies:
        if isinstance(reply, theirs.RedisError):
            raise reply
    return replies


def says(reply: Any, code: str) -> bool:
    """Whether a reply is the error with that code."""
    return isinstance(reply, theirs.RedisError) and _words(reply).startswith(code)


def redirect(reply: Any, asked: Node) -> Redirect | None:
    """Where else to go with a command, if the reply says so."""
    words = _words(reply).split(" ") if isinstance(reply, theirs.RedisError) else []
    if len(words) < 3 or words[0] not in {"MOVED", "ASK"}:
        return None
    host, _, port = words[2].rpartition(":")
    return Redirect(Node(host or asked.host, int(port)), words[0] == "ASK")


def told(error: BaseException, place: Place) -> tuple[EngineError, BaseException | None]:
    """The error to be raised, and its cause, which is left out if it tells a secret."""
    cause = None if place.tells(str(error)) else error
    return _told(error, place, cause is not None), cause


def _told(error: BaseException, place: Place, quotable: bool) -> EngineError:
    words = _words(error)
    if isinstance(error, Busy):
        return EngineTimeoutError(
            f"{place}: all {place.pool_size} connections were in use for {place.timeout} s; a"
            " larger pool_size= allows more at once"
        )
    if isinstance(error, NoCredentials):
        kind = type(error.__cause__).__name__
        return EngineConnectionError(f"{place}: the client's credential_provider raised a {kind}")
    if isinstance(error, (theirs.TimeoutError, TimeoutError, asyncio.TimeoutError)):
        tls = "; is it a port for TLS? A Redis without stays silent" if place.secure else ""
        return EngineTimeoutError(f"{place} gave no answer within timeout={place.timeout} s{tls}")
    if isinstance(error, (theirs.AuthenticationError, theirs.AuthorizationError)):
        return EngineError(
            f"{place} refused the user or the password, or wants one; they stand in the URL as"
            " scheme://user:password@host"
        )
    if isinstance(error, theirs.InvalidResponse):
        return EngineError(
            f"{place} doesn't answer as a Redis does; is it another server, or a port for TLS"
            " (rediss://)?"
        )
    if words.startswith(_PASSING):
        return EngineConnectionError(f"{place} can't serve at the moment: {_shown(words)}")
    if "max number of clients" in words:
        return EngineConnectionError(f"{place} has as many clients as its maxclients allows")
    if words.startswith("OOM"):
        return EngineError(
            f"{place} refused to store: it is at its maxmemory; raise that, or set a"
            " maxmemory-policy that evicts, such as allkeys-lru"
        )
    if "DB index is out of range" in words or "invalid DB index" in words:
        return EngineError(f"{place}: the server has no database {place.db}")
    if words.startswith(("MOVED", "ASK", "CROSSSLOT")):
        return EngineError(f"{place} is a node of a cluster; its URL is redis+cluster://host:port")
    if "cluster support disabled" in words:
        return EngineError(f"{place} is no node of a cluster; its URL is redis://host:port/db")
    if isinstance(error, (theirs.ConnectionError, OSError)):
        return _unreached(error, place)
    said = f": {_shown(words)}" if quotable else ""
    return EngineError(f"{place} couldn't serve{said}")


def _unreached(error: BaseException, place: Place) -> EngineError:
    origin: BaseException | None = error
    while origin is not None and not isinstance(origin, (OSError, EOFError)):
        origin = origin.__cause__ or origin.__context__
    if isinstance(origin, ssl.SSLCertVerificationError):
        return EngineError(
            f"{place} has a certificate that isn't trusted ({origin.verify_message}); name that of"
            " its authority by ssl_ca_certs="
        )
    if isinstance(origin, ssl.SSLError) and origin.reason in {
        "WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG",
        "HTTP_REQUEST", "UNKNOWN_PROTOCOL",
    }:  # fmt: skip
        return EngineError(f"{place} doesn't speak TLS; without it the URL begins with redis://")
    if place.secure and _is_of_a_file(origin):
        return EngineError(
            f"{place}: what ssl_ca_certs=, ssl_certfile= or ssl_keyfile= names can't be read, or is"
            " no certificate or key"
        )
    if isinstance(origin, ssl.SSLError):
        return EngineConnectionError(
            f"{place}: TLS failed ({origin.reason or 'cut off'}); is it a port for TLS?"
        )
    if isinstance(origin, ConnectionRefusedError):
        return EngineConnectionError(f"{place} refused the connection; does a server listen there?")
    if isinstance(origin, socket.gaierror):
        return EngineConnectionError(f"{place}: the name of the host can't be resolved")
    if isinstance(origin, FileNotFoundError):
        return EngineConnectionError(f"{place}: there is no such socket")
    return EngineConnectionError(
        f"{place}: the connection broke; if it always does, another kind of server may listen"
        " there, or a port for TLS (rediss://)"
    )


def _is_of_a_file(origin: BaseException | None) -> bool:
    """Whether what went wrong is on this machine, before a word with the server."""
    if isinstance(origin, ssl.SSLError):
        return origin.library in {"X509", "PEM"} or "PEM lib" in str(origin)
    return isinstance(origin, (FileNotFoundError, PermissionError, IsADirectoryError))


def _words(error: BaseException) -> str:
    """What the server said, with the code at its beginning that the library may have cut off."""
    text = str(error)
    for kind, code in _CODES:
        if isinstance(error, kind):
            return text if text.startswith(code) else f"{code} {text}"
    return text


_CODES = [
    (theirs.AskError, "ASK"),  # before what it is made from
    (theirs.MovedError, "MOVED"),
    (theirs.TryAgainError, "TRYAGAIN"),
    (theirs.MasterDownError, "MASTERDOWN"),
    (theirs.ClusterDownError, "CLUSTERDOWN"),
    (theirs.ClusterCrossSlotError, "CROSSSLOT"),
    (theirs.BusyLoadingError, "LOADING"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.OutOfMemoryError, "OOM"),
]


def _shown(words: str) -> str:
    """The words without the arguments that the server may repeat in them."""
    words = words.partition(", with args")[0].partition("\n")[0]
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"

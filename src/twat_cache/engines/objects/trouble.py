"""What the library's errors mean.

It has one class for nearly all of them, so they are told by the status and the code that the server
gave, and by the kind that the client names. Of their texts nothing else is passed on: they show
the names of objects.
"""

from __future__ import annotations

import re

from obstore.exceptions import (
    AlreadyExistsError,
    NotModifiedError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from ...errors import EngineConnectionError, EngineError, EngineTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .place import Place

__all__ = ["failure", "has_no_parts", "is_absent", "is_foreign", "is_refused", "is_unsupported"]

_CODE = re.compile(r"<Code>\s*(\w+)\s*</Code>")
_STATUS = re.compile(r"(?:status code|response|status): (\d{3})\b")
_KIND = re.compile(r"HttpError \{\s*kind: (\w+)")
_NAMES = re.compile(r'https?://\S+|"[^"\n]*"|(?:location|path) \S+')
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_TLS = ("certificate", "InvalidContentType", "InvalidMessage", "AlertReceived", "CorruptMessage")
_METADATA = ("://169.254.169.254/", "://metadata.google")
_TRANSIENT = frozenset({"408", "409", "429", "500", "502", "503", "504"})
_SLOW = frozenset({"RequestTimeout"})
_EXPIRED = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})


def is_absent(error: Exception) -> bool:
    """Whether there is no such object, though there is its bucket; an empty one has no parts."""
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return _code(text) not in _NO_BUCKET
    return _status(text) == "416"


def is_foreign(error: Exception) -> bool:
    """Whether an answer that something isn't there lacks the reason that a store gives."""
    return not _code(str(error))


def is_refused(error: Exception) -> bool:
    """Whether a condition wasn't fulfilled, or another write was quicker."""
    if isinstance(error, (AlreadyExistsError, PreconditionError, NotModifiedError)):
        return True
    return _status(str(error)) in {"409", "412"}


def is_unsupported(error: Exception) -> bool:
    """Whether the server doesn't know conditions."""
    return isinstance(error, NotSupportedError) or _status(str(error)) == "501"


def has_no_parts(error: Exception) -> bool:
    """Whether a part was asked for and the whole came."""
    return "non-partial response" in str(error)


def failure(error: Exception, place: Place) -> EngineError:
    """The error to be raised; its cause is the library's, unless that tells a secret."""
    text = str(error)
    found = _understood(error, text, place)
    found.__cause__ = None if any(secret in text for secret in place.secrets) else error
    found.__suppress_context__ = True
    return found


def _understood(error: Exception, text: str, place: Place) -> EngineError:
    code = _code(text)
    status = _status(text)
    kind = _KIND.search(text)
    inner = _NAMES.sub("", text)  # or a bucket's name might be taken for the reason
    said = code or (f"status {status}" if status else type(error).__name__)
    if code in _NO_BUCKET:
        return EngineError(f"{place}: there is no such bucket; make it, or name another")
    if any(sign in text for sign in _METADATA):
        return EngineError(
            f"{place}: no keys were found; put them into the environment, give them as options, or"
            " skip_signature=True where none are needed"
        )
    is_denied = isinstance(error, (PermissionDeniedError, UnauthenticatedError))
    if is_denied or status in {"401", "403"} or code in _EXPIRED:
        return EngineError(f"{place}: the server refused the keys or what they may do ({said})")
    if kind is None:
        if status in _TRANSIENT or code in _SLOW:
            return EngineConnectionError(f"{place}: the server can't serve now ({said})")
        return EngineError(f"{place}: the server failed, or it is no object store ({said})")
    if kind[1] == "Timeout" or "TimedOut" in inner:
        return EngineTimeoutError(
            f"{place}: no answer within {place.timeout:g} s; more time is given by timeout="
        )
    if any(sign in inner for sign in _TLS):
        return EngineError(
            f"{place}: no TLS; see whether the endpoint begins with https:// rightly, and who"
            " signed its certificate"
        )
    if "Parse(" in inner:
        return EngineError(f"{place}: no HTTP; see what listens at the endpoint")
    return EngineConnectionError(
        f"{place}: the server can't be reached, or the connection broke ({kind[1]}); see whether it"
        " runs and the endpoint is right"
    )


def _code(text: str) -> str:
    """The reason that the server gave, in a word."""
    found = _CODE.search(text)
    return found[1] if found else ""


def _status(text: str) -> str:
    found = _STATUS.search(text)
    return found[1] if found else ""

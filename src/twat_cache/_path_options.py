"""The options of the miss path and of stores, judged when a function is decorated.

They are read by `_options.read_options` like the others; they stand apart because a plain
decoration never asks for them.
"""

from __future__ import annotations

from ._coherence_option import read_coherence
from ._duration import seconds
from ._retry_option import read_retry
from .errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Reader: TypeAlias = Callable[[str, Any], Any]

__all__ = ["CONTRADICTIONS", "OF_BYTES", "OF_ENGINES", "READERS"]

OF_BYTES = (
    "namespace", "version", "codec", "compress", "secret", "encrypt", "checksum", "strict",
    "unsafe",
)  # fmt: skip
"""Options of how results are named and written; where there are no bytes they say nothing."""

OF_ENGINES = (*OF_BYTES, "tag_ttl", "coherence")
"""All that is for engines alone."""


def _none_or(reader: Reader, otherwise: Any = None) -> Reader:
    def read(option: str, value: Any) -> Any:
        return otherwise if value is None or value == otherwise else reader(option, value)

    return read


def _time(option: str, value: Any) -> float:
    return seconds(value, option=option)


def _time_from_zero(option: str, value: Any) -> float:
    return 0.0 if type(value) in (int, float) and value == 0 else seconds(value, option=option)


def _fraction(option: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise refused(option, value, "None, or a number between 0 and 1, a part of the ttl")
    return float(value)


def _beta(option: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1000:
        raise refused(option, value, "None, or a number from 0 to 1000, of which 1 is the best")
    return float(value)


def _flag(option: str, value: Any) -> bool:
    if value is not True and value is not False:
        raise refused(option, value, "True or False")
    return value


def _text(option: str, value: Any) -> str:
    if not isinstance(value, str):
        raise refused(option, value, "a text")
    return value


def _namespace(option: str, value: Any) -> str:
    if isinstance(value, str) and value.startswith("~"):
        raise refused(option, value, "a text that doesn't begin with '~', which our own keys do")
    return _text(option, value)


def _one_of(*accepted: object) -> Reader:
    def read(option: str, value: Any) -> Any:
        if not any(value is one or (isinstance(one, str) and value == one) for one in accepted):
            raise refused(option, value, ", ".join(map(repr, accepted)))
        return value

    return read


def _exceptions(option: str, value: Any) -> tuple[tuple[type[Exception], float], ...]:
    accepted = "a dict from exception classes to lengths of time, such as {LookupError: 5}"
    try:
        pairs = tuple(value.items())
    except AttributeError:
        raise refused(option, value, accepted) from None
    if not all(isinstance(cls, type) and issubclass(cls, Exception) for cls, _ in pairs):
        raise refused(option, value, accepted)
    if len(pairs) > 0xFFFF:
        raise refused(option, f"{len(pairs)} classes", "65535 classes at most")
    return tuple((cls, seconds(lasts, option=option)) for cls, lasts in pairs)


def _tags(option: str, value: Any) -> Any:
    if value is None or callable(value):
        return value
    accepted = "a list of texts, or a function of the call's arguments that gives one"
    if isinstance(value, str):
        raise refused(option, value, accepted)
    try:
        tags = tuple(value)
    except TypeError:
        raise refused(option, value, accepted) from None
    if not all(isinstance(tag, str) and tag for tag in tags):
        raise refused(option, value, accepted)
    return tags


def _names(option: str, value: Any) -> tuple[str, ...]:
    try:
        names = (value,) if isinstance(value, str) else tuple(value)
    except TypeError:
        names = ("",)
    if not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise refused(option, value, "names of parameters, such as ('user',)")
    return names


def _variables(option: str, value: Any) -> tuple[Any, ...]:
    from contextvars import ContextVar

    variables = (value,) if isinstance(value, ContextVar) else value
    try:
        found = tuple(variables)
    except TypeError:
        found = (None,)
    if not all(isinstance(one, ContextVar) for one in found):
        raise refused(option, value, "context variables, such as (tenant,)")
    return found


READERS: dict[str, Reader] = {
    "stale": _none_or(_time_from_zero, 0.0),
    "refresh_ahead": _none_or(_fraction),
    "beta": _none_or(_beta, 0.0),
    "soft_timeout": _none_or(_time),
    "hard_timeout": _none_or(_time),
    "retry": read_retry,
    "cache_exceptions": _none_or(_exceptions, ()),
    "single_flight": _one_of(None, True, False, "process"),
    "tags": _tags,
    "tag_ttl": _none_or(_time_from_zero, 0.0),
    "coherence": read_coherence,
    "invalidate_by": _names,
    "context": _variables,
    "generators": _one_of(None, "replay"),
    "namespace": _namespace,
    "version": _text,
    "codec": lambda option, value: value,
    "compress": lambda option, value: value,
    "secret": lambda option, value: value,
    "encrypt": lambda option, value: value,
    "checksum": _flag,
    "strict": _flag,
    "unsafe": _flag,
}
"""Every one of these options, with what reads its value; some are read by what they configure."""


def _has(read: dict[str, Any], option: str) -> bool:
    return read.get(option) not in (None, 0.0, ())


CONTRADICTIONS: tuple[tuple[str, Callable[[dict[str, Any]], bool], str], ...] = (
    ("stale", lambda read: _has(read, "stale") and not _has(read, "ttl"), "0 without ttl="),
    (
        "refresh_ahead",
        lambda read: _has(read, "refresh_ahead") and not _has(read, "ttl"),
        "None without ttl=",
    ),
    ("beta", lambda read: _has(read, "beta") and not _has(read, "ttl"), "0 without ttl="),
    (
        "beta",
        lambda read: _has(read, "beta") and _has(read, "refresh_ahead"),
        "0 beside refresh_ahead=: values are computed early by the one or by the other",
    ),
    (
        "soft_timeout",
        lambda read: _has(read, "soft_timeout") and not _has(read, "stale"),
        "None without stale=, since there is no value that could answer instead",
    ),
    (
        "tag_ttl",
        lambda read: _has(read, "tag_ttl") and not _has(read, "tags")
        and not _has(read, "invalidate_by"),
        "0 without tags=",
    ),
)  # fmt: skip

"""The options of the memory decorators, judged when a function is decorated.

A default is recognised by its identity and passes at once: decorating a function costs little more
than a microsecond in all, and nothing here runs when the decorated function is called.
"""

from __future__ import annotations

from ._core import POLICIES
from ._duration import seconds
from ._size import read_size
from .errors import ConfigurationError, refused, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, TypeAlias

    Reader: TypeAlias = Callable[[str, Any], Any]

__all__ = [
    "generator_refused",
    "guess",
    "not_a_coroutine_function",
    "not_a_function",
    "read_max_weight",
    "read_maxsize",
    "read_options",
    "unknown_option",
]

UNHASHABLE = ("raise", "bypass", "digest")
_WEIGHER = "a function (result, *args, **kwargs) -> int"


def read_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, each in its one shape.

    Times are in seconds and sizes in bytes; `ttl` may be a function, `ignore` is a tuple and
    `memory_limit` a `MemoryLimit`.

    Raises:
        ConfigurationError: An option doesn't exist or has a value that isn't accepted, or two
            contradict each other.
    """
    read: dict[str, Any] = {}
    contradictions = _CONTRADICTIONS
    for name, value in given.items():
        reader = _READERS.get(name)
        if reader is None:
            from . import _path_options as others  # asked for seldom, so loaded then

            reader = others.READERS.get(name)
            contradictions = _CONTRADICTIONS + others.CONTRADICTIONS
            if reader is None:
                raise unknown_option(name, value, [*_READERS, *others.READERS])
        read[name] = reader(name, value)
    for name, is_wrong, accepted in contradictions:
        if name in read and is_wrong(read):
            raise refused(name, given[name], accepted)
    return read


def read_maxsize(maxsize: object) -> int | None:
    """The bound as an int, or None; `resize` asks it too.

    Raises:
        ConfigurationError: It is neither None nor a whole number from 0 on.
    """
    if maxsize is None:
        return None
    size = _whole(maxsize)
    if size is None:
        raise refused("maxsize", maxsize, "an int from 0 (no caching) on, or None (no bound)")
    return size


def read_max_weight(weight: object, option: str = "max_weight") -> int:
    """The bound of the sum of weights; `resize` asks it too.

    Raises:
        ConfigurationError: It isn't a whole number from 0 on.
    """
    size = _whole(weight)
    if size is None:
        raise refused(option, weight, "an int from 0 on, in the units of the weigher")
    return size


def unknown_option(name: str, value: object, accepted: Collection[str]) -> ConfigurationError:
    """The error, to be raised, for an option that doesn't exist; guesses which one was meant."""
    hint = guess(name, accepted)
    if "'secret'" in hint or "'encrypt'" in hint:
        value = ...
    return ConfigurationError(
        f"{name}={shown(value)}: there is no option {name!r}{hint}; accepted: {', '.join(accepted)}"
    )


def not_a_function(value: object, decorator: str) -> ConfigurationError:
    """The error, to be raised, for decorating what can't be called."""
    return ConfigurationError(
        f"{decorator} can't decorate {shown(value)}; accepted: a function or another callable, "
        "or a method, classmethod, staticmethod or property in a class"
    )


def not_a_coroutine_function(value: object, decorator: str) -> ConfigurationError:
    """The error, to be raised, where only an `async def` will do."""
    return ConfigurationError(
        f"{decorator} can't decorate {shown(value)}; accepted: a coroutine function "
        "(async def). For any other function there is mcache"
    )


def generator_refused(function: object, decorator: str) -> ConfigurationError:
    """The error, to be raised, for a generator function, whose one result is soon used up."""
    return ConfigurationError(
        f"{decorator} can't decorate {shown(function)}, a generator function: the second caller "
        "would get a generator that is used up. Accepted: a function that returns, such as one "
        "that collects the items in a list or a tuple: cache that, and iterate over its result"
    )


def guess(wrong: object, accepted: Collection[str]) -> str:
    """A question that names the most alike of the accepted words, or nothing."""
    from difflib import get_close_matches  # only ever needed once something is wrong

    alike = get_close_matches(str(wrong).lower(), accepted, n=1, cutoff=0.6)
    return f" (did you mean {alike[0]!r}?)" if alike else ""


# -- a reader for each kind of option ------------------------------------------------------------


def _whole(value: object) -> int | None:
    """The whole number from 0 on that a value is, or None."""
    index = getattr(type(value), "__index__", None)
    if index is None or isinstance(value, bool):
        return None
    size: int = index(value)
    return size if size >= 0 else None


def _optional(reader: Reader) -> Reader:
    """None passes as well."""
    return lambda option, value: None if value is None else reader(option, value)


def _one_of(*accepted: object) -> Reader:
    def read(option: str, value: Any) -> Any:
        if not any(value is one or value == one for one in accepted):
            texts = [one for one in accepted if isinstance(one, str)]
            raise refused(option, value, ", ".join(map(repr, accepted)) + guess(value, texts))
        return value

    return read


def _flag(option: str, value: Any) -> Any:
    if value is not True and value is not False:
        raise refused(option, value, "True or False")
    return value


def _function(role: str) -> Reader:
    def read(option: str, value: Any) -> Any:
        if not callable(value):
            raise refused(option, value, role)
        return value

    return read


def _names(option: str, ignore: Any) -> tuple[str, ...]:
    try:
        names = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    except TypeError:
        names = ("",)
    if not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise refused(option, ignore, "names of parameters, such as ('self', 'verbose')")
    return names


def _time(option: str, value: Any) -> Any:
    return seconds(value, option=option)


def _time_or_function(option: str, value: Any) -> Any:
    return value if callable(value) else seconds(value, option=option)


def _fraction(option: str, value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0.0 <= value <= 1.0:
        raise refused(option, value, "a number from 0 to 1, the largest part of a ttl to take off")
    return float(value)


def _text(option: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise refused(option, value, "None or a text that isn't empty")
    return value


def _method(option: str, value: Any) -> Any:
    if value is not None and value is not True and value is not False:
        raise refused(option, value, "True, False or None (found out)")
    return value


def _copy(option: str, value: Any) -> Any:
    if value is not True and value is not False and not callable(value):
        raise refused(
            option, value, "True (a deep copy), False, or a function that copies a result"
        )
    return value


def _memory_limit(_: str, value: Any) -> Any:
    from ._pressure import read_memory_limit

    return read_memory_limit(value)


_READERS: dict[str, Reader] = {
    "maxsize": lambda option, value: read_maxsize(value),
    "ttl": _optional(_time_or_function),
    "policy": _one_of(*POLICIES),
    "tti": _optional(_time),
    "jitter": _fraction,
    "max_weight": _optional(lambda option, value: read_max_weight(value)),
    "weigher": _optional(_function(f"None or {_WEIGHER}")),
    "max_bytes": _optional(lambda option, value: read_size(value, option=option)),
    "memory_limit": _optional(_memory_limit),
    "on_removal": _optional(_function("None or a function (key, value, cause)")),
    "typed": _flag,
    "key": _optional(_function("None or a function of the call's arguments that makes the key")),
    "ignore": _names,
    "unhashable": _one_of(*UNHASHABLE),
    "cache_if": _optional(_function("None or a function (result, *args, **kwargs) -> bool")),
    "method": _method,
    "per_instance": _flag,
    "name": _optional(_text),
    "copy": _copy,
    "clock": _optional(_function("None or a function () -> int that tells nanoseconds")),
}
"""Every option, with what reads its value."""

_CONTRADICTIONS: tuple[tuple[str, Callable[[dict[str, Any]], bool], str], ...] = (
    (
        "ignore",
        lambda read: bool(read["ignore"]) and read.get("key") is not None,
        "() beside key=, whose answer is the whole key",
    ),
    (
        "per_instance",
        lambda read: read["per_instance"] and read.get("method") is False,
        "False beside method=False",
    ),
    (
        "jitter",
        lambda read: read["jitter"] > 0 and read.get("ttl") is None,
        "0 without ttl=, since there is nothing to take it off",
    ),
    (
        "weigher",
        lambda read: read["weigher"] is not None and read.get("max_weight") is None,
        "None without max_weight=, the most that all entries may weigh together",
    ),
    (
        "max_weight",
        lambda read: read["max_weight"] is not None and read.get("weigher") is None,
        f"None without weigher=, {_WEIGHER}; to bound the number of entries there is maxsize=",
    ),
    (
        "max_bytes",
        lambda read: read["max_bytes"] is not None and read.get("max_weight") is not None,
        "None beside max_weight=: entries have one weight",
    ),
)

"""The options of the memory decorators, judged when a function is decorated.

A default is recognised by its identity and passes at once: decorating a function costs little more
than a microsecond in all, and nothing here runs when the decorated function is called.
"""

from __future__ import annotations

from ._duration import seconds
from .errors import ConfigurationError, refused, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

__all__ = [
    "generator_refused",
    "not_a_coroutine_function",
    "not_a_function",
    "read_maxsize",
    "read_options",
    "unknown_option",
]

POLICIES = ("lru",)
UNHASHABLE = ("raise", "bypass", "digest")


def read_options(
    maxsize: Any,
    ttl: Any,
    policy: Any,
    typed: Any,
    key: Any,
    ignore: Any,
    unhashable: Any,
    cache_if: Any,
    method: Any,
    per_instance: Any,
    name: Any,
    copy: Any,
    clock: Any,
) -> tuple[int | None, float | Callable[..., Any] | None, tuple[str, ...]]:
    """The options that come in several shapes, each in its one: `(maxsize, ttl, ignore)`.

    `ttl` is in seconds, or the function that tells it. All others are good as they were given.

    Raises:
        ConfigurationError: An option has a value that isn't accepted, or two contradict.
    """
    if type(maxsize) is not int or maxsize < 0:
        maxsize = read_maxsize(maxsize)
    if ttl is not None and not callable(ttl):
        ttl = seconds(ttl)
    if policy != "lru":
        _one_of("policy", policy, POLICIES)
    if typed is not False:
        _flag("typed", typed)
    if key is not None:
        _function("key", key, "None or a function of the call's arguments that makes the key")
    names = _names(ignore) if ignore != () else ()
    if names and key is not None:
        raise refused("ignore", ignore, "() beside key=, whose answer is the whole key")
    if unhashable != "raise":
        _one_of("unhashable", unhashable, UNHASHABLE)
    if cache_if is not None:
        _function("cache_if", cache_if, "None or a function (result, *args, **kwargs) -> bool")
    if method is not None:
        _flag("method", method, "True, False or None (found out)")
    if per_instance is not False:
        _flag("per_instance", per_instance)
        if per_instance and method is False:
            raise refused("per_instance", per_instance, "False beside method=False")
    if name is not None and (not isinstance(name, str) or not name):
        raise refused("name", name, "None or a text that isn't empty")
    if copy is not False and copy is not True:
        _function("copy", copy, "True (a deep copy), False, or a function that copies a result")
    if clock is not None:
        _function("clock", clock, "None or a function () -> int that tells nanoseconds")
    return maxsize, ttl, names


def read_maxsize(maxsize: object) -> int | None:
    """The bound as an int, or None; `resize` asks it too.

    Raises:
        ConfigurationError: It is neither None nor a whole number from 0 on.
    """
    if maxsize is None:
        return None
    index = getattr(type(maxsize), "__index__", None)
    if index is not None and not isinstance(maxsize, bool):
        size: int = index(maxsize)
        if size >= 0:
            return size
    raise refused("maxsize", maxsize, "an int from 0 (no caching) on, or None (no bound)")


def unknown_option(name: str, value: object, accepted: Collection[str]) -> ConfigurationError:
    """The error, to be raised, for an option that doesn't exist; guesses which one was meant."""
    return ConfigurationError(
        f"{name}={shown(value)}: there is no option {name!r}{_guess(name, accepted)}; "
        f"accepted: {', '.join(accepted)}"
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


def _one_of(option: str, value: object, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise refused(option, value, ", ".join(map(repr, accepted)) + _guess(value, accepted))


def _flag(option: str, value: object, accepted: str = "True or False") -> None:
    if value is not True and value is not False:
        raise refused(option, value, accepted)


def _function(option: str, value: object, accepted: str) -> None:
    if not callable(value):
        raise refused(option, value, accepted)


def _names(ignore: Any) -> tuple[str, ...]:
    try:
        names = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    except TypeError:
        names = ("",)
    if not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise refused("ignore", ignore, "names of parameters, such as ('self', 'verbose')")
    return names


def _guess(wrong: object, accepted: Collection[str]) -> str:
    """A question that names the most alike of the accepted words, or nothing."""
    from difflib import get_close_matches  # only ever needed once something is wrong

    alike = get_close_matches(str(wrong).lower(), accepted, n=1, cutoff=0.6)
    return f" (did you mean {alike[0]!r}?)" if alike else ""

"""The decorators: what they take, and what they make of what they decorate."""

from __future__ import annotations

from functools import cached_property, partial

from ._bound import BoundClassMethod
from ._kinds import is_coroutine_function, is_generator_function
from ._options import (
    generator_refused,
    not_a_coroutine_function,
    not_a_function,
    unknown_option,
)
from ._recipe import Recipe, plain_recipe
from .cached import Cached, plainly
from .errors import refused
from .wrapper import LruCached

TYPE_CHECKING = False
if not TYPE_CHECKING:

    def overload(signature):
        """Drops a signature that is there for type checkers only."""


else:
    from collections.abc import Callable, Collection
    from typing import Any, Literal, ParamSpec, TypeVar, overload

    from . import types as t

    P = ParamSpec("P")
    R = TypeVar("R")
    Ttl = t.Duration | Callable[..., t.Duration | None] | None

__all__ = ["acache", "cache", "lru_cache", "mcache"]

_OPTIONS = (
    "maxsize",
    "ttl",
    "policy",
    "typed",
    "key",
    "ignore",
    "unhashable",
    "cache_if",
    "method",
    "per_instance",
    "name",
    "copy",
    "clock",
)
_DESCRIPTORS = (staticmethod, classmethod, property, cached_property)
_PLAIN, _COROUTINES = "mcache", "acache"


@overload
def mcache(function: t.AnyProperty, /) -> t.AnyProperty: ...
@overload
def mcache(function: staticmethod[P, t.Coro[R]], /) -> t.AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def mcache(function: staticmethod[P, R], /) -> t.CachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def mcache(function: classmethod[Any, P, t.Coro[R]], /) -> t.AsyncCachedClassMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def mcache(function: classmethod[Any, P, R], /) -> t.CachedClassMethod[P, R]: ...
@overload
def mcache(function: Callable[P, t.Coro[R]], /) -> t.AsyncCached[P, R]: ...  # type: ignore[overload-overlap]
@overload
def mcache(function: Callable[P, R], /) -> t.Cached[P, R]: ...
@overload
def mcache(
    maxsize: int | None = 1024,
    ttl: Ttl = None,
    policy: Literal["lru"] = "lru",
    *,
    typed: bool = False,
    key: Callable[..., object] | None = None,
    ignore: Collection[str] = (),
    unhashable: Literal["raise", "bypass", "digest"] = "raise",
    cache_if: Callable[..., object] | None = None,
    method: bool | None = None,
    per_instance: bool = False,
    name: str | None = None,
    copy: bool | Callable[[Any], Any] = False,
    clock: Callable[[], int] | None = None,
) -> t.Decorator: ...
def mcache(
    maxsize: Any = 1024,
    ttl: Any = None,
    policy: Any = "lru",
    *,
    typed: Any = False,
    key: Any = None,
    ignore: Any = (),
    unhashable: Any = "raise",
    cache_if: Any = None,
    method: Any = None,
    per_instance: Any = False,
    name: Any = None,
    copy: Any = False,
    clock: Any = None,
    **unknown: Any,
) -> Any:
    """Caches a function's results in memory, most recently used first; makes a `Cached`.

    Use it bare, `@mcache`, or with options, `@mcache(maxsize=100, ttl="10m")`. On a coroutine
    function it makes an `AsyncCached`, whose calls are awaited; one computation per key runs at
    a time in an event loop. Of a method it holds the object weakly: entries leave with it. On a
    classmethod, staticmethod, property or cached_property it caches the function inside.

    Calls that bind the same values to the same parameters share an entry, however they are
    written; values are the same if they are equal. What the function raises is not kept. Safe to
    call from any thread and task; two threads may compute one key at the same time.

    Args:
        maxsize: Most entries, 0 or more: 0 turns caching off, None sets no bound.
        ttl: How long a result may be given, above zero: seconds, a `timedelta`, a text like
            `"1h30m"`, or a function `(result, *args, **kwargs)` that returns any of these, None
            (for ever), or 0 or less (don't store). Measured by a monotonic clock, exact to some
            4 ms. None is for ever.
        policy: Which entry leaves when there is no more room: `"lru"`, the least recently used.
        typed: Equal arguments of different types, such as 1 and 1.0, are different.
        key: A function of the call's arguments that makes the key instead. Objects are then held
            as the key holds them.
        ignore: Names of parameters that are left out of the key.
        unhashable: What becomes of an argument that can't be hashed: `"raise"` a
            `CacheKeyError`, `"bypass"` the cache, or `"digest"`: key it by content.
        cache_if: A function `(result, *args, **kwargs)` that tells whether to store the result.
        method: Whether the first argument is an object to be held weakly and told by identity.
            None finds out: true of functions defined in a class.
        per_instance: Every object has a table of its own, with a `maxsize` of its own.
        name: What errors call the function, instead of its own name.
        copy: Store a copy of each result and give copies of it: True makes deep copies, a
            function makes its own. The caller who computed it gets the result itself.
        clock: A function that tells the time in nanoseconds, for tests.
        **unknown: Not accepted; any other option is an error that says what was meant.

    Raises:
        ConfigurationError: An option has a value that isn't accepted or doesn't exist, or what
            is decorated is no function, or is a generator function.
    """
    function = None
    if type(maxsize) is not int and _is_decoratable(maxsize):
        function, maxsize = maxsize, 1024
    if unknown:
        raise unknown_option(*next(iter(unknown.items())), _OPTIONS)
    if (
        key is cache_if is method is name is clock is None
        and typed is per_instance is copy is False
        and policy == "lru"
        and ignore == ()
        and unhashable == "raise"
        and type(maxsize) is int
        and maxsize >= 0
        and not callable(ttl)
    ):
        plain = _DEFAULT if ttl is None and maxsize == 1024 else plain_recipe(maxsize, ttl)
        if function is None:
            return partial(_plainly, recipe=plain)
        return plainly(function, plain) or _decorated(function, plain, _PLAIN)
    recipe = Recipe(
        maxsize,
        ttl,
        policy,
        typed,
        key,
        ignore,
        unhashable,
        cache_if,
        method,
        per_instance,
        name,
        copy,
        clock,
    )
    if function is not None:
        return _decorated(function, recipe, _PLAIN)

    def decorator(function: Any) -> Any:
        return _decorated(function, recipe, _PLAIN)

    return decorator


@overload
def acache(function: staticmethod[P, t.Coro[R]], /) -> t.AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def acache(function: classmethod[Any, P, t.Coro[R]], /) -> t.AsyncCachedClassMethod[P, R]: ...
@overload
def acache(function: Callable[P, t.Coro[R]], /) -> t.AsyncCached[P, R]: ...
@overload
def acache(
    maxsize: int | None = 1024,
    ttl: Ttl = None,
    policy: Literal["lru"] = "lru",
    *,
    typed: bool = False,
    key: Callable[..., object] | None = None,
    ignore: Collection[str] = (),
    unhashable: Literal["raise", "bypass", "digest"] = "raise",
    cache_if: Callable[..., object] | None = None,
    method: bool | None = None,
    per_instance: bool = False,
    name: str | None = None,
    copy: bool | Callable[[Any], Any] = False,
    clock: Callable[[], int] | None = None,
) -> t.AsyncDecorator: ...
def acache(
    maxsize: Any = 1024,
    ttl: Any = None,
    policy: Any = "lru",
    *,
    typed: Any = False,
    key: Any = None,
    ignore: Any = (),
    unhashable: Any = "raise",
    cache_if: Any = None,
    method: Any = None,
    per_instance: Any = False,
    name: Any = None,
    copy: Any = False,
    clock: Any = None,
    **unknown: Any,
) -> Any:
    """Caches a coroutine function's results in memory; makes an `AsyncCached`.

    The same as `mcache`, with the same options, but it refuses anything else than a coroutine
    function. Calls are awaited, and so are `invalidate`, `refresh`, `peek`, `contains` and `put`.
    Tasks of one event loop that miss the same key share one computation; an exception reaches
    all of them and is not kept; cancelling one of them doesn't disturb the others.

    Args:
        maxsize: As for `mcache`.
        ttl: As for `mcache`.
        policy: As for `mcache`.
        typed: As for `mcache`.
        key: As for `mcache`.
        ignore: As for `mcache`.
        unhashable: As for `mcache`.
        cache_if: As for `mcache`.
        method: As for `mcache`.
        per_instance: As for `mcache`.
        name: As for `mcache`.
        copy: As for `mcache`.
        clock: As for `mcache`.
        **unknown: Not accepted; any other option is an error that says what was meant.

    Raises:
        ConfigurationError: As for `mcache`, or the function isn't a coroutine function.
    """
    function = None
    if type(maxsize) is not int and _is_decoratable(maxsize):
        function, maxsize = maxsize, 1024
    if unknown:
        raise unknown_option(*next(iter(unknown.items())), _OPTIONS)
    recipe = Recipe(
        maxsize,
        ttl,
        policy,
        typed,
        key,
        ignore,
        unhashable,
        cache_if,
        method,
        per_instance,
        name,
        copy,
        clock,
    )
    if function is not None:
        return _decorated(function, recipe, _COROUTINES)

    def decorator(function: Any) -> Any:
        return _decorated(function, recipe, _COROUTINES)

    return decorator


@overload
def lru_cache(maxsize: Callable[P, R], typed: bool = False) -> t.LruCached[P, R]: ...
@overload
def lru_cache(maxsize: int | None = 128, typed: bool = False) -> t.LruDecorator: ...
def lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:
    """`functools.lru_cache`, faster.

    Arguments are keyed as they are written, so `f(3)` and `f(x=3)` are two entries; `self` is one
    of them, held strongly. Safe to call from any thread.

    Args:
        maxsize: Most entries; less than 0 is 0, which turns caching off; None sets no bound.
        typed: Equal arguments of different types, such as 1 and 1.0, are different.

    Raises:
        TypeError: `maxsize` is neither a whole number nor None nor a function.
    """
    if isinstance(maxsize, int):
        maxsize = max(maxsize, 0)
    elif callable(maxsize) and isinstance(typed, bool):
        return LruCached(maxsize, 128, typed)
    elif maxsize is not None:
        raise TypeError("Expected first argument to be an integer, a callable, or None")

    def decorator(function: Any) -> Any:
        if not callable(function):
            raise TypeError("the first argument must be callable")
        return LruCached(function, maxsize, typed)

    return decorator


def cache(user_function: Callable[P, R], /) -> t.LruCached[P, R]:
    """`functools.cache`, faster: `lru_cache(maxsize=None)`."""
    return lru_cache(maxsize=None)(user_function)


_DEFAULT = plain_recipe(1024, None)


def _plainly(function: Any, recipe: Recipe) -> Any:
    return plainly(function, recipe) or _decorated(function, recipe, _PLAIN)


def _is_decoratable(value: object) -> bool:
    return callable(value) or isinstance(value, _DESCRIPTORS)


def _decorated(function: Any, recipe: Recipe, decorator: str, method: bool | None = None) -> Any:
    """What a decorator makes of a function, or of a descriptor with a function inside."""
    if isinstance(function, _DESCRIPTORS):
        return _rebuilt(function, recipe, decorator)
    if not callable(function):
        raise not_a_function(function, decorator)
    is_coroutine = is_coroutine_function(function)
    if not is_coroutine and is_generator_function(function):
        raise generator_refused(function, decorator)
    make: type[Cached] = Cached
    if is_coroutine:
        from .async_cached import AsyncCached

        make = AsyncCached
    elif decorator is _COROUTINES:
        raise not_a_coroutine_function(function, decorator)
    if recipe.per_instance:
        if method is False:
            raise refused("per_instance", True, "False on a staticmethod, which has no instance")
        from ._per_instance import PerInstance

        return PerInstance(function, recipe, make)
    return make(function, recipe, recipe.method if method is None else method)


def _rebuilt(descriptor: Any, recipe: Recipe, decorator: str) -> Any:
    """A descriptor of the same kind with the decorated function inside."""
    kind = type(descriptor)
    if isinstance(descriptor, staticmethod):
        return kind(_decorated(descriptor.__func__, recipe, decorator, method=False))
    method = recipe.method is not False
    if isinstance(descriptor, property):
        getter = _decorated(descriptor.fget, recipe, decorator, method)
        return kind(getter, descriptor.fset, descriptor.fdel, descriptor.__doc__)
    if isinstance(descriptor, cached_property):
        return kind(_decorated(descriptor.func, recipe, decorator, method))
    function = _decorated(descriptor.__func__, recipe, decorator, method)
    return BoundClassMethod(function) if kind is classmethod else kind(function)

"""The decorators: what they take, and what they make of what they decorate."""

from __future__ import annotations

from functools import cached_property, partial

from ._bound import BoundClassMethod
from ._kinds import is_coroutine_function, is_generator_function
from ._options import generator_refused, not_a_coroutine_function, not_a_function
from ._recipe import Recipe
from .cached import Cached, plainly
from .errors import ConfigurationError, refused
from .wrapper import LruCached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextvars import ContextVar
    from typing import Any, ParamSpec, TypeVar

    from typing_extensions import Unpack

    from . import types as t

    P = ParamSpec("P")
    R = TypeVar("R")
if not TYPE_CHECKING:

    def overload(signature):
        """Drops a signature that is there for type checkers only."""


else:
    from typing import overload

__all__ = [
    "DESCRIPTORS",
    "acache",
    "cache",
    "decorated",
    "is_decoratable",
    "lru_cache",
    "mcache",
    "rebuilt",
]

_DEFAULTS = Recipe({})
DESCRIPTORS = (staticmethod, classmethod, property, cached_property)
_BY_POSITION = ("maxsize", "ttl", "policy")
_PLAIN, _COROUTINES = "mcache", "acache"


def _signature(
    maxsize: int | None = 1024,
    ttl: t.Ttl = None,
    policy: t.Policy = "lru",
    *,
    tti: t.Duration | None = None,
    jitter: float = 0.0,
    max_weight: int | None = None,
    weigher: Callable[..., int] | None = None,
    max_bytes: int | str | None = None,
    memory_limit: int | str | None = None,
    on_removal: t.OnRemoval | None = None,
    typed: bool = False,
    key: Callable[..., object] | None = None,
    ignore: Collection[str] = (),
    unhashable: t.Unhashable = "raise",
    cache_if: Callable[..., object] | None = None,
    method: bool | None = None,
    per_instance: bool = False,
    name: str | None = None,
    copy: bool | Callable[[Any], Any] = False,
    clock: Callable[[], int] | None = None,
    stale: t.Duration | None = 0.0,
    refresh_ahead: float | None = None,
    beta: float | None = 0.0,
    soft_timeout: t.Duration | None = None,
    hard_timeout: t.Duration | None = None,
    retry: int | t.RetryTerms | None = None,
    cache_exceptions: Mapping[type[Exception], t.Duration] | tuple[()] = (),
    single_flight: bool | None = None,
    tags: Collection[str] | Callable[..., Collection[str]] | None = None,
    invalidate_by: Collection[str] = (),
    context: Collection[ContextVar[Any]] = (),
    generators: str | None = None,
) -> t.Decorator:
    """What `inspect.signature` and `help` show of `mcache` and `acache`.

    They themselves take `*given, **options`: with thirty parameters to fill in, the mere call would
    cost half as much as decorating a function may. `t.Options` says the same to type checkers.
    """
    raise NotImplementedError


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
    ttl: t.Ttl = None,
    policy: t.Policy = "lru",
    **options: Unpack[t.Options],
) -> t.Decorator: ...
def mcache(*given: Any, **options: Any) -> Any:  # noqa: D417 - the arguments of _signature
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
        policy: Which entry leaves when there is no more room: `"lru"`, the least recently used;
            `"fifo"`, the oldest; `"random"`, any; `"lfu"`, the least frequently used; or what
            `"sieve"`, `"s3fifo"` and `"tinylfu"` find out to be worth the least.
        tti: How long an entry may go unused, as a length of time like `ttl`'s, which can stand
            beside it. None is for ever.
        jitter: Takes a random part off each ttl, from 0 to this fraction of it (0 to 1), so that
            entries stored together don't expire together.
        max_weight: Most that all entries may weigh together, 0 or more, in the weigher's units.
            Takes the place of `maxsize`, unless that is given, too. A result that is heavier than
            this is returned and not stored.
        weigher: A function `(result, *args, **kwargs)` that gives an entry's weight, an int from 0
            on; called before the entry is stored.
        max_bytes: Most bytes that all entries may take together, estimated: an int, or a text like
            `"64MB"` (kB, MB, GB are decimal, KiB, MiB, GiB binary). Takes the place of `maxsize`
            as `max_weight` does.
        memory_limit: Let entries go while more memory than this is in use: `"80%"` of the
            machine's, or `"2GB"` or an int by this process. Looked at before an entry is stored,
            at most ten times a second. Needs psutil: `pip install 'twat-cache[memory]'`.
        on_removal: A function `(key, value, cause)` that is called after an entry has left; the
            cause is `"expired"`, `"size"`, `"explicit"`, `"replaced"`, `"collected"` or
            `"closed"`. It may use the cache. What it raises is logged once for each class and
            counted.
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
        stale: How long a value may answer past its ttl: while a new one is computed in the
            background, or if that fails.
        refresh_ahead: From which part of its ttl on (0 to 1) a value that is asked for is computed
            anew in the background.
        beta: Computes anew at random moments before a value's end, the earlier the longer it took
            (XFetch); 1 is the best, above it is earlier.
        soft_timeout: How long a call that finds a stale value waits for the new one.
        hard_timeout: How long a call waits for the function at most; then `LoadTimeoutError`.
        retry: How often, or on which terms, a function that raises is called again.
        cache_exceptions: A dict from exception classes to how long one of them is kept and raised
            again.
        single_flight: Whether those who miss one key share a computation; None is True for
            coroutine functions and False for others.
        tags: Names of groups, or a function of the call's arguments that gives them, which
            `invalidate_tags` drops.
        invalidate_by: Parameters by which `invalidate_by(name=value)` drops entries.
        context: Context variables whose values belong to the key. Objects are then held as by
            `key`.
        generators: `"replay"` keeps what a generator function gives, and replays it.

    Raises:
        ConfigurationError: An option has a value that isn't accepted or doesn't exist, two
            contradict each other, psutil is missing, or what is decorated is no function, or is a
            generator function.
    """
    if not options and len(given) == 1:
        made = plainly(given[0], _DEFAULTS)
        if made is not None:
            return made
    return _decorator(_PLAIN, given, options)


@overload
def acache(function: staticmethod[P, t.Coro[R]], /) -> t.AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def acache(function: classmethod[Any, P, t.Coro[R]], /) -> t.AsyncCachedClassMethod[P, R]: ...
@overload
def acache(function: Callable[P, t.Coro[R]], /) -> t.AsyncCached[P, R]: ...
@overload
def acache(
    maxsize: int | None = 1024,
    ttl: t.Ttl = None,
    policy: t.Policy = "lru",
    **options: Unpack[t.Options],
) -> t.AsyncDecorator: ...
def acache(*given: Any, **options: Any) -> Any:
    """Caches a coroutine function's results in memory; makes an `AsyncCached`.

    The same as `mcache`, with the same options, but it refuses anything else than a coroutine
    function. Calls are awaited, and so are `invalidate`, `refresh`, `peek`, `contains`, `put` and
    `warm`.
    Tasks of one event loop that miss the same key share one computation; an exception reaches
    all of them and is not kept; cancelling one of them doesn't disturb the others.

    Raises:
        ConfigurationError: As for `mcache`, or the function isn't a coroutine function.
    """
    return _decorator(_COROUTINES, given, options)


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


for _decorator_proper in (mcache, acache):
    _decorator_proper.__wrapped__ = _signature  # type: ignore[attr-defined]


def _decorator(kind: str, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A decorator with these options; or at once, if a function is given, what it makes of it."""
    named = dict(zip(_BY_POSITION, given))  # noqa: B905 - more are refused next
    if len(named) < len(given) or not named.keys().isdisjoint(options):
        _refuse_arguments(kind, given, options)
    if given and is_decoratable(given[0]):
        del named["maxsize"]
    recipe = _DEFAULTS
    if named or options:
        recipe = Recipe({**named, **options})
        if not recipe.is_plain:
            _refuse_what_needs_an_engine(options, kind)
    if "maxsize" in named or not given:
        return partial(decorated, recipe=recipe, kind=kind)
    return decorated(given[0], recipe, kind)


def _refuse_what_needs_an_engine(options: dict[str, Any], kind: str) -> None:
    from ._path_options import OF_ENGINES

    for name in OF_ENGINES:
        if name in options:
            raise ConfigurationError(
                f"{name}= is an option of ucache, bcache and fcache; {kind} keeps objects in "
                "memory, which are neither named nor written"
            )
    if options.get("single_flight") == "process":
        raise refused("single_flight", "process", "True or False in memory")


def _refuse_arguments(kind: str, given: tuple[Any, ...], options: dict[str, Any]) -> None:
    from inspect import signature

    try:
        signature(_signature).bind(*given, **options)
    except TypeError as error:
        raise TypeError(f"{kind}() {error}") from None


def is_decoratable(value: object) -> bool:
    """Whether it is what a decorator decorates, rather than an option."""
    return callable(value) or isinstance(value, DESCRIPTORS)


def decorated(function: Any, recipe: Recipe, kind: str, method: bool | None = None) -> Any:
    """What a decorator makes of a function, or of a descriptor with a function inside."""
    if recipe.is_plain and kind is _PLAIN and method is None:
        made = plainly(function, recipe)
        if made is not None:
            return made
    if isinstance(function, DESCRIPTORS):
        is_method = recipe.method is not False and not isinstance(function, staticmethod)
        return rebuilt(function, lambda inner: decorated(inner, recipe, kind, is_method))
    if not callable(function):
        raise not_a_function(function, kind)
    is_coroutine = is_coroutine_function(function)
    make: type[Cached] = Cached
    if not is_coroutine and is_generator_function(function):
        if recipe.generators != "replay":
            raise generator_refused(function, kind)
        from .replay_cached import replay_kind

        make = replay_kind(function)
    if is_coroutine:
        from .async_cached import AsyncCached

        make = AsyncCached
    elif kind == _COROUTINES:
        raise not_a_coroutine_function(function, kind)
    if recipe.context:
        recipe = recipe.in_context(function)
    if recipe.per_instance:
        if method is False:
            raise refused("per_instance", True, "False on a staticmethod, which has no instance")
        from ._per_instance import PerInstance

        return PerInstance(function, recipe, make)
    return make(function, recipe, recipe.method if method is None else method)


def rebuilt(descriptor: Any, decorate: Callable[[Any], Any]) -> Any:
    """A descriptor of the same class with the decorated function inside."""
    cls = type(descriptor)
    if isinstance(descriptor, property):
        getter = decorate(descriptor.fget)
        return cls(getter, descriptor.fset, descriptor.fdel, descriptor.__doc__)
    if isinstance(descriptor, cached_property):
        return cls(decorate(descriptor.func))
    function = decorate(descriptor.__func__)
    return BoundClassMethod(function) if cls is classmethod else cls(function)

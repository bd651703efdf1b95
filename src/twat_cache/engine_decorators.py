"""The decorators whose results may outlive the process: `ucache`, `bcache` and `fcache`."""

from __future__ import annotations

from functools import partial

from ._engine_options import (
    bounds_of,
    judge_codec,
    refuse_async,
    refuse_coherence,
    refuse_what_engines_lack,
)
from ._folders import get_cache_path
from ._kinds import is_async_generator_function, is_coroutine_function, is_generator_function
from ._options import generator_refused, not_a_function
from ._path_options import OF_ENGINES
from ._recipe import Recipe
from ._tiers import tiers_of
from .config import CacheConfig, settled
from .decorators import DESCRIPTORS, decorated, is_decoratable, rebuilt
from .engine_cached import AsyncEngineCached, EngineCached
from .errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Any, ParamSpec, TypeVar

    from typing_extensions import Unpack

    from . import types as t
    from ._tiers import Tiers
    from .config_types import ConfigOptions, EngineLike

    P = ParamSpec("P")
    R = TypeVar("R")
if not TYPE_CHECKING:

    def overload(signature):
        """Drops a signature that is there for type checkers only."""


else:
    from typing import overload

__all__ = ["bcache", "decorate", "fcache", "ucache"]

_UCACHE, _BCACHE, _FCACHE = "ucache", "bcache", "fcache"


@overload
def ucache(function: t.AnyProperty, /) -> t.AnyProperty: ...
@overload
def ucache(function: staticmethod[P, t.Coro[R]], /) -> t.AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def ucache(function: staticmethod[P, R], /) -> t.CachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def ucache(function: classmethod[Any, P, t.Coro[R]], /) -> t.AsyncCachedClassMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def ucache(function: classmethod[Any, P, R], /) -> t.CachedClassMethod[P, R]: ...
@overload
def ucache(function: Callable[P, t.Coro[R]], /) -> t.AsyncCached[P, R]: ...  # type: ignore[overload-overlap]
@overload
def ucache(function: Callable[P, R], /) -> t.Cached[P, R]: ...
@overload
def ucache(
    engine: EngineLike | CacheConfig = None, **options: Unpack[ConfigOptions]
) -> t.Decorator: ...
def ucache(*given: Any, **options: Any) -> Any:  # noqa: D417 - those of mcache are told there
    """Caches a function's results in any engine, which a URL names; makes a `Cached`.

    Use it bare, `@ucache`, or with an engine and options, `@ucache("sqlite:///cache.db", ttl=60)`.
    One computation of each key runs at a time. A key is the call's arguments, recursively by value
    and type, so calls share a result only if they can't be told apart. When the engine can't
    serve, the function is called, and `stats()` and events tell. Safe to call from any thread and
    task.

    Args:
        engine: Where results are kept: None (what `TWAT_CACHE_URL` says, or memory), `"memory"`,
            a URL such as `"sqlite:///cache.db"`, an engine, a list of these from near to far, of
            which only the first may be `"memory"`, or a `CacheConfig`.
        maxsize: Most entries: in memory, if that is given, else in the engine, which must be opened
            here and have such a bound.
        max_bytes: Most bytes, of an engine that can be bounded, or of memory.
        namespace: Keeps apart what shares an engine, such as applications or tenants.
        version: A text; results of another version aren't found. `"source"` is a digest of the
            function's code.
        codec: How values are written: `"msgpack"`, `"json"`, `"pickle"` (which needs `secret=`),
            or a codec.
        compress: `"zlib"`, `"lz4"` or `"zstd"`, for values that get smaller by it; None doesn't.
        secret: Signs what is stored: a text or bytes, or several, the first for writing and all
            for reading. What wasn't signed so is a miss.
        encrypt: Encrypts it, likewise.
        checksum: Whether values of more than 4 KB have a checksum, too.
        strict: Whether a value that the codec can't carry is a `SerializationError`; it is
            returned and not stored otherwise, and warned of once.
        unsafe: Whether to read pickles without a secret, from a store that nobody else can write.
        stale: How long a value may answer past its time, while a new one is computed in the
            background, or if that fails.
        refresh_ahead: From which part of its ttl on (0 to 1) a value that is asked for is computed
            anew in the background.
        beta: Computes anew at random moments before a value's end, the earlier the longer it
            takes (XFetch); 1 is the best, above it is earlier.
        soft_timeout: How long a call that finds a stale value waits for the new one.
        hard_timeout: How long a call waits for the function at most; then `LoadTimeoutError`.
        retry: How often, or on which terms, a function that raises is called again.
        cache_exceptions: A dict from exception classes to how long one of them is kept and raised
            again.
        single_flight: Whether those who miss one key share a computation: True in this process,
            `"process"` in all processes that share the engine, False each computes.
        tags: Names of groups, or a function of the call's arguments that gives them, which
            `invalidate_tags` drops.
        tag_ttl: How long a tag may be taken for valid without asking the engine.
        coherence: How memory before a shared engine learns of what others change there:
            `"tracking"` (Redis tells), `"pubsub"` (those who change something do), `"ttl"` (not at
            all), or a dict of `by`, one of these, and `bound`, the longest time that a change may
            go unseen whatever happens, 2 seconds if nothing is said.
        invalidate_by: Parameters by which `invalidate_by(name=value)` drops entries.
        context: Context variables whose values belong to the key.
        generators: `"replay"` keeps what a generator function gives, and replays it.
        options: `ttl`, `tti`, `jitter`, `key`, `ignore`, `cache_if`, `copy`, `name` and `clock`
            are as for `mcache`.

    Raises:
        ConfigurationError: An option has a value that isn't accepted, or the engine can't honour
            it.
        EngineNotAvailableError: The engine's library isn't installed.
    """
    if given and is_decoratable(given[0]) and not hasattr(given[0], "capabilities"):
        if len(given) > 1:
            raise TypeError("ucache() takes a function, or an engine and options")
        engine, settings = settled(None, options)
        return decorate(given[0], engine, settings, _UCACHE)
    if len(given) > 1:
        raise TypeError(f"ucache() takes an engine and options by name, not {len(given)} engines")
    engine, settings = settled(given[0] if given else options.pop("engine", None), options)
    return _decorator(engine, settings, _UCACHE)


@overload
def bcache(function: t.AnyProperty, /) -> t.AnyProperty: ...
@overload
def bcache(function: staticmethod[P, t.Coro[R]], /) -> t.AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def bcache(function: staticmethod[P, R], /) -> t.CachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def bcache(function: classmethod[Any, P, t.Coro[R]], /) -> t.AsyncCachedClassMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def bcache(function: classmethod[Any, P, R], /) -> t.CachedClassMethod[P, R]: ...
@overload
def bcache(function: Callable[P, t.Coro[R]], /) -> t.AsyncCached[P, R]: ...  # type: ignore[overload-overlap]
@overload
def bcache(function: Callable[P, R], /) -> t.Cached[P, R]: ...
@overload
def bcache(
    folder_name: str | PathLike[str] | None = None,
    maxsize: int | None = None,
    ttl: t.Ttl = None,
    **options: Unpack[t.StoreOptions],
) -> t.Decorator: ...
def bcache(*given: Any, **options: Any) -> Any:  # noqa: D417 - told by name
    """Caches a function's results on the disk, so that they survive a restart.

    The processes of a machine share them. Small values are in an SQLite file, large ones in files
    beside it, in a folder that only its owner can enter.

    Args:
        folder_name: A plain name of a folder under the user's cache directory, see
            `get_cache_path`, or an absolute path; None is `"default"`. Functions may share one.
        maxsize: Most entries in the folder, those of all functions that share it, and at times a
            sixteenth more; the least recently used leave first. None is unbounded.
        ttl: As for `mcache`.
        options: Those of `ucache`.

    Raises:
        ConfigurationError: An option has a value that isn't accepted, or can't be honoured.
        PathError: The folder's name would lead elsewhere.
    """
    return _local("disk", ("folder_name", "maxsize", "ttl"), given, options, _BCACHE)


@overload
def fcache(function: t.AnyProperty, /) -> t.AnyProperty: ...
@overload
def fcache(function: staticmethod[P, t.Coro[R]], /) -> t.AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def fcache(function: staticmethod[P, R], /) -> t.CachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def fcache(function: classmethod[Any, P, t.Coro[R]], /) -> t.AsyncCachedClassMethod[P, R]: ...  # type: ignore[overload-overlap]
@overload
def fcache(function: classmethod[Any, P, R], /) -> t.CachedClassMethod[P, R]: ...
@overload
def fcache(function: Callable[P, t.Coro[R]], /) -> t.AsyncCached[P, R]: ...  # type: ignore[overload-overlap]
@overload
def fcache(function: Callable[P, R], /) -> t.Cached[P, R]: ...
@overload
def fcache(
    folder_name: str | PathLike[str] | None = None,
    *,
    maxsize: int | None = None,
    ttl: t.Ttl = None,
    **options: Unpack[t.StoreOptions],
) -> t.Decorator: ...
def fcache(*given: Any, **options: Any) -> Any:  # noqa: D417 - told by name
    """Caches a function's results in one file each: made for large arrays and blobs.

    A numpy array comes back as a read-only view of the mapped file, without a copy.

    Args:
        folder_name: As for `bcache`; it must be another folder.
        maxsize: As for `bcache`.
        options: Those of `ucache`.

    Raises:
        ConfigurationError: An option has a value that isn't accepted, or can't be honoured.
        PathError: The folder's name would lead elsewhere.
    """
    return _local("file", ("folder_name",), given, options, _FCACHE)


def _local(
    scheme: str, names: tuple[str, ...], given: tuple[Any, ...], options: dict[str, Any], kind: str
) -> Any:
    """A decorator with a folder of its own; or at once what it makes of a function."""
    function = None
    if given and is_decoratable(given[0]):
        function, given = given[0], given[1:]
    named = dict(zip(names, given))  # noqa: B905 - more are refused next
    if len(named) < len(given) or not named.keys().isdisjoint(options):
        raise TypeError(f"{kind}() takes {', '.join(names)} by position, each once")
    options = {**named, **options}
    folder = get_cache_path(options.pop("folder_name", None))
    if kind == _FCACHE and folder == get_cache_path():
        folder = get_cache_path("files")
    from urllib.parse import quote

    url = f"{scheme}://{quote(folder)}" if folder[:1] == "/" else f"{scheme}:///{quote(folder)}"
    if function is not None:
        return decorate(function, url, options, kind)
    return _decorator(url, options, kind)


def _decorator(engine: Any, options: dict[str, Any], kind: str) -> Any:
    """The decorator proper; options are judged now, and the engine is opened for each function."""
    Recipe(options)
    return partial(_decorate_later, engine=engine, options=options, kind=kind)


def _decorate_later(function: Any, *, engine: Any, options: dict[str, Any], kind: str) -> Any:
    return decorate(function, engine, options, kind)


def decorate(function: Any, engine: Any, options: dict[str, Any], kind: str) -> Any:
    """What a decorator with these options makes of a function, or of a descriptor around one."""
    if isinstance(function, DESCRIPTORS):
        return rebuilt(function, lambda inner: decorate(inner, engine, options, kind))
    if not callable(function):
        raise not_a_function(function, kind)
    Recipe(options)  # judged before an engine is opened
    awaits = is_coroutine_function(function) or is_async_generator_function(function)
    tiers = tiers_of(engine, bounds_of(options), awaits=awaits)
    if tiers.far is None:
        return decorated(function, _recipe_of_memory(options), kind)
    try:
        return _in_engine(function, tiers, options, kind)
    except BaseException:
        tiers.loan.forget()
        raise


def _in_engine(function: Any, tiers: Tiers, options: dict[str, Any], kind: str) -> Any:
    recipe = Recipe({name: value for name, value in options.items() if name != "max_bytes"})
    refuse_what_engines_lack(options, tiers)
    refuse_coherence(recipe, near=tiers.near)
    make: Any = EngineCached
    if is_generator_function(function):
        if recipe.generators != "replay":
            raise generator_refused(function, kind)
        from .replay_engine_cached import replay_kind_of_engines

        make = replay_kind_of_engines(function)
    elif is_coroutine_function(function):
        make = AsyncEngineCached
    if not make.awaits:
        refuse_async(tiers, f"{kind} can only decorate an async def here; or take a blocking one")
    return make(function, recipe, tiers)


def _recipe_of_memory(options: dict[str, Any]) -> Recipe:
    """The options for a table alone, where those of bytes say nothing."""
    if options.get("single_flight") == "process":
        raise refused("single_flight", "process", "True or False in memory")
    refuse_coherence(Recipe(options), near=False)
    judge_codec(options)
    kept = {name: value for name, value in options.items() if name not in OF_ENGINES}
    return Recipe({"typed": True, "single_flight": True, **kept})

"""Engines by their URLs: each scheme's module is loaded when the first such URL is opened.

Other packages add schemes by entry points in the group `twat_cache.engines`; the value of each is a
class with `from_url`. A built-in scheme can't be taken over.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from ._duration import seconds
from .engines.address import parted
from .errors import ConfigurationError, EngineNotAvailableError, refused, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from ._option_types import EngineLike
    from .engine_types import AsyncEngine, Engine

    T = TypeVar("T", bound=Engine | AsyncEngine)

__all__ = ["near_ttl_of", "open_engine", "resilient", "tiered"]

GROUP = "twat_cache.engines"

_BUILT_IN = {
    "az": "objects:ObjectStoreEngine",
    "disk": "disk:DiskEngine",
    "diskcache": "diskcache:DiskcacheEngine",
    "file": "file:FileEngine",
    "gs": "objects:ObjectStoreEngine",
    "mapping": "mapping:MappingEngine",
    "memcache": "memcached:MemcachedEngine",
    "memcached": "memcached:MemcachedEngine",
    "null": "null:NullEngine",
    "postgres": "postgresql:PostgresqlEngine",
    "postgresql": "postgresql:PostgresqlEngine",
    "redis": "redis:RedisEngine",
    "redis+cluster": "redis:RedisEngine",
    "redis+sentinel": "redis:RedisEngine",
    "redis+unix": "redis:RedisEngine",
    "rediss": "redis:RedisEngine",
    "rediss+cluster": "redis:RedisEngine",
    "rediss+sentinel": "redis:RedisEngine",
    "s3": "objects:ObjectStoreEngine",
    "sqlite": "sqlite:SqliteEngine",
    "valkey": "redis:RedisEngine",
    "valkeys": "redis:RedisEngine",
}
"""The class of each scheme; its attribute `awaited` is the one for those who await, if any."""

_TERMS = frozenset({"attempts", "failures", "window", "probe", "queue"})
"""Options of what stands before an engine that is remote; see `resilient`."""

_METHODS = ("get", "put", "add", "drop", "scan", "close", "ping")


def open_engine(
    engine: EngineLike, *, async_: bool = False, **options: Any
) -> Engine | AsyncEngine:
    """The engine at a URL; an engine that is open already is given back as it is.

    Args:
        engine: A URL such as `"sqlite:///cache.db"`, `"file:///var/cache/results"` or `"null:"`,
            an engine, or a list of these from near to far, of which one `TieredEngine` is made;
            to close it closes those that were opened for it.
        async_: Whether to open, of those schemes that have one, the engine whose methods are
            coroutine functions. Tiers are blocking engines.
        options: Those of the engine's class; they go before those in the URL. With a list they are
            for the last one.

    Raises:
        ConfigurationError: The scheme is unknown, an option isn't accepted, or what was given is
            no engine.
        EngineNotAvailableError: The engine's library isn't installed; the message says which
            extra brings it.
        EngineError: The engine can't serve.
    """
    if isinstance(engine, (list, tuple)) and engine:
        if async_ and len(engine) == 1:
            options["async_"] = True
        return _several(engine, options)
    if not isinstance(engine, str):
        _check(engine, options)
        return engine  # type: ignore[return-value]
    scheme, colon, _ = engine.partition(":")
    if not colon:
        raise ConfigurationError(
            f"an engine is named by a URL, such as 'sqlite:///{_file_named(engine)}'; known"
            f" schemes: {', '.join(_known())}"
        )
    terms: dict[str, Any] = {}
    if not _TERMS.isdisjoint(options) or any(f"{term}=" in engine for term in _TERMS):
        from ._guard import terms_of

        engine, options, terms = terms_of(engine, options)
    try:
        kind = _kind(scheme)
        if async_:
            kind = getattr(kind, "awaited", kind)
        opened = kind.from_url(engine, **options)
    except TypeError as error:
        if not options:
            raise
        raise ConfigurationError(f"{scheme} doesn't take these options: {error}") from error
    found: Engine | AsyncEngine = opened
    if found.capabilities.remote:
        return resilient(found, **terms)
    if terms:
        raise refused(min(terms), terms[min(terms)], "only where an engine is reached by a network")
    return found


def resilient(
    engine: T,
    *,
    attempts: int = 2,
    failures: int = 3,
    window: float = 10.0,
    probe: float = 0.5,
    queue: int = 10_000,
) -> T:
    """The engine behind a circuit breaker, its gets that are made at once in one batch.

    `open_engine` does so itself with each engine that is reached by a network; the options may
    stand in the URL, too. A call fails at once while the circuit is open, with the `EngineError`
    that opened it as its cause: after a time-out, or after some failures in a row. A probe in the
    background closes it when the engine serves again. What was to be dropped meanwhile, or couldn't
    be put, is dropped before that; if it is too much to remember, all that is in the namespaces of
    this process is.

    Args:
        engine: An `Engine` or `AsyncEngine`.
        attempts: How often a call is tried that fails within 20 ms; `add` and `swap` are tried
            once.
        failures: After how many failures in a row the circuit opens.
        window: The seconds within which these must come.
        probe: The longest time in seconds from one probe to the next.
        queue: How many keys to drop are remembered.

    Returns:
        An engine of the same colour, thread-safe. To close it closes the engine.

    Raises:
        ConfigurationError: An option isn't a number above 0.
    """
    from ._guard import guarded, terms_of

    terms = {
        "attempts": attempts, "failures": failures, "window": window, "probe": probe, "queue": queue
    }  # fmt: skip
    guard: T = guarded(engine, terms_of("", terms)[2])
    return guard


def _several(engines: Sequence[Any], options: dict[str, Any]) -> Engine | AsyncEngine:
    """Engines one before the other, as one engine."""
    opened: list[Engine | AsyncEngine] = []
    try:
        *nearer, last = engines
        times = [near_ttl_of(one) for one in nearer]
        for one, _ in times:
            opened.append(open_engine(one))
        opened.append(open_engine(last, **options))
        if len(opened) == 1:
            return opened[0]
        keep_open = [one for one in engines if not isinstance(one, str)]
        return tiered(opened, [ttl for _, ttl in times], keep_open)
    except BaseException:
        for one, given in zip(opened, engines, strict=False):
            if one is not given:
                one.close()
        raise


def tiered(
    engines: Sequence[Any], times: Sequence[float | None], keep_open: Sequence[Any]
) -> Engine:
    """One engine of several that are open, some of which stay so when it is closed.

    The times are the most seconds that an entry stays in each of the nearer ones, where not the
    usual.
    """
    from .engines.tiered import NEAR_TTL, TieredEngine

    near_ttl = [NEAR_TTL if time is None else time for time in times]
    return TieredEngine(engines, near_ttl=near_ttl, keep_open=keep_open)


def near_ttl_of(engine: Any) -> tuple[Any, float | None]:
    """What stands before another engine, and `near_ttl`, if its URL says so, which is taken out.

    Raises:
        ConfigurationError: It is no length of time, or given twice.
    """
    if not isinstance(engine, str) or "near_ttl=" not in engine:
        return engine, None
    url, found = parted(engine, {"near_ttl"})
    return url, seconds(found["near_ttl"], option="near_ttl") if found else None


def _kind(scheme: str) -> Any:
    if scheme in _BUILT_IN:
        module, _, name = _BUILT_IN[scheme].partition(":")
        return getattr(import_module(f".engines.{module}", __package__), name)
    for entry in _entry_points():
        if entry.name == scheme:
            try:
                return entry.load()
            except ImportError as error:
                raise EngineNotAvailableError(
                    f"{scheme} comes from {entry.value}, which can't be imported: {error}"
                ) from error
    if scheme == "memory":
        raise ConfigurationError(
            "memory is no engine of bytes: it keeps objects, for ucache and Cache by the name "
            "'memory'; an engine of bytes in memory is 'mapping:'"
        )
    raise ConfigurationError(
        f"no engine has the scheme {shown(scheme)}; known: {', '.join(_known())}"
    )


def _file_named(text: str) -> str:
    name = os.path.basename(text)
    return name if name.endswith((".db", ".sqlite", ".sqlite3")) else f"{name}.db"


def _known() -> list[str]:
    return sorted({*_BUILT_IN, *(entry.name for entry in _entry_points())})


def _entry_points() -> Any:
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _check(engine: Any, options: dict[str, Any]) -> None:
    missing = [name for name in ("capabilities", *_METHODS) if not hasattr(engine, name)]
    if missing:
        kind = type(engine).__qualname__
        raise ConfigurationError(f"a {kind} is no engine: it has no {', '.join(missing)}")
    if options:
        raise ConfigurationError(
            f"an engine that is open takes no options, such as {min(options)}=; they are for"
            " opening it"
        )

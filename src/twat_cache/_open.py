"""Engines by their URLs: each scheme's module is loaded when the first such URL is opened.

Other packages add schemes by entry points in the group `twat_cache.engines`; the value of each is a
class with `from_url`. A built-in scheme can't be taken over.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from .errors import ConfigurationError, EngineNotAvailableError, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._option_types import EngineLike
    from .engine_types import AsyncEngine, Engine

__all__ = ["open_engine", "tiered"]

GROUP = "twat_cache.engines"

_BUILT_IN = {
    "disk": "disk:DiskEngine",
    "diskcache": "diskcache:DiskcacheEngine",
    "file": "file:FileEngine",
    "mapping": "mapping:MappingEngine",
    "null": "null:NullEngine",
    "sqlite": "sqlite:SqliteEngine",
}
"""The class of each scheme; its attribute `awaited` is the one for those who await, if any."""

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
    try:
        kind = _kind(scheme)
        if async_:
            kind = getattr(kind, "awaited", kind)
        opened: Engine | AsyncEngine = kind.from_url(engine, **options)
    except TypeError as error:
        if not options:
            raise
        raise ConfigurationError(f"{scheme} doesn't take these options: {error}") from error
    return opened


def _several(engines: Sequence[Any], options: dict[str, Any]) -> Engine | AsyncEngine:
    """Engines one before the other, as one engine."""
    opened: list[Engine | AsyncEngine] = []
    try:
        for place, one in enumerate(engines, 1):
            opened.append(open_engine(one, **(options if place == len(engines) else {})))
        if len(opened) == 1:
            return opened[0]
        return tiered(opened, keep_open=[one for one in engines if not isinstance(one, str)])
    except BaseException:
        for one, given in zip(opened, engines, strict=False):
            if one is not given:
                one.close()
        raise


def tiered(engines: Sequence[Any], keep_open: Sequence[Any]) -> Engine:
    """One engine of several that are open, some of which stay so when it is closed."""
    from .engines.tiered import TieredEngine

    return TieredEngine(engines, keep_open=keep_open)


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

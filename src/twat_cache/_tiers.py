"""Where a cache keeps its results: in memory, in an engine, or in memory before an engine.

    "memory"                    a table in this process
    "sqlite:///cache.db"        an engine
    ["memory", "sqlite:///…"]   a near table before an engine
    ["disk:…", "sqlite:///…"]   engines one before the other

One engine serves all caches of a process that name it by the same URL and options: it is opened by
the first of them and closed by the last. An engine that can't serve when it is opened is opened
again when it is asked for something, so a disk that is full or a server that is down doesn't keep a
program from starting.
"""

from __future__ import annotations

from threading import RLock
from time import monotonic
from typing import Any, NamedTuple

from ._open import open_engine
from .engine_types import Capabilities
from .errors import ConfigurationError, EngineError, EngineNotAvailableError, PathError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MEMORY", "LateEngine", "Tiers", "borrow", "give_back", "tiers_of"]

MEMORY = "memory"
_AGAIN = 1.0  # seconds between two tries to open an engine
_ACCEPTED = "a URL such as 'sqlite:///cache.db', 'memory', an engine, or a list of these"


class Tiers(NamedTuple):
    """Where results are kept: `near` in a table of this process, `far` in an engine, or both."""

    near: bool
    far: Any


def tiers_of(engine: Any, options: dict[str, Any]) -> Tiers:
    """The tiers that a decorator or a store was given, its engines opened.

    Args:
        engine: As above.
        options: Of an engine that is named by a URL.

    Raises:
        ConfigurationError: It is none of these, or an option isn't accepted.
        EngineNotAvailableError: An engine's library isn't installed.
    """
    given = engine if isinstance(engine, (list, tuple)) else [engine]
    near = bool(given) and _is_memory(given[0])
    others = list(given[1:] if near else given)
    if not given or any(map(_is_memory, others)):
        raise refused("engine", engine, f"{_ACCEPTED}, where memory comes first")
    if not others:
        return Tiers(True, None)
    if len(others) == 1:
        return Tiers(near, borrow(others[0], options))
    from importlib import import_module

    tiered = import_module(".engines.tiered", __package__).TieredEngine
    opened = [borrow(one, options if place == len(others) - 1 else {})
              for place, one in enumerate(others)]  # fmt: skip
    return Tiers(near, tiered(opened))


def _is_memory(engine: object) -> bool:
    return engine is None or (isinstance(engine, str) and engine in (MEMORY, f"{MEMORY}:"))


class LateEngine:
    """An engine that couldn't be opened: it is tried again now and then, and refuses till then."""

    def __init__(self, opener: Callable[[], Any], error: Exception) -> None:
        self._opener = opener
        self._engine: Any = None
        self._error = error
        self._next = monotonic() + _AGAIN
        self._lock = RLock()
        self.capabilities = Capabilities(swap=True, touch=True, left=True, shared=True)

    def _opened(self) -> Any:
        with self._lock:
            if self._engine is None:
                if monotonic() < self._next:
                    raise EngineError(f"the engine can't be opened: {self._error}") from self._error
                self._next = monotonic() + _AGAIN
                try:
                    self._engine = self._opener()
                except (EngineError, PathError) as error:
                    self._error = error
                    raise EngineError(f"the engine can't be opened: {error}") from error
            return self._engine

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "close":
            return self._close

        def late(*args: Any) -> Any:
            return getattr(self._opened(), name)(*args)

        return late

    def _close(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.close()
            self._next = float("inf")


class _Lent:
    """An engine that was opened here, and how many use it."""

    __slots__ = ("engine", "users")

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.users = 1


_lent: dict[Any, _Lent] = {}
_lock = RLock()  # not a plain lock: a cache that is collected meanwhile gives back, too


def borrow(engine: Any, options: dict[str, Any]) -> Any:
    """The engine at a URL, shared with who else has borrowed it; an engine is itself."""
    if not isinstance(engine, str):
        if not hasattr(engine, "capabilities"):
            raise refused("engine", engine, _ACCEPTED)
        return open_engine(engine, **options)
    key = (engine, tuple(sorted((name, repr(value)) for name, value in options.items())))
    with _lock:
        lent = _lent.get(key)
        if lent is not None:
            lent.users += 1
            return lent.engine
        opened = _open(engine, options)
        _lent[key] = _Lent(opened)
        return opened


def _open(url: str, options: dict[str, Any]) -> Any:
    def opener() -> Any:
        return open_engine(url, **options)

    try:
        return opener()
    except (ConfigurationError, EngineNotAvailableError):
        raise
    except (EngineError, PathError) as error:
        import logging

        logging.getLogger("twat_cache").warning(
            "an engine can't be opened, so nothing is kept until it can: %s", error
        )
        return LateEngine(opener, error)


def give_back(engine: Any) -> None:
    """Ends one use of an engine; the last one of a borrowed engine closes it."""
    with _lock:
        for key, lent in list(_lent.items()):
            if lent.engine is engine:
                lent.users -= 1
                if not lent.users:
                    del _lent[key]
                    engine.close()
                return

"""Where a cache keeps its results: in memory, in an engine, or in memory before an engine.

    "memory"                    a table in this process
    "sqlite:///cache.db"        an engine
    ["memory", "sqlite:///…"]   a near table before an engine
    ["disk:…", "sqlite:///…"]   engines one before the other

What stands before another may say `?near_ttl=30s`: so long does it keep an entry at most.

One engine serves all caches of a process that name it by the same URL and options: it is opened by
the first of them and closed by the last. An engine that can't serve when it is opened is opened
again when it is asked for something, so a disk that is full or a server that is down doesn't keep a
program from starting.
"""

from __future__ import annotations

import os
from threading import RLock
from time import monotonic
from typing import Any, NamedTuple

from ._fork_lock import ForkSafeLock
from ._open import near_ttl_of, open_engine, tiered
from ._run.effects import ask
from .engine_types import Capabilities
from .errors import ConfigurationError, EngineError, EngineNotAvailableError, PathError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from ._run.drive import Steps

__all__ = ["LateEngine", "Loan", "Tiers", "closed_engine", "tiers_of"]

_MEMORY = ("memory", "memory:")
_METHODS = {"get", "put", "add", "drop", "scan", "swap", "touch", "left", "ping"}
_NOT_ITS_OWN = {"blocking", "circuit", "circuits", "guarded", "keep"}
_AGAIN = 1.0  # seconds between two tries to open an engine
_ACCEPTED = (
    "a URL such as 'sqlite:///cache.db', 'memory', an engine, or a list of these, where memory "
    "comes first"
)


class Tiers(NamedTuple):
    """Where results are kept: `near` in a table of this process, `far` in an engine, or both."""

    near: bool
    far: Any
    loan: Loan
    near_ttl: float | None = None
    """The most seconds that a value stays near."""


def tiers_of(engine: Any, options: dict[str, Any], *, awaits: bool = False) -> Tiers:
    """The tiers that a decorator or a store was given, its engines opened.

    Args:
        engine: As above; None is memory.
        options: Of the engine, or the furthest one, if a URL names it; `maxsize` is for the table,
            if there is one.
        awaits: Whether the cache awaits, so that a lone engine may be an asynchronous one.

    Raises:
        ConfigurationError: It is none of these, or an option isn't accepted.
        EngineNotAvailableError: An engine's library isn't installed.
    """
    given = engine if isinstance(engine, (list, tuple)) else [engine]
    if not given:
        raise refused("engine", engine, _ACCEPTED)
    first, near_ttl = near_ttl_of(given[0]) if len(given) > 1 else (*given, None)
    near = _is_memory(first)
    others = given[1:] if near else given
    if any(map(_is_memory, others)):
        raise refused("engine", engine, _ACCEPTED)
    if near:
        options = {name: value for name, value in options.items() if name != "maxsize"}
    if awaits and len(others) == 1:
        options = {**options, "async_": True}
    loan = _borrow(others, options) if others else Loan(None)
    return Tiers(near, loan.engine, loan, near_ttl if near else None)


def _is_memory(engine: object) -> bool:
    return engine is None or (isinstance(engine, str) and engine in _MEMORY)


class LateEngine:
    """An engine that couldn't be opened: it is tried again now and then, and refuses till then."""

    def __init__(self, opener: Callable[[], Any], error: Exception) -> None:
        self._opener = opener
        self._engine: Any = None
        self._error = error
        self._next = monotonic() + _AGAIN
        self._lock = ForkSafeLock()
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
                self.capabilities = self._engine.capabilities
            return self._engine

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:  # whether it has anything else can't be known
            raise AttributeError(name)

        def late(*args: Any) -> Any:
            return getattr(self._opened(), name)(*args)

        return late

    @property
    def maxsize(self) -> int | None:
        """The bound of the engine, once it is open."""
        return getattr(self._engine, "maxsize", None)

    def close(self) -> Any:
        """Closes the engine if it was opened by now; from now on nothing opens it."""
        with self._lock:
            self._next = float("inf")
            return None if self._engine is None else self._engine.close()


# -- engines that several caches share -------------------------------------------------------------


class Loan:
    """A use of an engine, until it ends. Nothing ends for one that was open before.

    Args:
        engine: The engine.
        key: What it is lent by; None for one that wasn't opened here.
    """

    def __init__(self, engine: Any, key: Hashable = None) -> None:
        self.engine = engine
        self._key = key

    def end(self) -> list[Any]:
        """The engines that nobody uses any more; they are to be closed."""
        with _lock:
            key, self._key = self._key, None
            if key is None:
                return []
            shared = _lent[key]
            shared.users -= 1
            if shared.users:
                return []
            del _lent[key]
        if shared.members:
            return [engine for member in shared.members for engine in member.end()]
        return [shared.engine]

    def close(self) -> Steps[None]:
        """Ends it, and closes what nobody uses any more."""
        for engine in self.end():
            yield ask(engine, "close")

    def forget(self) -> None:
        """Ends it where nobody waits or is told: for a cache that was dropped unclosed."""
        for engine in self.end():
            if not engine.capabilities.async_:
                try:
                    engine.close()
                except EngineError:
                    pass


class _Shared:
    """An engine that was opened here, what it is made of, and how many caches use it."""

    def __init__(self, engine: Any, members: Sequence[Loan] = ()) -> None:
        self.engine = engine
        self.members = members
        self.users = 0


_lent: dict[Hashable, _Shared] = {}
_lock = RLock()  # not a plain lock: a cache that is collected meanwhile gives back, too


def _borrow(engines: Sequence[Any], options: dict[str, Any]) -> Loan:
    """A loan of the engine, or of that which these are made into, near to far."""
    *nearer, last = engines
    if not nearer and not isinstance(last, str):
        if not hasattr(last, "capabilities"):
            raise refused("engine", last, _ACCEPTED)
        options.pop("async_", None)
        return Loan(open_engine(last, **options))
    names = sorted((name, repr(value)) for name, value in options.items())
    key = (*(one if isinstance(one, str) else id(one) for one in engines), *names)
    with _lock:
        shared = _lent.get(key)
        if shared is None:
            if nearer:
                shared = _made_of([*((one, {}) for one in nearer), (last, options)])
            else:
                shared = _Shared(_open(last, options))
            _lent[key] = shared
        shared.users += 1
        return Loan(shared.engine, key)


def _made_of(members: list[tuple[Any, dict[str, Any]]]) -> _Shared:
    """Engines one before the other, as one engine."""
    loans: list[Loan] = []
    times = [near_ttl_of(engine) for engine, _ in members[:-1]]
    try:
        for engine, _ in times:
            loans.append(_borrow([engine], {}))
        last, options = members[-1]
        loans.append(_borrow([last], options))
        engines = [loan.engine for loan in loans]
        return _Shared(tiered(engines, [ttl for _, ttl in times], keep_open=engines), loans)
    except BaseException:
        for loan in loans:
            loan.forget()
        raise


def _open(url: str, options: dict[str, Any]) -> Any:
    try:
        return open_engine(url, **options)
    except (ConfigurationError, EngineNotAvailableError):
        raise
    except (EngineError, PathError) as error:
        import logging

        logging.getLogger("twat_cache").warning(
            "an engine can't be opened, so nothing is kept until it can: %s", error
        )
        return LateEngine(lambda: open_engine(url, **options), error)


def closed_engine() -> Any:
    """What a function that was closed has instead of its engine: it keeps nothing."""
    return open_engine("null:")


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()  # the old one may be held by a thread that the child hasn't


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

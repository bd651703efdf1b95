"""The types of what the decorators make, for annotations and for type checkers.

None of these classes is ever made: a decorated function is an object of the core, and a protocol
here says what can be done with it. Calls and controls are checked against the function's own
signature. The one exception are `peek(..., default_=…)` and `put(..., ttl_=…)`: no type can say
"the function's parameters and one keyword more", so with that keyword they take any arguments.

There are three families: of functions, of coroutine functions, and of functions under `lru_cache`.
Each has a protocol for what is bound, one for what a class shows, one for the function itself, and
those for staticmethods and classmethods; the decorators that give them stand last. They are in one
file since each names the others of its family, and it is long since a checker needs every control
spelt out once for those that are called and once for those that are awaited.
"""
# pyright: reportReturnType=false
# (the bodies of protocols are their docstrings)

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property
from os import PathLike  # noqa: TC003 (for get_type_hints)
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from ._option_types import (
    Cause,
    Coherence,
    CoherenceTerms,
    Duration,
    EngineLike,
    OnRemoval,
    Options,
    Policy,
    Progress,
    RetryTerms,
    Secrets,
    StoreOptions,
    Ttl,
    Unhashable,
)
from .stats import CacheInfo, Stats, Warmed  # noqa: TC001 (for get_type_hints)

__all__ = [
    "AsyncBoundCached",
    "AsyncCached",
    "AsyncCachedClassMethod",
    "AsyncCachedStaticMethod",
    "AsyncClassCached",
    "AsyncDecorator",
    "BoundCached",
    "Cached",
    "CachedClassMethod",
    "CachedStaticMethod",
    "Cause",
    "ClassCached",
    "Coherence",
    "CoherenceTerms",
    "Decorator",
    "Duration",
    "EngineLike",
    "LruBoundCached",
    "LruCached",
    "LruClassCached",
    "LruDecorator",
    "OnRemoval",
    "Options",
    "Policy",
    "Progress",
    "RetryTerms",
    "Secrets",
    "StoreOptions",
    "Ttl",
    "Unhashable",
]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
D = TypeVar("D")
AnyProperty = TypeVar("AnyProperty", bound=property | cached_property[Any])
Coro: TypeAlias = Coroutine[Any, Any, R]


class _Counted(Protocol):
    """What `functools.lru_cache` has too, and what needs no arguments."""

    def cache_info(self) -> CacheInfo:
        """Hits, misses, maxsize and currsize."""

    def cache_clear(self) -> None:
        """Forgets all entries and counts."""

    def cache_parameters(self) -> dict[str, Any]:
        """The options that the cache was made with."""


class _Table(_Counted, Protocol[R]):
    """What concerns the whole table."""

    def stats(self) -> Stats:
        """All that was counted."""

    def items(self) -> list[tuple[Any, R]]:
        """The entries, each a key and its value, in the order in which they would leave."""

    def resize(self, maxsize: int | None, /, *, max_weight: int | str | None = None) -> None:
        """Changes the bounds; entries that no longer fit leave, as the policy chooses."""

    def sweep(self) -> int:
        """Removes all entries that are past their time; tells how many."""

    def close(self) -> None:
        """Forgets all entries and counts; a listener hears the cause `"closed"`."""

    def save(self, path: str | PathLike[str]) -> int:
        """Writes the fresh entries to a file; tells how many."""

    def load(self, path: str | PathLike[str]) -> int:
        """Stores the entries of a file that was saved; tells how many."""


class BoundCached(_Table[R], Protocol[P, R]):
    """A cached function whose calls need no further binding, such as `obj.method`."""

    @property
    def __wrapped__(self) -> Callable[..., R]:
        """The function itself, uncached and unbound."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The cached result, or the function's."""

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forgets this call's entry; tells whether there was one."""

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function now and stores its result."""

    def contains(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether this call would be a hit; leaves the order of use as it is."""

    def invalidate_by(self, **argument: Any) -> Any:
        """Forgets all entries of calls with this argument, given by name."""

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """The key of this call's entry: a tuple in memory, a text in an engine."""

    def warm(
        self, calls: Iterable[Any], workers: int | None = None, progress: Progress = None
    ) -> Warmed:
        """Makes calls ahead of time, those that have no fresh entry yet, in so many threads."""

    @overload
    def peek(self, *args: P.args, **kwargs: P.kwargs) -> R | None: ...
    @overload
    def peek(self, *args: Any, default_: D, **kwargs: Any) -> R | D: ...

    @overload
    def put(self, value: R, /, *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    def put(self, value: R, /, *args: Any, ttl_: Duration | None, **kwargs: Any) -> None: ...


class ClassCached(BoundCached[..., R], Protocol[P, Q, R]):
    """A cached function as its class shows it: bound if it is a classmethod, else not.

    Mypy can't tell which (it doesn't compare the declared type of `self`), so calls of either
    kind pass, and the arguments of controls are unchecked. Pyright has it for classmethods only.
    """

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    @overload
    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> R: ...


class Cached(BoundCached[P, R], Protocol[P, R]):
    """A cached function; in a class it binds like one, and its instances get `BoundCached`."""

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R]:
        """The function itself, uncached."""

    @overload
    def __get__(
        self: Cached[Concatenate[type[S], Q], R], instance: None, owner: type[S], /
    ) -> ClassCached[P, Q, R]: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> Cached[P, R]: ...
    @overload
    def __get__(
        self: Cached[Concatenate[type[S], Q], R], instance: S, owner: type[S], /
    ) -> BoundCached[Q, R]: ...
    @overload
    def __get__(
        self: Cached[Concatenate[S, Q], R], instance: S, owner: type[Any] | None = None, /
    ) -> BoundCached[Q, R]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None, /) -> Cached[P, R]: ...


class AsyncBoundCached(_Table[R], Protocol[P, R]):
    """A cached coroutine function whose calls need no further binding, such as `obj.method`."""

    def cache_clear(self) -> Any:
        """Forgets all entries and counts; awaited on an engine that is."""

    def close(self) -> Any:
        """Forgets all, or gives the engine back; awaited likewise."""

    @property
    def __wrapped__(self) -> Callable[..., Coro[R]]:
        """The coroutine function itself, uncached and unbound."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coro[R]:
        """Awaits the cached result, or the function's."""

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forgets this call's entry; tells whether there was one."""

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Awaits the function now and stores its result."""

    async def contains(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether this call would be a hit; leaves the order of use as it is."""

    async def invalidate_by(self, **argument: Any) -> Any:
        """Forgets all entries of calls with this argument, given by name."""

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """The key of this call's entry: a tuple in memory, a text in an engine."""

    async def warm(
        self, calls: Iterable[Any], workers: int | None = None, progress: Progress = None
    ) -> Warmed:
        """Makes calls ahead of time, those that have no fresh entry yet, in so many tasks."""

    @overload
    async def peek(self, *args: P.args, **kwargs: P.kwargs) -> R | None: ...
    @overload
    async def peek(self, *args: Any, default_: D, **kwargs: Any) -> R | D: ...

    @overload
    async def put(self, value: R, /, *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    async def put(self, value: R, /, *args: Any, ttl_: Duration | None, **kwargs: Any) -> None: ...


class AsyncClassCached(AsyncBoundCached[..., R], Protocol[P, Q, R]):
    """As `ClassCached`, for coroutine functions."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coro[R]: ...
    @overload
    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> Coro[R]: ...


class AsyncCached(AsyncBoundCached[P, R], Protocol[P, R]):
    """A cached coroutine function; in a class its instances get `AsyncBoundCached`."""

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, Coro[R]]:
        """The coroutine function itself, uncached."""

    @overload
    def __get__(
        self: AsyncCached[Concatenate[type[S], Q], R], instance: None, owner: type[S], /
    ) -> AsyncClassCached[P, Q, R]: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> AsyncCached[P, R]: ...
    @overload
    def __get__(
        self: AsyncCached[Concatenate[type[S], Q], R], instance: S, owner: type[S], /
    ) -> AsyncBoundCached[Q, R]: ...
    @overload
    def __get__(
        self: AsyncCached[Concatenate[S, Q], R], instance: S, owner: type[Any] | None = None, /
    ) -> AsyncBoundCached[Q, R]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None, /) -> AsyncCached[P, R]: ...


class CachedStaticMethod(Protocol[P, R]):
    """A cached staticmethod, whichever of the two decorators stands above."""

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> Cached[P, R]:
        """The cached function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The cached result, or the function's; for calls within the class's own body."""


class AsyncCachedStaticMethod(Protocol[P, R]):
    """A cached staticmethod that is a coroutine function."""

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> AsyncCached[P, R]:
        """The cached coroutine function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coro[R]:
        """Awaits the cached result, or the function's."""


class CachedClassMethod(Protocol[P, R]):
    """A cached classmethod, whichever of the two decorators stands above."""

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> BoundCached[P, R]:
        """The cached function, bound to the class."""


class AsyncCachedClassMethod(Protocol[P, R]):
    """A cached classmethod that is a coroutine function."""

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> AsyncBoundCached[P, R]:
        """The cached coroutine function, bound to the class."""


class LruBoundCached(_Counted, Protocol[P, R_co]):
    """A method under `lru_cache`, bound to its object."""

    @property
    def __wrapped__(self) -> Callable[..., R_co]:
        """The function itself, uncached and unbound."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The cached result, or the function's."""


class LruClassCached(LruBoundCached[..., R_co], Protocol[P, Q, R_co]):
    """As `ClassCached`, for `lru_cache`."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> R_co: ...


class LruCached(LruBoundCached[P, R_co], Protocol[P, R_co]):
    """A function under `lru_cache` or `cache`, with what `functools` gives it."""

    __name__: str
    __qualname__: str

    @property
    def __wrapped__(self) -> Callable[P, R_co]:
        """The function itself, uncached."""

    @overload
    def __get__(
        self: LruCached[Concatenate[type[S], Q], R_co], instance: None, owner: type[S], /
    ) -> LruClassCached[P, Q, R_co]: ...
    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> LruCached[P, R_co]: ...
    @overload
    def __get__(
        self: LruCached[Concatenate[type[S], Q], R_co], instance: S, owner: type[S], /
    ) -> LruBoundCached[Q, R_co]: ...
    @overload
    def __get__(
        self: LruCached[Concatenate[S, Q], R_co], instance: S, owner: type[Any] | None = None, /
    ) -> LruBoundCached[Q, R_co]: ...
    @overload
    def __get__(
        self, instance: object, owner: type[Any] | None = None, /
    ) -> LruCached[P, R_co]: ...


class LruDecorator(Protocol):
    """What `lru_cache()` gives: the decorator proper."""

    def __call__(self, function: Callable[P, R], /) -> LruCached[P, R]:
        """The function, cached."""


class Decorator(Protocol):
    """What `mcache()` gives: the decorator proper."""

    @overload
    def __call__(self, function: AnyProperty, /) -> AnyProperty: ...
    @overload
    def __call__(self, function: staticmethod[P, Coro[R]], /) -> AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: staticmethod[P, R], /) -> CachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: classmethod[Any, P, Coro[R]], /
    ) -> AsyncCachedClassMethod[P, R]: ...
    @overload
    def __call__(self, function: classmethod[Any, P, R], /) -> CachedClassMethod[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coro[R]], /) -> AsyncCached[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: Callable[P, R], /) -> Cached[P, R]: ...


class AsyncDecorator(Protocol):
    """What `acache()` gives: the decorator proper, for coroutine functions only."""

    @overload
    def __call__(self, function: staticmethod[P, Coro[R]], /) -> AsyncCachedStaticMethod[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(
        self, function: classmethod[Any, P, Coro[R]], /
    ) -> AsyncCachedClassMethod[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coro[R]], /) -> AsyncCached[P, R]: ...

"""What travels through the steps of a miss: the call itself, and what a store has for it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from typing import Any, Protocol

    from .drive import Steps

    class Store(Protocol):
        """Where the results of one cache are kept."""

        def look(self, call: Call) -> Steps[Found | None]:
            """What is kept for the call, fresh or stale; never raises on a store's trouble."""

        def depart(self, call: Call) -> Steps[Any]:
            """Notes that a computation begins: what is dropped from now on grounds it."""

        def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> Steps[None]:
            """Keeps what was computed, unless it was grounded.

            `raised` is 0 for a value, and n for an exception of the nth class that is kept.
            """

        def abandon(self, departed: Any) -> None:
            """The computation has come to nothing."""


__all__ = ["JOINED", "LOADED", "STALE", "STORED", "Call", "Found"]

LOADED, STORED, STALE, JOINED = range(4)
"""Where an answer came from: the function, a store, a store past its time, another's computation."""


class Found:
    """What a store has for a call; lengths of time in seconds.

    Attributes:
        value: The value, or an exception.
        left: How long it is still good; less than 0 if it is stale, infinite for ever.
        margin: How long before its end it is looked at more closely; see `early`.
        raised: 0 for a value, n for an exception of the nth class of `cache_exceptions`.
    """

    __slots__ = ("left", "margin", "raised", "value")

    def __init__(self, value: Any, left: float, margin: float, raised: int = 0) -> None:
        """Takes all of it."""
        self.value = value
        self.left = left
        self.margin = margin
        self.raised = raised


class Call:
    """One call that missed. As an effect: the function itself.

    Attributes:
        key: What tells it from other calls of this cache, as a dict may have it.
        place: Where stores have it: the key of a table, or of an engine.
        function: What computes.
        args: Its positional arguments.
        kwargs: And those by name.
        is_forced: Whether to compute, whatever there is.
        is_alone: Whether nobody shares its computation.
        found: What a store has for it, once that was looked up.
        is_looked_up: Whether it was.
        origin: Where the answer came from.
        took: How many seconds the computation took.
        extra: What a store remembers between `look` and `keep`.
        lease: What gives this process the right to compute, if that is asked for.
        ttl: A time to live for this call alone, instead of the cache's.
        tags: Tags of this call alone, instead of the cache's.
    """

    __slots__ = (
        "args",
        "extra",
        "found",
        "function",
        "is_alone",
        "is_forced",
        "is_looked_up",
        "key",
        "kwargs",
        "lease",
        "origin",
        "place",
        "tags",
        "took",
        "ttl",
    )

    def __init__(
        self,
        key: Hashable,
        place: Any,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        is_forced: bool = False,
    ) -> None:
        """Takes what is known when it sets out."""
        self.key = key
        self.place = place
        self.function = function
        self.args = args
        self.kwargs: Mapping[str, Any] = {} if kwargs is None else kwargs
        self.is_forced = is_forced
        self.is_alone = False
        self.found: Found | None = None
        self.is_looked_up = False
        self.origin = LOADED
        self.took = 0.0
        self.extra: Any = None
        self.lease: Any = None
        self.ttl: Any = None
        self.tags: Any = None

    def anew(self) -> Call:
        """The same call, to be computed in the background."""
        other = Call(self.key, self.place, self.function, self.args, self.kwargs, is_forced=True)
        other.extra, other.ttl, other.tags = self.extra, self.ttl, self.tags
        other.found = self.found
        return other

    def run(self) -> Any:
        """What the function returns or raises."""
        return self.function(*self.args, **self.kwargs)

    async def arun(self) -> Any:
        """What the coroutine function returns or raises."""
        return await self.function(*self.args, **self.kwargs)

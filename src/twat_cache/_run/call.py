"""What travels through the steps of a miss: the call itself, and what a store has for it."""

from __future__ import annotations

from typing import Any

from .exceptions import twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Collection, Hashable, Mapping
    from typing import Protocol

    from .drive import Steps

    class Store(Protocol):
        """Where the results of one cache are kept.

        Where `waits` is true, `look`, `depart` and `keep` are steps, which give what is said here.
        """

        waits: bool

        def look(self, call: Call) -> Any:
            """What is `Found`, fresh or stale, or None; never raises on a store's trouble."""

        def depart(self, call: Call) -> Any:
            """Notes that a computation begins: what is dropped from now on grounds it."""

        def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> Any:
            """Keeps what was computed, unless it was grounded.

            `raised` is 0 for a value, and n for an exception of the nth class that is kept.
            """

        def abandon(self, departed: Any) -> None:
            """The computation has ended, kept or not."""


__all__ = ["JOINED", "LOADED", "STALE", "STORED", "UNSEEN", "Call", "Found"]

LOADED, STORED, STALE, JOINED = range(4)
"""Where an answer came from: the function, a store, a store past its time, another call."""

UNSEEN: Any = type("_Unseen", (), {"__repr__": lambda self: "unseen"})()
"""Stands for what an engine has for a call that it wasn't asked about."""


class Found:
    """What a store has for a call; lengths of time in seconds.

    Attributes:
        value: The value, or an exception.
        left: How long it is still good; less than 0 if it is stale, infinite for ever.
        margin: How long before its end it is looked at more closely; see `early`.
        raised: 0 for a value, n for an exception of the nth class of `cache_exceptions`.
        tags: The tags that it was stored with, where it was an engine that told.
    """

    __slots__ = ("left", "margin", "raised", "tags", "value")

    def __init__(
        self,
        value: Any,
        left: float,
        margin: float,
        raised: int = 0,
        tags: Collection[str] = (),
    ) -> None:
        """Takes all of it."""
        self.value = value
        self.left = left
        self.margin = margin
        self.raised = raised
        self.tags = tags

    def answer(self) -> Any:
        """The value; an exception is raised, as a copy."""
        if self.raised:
            raise twin(self.value)
        return self.value


class Call:
    """One call that missed. As an effect: the function itself.

    Attributes:
        key: What tells it from other calls of this cache, as a dict may have it.
        place: Where stores have it: the key of a table, or of an engine.
        function: What computes.
        args: Its positional arguments.
        kwargs: And those by name.
        is_forced: Whether to compute, whatever there is.
        is_behind: Whether it is computed in the background, where nobody waits for it.
        is_awaited: Whether the function is a coroutine function.
        loop: The event loop that it is awaited in, if there is one.
        is_cut_off: Whether the engine, which is far, couldn't be asked: then nothing is put there.
        is_alone: Whether nobody shares its computation, and nothing goes on in the background.
        found: What a store has for it, once that was looked up.
        is_looked_up: Whether it was.
        origin: Where the answer came from.
        took: How many seconds the computation took.
        extra: What a store remembers between `look` and `keep`.
        glanced: What an engine was found to have for it before the first step, and for its groups:
            bytes or None; or what it raised; and `UNSEEN` if it wasn't asked or that says no more.
        landed: See `Flights`; as it was when the engine was asked.
        seen: The bytes that an engine had for it when it was last asked; None is nothing.
        lease: What tells after so many seconds whether this process still has the right to store.
        ttl: A time to live for this call alone, instead of the cache's: seconds, infinite for
            ever, or a function of the value that gives them, or None for ever.
        tags: Tags of this call alone, instead of the cache's.
    """

    __slots__ = (
        "args",
        "extra",
        "found",
        "function",
        "glanced",
        "is_alone",
        "is_awaited",
        "is_behind",
        "is_cut_off",
        "is_forced",
        "is_looked_up",
        "key",
        "kwargs",
        "landed",
        "lease",
        "loop",
        "origin",
        "place",
        "seen",
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
        kwargs: Mapping[str, Any] = {},  # nobody writes to it
        is_forced: bool = False,
    ) -> None:
        """Takes what is known when it sets out."""
        self.key = key
        self.place = place
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.is_forced = is_forced
        self.is_behind = self.is_alone = self.is_awaited = self.is_looked_up = False
        self.is_cut_off = False
        self.loop: AbstractEventLoop | None = None
        self.found: Found | None = None
        self.origin = LOADED
        self.took = 0.0
        self.extra: Any = None
        self.seen: Any = UNSEEN
        self.glanced: Any = UNSEEN
        self.landed: object = None
        self.lease: Callable[[float], Steps[bool]] | None = None
        self.ttl: float | Callable[[Any], float | None] | None = None
        self.tags: Collection[str] | None = None

    def again(self) -> Call:
        """The same call, to go ways of its own."""
        other = Call.__new__(Call)
        for name in Call.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def behind(self) -> Call:
        """The same call, to be computed in the background."""
        other = self.again()
        other.is_forced = other.is_behind = True
        other.is_cut_off = False
        other.origin = LOADED
        return other

    def run(self) -> Any:
        """What the function returns or raises."""
        return self.function(*self.args, **self.kwargs)

    def arun(self) -> Any:
        """What the coroutine function gives to be awaited: that itself, so it costs no other."""
        return self.function(*self.args, **self.kwargs)

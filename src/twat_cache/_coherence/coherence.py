"""One cache that follows what changes in its engine, so that its near table forgets it.

    engine's stream ── key ───────► its entry leaves the table, results on their way stay away
                    ── tag's key ─► all entries with the tag leave, the tag's token is forgotten
                    ── anything ──► all entries leave
                    ── alive ─────► the table may answer until then

The table of a function is asked by arguments, and the stream tells of keys of the engine. So each
entry of such a table has one more tag, its key in the engine.
"""

from __future__ import annotations

from time import monotonic_ns
from weakref import ref

from ..errors import ConfigurationError
from .engine import coherent
from .streams import stream_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._stores.in_table import TableStore
    from .._stores.tokens import Tokens

__all__ = ["Coherence"]

_OWN = "\x1e"
"""What the tags that are keys begin with, and no tag that anybody would type."""

_GENERATIONS = 1 << 32


class Coherence:
    """A follower of an engine's stream, on behalf of one cache, which it doesn't keep alive.

    Args:
        engine: The engine.
        way: How it tells, one of its `streams`.
        bound: How many seconds after a change the table may still answer with what was before,
            whatever happens.

    Attributes:
        engine: What the cache has to use instead of the engine.

    Raises:
        ConfigurationError: The engine doesn't tell in that way.
    """

    prefixes: tuple[str, ...] = ()
    channel = ""

    def __init__(self, engine: Any, way: str, bound: float) -> None:
        ways = getattr(engine, "streams", ())
        if not isinstance(ways, tuple) or way not in ways:
            raise ConfigurationError(
                f"coherence={way!r} is not accepted here: this engine doesn't tell of changes in "
                "that way; redis:// and valkey:// do, by 'tracking' and by 'pubsub' (but not as a "
                "cluster), and postgresql:// by 'pubsub', right behind 'memory'"
            )
        self.bound = bound
        self._stream = stream_of(engine, way)
        self.engine = coherent(engine, self._stream, self)

    def begin(
        self,
        cache: Any,
        near: TableStore,
        tokens: Tokens,
        prefix: str,
        channel: str,
        *,
        is_keyed_alike: bool = False,
    ) -> None:
        """Follows, on behalf of a cache, from its first use on.

        Args:
            cache: The cache.
            near: Its near table, a generational one, with tags.
            tokens: The tags' tokens in the engine.
            prefix: What its keys in the engine begin with.
            channel: Its namespace.
            is_keyed_alike: Whether the table's keys are those of the engine.
        """
        self.prefixes = (prefix, tokens.key(""))
        self.channel = channel
        self._cache = ref(cache)
        self._table = near.table
        self._index: Any = near._tags
        self._tokens = ref(tokens)  # which know the cache
        self._is_keyed_alike = is_keyed_alike
        self.alive_until(0)
        tokens.is_told = self.is_alive
        self._stream.follow(self)

    @staticmethod
    def own_tag(place: str) -> str:
        """The tag of the entries for a key of the engine."""
        return _OWN + place

    def end(self) -> None:
        """Follows no longer; again does nothing."""
        self._stream.leave(self)

    # -- what the stream tells -------------------------------------------------------------------

    def changed(self, keys: Sequence[str], *, by_hand: bool) -> None:
        """Keys have another value, or none."""
        prefix, before_tags = self.prefixes
        places = [key for key in keys if key.startswith(prefix)]
        tags = [key[len(before_tags) :] for key in keys if key.startswith(before_tags)]
        cache = self._cache()
        if by_hand and cache is not None:
            cache._overrule(places)
            if tags:
                cache._path.forget_all()
        if tags:
            self._forget_tokens(tags)
        if self._is_keyed_alike:
            for place in places:
                self._table.discard((place,))
            self._index.drop(tags)
        else:
            self._index.drop([*map(self.own_tag, places), *tags])

    def emptied(self) -> None:
        """Anything may have changed: what is on its way is grounded, what is there is void.

        In this order: what departs in between is void for nothing, and nothing is kept wrongly.
        """
        table = self._table
        table.resize(table.maxsize)
        table.generation = (table.generation + 1) % _GENERATIONS
        self._forget_tokens(None)
        cache = self._cache()
        if cache is not None:
            cache._overrule(None)

    def _forget_tokens(self, tags: Sequence[str] | None) -> None:
        tokens = self._tokens()
        if tokens is not None:
            tokens.forget(tags)

    def is_alive(self) -> bool:
        """Whether the table answers, and tokens in memory are those of now."""
        table = self._table
        until = table.valid_until
        return until is None or until > table.now()

    def alive_until(self, moment: int) -> None:
        """The table answers until then."""
        table = self._table
        now = table.now()  # first: a thread that is held up in between makes it sooner, not later
        table.valid_until = now + moment - monotonic_ns() if moment else 0

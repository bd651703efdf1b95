"""Results in a near table before an engine: what the engine gives, the table has for a while."""

from __future__ import annotations

from math import inf

from .._run.call import UNSEEN, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._run.call import Found
    from .._run.drive import Steps
    from .engine_shelf import EngineShelf
    from .in_table import TableStore
    from .tokens import Tokens

__all__ = ["TieredStore"]


class TieredStore:
    """Looks in the table, then in the engine; keeps in both.

    The table answers with fresh values only, and with none for longer than the engine would have
    it. Where the engine can't be asked, one that is stale answers, too. A value that is dropped
    here while the engine is asked for it doesn't come back to the table.

    Args:
        near: The table; how long a result lasts there is the `ttl` of the call.
        far: The engine; likewise.
        lasts: Gives the seconds that a value is good for: None is for ever, 0 or less not at all.
        hot: Gives the key that a call has in the table, from its key in the engine.
        used: Told of each such key under which a call found something in the table.
        own_tag: Gives the tag by which the table's entry is found when its key in the engine
            changes, from that key; None where nobody tells of that, or the keys are the same.
    """

    waits = True

    def __init__(
        self,
        near: TableStore,
        far: EngineShelf,
        lasts: Callable[[Any, Call], float | None],
        hot: Callable[[Call], Any],
        used: Callable[[Any], object] = id,
        own_tag: Callable[[str], str] | None = None,
    ) -> None:
        self.near = near
        self.far = far
        self._lasts = lasts
        self._hot = hot
        self._used = used
        self._own_tag = own_tag

    def _shadow(self, call: Call) -> Call:
        """The call as the table has it."""
        place = self._hot(call)
        shadow = Call(place, place, call.function, call.args, call.kwargs, call.is_forced)
        shadow.tags = self.far._tagged(call)
        if self._own_tag is not None:
            shadow.tags = [*shadow.tags, self._own_tag(call.place)]
        return shadow

    def look(self, call: Call) -> Steps[Found | None]:
        """What the table has, or else the engine; a fresh value is then in the table, too."""
        shadow = self._shadow(call)
        near = None if call.is_forced else self.near.look(shadow)
        if near is not None and near.left > 0:
            self._used(shadow.place)
            return near
        promotion = self._promotion(shadow, self._own_tag and self._own_tag(call.place))
        try:
            found = yield from self.far.look(call)
            promotion.take(found)
        finally:
            promotion.end()
        if found is None and near is not None:
            if call.seen is UNSEEN or call.is_cut_off:
                return near
            self.near.table.discard(shadow.place)  # the engine has nothing, so it's of no use
        return found

    def depart(self, call: Call) -> Steps[Any]:
        """Both tiers' notes."""
        shadow = self._shadow(call)
        near = self.near.depart(shadow)
        try:
            return shadow, near, (yield from self.far.depart(call))
        except BaseException:  # nobody will abandon what never departed
            self.near.abandon(near)
            raise

    def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> Steps[None]:
        """Keeps a result in the engine, and a value in the table."""
        shadow, near, far = departed
        if raised:
            self.near.table.discard(shadow.place)  # or a value from before would go on answering
            yield from self.far.keep(call, value, far, raised)
            return
        lasts = self._lasts(value, call)
        if lasts is not None and lasts <= 0:
            return
        call.ttl = shadow.ttl = inf if lasts is None else lasts  # asked once, for both
        is_near = False
        try:
            if (yield from self.far.keep(call, value, far)):
                shadow.ttl -= self.far.margin(shadow.ttl, call.took)  # then the engine is asked
                is_near = shadow.ttl > 0 and self.near.keep(shadow, value, near)
        finally:
            if not is_near:  # what others have put near meanwhile may be older than what is far
                self.near.table.discard(shadow.place)

    def abandon(self, departed: Any) -> None:
        """Ends both notes."""
        _, near, far = departed
        self.near.abandon(near)
        self.far.abandon(far)

    def _promotion(self, shadow: Call, own_tag: str | None = None) -> _Promotion:
        return _Promotion(self.near, self.far.tokens, shadow, own_tag)


class _Promotion:
    """What an engine has, on its way to the table.

    Its tags are only known when it has been read. So they are noted then, and after that it is
    asked whether any tag was dropped here since it was read: if so, it stays away. If one is
    dropped later, it is found by its tags. Its own tag is known before: a change of its key in the
    engine finds it from the beginning.
    """

    __slots__ = ("_drops", "_flight", "_near", "_own", "_own_tag", "_shadow", "_tagged", "_tokens")

    def __init__(self, near: TableStore, tokens: Tokens, shadow: Call, own_tag: str | None) -> None:
        self._near = near
        self._tokens = tokens
        self._shadow = shadow
        self._drops = tokens.drops
        self._own: Any = None
        self._own_tag = () if own_tag is None else (own_tag,)
        if self._own_tag and near._tags is not None:
            shadow.tags = self._own_tag
            self._own = near._tags.depart(shadow)
        self._flight = near.table.depart(shadow.place)
        self._tagged: Any = None

    def take(self, found: Found | None) -> None:
        """Puts in the table what the engine has, if it is a fresh value."""
        if found is None or found.raised or found.left <= found.margin:
            return
        shadow = self._shadow
        shadow.ttl, shadow.tags = found.left - found.margin, [*found.tags, *self._own_tag]
        tags = self._near._tags
        if tags is not None:
            self._tagged = tags.depart(shadow)
        elif found.tags:
            return  # they couldn't be found by them
        if self._tokens.drops == self._drops:
            self._near.keep(shadow, found.value, (self._flight, self._tagged))

    def end(self) -> None:
        """Ends the notes."""
        self._near.abandon((self._flight, self._tagged))
        if self._own is not None:
            self._near._tags.abandon(self._own)  # type: ignore[union-attr]

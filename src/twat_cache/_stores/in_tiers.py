"""Results in a near table before an engine: what the engine gives, the table has for a while."""

from __future__ import annotations

from .._run.call import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .._run.call import Found
    from .._run.drive import Steps
    from .in_engine import EngineStore
    from .in_table import TableStore

__all__ = ["TieredStore"]


class TieredStore:
    """Looks in the table, then in the engine; keeps in both.

    The table has fresh values only, and none for longer than the engine has it. A value that is
    dropped here while the engine is asked for it doesn't come back to the table.

    Args:
        near: The table; how long a result lasts there is the `ttl` of the call.
        far: The engine.
        lasts: Gives the seconds that a value is good for: None is for ever, 0 or less not at all.
        hot: Gives the key that a call has in the table, from its key in the engine.
        near_ttl: The most seconds that a value stays in the table; None is no bound.
    """

    waits = True

    def __init__(
        self,
        near: TableStore,
        far: EngineStore,
        lasts: Callable[[Any, Call], float | None],
        hot: Callable[[Call], Any],
        near_ttl: float | None = None,
    ) -> None:
        self.near = near
        self.far = far
        self._lasts = lasts
        self._hot = hot
        self._near_ttl = near_ttl

    def _shadow(self, call: Call) -> Call:
        """The call as the table has it."""
        place = self._hot(call)
        shadow = Call(place, place, call.function, call.args, call.kwargs, is_forced=True)
        shadow.tags = call.tags
        return shadow

    def look(self, call: Call) -> Steps[Found | None]:
        """What the table has, or else the engine; a fresh value is then in the table, too."""
        shadow = self._shadow(call)
        found = self.near.look(shadow)
        if found is not None:
            return found
        departed = self.near.depart(shadow)
        try:
            found = yield from self.far.look(call)
            if found is not None and found.left > found.margin and not found.raised:
                self._keep_near(shadow, found.value, found.left - found.margin, departed)
        finally:
            self.near.abandon(departed)
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
            yield from self.far.keep(call, value, far, raised)
            return
        lasts = self._lasts(value, call)
        if lasts is not None and lasts <= 0:
            return
        call.ttl = float("inf") if lasts is None else lasts  # asked once, for both
        yield from self.far.keep(call, value, far)
        self._keep_near(shadow, value, lasts, near)

    def _keep_near(self, shadow: Call, value: Any, lasts: float | None, departed: Any) -> None:
        most = self._near_ttl
        if most is not None:
            lasts = most if lasts is None else min(lasts, most)
        shadow.ttl = lasts
        self.near.keep(shadow, value, departed)

    def abandon(self, departed: Any) -> None:
        """Ends both notes."""
        _, near, far = departed
        self.near.abandon(near)
        self.far.abandon(far)

"""The miss path of one cache: the steps that its options ask for, in their order."""

from __future__ import annotations

import os
from time import monotonic

from ._run.early import RefreshAhead, XFetch
from ._run.flight import Flights
from ._run.join import Join
from .steps.load import load
from .steps.observe import observe
from .steps.stored import stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from ._recipe import Recipe
    from ._run.call import Store
    from ._run.drive import Steps
    from ._run.early import Early
    from ._run.tally import Tally
    from ._stores.leases import Leases

__all__ = ["Path", "early_of"]


class Path:
    """What a cache does about a miss.

    Args:
        recipe: The options.
        store: Where results are kept.
        tally: What is counted.
        single: Whether those who miss the same key share one computation.
        leases: What shares it with other processes, too.
        copier: Copies what is shared.

    Attributes:
        go: Answers a call, in this thread.
        ago: Answers a call, in this task.
        flights: Computations on their way, which calls can join.
        memos: Answers that are remembered in blocks, by their keys; what is forgotten is forgotten
            there, too.
    """

    __slots__ = ("_behind", "ago", "flights", "go", "memos", "store", "tally")

    def __init__(
        self,
        recipe: Recipe,
        store: Store,
        tally: Tally,
        *,
        single: bool,
        leases: Leases | None = None,
        copier: Callable[[Any], Any] | None = None,
    ) -> None:
        self.store = store
        self.tally = tally
        self.flights, self._behind = Flights(), Flights()
        self.memos: dict[int, dict[Any, Any]] = {}
        classes = tuple(cls for cls, _ in recipe.cache_exceptions)
        early = early_of(recipe)
        step = load(store, tally, classes)
        if recipe.hard_timeout is not None:
            from .steps.timeout import timeout

            step = timeout(step, recipe.hard_timeout, tally)
        if recipe.retry is not None:
            from .steps.retry import retry

            step = retry(step, recipe.retry, classes)
        if leases is not None:
            from .steps.lease import lease

            outlived, awaited = recipe.hard_timeout is not None, recipe.soft_timeout is not None
            step = lease(step, store, leases, outlived=outlived, awaited=awaited)
        step = stored(step, store)
        if recipe.stale or early is not None:
            from .steps.failsafe import failsafe
            from .steps.refresh import refresh

            soft = recipe.soft_timeout or 0.0
            step = refresh(
                step, store, self._behind, tally, early=early, soft_timeout=soft, copier=copier
            )
            step = failsafe(step, tally, classes)
        if single:
            from .steps.single_flight import single_flight

            step = single_flight(step, self.flights, tally, copier)
        self.go, self.ago = observe(step, tally)

    def forget(self, key: Hashable) -> None:
        """Nobody joins a computation for the key that began before now."""
        self.flights.landed = object()
        self.flights.pop(key, None)
        self._behind.pop(key, None)
        for memo in list(self.memos.values()):
            memo.pop(key, None)

    def forget_all(self) -> None:
        """Nobody joins any computation that began before now."""
        self.flights.landed = object()
        self.flights.clear()
        self._behind.clear()
        for memo in list(self.memos.values()):
            memo.clear()

    def drain(self, seconds: float) -> Steps[None]:
        """Waits until what is computed in the background is done, but not for longer than this."""
        end = monotonic() + seconds
        for flight in list(self._behind.values()):
            if not flight.is_stranded():
                yield Join(flight, max(end - monotonic(), 0.0))


def early_of(recipe: Recipe) -> Early | None:
    """How early the options want values to be computed anew."""
    if recipe.refresh_ahead is not None:
        return RefreshAhead(recipe.refresh_ahead)
    return XFetch(recipe.beta) if recipe.beta else None


if os.environ.get("TWAT_CACHE_LOG"):  # asked once, when the first such path is made
    from ._log import log_if_asked

    log_if_asked()

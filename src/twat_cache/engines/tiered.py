"""An engine made of engines, near to far: the near ones are faster, the furthest one decides."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import Any

from ..errors import ConfigurationError, EngineClosedError, EngineError, refused
from .forks import ForkSafeLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..engine_types import Bytes, Engine

__all__ = ["NEAR_TTL", "TieredEngine"]

_STRIPES = 64

NEAR_TTL = 60.0
"""The most seconds that an entry stays in a tier but the furthest, if nothing else is said."""


class TieredEngine:
    """Asks the nearest tier first, and the next one only for what is missing.

    What a further tier has is added to the nearer ones for at most `near_ttl` seconds. So that is
    how long a change that another process makes to the furthest tier may go unseen. What is changed
    through this engine is found by all that ask it afterwards; of threads that put a key at the
    same time none leaves it in the nearer tiers with a value that the furthest hasn't. If the
    furthest tier can't tell how long an entry still has, its end may go unseen as long.

    A near tier that can't serve is passed over by `get`. What changes something raises then, since
    that tier may still have the value before. If the furthest tier fails to change, the near ones
    forget the key all the same.

    Args:
        tiers: The engines, near to far; two or more, none of them async.
        near_ttl: The most seconds that an entry stays in a tier but the furthest; or a list of
            them, one for each but that.
        keep_open: Those of the tiers that aren't closed with it.
    """

    def __init__(
        self,
        tiers: Sequence[Engine],
        *,
        near_ttl: float | Sequence[float] = NEAR_TTL,
        keep_open: Sequence[Engine] = (),
    ) -> None:
        if len(tiers) < 2:
            raise refused("tiers", len(tiers), "two engines or more")
        if any(tier.capabilities.async_ for tier in tiers):
            raise ConfigurationError("tiers are blocking engines; one of these is async")
        if isinstance(near_ttl, (int, float)):
            near_ttl = [near_ttl] * (len(tiers) - 1)
        if len(near_ttl) != len(tiers) - 1 or not all(time > 0 for time in near_ttl):
            raise refused("near_ttl", near_ttl, "seconds, above zero, for each tier but the last")
        if not all(tier.capabilities.ttl for tier in tiers[:-1]):
            raise ConfigurationError("a near tier must forget by itself; one of these has no ttl")
        *self._near, self._far = tiers
        self._times = near_ttl
        self._closed_with_it = [one for one in tiers if not any(one is kept for kept in keep_open)]
        self._changes = [0] * _STRIPES
        self._lock = ForkSafeLock()
        self._closed = False
        every = [tier.capabilities for tier in tiers]
        local, scan = all(can.local for can in every), all(can.scan for can in every)
        self.capabilities = every[-1]._replace(pieces=False, local=local, scan=scan)

    fences = False
    """A near tier may have other bytes than the furthest: what `get` gives isn't to be swapped."""

    @property
    def circuits(self) -> list[Any]:
        """The circuits of those tiers that have one."""
        tiers = (*self._near, self._far)
        return [circuit for tier in tiers for circuit in getattr(tier, "circuits", ())]

    @property
    def maxsize(self) -> int | None:
        """The furthest tier's bound on the number of entries, if it tells one."""
        return getattr(self._far, "maxsize", None)

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values; each tier is asked for what those before it don't have."""
        self._refuse_if_closed()
        seen = self._seen(keys)
        found: dict[str, bytes | memoryview] = {}
        missing = list(seen)
        for depth, tier in enumerate((*self._near, self._far)):
            try:
                values = dict(zip(missing, tier.get(missing), strict=True))
            except EngineError:
                if tier is self._far:
                    raise
                continue
            here = {key: value for key, value in values.items() if value is not None}
            if here and depth:
                self._promote(depth, here, seen)
            found.update(here)
            missing = [key for key in missing if key not in here]
            if not missing:
                break
        return [found.get(key) for key in keys]

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values in all tiers, the furthest first."""
        self._refuse_if_closed()
        seen = self._seen(items)
        self._change("put", items, items, ttl)
        self._put_near(items, ttl, seen)

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if the furthest tier has none."""
        self._refuse_if_closed()
        seen = self._seen([key])
        added: bool = self._change("add", [key], key, value, ttl)
        if added:
            self._put_near({key: value}, ttl, seen)
        return added

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys in all tiers; tells how many a tier had."""
        self._refuse_if_closed()
        dropped: int = self._change("drop", keys, keys)
        self._changed(keys)
        return max([dropped, *self._drop_near(keys)])

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys of all tiers that begin so: a near one may have what the furthest has lost."""
        self._refuse_if_closed()
        tiers = (*self._near, self._far)
        return iter(dict.fromkeys(key for tier in tiers for key in tier.scan(prefix)))

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Swaps in the furthest tier; the near ones forget the key, whatever comes of it."""
        self._refuse_if_closed()
        swapped: bool = self._change("swap", [key], key, expected, value, ttl)
        self._forget_near([key])
        return swapped

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries of the furthest tier so many seconds.

        The near ones keep theirs for as long as before, if that is no longer; else they forget.
        """
        self._refuse_if_closed()
        touched: int = self._change("touch", keys, keys, ttl)
        if touched < len(set(keys)) or not (ttl is None or ttl >= max(self._times)):
            self._forget_near(keys)
        return touched

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries of the furthest tier still have."""
        self._refuse_if_closed()
        far: Any = self._far
        left: list[float | None] = far.left(keys)
        return left

    def close(self) -> None:
        """Closes the tiers that aren't kept open, also if one of them fails to."""
        self._closed = True
        errors = []
        for tier in self._closed_with_it:
            try:
                tier.close()
            except EngineError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def ping(self) -> None:
        """Returns if all tiers can serve."""
        self._refuse_if_closed()
        for tier in (*self._near, self._far):
            tier.ping()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")

    def _promote(self, depth: int, items: Mapping[str, Bytes], seen: Mapping[str, int]) -> None:
        """Adds to the tiers before this one what was read, unless it was changed meanwhile.

        A change is counted after the furthest tier has it and before the nearer ones do: either
        it is seen here, or it comes to the near tier after this.
        """
        tier: Any = (*self._near, self._far)[depth]
        lives: dict[str, float | None] = dict.fromkeys(items, inf)
        try:
            if tier.capabilities.left:
                lives = dict(zip(items, tier.left(list(items)), strict=True))
            for key, life in lives.items():
                with self._lock:
                    if life is not None and self._changes[_stripe(key)] == seen[key]:
                        for nearer, most in zip(self._near[:depth], self._times, strict=False):
                            nearer.add(key, items[key], min(life, most))
        except EngineError:
            pass  # the values are found; another read will promote them

    def _seen(self, keys: Iterable[str]) -> dict[str, int]:
        """How many changes there were by now, to be asked before a tier is."""
        return {key: self._changes[_stripe(key)] for key in keys}

    def _changed(self, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._changes[_stripe(key)] += 1

    def _change(self, method: str, keys: Iterable[str], *args: Any) -> Any:
        """Changes the furthest tier; if that fails it may have been done, so the others forget."""
        try:
            return getattr(self._far, method)(*args)
        except BaseException:
            with suppress(EngineError):
                self._forget_near(list(keys))
            raise

    def _put_near(
        self, items: Mapping[str, Bytes], ttl: float | None, seen: Mapping[str, int]
    ) -> None:
        """Puts what the furthest tier has got.

        If another change was counted since, nobody knows which of the two the furthest tier has
        got last: then the nearer ones are better off with nothing.
        """
        with self._lock:
            now = self._seen(items)
            ours = {key: value for key, value in items.items() if now[key] == seen[key]}
            others = [key for key in items if key not in ours]
            self._changed(items)
            try:
                for tier, most in zip(self._near, self._times, strict=True) if ours else ():
                    tier.put(ours, most if ttl is None else min(ttl, most))
            except EngineError:
                others = list(items)  # better nothing than the value before
                raise
            finally:
                if others:
                    self._drop_near(others)

    def _forget_near(self, keys: Sequence[str]) -> None:
        self._changed(keys)
        self._drop_near(keys)

    def _drop_near(self, keys: Sequence[str]) -> list[int]:
        """Drops from each of the nearer tiers, also if one of them fails to."""
        dropped, errors = [], []
        for tier in self._near:
            try:
                dropped.append(tier.drop(keys))
            except EngineError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return dropped


def _stripe(key: str) -> int:
    return hash(key) % _STRIPES

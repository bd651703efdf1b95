"""The stores that options ask for: how long results last, which tags they have, how they lie."""

from __future__ import annotations

from math import inf

from . import _overrides
from ._duration import seconds
from ._path import early_of
from ._recipe import nanoseconds, shortened, ttl_decider
from ._stores.engine_shelf import EngineShelf
from ._stores.tokens import Tokens
from .codecs.transcoder import Transcoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from ._coherence.coherence import Coherence
    from ._recipe import Recipe
    from ._run.call import Call
    from ._run.tally import Tally
    from ._stores.leases import Leases

    Lasting = Callable[[Any, Call], float | None]

__all__ = [
    "as_decided",
    "coherence_of",
    "engine_store",
    "escaped",
    "lasting",
    "lasting_by_hand",
    "leases_of",
]


def lasting(recipe: Recipe) -> Lasting:
    """What tells the seconds that a result is good for: None is for ever, 0 or less not at all."""
    cache_if, life = recipe.cache_if, recipe.life
    ttl = recipe.ttl if isinstance(recipe.ttl, float) else None

    def lasts(value: Any, call: Call) -> float | None:
        own = call.ttl
        if own is not None and not callable(own):
            return None if own == inf else own  # it was decided before
        terms = None if own is not None or _overrides.find is None else _overrides.find()
        if terms is not None:
            decided = terms.decide(recipe, value, call.args, call.kwargs)
            return ttl if decided == 0 else _in_seconds(decided)
        if cache_if is not None and not cache_if(value, *call.args, **call.kwargs):
            return 0.0
        if own is not None:
            return own(value)
        return ttl if life is None else _in_seconds(life(value, call.args, dict(call.kwargs)))

    return lasts


def as_decided(_: Any, call: Call) -> float | None:
    """The same for what was asked before: the answer stands in the call."""
    own: Any = call.ttl
    return None if own == inf else own


def lasting_by_hand(
    recipe: Recipe, ttl: Any = None, option: str = "ttl"
) -> Callable[[Any, tuple[Any, ...], Mapping[str, Any]], float | None]:
    """What tells the same of a value that is stored by hand, for which `cache_if` isn't asked.

    Args:
        recipe: The options.
        ttl: A time to live instead of theirs, or a function of the value and the arguments.
        option: What errors call it.

    Raises:
        ConfigurationError: It isn't a length of time.
    """
    life, jitter = recipe.life, 0.0
    if ttl is not None:
        jitter = recipe.jitter
        fixed = None if callable(ttl) else nanoseconds(seconds(ttl, option=option))
        life = ttl_decider(ttl, option) if callable(ttl) else lambda *_: fixed
    elif life is None:
        own = recipe.ttl if isinstance(recipe.ttl, float) else None
        return lambda *_: own

    def lasts(value: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float | None:
        return _in_seconds(shortened(life(value, args, dict(kwargs)), jitter))

    return lasts


def _in_seconds(length: int | None) -> float | None:
    return None if length is None else length / 1e9


def engine_store(
    recipe: Recipe,
    engine: Any,
    tally: Tally,
    lasts: Lasting,
    tags_of: Callable[[Call], Iterable[str]] | None,
    groups: Sequence[str],
) -> EngineShelf:
    """The store of an engine.

    Raises:
        ConfigurationError: An option of how results are written can't be honoured.
    """
    clock = recipe.clock
    transcoder = Transcoder(
        recipe.codec,
        compress=recipe.compress,
        secret=recipe.secret,
        encrypt=recipe.encrypt,
        checksum=recipe.checksum,
        unsafe=recipe.unsafe,
    )
    if clock is None:
        from time import time
    else:
        nanoseconds = clock

        def time() -> float:
            return nanoseconds() / 1e9

    return EngineShelf(
        engine,
        transcoder,
        tally,
        time,
        lasts,
        tags_of=tags_of,
        tokens=Tokens(engine, f"~tag:{escaped(recipe.namespace)}:", recipe.tag_ttl),
        stale=recipe.stale,
        idle=recipe.tti,
        early=early_of(recipe),
        exceptions=recipe.cache_exceptions,
        strict=recipe.strict,
        groups=groups,
    )


def leases_of(recipe: Recipe, engine: Any, tally: Tally) -> Leases | None:
    """What processes take turns by, if the option `single_flight` says so.

    Raises:
        ConfigurationError: The engine can't do it.
    """
    if recipe.single_flight != "process":
        return None
    from ._stores.leases import Leases

    return Leases(engine, recipe.hard_timeout or 60.0, tally)


def coherence_of(recipe: Recipe, engine: Any) -> Coherence | None:
    """What follows the engine's changes, if the option `coherence` says so.

    Raises:
        ConfigurationError: The engine can't do it.
    """
    if recipe.coherence is None:
        return None
    from ._coherence.coherence import Coherence

    return Coherence(engine, *recipe.coherence)


def escaped(part: str) -> str:
    """A part of a key, so that it can't be mistaken for two."""
    return part.replace("%", "%25").replace(":", "%3A")

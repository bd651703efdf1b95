"""The stores that options ask for: how long results last, which tags they have, how they lie."""

from __future__ import annotations

from math import inf

from . import _overrides
from ._path import early_of
from ._stores.engine_shelf import EngineShelf
from ._stores.tokens import Tokens
from .codecs.transcoder import Transcoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ._recipe import Recipe
    from ._run.call import Call
    from ._run.tally import Tally

__all__ = ["engine_store", "escaped", "lasting"]


def lasting(recipe: Recipe) -> Callable[[Any, Call], float | None]:
    """What tells the seconds that a result is good for: None is for ever, 0 or less not at all."""
    decide = recipe.decide
    ttl = recipe.ttl if isinstance(recipe.ttl, float) else None

    def lasts(value: Any, call: Call) -> float | None:
        if call.ttl is not None:
            return None if call.ttl == inf else call.ttl
        terms = None if _overrides.find is None else _overrides.find()
        if terms is not None:
            found = terms.decide(recipe, value, call.args, call.kwargs)
        elif decide is None:
            return ttl
        else:
            found = decide(value, call.args, dict(call.kwargs))
        if found is None:
            return None
        if found == 0:
            return ttl
        return found / 1e9

    return lasts


def engine_store(
    recipe: Recipe,
    engine: Any,
    tally: Tally,
    tags_of: Callable[[Call], Iterable[str]] | None,
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
        lasting(recipe),
        tags_of=tags_of,
        tokens=Tokens(engine, f"~tag:{escaped(recipe.namespace)}:", recipe.tag_ttl),
        stale=recipe.stale,
        idle=recipe.tti,
        early=early_of(recipe),
        exceptions=recipe.cache_exceptions,
        strict=recipe.strict,
    )


def escaped(part: str) -> str:
    """A part of a key, so that it can't be mistaken for two."""
    return part.replace("%", "%25").replace(":", "%3A")

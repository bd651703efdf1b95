"""`override()`: other options for what is computed and stored in a block."""

from __future__ import annotations

from . import _overrides
from ._duration import seconds, ttl_of_result
from ._options import guess
from ._recipe import nanoseconds
from ._scopes import Scope, open_scopes
from .errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ._recipe import Recipe

    Lasts = Callable[..., float | None]

__all__ = ["override"]

_ACCEPTED = ("ttl", "cache_if")


class _Override(Scope):
    """Terms for what is stored in the block; calls are answered as usual."""

    def __init__(self, life: Lasts | None, cache_if: Callable[..., object] | None) -> None:
        self.life = life
        self.cache_if = cache_if


class _Terms:
    """What a context's overrides come to; of two, the inner one counts."""

    def __init__(self, life: Lasts | None, cache_if: Callable[..., object] | None) -> None:
        self._life = life
        self._cache_if = cache_if

    def decide(
        self, recipe: Recipe, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> int | None:
        """As `_overrides.Terms` says."""
        cache_if = recipe.cache_if if self._cache_if is None else self._cache_if
        if cache_if is not None and not cache_if(result, *args, **kwargs):
            return -1
        if self._life is None:
            return 0 if recipe.life is None else recipe.life(result, args, dict(kwargs))
        lasts = self._life(result, *args, **kwargs)
        if lasts is None:
            return None
        return nanoseconds(lasts) if lasts > 0 else -1


def _find() -> _Terms | None:
    scopes = [scope for scope in open_scopes() if isinstance(scope, _Override)]
    if not scopes:
        return None
    lives = [scope.life for scope in scopes if scope.life is not None]
    wishes = [scope.cache_if for scope in scopes if scope.cache_if is not None]
    return _Terms(lives[0] if lives else None, wishes[0] if wishes else None)


def override(**options: Any) -> Scope:
    """Gives what is computed and stored in the block other options than its function's.

    For `with` and `async with`. What is cached answers as usual. Concerns functions in memory and
    on engines; `lru_cache` and `cache` have no options to override.

    Args:
        **options: `ttl`, all that a decorator's option `ttl` takes (None is for ever), and
            `cache_if`. A function in memory that was decorated without `ttl` or `tti` has no room
            for deadlines: while it is to last for some time only, its result isn't stored.

    Raises:
        ConfigurationError: An option isn't one of these, or has a value that isn't accepted.
    """
    for name in options:
        if name not in _ACCEPTED:
            raise ConfigurationError(
                f"override() has no option {name!r}{guess(name, _ACCEPTED)}; "
                f"accepted: {', '.join(_ACCEPTED)}"
            )
    cache_if = options.get("cache_if")
    if cache_if is not None and not callable(cache_if):
        raise refused("cache_if", cache_if, "None, or a function (result, *args, **kwargs)")
    _overrides.find = _find
    return _Override(_read_ttl(options["ttl"]) if "ttl" in options else None, cache_if)


def _read_ttl(ttl: Any) -> Lasts:
    if callable(ttl):
        return lambda *call, **kwargs: ttl_of_result(ttl(*call, **kwargs))
    lasts = None if ttl is None else seconds(ttl)
    return lambda *_, **__: lasts

"""What every decorated function is: a Gate that passes for the function it stands in for.

The names that `functools.wraps` would give it, functools' own controls, and pickling by name.
`LruCached` needs no more than that; `Cached` adds the controls of `mcache`.
"""

from __future__ import annotations

import os
from functools import WRAPPER_ASSIGNMENTS

from ._core import Gate, Table, core_info
from .stats import CacheInfo, Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["LAZY", "LruCached", "Wrapper", "dress"]

_MISSING: Any = object()
# Names are looked up when asked for, so that decorating is quick; but classes have some of them
# too, so those an object must have from the beginning. On the pure core it has all of them: there
# a class with a __getattr__ would make each hit a tenth slower (CPython 3.11).
LAZY = core_info().name == "compiled"
_EAGER = tuple(
    name
    for name in WRAPPER_ASSIGNMENTS
    if not LAZY or name in ("__module__", "__doc__", "__annotations__")
)


class Wrapper(Gate):
    """A function with a cache before it. Thread-safe; pickled by its name; copied as itself."""

    __name__: str
    __qualname__: str
    __wrapped__: Callable[..., Any]
    _is_typed = False

    @property
    def _errors(self) -> int:
        """How often a listener raised."""
        return 0

    def cache_info(self) -> CacheInfo:
        """Hits, misses, maxsize and currsize since the cache was made or cleared."""
        table = self.table
        hits, misses, *_ = table.counters()
        return CacheInfo(hits, misses, table.maxsize, len(table))

    def cache_clear(self) -> None:
        """Forgets all entries and sets all counts to zero; calls in flight store nothing."""
        self.table.clear()

    def _stats(self) -> Stats:
        table = self.table
        *counts, rejections = table.counters()
        rest: tuple[Any, ...] = (
            *(len(table), table.maxsize),
            *(rejections, self._errors),
            *(table.weight, table.max_weight),
        )
        return Stats(*counts, *rest)

    def cache_parameters(self) -> dict[str, Any]:
        """The `maxsize` and `typed` of the cache, in a new dict."""
        return {"maxsize": self.table.maxsize, "typed": self._is_typed}

    if LAZY:

        def __getattr__(self, name: str) -> Any:
            if name == "__wrapped__":
                return self.function
            if name in WRAPPER_ASSIGNMENTS:
                value = self.__dict__[name] = getattr(self.function, name)
                return value
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _registered_name(self) -> str:
        """What it is called among all caches."""
        name = getattr(self, "__qualname__", None) or repr(self.function)
        return f"{getattr(self, '__module__', None)}.{name}"

    def __reduce__(self) -> str:
        return self.__qualname__

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: object) -> Any:
        return self

    def __repr__(self) -> str:
        name = getattr(self, "__qualname__", None) or repr(self.function)
        return f"<{type(self).__name__} {name} at {id(self):#x}>"


for _control in (Wrapper.cache_info, Wrapper.cache_clear):
    _control.__annotations__ = {}  # CPython's tests compare their signatures: `()`


def dress(gate: object, function: Callable[..., Any]) -> None:
    """Gives the gate what `functools.wraps` would, or lets it look that up.

    Called before `Gate.__init__`: what the core keeps, and what is set later, has the last word.
    """
    mine = gate.__dict__
    own = getattr(function, "__dict__", None)
    if own:
        kind = type(gate)
        for name, value in own.items():
            if name != "__wrapped__" and not hasattr(kind, name):
                mine[name] = value
    for name in _EAGER:
        value = getattr(function, name, _MISSING)
        if value is not _MISSING:
            mine[name] = value
    if not LAZY:
        mine["__wrapped__"] = function


class LruCached(Wrapper):
    """A function under `lru_cache` or `cache`: what functools gives it, and no more."""

    def __init__(self, function: Callable[..., Any], maxsize: int | None, typed: bool) -> None:
        dress(self, function)
        self._is_typed = typed
        Gate.__init__(self, function, Table(maxsize), typed=typed)


if os.environ.get("TWAT_CACHE_DISABLED", "").lower() not in ("", "0", "false", "no", "off"):
    from ._scopes import disable

    disable()

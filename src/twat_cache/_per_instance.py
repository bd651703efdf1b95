"""`per_instance=True`: every object has a table of its own, which leaves with it."""

from __future__ import annotations

from _weakref import ref
from functools import update_wrapper

from ._kinds import is_async_generator_function, is_coroutine_function
from ._options import read_maxsize
from ._unhashable import not_weakly
from .errors import SerializationError
from .stats import CacheInfo, Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._recipe import Recipe
    from .cached import Cached

__all__ = ["PerInstance"]

_SUMMED = [name for name in Stats._fields if name not in ("maxsize", "max_weight")]


class PerInstance:
    """A method in its class. `obj.method` is the bound cached function of that object alone.

    The object is not part of the keys in its own table, and nothing holds it. What is asked of
    the method in its class, such as `Class.method.cache_info()`, is of all living objects.
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[..., Any]

    def __init__(
        self, function: Callable[..., Any], recipe: Recipe, make: Callable[..., Cached]
    ) -> None:
        update_wrapper(self, function)
        self._recipe = recipe
        self._make = make
        self._is_awaited = is_coroutine_function(function)
        self._is_iterated = is_async_generator_function(function)
        self._maxsize = recipe.maxsize
        self._max_weight: int | None = recipe.table.get("max_weight")
        self._homes: dict[int, tuple[ref[Any], Cached]] = {}

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._of(instance).__get__(instance)

    def __call__(self, instance: object, /, *args: Any, **kwargs: Any) -> Any:
        return self._of(instance)(instance, *args, **kwargs)

    def _of(self, instance: object) -> Cached:
        """The cached function of one object."""
        home = self._homes.get(id(instance))
        if home is not None and home[0]() is instance:
            return home[1]
        homes, ident = self._homes, id(instance)

        def died(dead: ref[Any]) -> None:
            home = homes.get(ident)
            if home is not None and home[0] is dead:
                homes.pop(ident, None)

        try:
            alive = ref(instance, died)
        except TypeError as error:
            raise not_weakly(self._label, instance) from error
        gate = self._make(self.__wrapped__, self._recipe, alone=True)
        gate.resize(self._maxsize, max_weight=self._max_weight)
        if home is not None:  # of a dead object whose address this one has now
            homes.pop(ident, None)
        return homes.setdefault(ident, (alive, gate))[1]

    def _living(self) -> list[tuple[Any, Cached]]:
        found = [(alive(), gate) for alive, gate in tuple(self._homes.values())]
        return [(instance, gate) for instance, gate in found if instance is not None]

    def cache_info(self) -> CacheInfo:
        """The sums over all living objects; `maxsize` is that of each."""
        counts = self.stats()
        return CacheInfo(counts.hits, counts.misses, counts.maxsize, counts.currsize)

    def stats(self) -> Stats:
        """The sums over all living objects; `maxsize` and `max_weight` are those of each."""
        totals = dict.fromkeys(_SUMMED, 0)
        for _, gate in self._living():
            counts = gate.stats()._asdict()
            for name in _SUMMED:
                totals[name] += counts[name]
        return Stats(**totals, maxsize=self._maxsize, max_weight=self._max_weight)

    def cache_clear(self) -> None:
        """Forgets all entries and counts of all objects."""
        for _, gate in self._living():
            gate.cache_clear()

    def cache_parameters(self) -> dict[str, Any]:
        """The `maxsize` of each object's table, and `typed`."""
        return {"maxsize": self._maxsize, "typed": self._recipe.typed}

    def items(self) -> list[tuple[tuple[Any, ...], Any]]:
        """Keys and values, object by object; the object is the first item of each key."""
        return [
            ((instance, *key), value)
            for instance, gate in self._living()
            for key, value in gate.items()
        ]

    def resize(self, maxsize: int | None, /, *, max_weight: Any = None) -> None:
        """Sets the bounds of each object's table, of those to come too; as `Cached.resize`."""
        if max_weight is not None:
            self._max_weight = self._recipe.read_weight(max_weight)
        self._maxsize = read_maxsize(maxsize)
        for _, gate in self._living():
            gate.resize(self._maxsize, max_weight=max_weight)

    def sweep(self) -> int:
        """Removes what is past its time, of all objects; tells how many entries those were."""
        return sum(gate.sweep() for _, gate in self._living())

    def close(self) -> None:
        """Forgets all entries and counts of all objects, with the cause `"closed"`."""
        for _, gate in self._living():
            gate.close()

    def save(self, _path: object, /) -> int:
        """Saves nothing: each object has a cache of its own.

        Raises:
            SerializationError: Always; says what to do.
        """
        raise self._each_its_own("save")

    def load(self, _path: object, /) -> int:
        """Loads nothing: each object has a cache of its own.

        Raises:
            SerializationError: Always; says what to do.
        """
        raise self._each_its_own("load")

    def _each_its_own(self, control: str) -> SerializationError:
        return SerializationError(
            f"{self._label}(): each object has a cache of its own, and a file holds one: use "
            f"{control}() of an object's method"
        )

    def warm(self, calls: Any, workers: Any = None, progress: Any = None) -> Any:
        """Makes calls ahead of time; the object is the first argument of each."""
        from . import _warm

        run: Any = _warm.warm_awaiting if self._is_awaited else _warm.warm
        run = _warm.warm_iterating if self._is_iterated else run
        return run(self, calls, workers, progress)

    def _has(self, instance: object, /, *args: Any, **kwargs: Any) -> bool:
        return self._of(instance)._has(instance, *args, **kwargs)

    @property
    def _label(self) -> str:
        return self._recipe.name or self.__qualname__

    def invalidate(self, instance: object, /, *args: Any, **kwargs: Any) -> Any:
        """Forgets the entry of this call on the object; tells whether there was one."""
        return self._of(instance).invalidate(instance, *args, **kwargs)

    def refresh(self, instance: object, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the function on the object now and stores its result."""
        return self._of(instance).refresh(instance, *args, **kwargs)

    def peek(self, instance: object, /, *args: Any, **kwargs: Any) -> Any:
        """The stored value of this call on the object, or `default_`."""
        return self._of(instance).peek(instance, *args, **kwargs)

    def contains(self, instance: object, /, *args: Any, **kwargs: Any) -> Any:
        """Whether there is a fresh entry for this call on the object."""
        return self._of(instance).contains(instance, *args, **kwargs)

    def put(self, value: Any, instance: object, /, *args: Any, **kwargs: Any) -> Any:
        """Stores a value for this call on the object, to last for `ttl_`."""
        return self._of(instance).put(value, instance, *args, **kwargs)

    def cache_key(self, instance: object, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The key of this call in the object's own table."""
        return self._of(instance).cache_key(instance, *args, **kwargs)

    def invalidate_by(self, **argument: Any) -> Any:
        """Forgets the entries of all objects' calls with this argument; tells how many."""
        dropped = [gate.invalidate_by(**argument) for _, gate in self._living()]
        return _sum_awaited(dropped) if self._is_awaited else sum(dropped)

    def _forget_tags(self, tags: Any) -> None:
        for _, gate in self._living():
            gate._forget_tags(tags)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __copy__(self) -> PerInstance:
        return self

    def __deepcopy__(self, memo: object) -> PerInstance:
        return self


async def _sum_awaited(counts: list[Any]) -> int:
    return sum([await count for count in counts])

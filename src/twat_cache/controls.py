"""The controls of a decorated function: what can be done with its cache, besides calling.

They are written once, for both cores, on what a Gate and its Table offer to everyone. A control
takes the very arguments of the call that it is about. Its own keywords end in `_`, so that no
parameter of the function is in their way.

Where a miss goes by steps (`_behind`), a control goes by them, too: a refresh shares, retries and
times out as a call does, and what a table holds past its time as a hit is found all the same.
Nothing else differs, so there is one class for both. It is long because each control says here
what it does, what it gives and what it raises; the code of most is a line or two, and what they
have in common stands at the end.
"""

from __future__ import annotations

from . import _overrides
from ._duration import seconds
from ._options import read_maxsize
from ._recipe import label_of, nanoseconds, shortened, ttl_decider
from ._unhashable import check_owner, hashable_key, misfit
from .errors import CacheKeyError, refused
from .stats import CacheInfo
from .wrapper import Wrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from typing import Any

    from ._keys.plan import Plan
    from ._listener import Listener
    from ._memory_path import MemoryPath
    from ._recipe import Recipe
    from ._warm import Progress
    from ._weighing import Weigh
    from .stats import Stats

__all__ = ["Controls"]

_MISSING: Any = object()


class Controls(Wrapper):
    """A function with a cache, and the controls of that."""

    _weak = False
    _recipe: Recipe
    _binding: Plan
    _weight_of: Weigh | None = None
    _listener: Listener | None = None
    _behind: MemoryPath | None = None

    def invalidate(self, /, *args: Any, **kwargs: Any) -> Any:
        """Forgets this call's entry; one in flight won't be stored.

        Returns:
            Whether there was a fresh entry.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_for(args, kwargs)
        return key is not None and self._discard(key)

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the function now and stores its result, unless it was invalidated meanwhile.

        Returns:
            The result. If `ttl` or `cache_if` say not to store it, what was stored stays.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_for(args, kwargs)
        if key is None:
            self.table.count_bypass()
            return self.function(*args, **kwargs)
        if self._behind is not None:
            return self._behind.path.go(self._behind.call(key, args, kwargs, is_forced=True))
        flight = self.table.depart(key)
        try:
            result = self.function(*args, **kwargs)
            self._land(flight, result, args, kwargs)
        except BaseException:
            self.table.abandon(flight)
            raise
        return result

    def peek(self, /, *args: Any, default_: Any = None, **kwargs: Any) -> Any:
        """The stored value, or `default_`; changes neither the counts nor the order of use.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_for(args, kwargs)
        value = _MISSING if key is None else self._find(key)
        return default_ if value is _MISSING else value

    def contains(self, /, *args: Any, **kwargs: Any) -> Any:
        """Whether there is a fresh entry; changes neither the counts nor the order of use.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        return self._has(*args, **kwargs)

    def put(self, value: Any, /, *args: Any, ttl_: Any = None, **kwargs: Any) -> Any:
        """Stores a value by hand as this call's result; one in flight won't replace it.

        Args:
            value: The value. `cache_if` is not asked.
            *args: The call's positional arguments.
            ttl_: How long it shall last, all that the option `ttl` takes; None is as the option
                says. The function must have been decorated with a `ttl` or a `tti`.
            **kwargs: The call's keyword arguments.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            ConfigurationError: `ttl_` isn't a length of time, or the table keeps no deadlines.
            TypeError: The arguments don't fit the function.
        """
        key = self._key_to_put(args, kwargs)
        lasts = self._lasts(value, ttl_, args, kwargs)
        if lasts is None or lasts >= 0:
            weight = 1 if self._weight_of is None else self._weight_of(value, args, kwargs)
            kept = self._copied(value)
            if self._behind is None:
                self.table.put(key, kept, lasts, weight=weight)
            else:
                self._behind.put(key, kept, lasts, weight, (args, kwargs))
        else:
            self._discard(key)

    def cache_key(self, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The key of this call's entry: the arguments that take part, in the signature's order.

        Raises:
            CacheKeyError: An argument can't be part of a key.
            TypeError: The arguments don't fit the function.
        """
        return self._key_to_put(args, kwargs)

    def stats(self) -> Stats:
        """All that was counted since the cache was made or cleared."""
        return self._stats()

    def items(self) -> list[tuple[tuple[Any, ...], Any]]:
        """Keys and values of the fresh entries, in the order in which the policy lets them go."""
        return [(key, self._copied(value)) for key, value in self.table.items()]

    def resize(self, maxsize: int | None, /, *, max_weight: Any = None) -> None:
        """Sets the bounds; what no longer fits leaves, as the policy chooses.

        Args:
            maxsize: Most entries, 0 or more, or None for no bound.
            max_weight: Most that all entries may weigh together, 0 or more, in the units of the
                weigher; where the function was decorated with `max_bytes`, what that takes. None
                leaves this bound as it is.

        Raises:
            ConfigurationError: A bound is not accepted, or entries have no weights.
        """
        size = read_maxsize(maxsize)
        if max_weight is None:
            self.table.resize(size)
        else:
            self.table.resize(size, max_weight=self._recipe.read_weight(max_weight))

    def sweep(self) -> int:
        """Removes all entries that are past their time, and tells how many those were.

        They leave by and by anyway, as others are stored. The work is what it removes.
        """
        return self.table.sweep()

    def close(self) -> None:
        """Forgets all entries and counts; a listener hears the cause `"closed"`.

        The function can still be called, and caches anew. Calls in flight store nothing.
        """
        self.table.close()
        self._stop_joining()
        self._forget_counts()

    def save(self, path: str | PathLike[str]) -> int:
        """Writes the fresh entries to a file that `load` reads, in this process or another.

        Values and keys are written by MessagePack, with tuples, sets, dates, decimals, UUIDs, paths
        and numpy arrays as what they are; an entry with anything else is left out, and one warning
        tells of which types. The file is replaced at once or not at all, and is readable by its
        owner only.

        Args:
            path: The file; its folder must exist.

        Returns:
            How many entries were written.

        Raises:
            SerializationError: It is a method whose objects are held weakly.
            OSError: The file can't be written.
        """
        from ._snapshot import save

        return save(self, path)

    def load(self, path: str | PathLike[str]) -> int:
        """Takes in the entries of a file that `save` wrote for this function.

        Entries that are here already stay. Those of the file come in their order of use, the last
        used ones first if there isn't room for all. The time since they were saved counts against
        their ttl, and none lasts longer than the function's own `ttl`. Nothing in the file is run.

        Args:
            path: The file.

        Returns:
            How many entries were stored.

        Raises:
            SerializationError: The file is damaged, no saved cache, one of a newer version, or of
                another function or signature. The cache is as it was.
            OSError: The file can't be read.
        """
        from ._snapshot import load

        return load(self, path)

    def warm(
        self, calls: Iterable[Any], workers: int | None = None, progress: Progress = None
    ) -> Any:
        """Makes calls ahead of time, those that have no fresh entry yet.

        Args:
            calls: Each a tuple of positional arguments, a dict of keyword arguments, or else a
                lone argument. Taken one by one, so it may be long and computed.
            workers: How many threads call the function; None calls it in this one.
            progress: True draws a bar on stderr; a function is called as `progress(done, total)`
                in this thread, where total is None if `calls` has no length.

        Returns:
            A `Warmed`: how many calls were made, stored, needless, or failed. What the function
            raises doesn't stop the others.

        Raises:
            ConfigurationError: `workers` or `progress` is not accepted.
        """
        return self._warm((), calls, workers, progress)

    def cache_clear(self) -> None:
        """Forgets all entries and sets all counts to zero; calls in flight store nothing."""
        super().cache_clear()
        self._stop_joining()
        self._forget_counts()

    def invalidate_by(self, **argument: Any) -> Any:
        """Forgets all entries of calls with this argument, given by name; stops those in flight.

        Args:
            **argument: One parameter that `invalidate_by=` names, and its value.

        Returns:
            How many entries there were.

        Raises:
            CacheKeyError: The value can't be part of a key.
            ConfigurationError: It isn't one parameter that `invalidate_by=` names.
        """
        from ._tagging import tag_by

        tag = tag_by(self._label, self._label, self._recipe.invalidate_by, argument)
        behind: Any = self._behind
        dropped = behind.tags.drop([tag])
        self._stop_joining()
        return dropped

    # -- what the controls share --------------------------------------------------------------

    @property
    def _label(self) -> str:
        return label_of(self._recipe, self.function)

    @property
    def _registered_name(self) -> str:
        return self._recipe.name or super()._registered_name

    @property
    def _errors(self) -> int:
        return 0 if self._listener is None else self._listener.errors

    def _stats(self) -> Stats:
        if self._behind is None:
            return super()._stats()
        from ._counted import counted

        return counted(self._behind.tally, self.table, is_function=True, errors=self._errors)

    def cache_info(self) -> CacheInfo:
        """Hits, misses, maxsize and currsize since the cache was made or cleared."""
        if self._behind is None:
            return super().cache_info()
        stats = self._stats()
        return CacheInfo(stats.hits, stats.misses, stats.maxsize, stats.currsize)

    def _forget_tags(self, tags: Iterable[str]) -> None:
        """Forgets all entries with one of the tags."""
        if self._behind is not None and self._behind.tags is not None:
            self._behind.tags.drop(tags)
            self._stop_joining()

    def _stop_joining(self) -> None:
        """Nobody joins a computation that began before now."""
        if self._behind is not None:
            self._behind.path.forget_all()

    def _forget_counts(self) -> None:
        if self._behind is not None:
            self._behind.tally.reset()
        if self._listener is not None:
            self._listener.reset()

    def _discard(self, key: tuple[Any, ...]) -> bool:
        """Forgets the entry under the key; tells whether there was one that would have answered."""
        behind = self._behind
        if behind is None:
            return self.table.discard(key)
        found = behind.find(key)
        self.table.discard(key)
        behind.forget(key)  # afterwards: nobody joins what began before it was gone
        return found is not None

    def _find(self, key: tuple[Any, ...]) -> Any:
        """What a call would be answered with."""
        if self._behind is None or not self._recipe.outlasts:
            value = self.table.peek(key, _MISSING)
            return value if value is _MISSING else self._copied(value)
        found = self._behind.find(key)
        return _MISSING if found is None else found.value

    def _key_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
        """The call's key; None if it shall do without the cache."""
        key: tuple[Any, ...] | None = self.bind(args, kwargs)
        if key is None:
            raise misfit(self, args, kwargs)
        check_owner(self, key)
        try:
            hash(key[1:] if self._weak else key)
        except TypeError as error:
            return hashable_key(self, key, args, error)
        return key

    def _key_to_put(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        key = self._key_for(args, kwargs)
        if key is None:
            raise CacheKeyError(
                f"{self._label}(): a call with an argument that can't be hashed has no key under "
                'unhashable="bypass"; with unhashable="digest" it would have one'
            )
        return key

    def _lasts(
        self, value: Any, ttl: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> int | None:
        """How long a value put by hand shall last, as the core's `decide` hook would tell it."""
        if ttl is None:
            life = self._recipe.life
            return 0 if life is None else life(value, args, kwargs)
        recipe = self._recipe
        if not recipe.timed:
            raise refused("ttl_", ttl, "None, since the function was decorated without ttl=")
        if callable(ttl):
            lasts = ttl_decider(ttl, "ttl_")(value, args, kwargs)
        else:
            lasts = nanoseconds(seconds(ttl, option="ttl_"))
        return shortened(lasts, recipe.jitter) if recipe.jitter else lasts

    def _has(self, /, *args: Any, **kwargs: Any) -> bool:
        """What `contains` tells, here without `await`."""
        key = self._key_for(args, kwargs)
        return key is not None and self._find(key) is not _MISSING

    def _warm(self, first: tuple[Any, ...], calls: Any, workers: Any, progress: Any) -> Any:
        """`warm`, with what stands before all arguments."""
        from ._warm import warm

        return warm(self, calls, workers, progress, first)

    def _terms(
        self, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[int | None, int]:
        """How long a result is to be kept, less than 0 if it isn't, and what it weighs."""
        recipe = self._recipe
        terms = None if _overrides.find is None else _overrides.find()
        if terms is not None:
            lasts = terms.decide(recipe, result, args, kwargs)
            if lasts is not None and lasts > 0 and not recipe.timed:
                lasts = -1  # the table has no room for deadlines
        else:
            lasts = 0 if recipe.decide is None else recipe.decide(result, args, kwargs)
        if self._weight_of is None or (lasts is not None and lasts < 0):
            return lasts, 1
        return lasts, self._weight_of(result, args, kwargs)

    def _land(
        self, flight: Any, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Stores what a refresh computed, if `ttl` and `cache_if` want it stored."""
        lasts, weight = self._terms(result, args, kwargs)
        if lasts is None or lasts >= 0:
            self.table.land(flight, self._copied(result), lasts, weight=weight, replace=True)
        else:
            self.table.abandon(flight)

    def _copied(self, value: Any) -> Any:
        copier = self._recipe.copier
        return value if copier is None else copier(value)

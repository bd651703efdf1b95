"""What `obj.method` is, when the method is cached."""

from __future__ import annotations

from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from inspect import Signature
    from typing import Any

    _Partial = partial[Any]
else:
    _Partial = partial

__all__ = ["BoundCached", "BoundClassMethod"]


class BoundCached(_Partial):
    """A cached function together with the object it was taken from.

    A call and every control put the object first; all else is the cached function's own. A
    `partial`, because that puts the object first at C speed.
    """

    __slots__ = ()

    @property
    def __func__(self) -> Any:
        """The cached function."""
        return self.func

    @property
    def __self__(self) -> Any:
        """The object."""
        return self.args[0]

    @property
    def __signature__(self) -> Signature:
        """The signature without its first parameter, as that of a bound method."""
        from inspect import signature
        from types import MethodType

        return signature(MethodType(self.func, self.args[0]))

    def invalidate(self, /, *args: Any, **kwargs: Any) -> Any:
        """Forgets this call's entry; tells whether there was one."""
        return self.__func__.invalidate(self.args[0], *args, **kwargs)

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the function now and stores its result."""
        return self.__func__.refresh(self.args[0], *args, **kwargs)

    def peek(self, /, *args: Any, **kwargs: Any) -> Any:
        """The stored value, or `default_`; changes neither counts nor order."""
        return self.__func__.peek(self.args[0], *args, **kwargs)

    def contains(self, /, *args: Any, **kwargs: Any) -> Any:
        """Whether there is a fresh entry for this call."""
        return self.__func__.contains(self.args[0], *args, **kwargs)

    def put(self, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Stores a value for this call, to last for `ttl_`."""
        return self.__func__.put(value, self.args[0], *args, **kwargs)

    def cache_key(self, /, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The key of this call's entry; the object is its first item."""
        key: tuple[Any, ...] = self.__func__.cache_key(self.args[0], *args, **kwargs)
        return key

    def warm(self, /, calls: Any, workers: Any = None, progress: Any = None) -> Any:
        """Makes calls on the object ahead of time, those that have no fresh entry yet."""
        return self.__func__._warm((self.args[0],), calls, workers, progress)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        """The function's own text."""
        text: str | None = self.func.__doc__
        return text

    def __getattr__(self, name: str) -> Any:
        return getattr(self.func, name)

    def __get__(self, instance: object, owner: type | None = None) -> BoundCached:
        return self  # bound once, bound for good; a partial of its own would bind again

    def __eq__(self, other: object) -> bool:
        if type(other) is not BoundCached:
            return NotImplemented
        return self.func is other.func and self.args[0] is other.args[0]

    def __hash__(self) -> int:
        return hash((id(self.args[0]), id(self.func)))

    def __reduce__(self) -> Any:
        return getattr, (self.args[0], self.__func__.__name__)

    def __deepcopy__(self, memo: dict[int, Any]) -> BoundCached:
        from copy import deepcopy

        return BoundCached(self.func, deepcopy(self.args[0], memo))

    def __repr__(self) -> str:
        name = getattr(self.func, "__qualname__", "?")
        return f"<bound cached {name} of {self.args[0]!r}>"


class BoundClassMethod(classmethod):  # type: ignore[type-arg]
    """A classmethod whose `Class.method` has the controls; since 3.13 a plain one has not."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return BoundCached(self.__func__, type(instance) if owner is None else owner)

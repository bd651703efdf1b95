"""Cold keys: a call as a text that means the same in every process, on every machine.

    namespace:name:version:digest

The digest has 128 bits, of the canonical encoding of the bound arguments, and of all that stands
before it: so two calls have one key only if they are calls of one function whose arguments are
recursively of one type and can't be told apart. `%` and `:` in the first three parts are written as
`%25` and `%3A`, so keys of one namespace, name or version begin alike, and no others do.

A function's name is its module and qualified name, which tell it apart where they are its own:

- In a program's own file the module is called `__main__`, in every program (see `naming`).
- Lambdas, functions within functions and those typed in by hand have names that others have too,
  and what `functools.wraps` made has another's (see `own_name`). They are also told by their code
  and by what they close over, and methods of an object by the object (see `source`).
"""

from __future__ import annotations

from hashlib import blake2b

from ..errors import CacheKeyError, ConfigurationError, refused
from .canonical import encode
from .code import plain_function
from .naming import home
from .own_name import behind_caches, has_own_name, is_made_again
from .plan import read_plan
from .source import source_digest
from .surroundings import present

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextvars import ContextVar
    from typing import Any

__all__ = ["ColdKeys", "defaults_of"]

_FORMAT = b"twat-cold-key-1"
_SIZE = 16
_ANSWER = "key="
_REST = {"*": "*args", "**": "**kwargs"}


class ColdKeys:
    """Makes the cold keys of one function. Safe in any thread.

    Args:
        function: The function; what it wraps doesn't matter.
        namespace: Keeps apart what shall not meet, such as applications or tenants.
        version: Keys of another version are other keys. `"source"` takes a digest of the
            function's code, which changes with it, and with the version of Python.
        name: Stands for the function, and for nothing else in the namespace; by default it is
            found, as is told above.
        ignore: Parameters that are no part of the key.
        key: `key(*args, **kwargs)` gives what takes the place of the arguments.
        context: Context variables whose values, where the call is made, belong to the key; one
            that has no value is told from one that is None.

    Attributes:
        prefix: What all these keys begin with, and no other function's.

    Raises:
        ConfigurationError: There is no name that tells the function from others, or no code to
            tell a version by; or `ignore` names no parameters.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        namespace: str = "",
        version: str = "",
        name: str | None = None,
        ignore: Collection[str] = (),
        key: Callable[..., object] | None = None,
        context: Sequence[ContextVar[Any]] = (),
    ) -> None:
        label, told_by = (name, "") if name is not None else _name(function)
        if version == "source":
            version = _source_version(function)
        for option, text in (("namespace", namespace), ("version", version), ("name", label)):
            if not isinstance(text, str):
                raise refused(option, text, "a text")
        self._label = name or function.__qualname__
        self._function = function
        self._key = key
        self._context = tuple(context)
        self._plan = plan = None if key is not None else read_plan(function, ignore=ignore)
        self._defaults = defaults_of(function)
        names: list[Any] = [_ANSWER] if key is not None else ["*", "**"]
        if plan is not None:
            names = [name for i, name in enumerate(plan.names) if i not in plan.ignored]
            names += ["*"] * (plan.varargs and plan.keep_args)
            names += ["**"] * (plan.varkw and plan.keep_kwargs)
        self._told = [*self._context, *names]
        self._as_given = -1
        if plan is not None and not context and names == list(plan.names[: plan.positional]):
            self._as_given = plan.positional
        if context:
            names.append(tuple(variable.name for variable in context))
        parts = (namespace, label, version)
        if told_by:  # its keys begin as no other function's do
            parts = (namespace, f"{label}~{told_by[:16]}", version)
        self.prefix = "".join(f"{_escaped(part)}:" for part in parts)
        self._seed = blake2b(encode((*parts, told_by, names)), digest_size=_SIZE, person=_FORMAT)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The key of a call.

        Raises:
            CacheKeyError: An argument can't be part of a key; names the function, the parameter,
                the type and what can be done.
            TypeError: The function doesn't take these arguments.
        """
        digest = self._seed.copy()
        place = 0
        as_given = len(args) == self._as_given and not kwargs
        try:
            for value in args if as_given else self._parts(args, kwargs):
                digest.update(encode(value))
                place += 1
        except CacheKeyError as error:
            name = _described(self._told[place])
            raise CacheKeyError(f"{self._label}(): {name}: {error}") from error
        return self.prefix + digest.hexdigest()

    def _parts(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        """What belongs to the key, as `_told` names it: in order and number as for all calls."""
        parts: list[Any] = [*present(self._context)] if self._context else []
        plan = self._plan
        if self._key is not None:
            parts.append(self._key(*args, **kwargs))
            return parts
        if plan is None:
            return [*parts, args, kwargs]
        rest = dict(kwargs)
        given = min(len(args), plan.positional)
        for index, name in enumerate(plan.names):
            if index < given:
                value = args[index]
            elif index >= plan.positional_only and name in rest:
                value = rest.pop(name)
            elif name in self._defaults:
                value = self._defaults[name]
            else:
                raise self._unfit(args, kwargs)
            if index not in plan.ignored:
                parts.append(value)
        extra = args[plan.positional :]
        if (extra and not plan.varargs) or (rest and not plan.varkw):
            raise self._unfit(args, kwargs)
        if plan.varargs and plan.keep_args:
            parts.append(extra)
        if plan.varkw and plan.keep_kwargs:
            parts.append(rest)
        return parts

    def _unfit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError:
        from inspect import signature

        try:
            signature(self._function).bind(*args, **kwargs)
        except (TypeError, ValueError) as error:
            return TypeError(f"{self._label}() {error}")
        return TypeError(f"{self._label}() doesn't take these arguments")


def _name(function: Callable[..., Any]) -> tuple[str, str]:
    """The name of a function, and what else tells it where that isn't enough."""
    function = behind_caches(function)
    module, path = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str):
        raise ConfigurationError(
            f"a {type(function).__qualname__} has no name of its own: give it one by name="
        )
    name = f"{home(module) or module}.{path}"
    if has_own_name(function):
        return name, ""
    try:
        return name, source_digest(function, strict=True)
    except CacheKeyError as error:
        if is_made_again(function):
            return name, ""
        raise ConfigurationError(
            f"{name}() may not be the only function of its name, and what it closes over, has as "
            f"a default or is bound to can't tell it from others; give it a name of its own by "
            f"name=: {error}"
        ) from error


def _source_version(function: Callable[..., Any]) -> str:
    plain = plain_function(behind_caches(function))
    if plain is None:
        raise refused("version", "source", "a text, since this callable has no code to tell it by")
    return source_digest(plain)


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The defaults by parameter, as they are: a plan has only those that can be hashed."""
    plain = plain_function(function)
    if plain is None:
        return {}
    given = plain.__defaults__ or ()
    last = plain.__code__.co_argcount
    names = plain.__code__.co_varnames[max(last - len(given), 0) : last]
    by_place = zip(reversed(names), reversed(given), strict=False)  # set by hand, they may be more
    return {**dict(by_place), **(plain.__kwdefaults__ or {})}


def _described(name: Any) -> str:
    if type(name) is not str:
        return f"the variable {name.name!r}"
    if name == _ANSWER:
        return "the answer of key="
    return f"the argument {_REST.get(name, name)!r}"


def _escaped(part: str) -> str:
    return part.replace("%", "%25").replace(":", "%3A")

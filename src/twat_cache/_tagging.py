"""The tags of a call: those that `tags=` gives, and one for each parameter of `invalidate_by=`."""

from __future__ import annotations

from .errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ._keys.plan import Plan
    from ._recipe import Recipe
    from ._run.call import Call

__all__ = ["tag_by", "tags_of_calls"]

_OURS = "\x1f"
"""What tags of arguments begin with, and no tag that anybody would type."""


def tags_of_calls(
    recipe: Recipe, function: Any, plan: Plan, label: str
) -> Callable[[Call], Iterable[str]]:
    """What gives the tags of a call.

    Args:
        recipe: The options `tags` and `invalidate_by`.
        function: What is called.
        plan: How its arguments are bound.
        label: Tells the function's own tags from those of others.

    Raises:
        ConfigurationError: `invalidate_by` names what isn't a parameter of its own.
    """
    given = recipe.tags
    places = {name: _place(plan, name) for name in recipe.invalidate_by}
    if callable(given):

        def named(call: Call) -> list[str]:
            return _checked(given(*call.args, **call.kwargs))

    else:
        fixed = list(given or ())

        def named(call: Call) -> list[str]:  # noqa: ARG001
            return fixed

    if not places:
        return named
    from ._keys.cold import defaults_of

    defaults = defaults_of(function)  # as they are: a plan has only those that can be hashed

    def tags(call: Call) -> list[str]:
        own = [
            _tag_of_argument(label, name, _argument(plan, index, call, defaults))
            for name, index in places.items()
        ]
        return [*named(call), *own]

    return tags


def tag_by(label: str, scope: str, accepted: tuple[str, ...], argument: dict[str, Any]) -> str:
    """The tag that `invalidate_by(**argument)` drops.

    Args:
        label: What errors call the function.
        scope: Tells the function's own tags from those of others.
        accepted: The parameters that `invalidate_by=` names.
        argument: One of them, and its value.

    Raises:
        CacheKeyError: The value can't be part of a key.
        ConfigurationError: It isn't one of them.
    """
    if len(argument) != 1 or not argument.keys() <= set(accepted):
        names = ", ".join(accepted) or "none: the option invalidate_by= isn't given"
        raise ConfigurationError(
            f"{label}.invalidate_by() takes one argument by name; accepted: {names}"
        )
    ((name, value),) = argument.items()
    return _tag_of_argument(scope, name, value)


def _tag_of_argument(label: str, name: str, value: object) -> str:
    """The tag of all calls of a function that have this value as that argument.

    Raises:
        CacheKeyError: The value can't be part of a key.
    """
    from ._keys.canonical import digest

    return f"{_OURS}{label}{_OURS}{name}{_OURS}{digest(value).hex()}"


def _checked(tags: Iterable[str]) -> list[str]:
    found: list[Any] = [tags] if isinstance(tags, str) else list(tags)
    if not all(isinstance(tag, str) and tag for tag in found):
        kinds = ", ".join(sorted({type(tag).__qualname__ for tag in found}))
        raise ConfigurationError(
            f"tags= gave a list of {kinds}; accepted: texts that aren't empty, such as 'user:1'"
        )
    return found


def _place(plan: Plan, name: str) -> int:
    if name not in plan.names:
        known = ", ".join(map(repr, plan.names)) or "nothing, it has no parameters"
        raise refused("invalidate_by", name, known)
    return plan.names.index(name)


def _argument(plan: Plan, index: int, call: Call, defaults: dict[str, Any]) -> object:
    """What a call has as the parameter of this index."""
    if index < min(len(call.args), plan.positional):
        return call.args[index]
    name = plan.names[index]
    if index >= plan.positional_only and name in call.kwargs:
        return call.kwargs[name]
    return defaults[name] if name in defaults else plan.defaults[index]

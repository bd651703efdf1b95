"""Arguments that can't be part of a key, and what the `unhashable` option does about them."""

from __future__ import annotations

from _weakref import ref

from .errors import CacheKeyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .controls import Controls

__all__ = ["ByContent", "answer_anyway", "check_owner", "hashable_key", "misfit", "not_weakly"]


class ByContent:
    """Stands in a key for a value that can't be hashed: its digest, equal to no other type."""

    __slots__ = ("digest",)

    def __init__(self, digest: bytes) -> None:
        """Keeps the digest; the value itself is not kept."""
        self.digest = digest

    def __eq__(self, other: object) -> bool:
        if type(other) is ByContent:
            return self.digest == other.digest
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<by content {self.digest.hex()[:12]}>"


def answer_anyway(
    gate: Controls, args: tuple[Any, ...], kwargs: dict[str, Any], error: TypeError
) -> Any:
    """Answers a call whose key the core couldn't use: its `on_key_error` hook.

    Raises:
        CacheKeyError: An argument can't be part of a key, and the option doesn't help.
    """
    key = gate.bind(args, kwargs)
    if key is not None:
        key = hashable_key(gate, key, args, error)
    if key is None:
        gate.table.count_bypass()
        return gate.function(*args, **kwargs)
    return gate.through(key, args, kwargs)


def hashable_key(
    gate: Controls, key: tuple[Any, ...], args: tuple[Any, ...], error: TypeError
) -> tuple[Any, ...] | None:
    """A key that can be hashed in place of one that couldn't, or None to do without a cache.

    Raises:
        CacheKeyError: An argument can't be part of a key, and the option doesn't help.
        TypeError: `error` itself, if it wasn't about the key.
    """
    check_owner(gate, key, error)
    first = 1 if gate._weak else 0  # an object held weakly is told by identity
    wrong = [i for i, part in enumerate(key) if i >= first and not _is_hashable(part)]
    if not wrong:
        raise error
    policy = gate._recipe.unhashable
    if policy == "bypass":
        return None
    if policy == "raise":
        raise _refusal(gate, key, args, wrong[0], 'unhashable="digest" to key it by content, ')
    from ._keys.canonical import digest

    vector = list(key)
    index = 0
    try:
        for index in wrong:
            vector[index] = ByContent(digest(key[index]))
    except CacheKeyError as unencodable:
        raise _refusal(gate, key, args, index, "", "digested") from unencodable
    return tuple(vector)


def check_owner(gate: Controls, key: tuple[Any, ...], error: TypeError | None = None) -> None:
    """Sees to it that the object whose method is called can be held weakly.

    Raises:
        CacheKeyError: It can't, and what to do.
    """
    if not gate._weak:
        return
    try:
        ref(key[0])
    except TypeError as refusal:
        raise not_weakly(gate._label, key[0]) from (error or refusal)


def misfit(gate: Controls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError:
    """The error for a control whose arguments the function wouldn't take."""
    from inspect import signature

    try:
        signature(gate.function).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return TypeError(f"{gate._label}() {error}")
    return TypeError(f"{gate._label}() doesn't take these arguments")


def not_weakly(label: str, instance: object) -> CacheKeyError:
    """The error, to be raised, for a method of an object that can't be held weakly."""
    return CacheKeyError(
        f"{label}(): objects of type {_name(instance)} can't be referenced weakly, so nothing can "
        "be kept for as long as they live. Either add '__weakref__' to the __slots__ of their "
        "class, or pass key=, a function that makes the key, or method=False, which holds the "
        "object strongly and tells it by equality"
    )


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _refusal(
    gate: Controls,
    key: tuple[Any, ...],
    args: tuple[Any, ...],
    index: int,
    more: str,
    what: str = "hashed",
) -> CacheKeyError:
    if gate._recipe.key is not None:
        return CacheKeyError(
            f"{gate._label}(): the answer of key= is of type {_name(key[index])}, which can't be "
            f"{what}. Let key= give something that can, or use {more}"
            'or unhashable="bypass" to call without caching'
        )
    name = _parameter(gate, key, args, index)
    ignored = name.lstrip("*")
    return CacheKeyError(
        f"{gate._label}(): the argument {name!r} is of type {_name(key[index])}, which can't be "
        f'{what}. Either use {more}unhashable="bypass" to call without caching, '
        f"or key=, a function that makes the key, or ignore=({ignored!r},) to leave it out"
    )


def _parameter(gate: Controls, key: tuple[Any, ...], args: tuple[Any, ...], index: int) -> str:
    """The name of the parameter that stands at an index of the key."""
    plan = gate._binding
    kept = [name for i, name in enumerate(plan.names) if i not in plan.ignored]
    if index < len(kept):
        return kept[index]
    extras = len(args) - plan.positional if plan.keep_args else 0
    return "*args" if index < len(kept) + extras else str(key[index - 1])


def _name(value: object) -> str:
    return type(value).__qualname__

"""The names of classes and functions in the canonical encoding, and the refusal of the others."""

from __future__ import annotations

import sys

from ..errors import CacheKeyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["reference", "unencodable"]


def unencodable(cls: type, why: str = "") -> CacheKeyError:
    """The error, to be raised, for a class; names it and the remedies, and no value."""
    return CacheKeyError(
        f"{cls.__module__}.{cls.__qualname__} can't be part of a key{why and ': '}{why}. Give it "
        "a method __cache_key__() that returns what tells its values apart, register a function "
        "that does, or pass key= or ignore= to the decorator"
    )


def reference(named: Any) -> str:
    """The `module:name` by which a class or a function can be found again, and only it.

    Raises:
        CacheKeyError: Another thing, or none, is found there.
    """
    module, name = named.__module__, named.__qualname__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not named:
        cls = named if isinstance(named, type) else type(named)
        raise unencodable(cls, f"{name!r} can't be found under its name, or isn't the same there")
    return f"{module}:{name}"

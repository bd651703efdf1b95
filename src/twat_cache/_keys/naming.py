"""The names of classes and functions in the canonical encoding, and the refusal of the others.

In a program's own file the module is called `__main__`, in every program, and `__mp_main__` in the
processes that multiprocessing starts. There the module's real name stands for it, or its file.
"""

from __future__ import annotations

import os
import sys

from ..errors import CacheKeyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["found_under", "home", "reference", "unencodable"]

_MAINS = ("__main__", "__mp_main__")


def unencodable(cls: type, why: str = "") -> CacheKeyError:
    """The error, to be raised, for a class; names it and the remedies, and no value."""
    return CacheKeyError(
        f"{cls.__module__}.{cls.__qualname__} can't be part of a key{why and ': '}{why}. Give it "
        "a method __cache_key__() that returns what tells its values apart, register a function "
        "that does (twat_cache.register_key), or pass key= or ignore= to the decorator"
    )


def reference(named: Any) -> str:
    """The `module:name` by which a class or a function can be found again, and only it.

    Raises:
        CacheKeyError: Another thing, or none, is found there.
    """
    module, name = named.__module__, named.__qualname__
    if found_under(module, name) is not named:
        cls = named if isinstance(named, type) else type(named)
        raise unencodable(cls, f"{name!r} can't be found under its name, or isn't the same there")
    return f"{home(module) or module}:{name}"


def found_under(module: str, name: str) -> Any:
    """What has this name there now; None if nothing has."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def home(module: str) -> str | None:
    """What a module is called in all processes; None if it was typed in by hand."""
    if module not in _MAINS:
        return module
    main = sys.modules.get(module)
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None and spec.name not in _MAINS:  # as it is for a folder that is run
        return str(spec.name)
    return os.path.abspath(file) if isinstance(file, str) else None

"""Both cores of twat-cache in one process.

The package chooses its core when it is imported, so the pure one beside the compiled one takes a
second import, under another name: the package imports itself relatively only, so what it loads
late is its own, too.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import Any

NAMES = ("compiled", "pure")
PACKAGE, SECOND = "twat_cache", "twat_cache_pure"
SWITCHES = {"compiled": "TWAT_CACHE_REQUIRE_EXTENSIONS", "pure": "TWAT_CACHE_NO_EXTENSIONS"}


class CoreMissing(NotImplementedError):
    """The core asked for isn't built here. (asv skips a benchmark whose setup raises this.)"""


def load(core: str) -> Any:
    """The package ``twat_cache`` on the core of that name.

    Raises:
        CoreMissing: The package came up on the other core.
    """
    package: Any = import_module(PACKAGE)
    if core == "pure" and package.core_info().name != core:
        package = sys.modules.get(SECOND) or _import_again()
    info = package.core_info()
    if info.name != core:
        raise CoreMissing(f"no {core} core here: {info.reason}")
    return package


def environment(core: str) -> dict[str, str]:
    """The environment of a subprocess that shall run on that core and no other."""
    rest = {name: value for name, value in os.environ.items() if name not in SWITCHES.values()}
    return rest | {SWITCHES[core]: "1"}


def _import_again() -> Any:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise CoreMissing(f"no source of {PACKAGE} to import again")
    places = found.submodule_search_locations
    spec = spec_from_file_location(SECOND, found.origin, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise CoreMissing(f"{found.origin} can't be imported again")
    package = sys.modules[SECOND] = module_from_spec(spec)
    before = dict(os.environ)
    try:
        os.environ.pop(SWITCHES["compiled"], None)
        os.environ[SWITCHES["pure"]] = "1"
        spec.loader.exec_module(package)
        package.core_info()  # chosen now, while the switch is set
    finally:
        os.environ.clear()
        os.environ.update(before)
    return package

"""`python -m twat_cache info`: which version and which core run here, and why."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata

from .. import core_info


def installed_version() -> str:
    """The version that pip knows, or `"unknown"` for a tree that was never installed."""
    try:
        return metadata.version("twat-cache")
    except metadata.PackageNotFoundError:
        return "unknown"


def interpreter() -> str:
    """The running Python in a few words, such as `CPython 3.13.0 without the GIL`."""
    words = f"{platform.python_implementation()} {platform.python_version()}"
    gil_is_on = getattr(sys, "_is_gil_enabled", lambda: True)
    return words if gil_is_on() else f"{words} without the GIL"


def run(*, as_json: bool) -> int:
    """Print the version, the interpreter and the core."""
    core = core_info()
    facts = {
        "version": installed_version(),
        "python": interpreter(),
        "core": core.name,
        "reason": core.reason,
        "abi": core.abi,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        for name, fact in facts.items():
            print(f"{name:<8} {fact}")
    return 0

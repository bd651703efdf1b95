"""Chooses the core, once, when the package is imported.

The compiled core runs wherever it can; the pure one runs where the compiled one was not built, does
not belong to this release, can't be loaded (a subinterpreter, a foreign interpreter), or is not
wanted. Two switches decide otherwise: `TWAT_CACHE_NO_EXTENSIONS=1` forces the pure core,
`TWAT_CACHE_REQUIRE_EXTENSIONS=1` turns every fall to it into an ImportError.

The rest of the library takes what a core offers from here and never asks which core it is of. For
type checkers it is the pure core's.
"""

from __future__ import annotations

import os
import sys
from collections import namedtuple

from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Literal, NamedTuple

    from ._core_py import MARK, POLICIES, Gate, Table, detour, gates, plain_payload, plain_values

    class _CoreInfo(NamedTuple):
        name: Literal["compiled", "pure"]
        reason: str
        abi: int

else:
    _CoreInfo = namedtuple("_CoreInfo", "name reason abi")

__all__ = [
    "ABI",
    "MARK",
    "POLICIES",
    "CoreInfo",
    "Gate",
    "Table",
    "core_info",
    "detour",
    "gates",
    "plain_payload",
    "plain_values",
]

ABI = 4
"""What the library and its cores agreed on; a core that carries another number is not used."""

_FORBIDDEN = "TWAT_CACHE_NO_EXTENSIONS"
_REQUIRED = "TWAT_CACHE_REQUIRE_EXTENSIONS"


class CoreInfo(_CoreInfo):
    """Which core runs, and why.

    Attributes:
        name: `"compiled"` or `"pure"`.
        reason: Why this one was chosen, in words.
        abi: The number that library and core agree on.
    """

    __slots__ = ()


def core_info() -> CoreInfo:
    """Which core runs in this process, and why; chosen at import, so it never changes."""
    return _info


def _switch(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def _compiled() -> ModuleType:
    """The compiled core of this release, or an ImportError that says why there is none."""
    if sys.implementation.name != "cpython":
        raise ImportError(f"{sys.implementation.name} can't run the compiled core")
    module = f"{__package__}._core_c"
    try:
        core: ModuleType = __import__(module, fromlist=("ABI",))
    except ImportError as error:
        if error.name == module and isinstance(error, ModuleNotFoundError):
            raise ImportError(
                "this installation holds no compiled core: it was built without a C compiler,"
                " without Python's headers, or with the extension left out"
            ) from None
        raise ImportError(f"the compiled core can't be loaded here: {error}") from error
    found = getattr(core, "ABI", None)
    if found != ABI:
        raise ImportError(
            f"the compiled core is stale: its ABI is {found}, this release needs {ABI}"
        )
    return core


def _choose() -> tuple[ModuleType, CoreInfo]:
    forbidden, required = _switch(_FORBIDDEN), _switch(_REQUIRED)
    if forbidden and required:
        raise ConfigurationError(
            f"{_FORBIDDEN} and {_REQUIRED} are both set and contradict each other: unset one"
        )
    if forbidden:
        reason = f"{_FORBIDDEN} is set"
    else:
        try:
            return _compiled(), CoreInfo("compiled", "built for this interpreter", ABI)
        except ImportError as error:
            if required:
                raise ImportError(
                    f"{_REQUIRED} is set, but {error}. Install a wheel made for this interpreter;"
                    " or a C compiler and Python's headers, and then run `pip install"
                    " --force-reinstall --no-binary twat-cache twat-cache`; or unset"
                    f" {_REQUIRED} to run the pure core",
                    name=f"{__package__}._core_c",
                ) from error
            reason = str(error)
    from . import _core_py

    return _core_py, CoreInfo("pure", reason, ABI)


_core, _info = _choose()
if not TYPE_CHECKING:
    MARK = _core.MARK
    POLICIES = _core.POLICIES
    Gate = _core.Gate
    Table = _core.Table
    detour = _core.detour
    gates = _core.gates

    def __getattr__(name):
        """Of a core's that reads records: the pure one loads it only if it is asked for."""
        if name in ("plain_payload", "plain_values"):
            return getattr(_core, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

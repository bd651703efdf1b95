"""One setting of a configuration: how it is judged, kept unchangeable, and shown."""

from __future__ import annotations

from types import MappingProxyType

from ._options import _READERS, unknown_option
from ._path_options import READERS
from .errors import refused, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["ENGINE", "OPTIONS", "frozen", "read_setting", "shown_setting", "thawed"]

ENGINE = "engine"
OPTIONS = tuple({**_READERS, **READERS})
"""The names of all options, besides the engine."""

_HIDDEN = ("secret", "encrypt")
_ENGINES = "None, a URL such as 'sqlite:///cache.db', 'memory', an engine, or a list of these"


def read_setting(name: str, value: Any) -> Any:
    """The value in the one shape in which caches have it.

    Raises:
        ConfigurationError: There is no such option, or its value isn't accepted by itself; values
            of options that don't exist aren't shown, since one may be a secret.
    """
    if name == ENGINE:
        return _engine(value)
    reader = _READERS.get(name) or READERS.get(name)
    if reader is None:
        raise unknown_option(name, "…", OPTIONS)
    judge = _JUDGES.get(name)
    if judge is not None and value is not None:
        judge(thawed(value))
    return reader(name, value)


def _engine(engine: Any) -> Any:
    several = isinstance(engine, (list, tuple))
    for one in engine if several else () if engine is None else [engine]:
        if one == "" or not (isinstance(one, str) or hasattr(one, "capabilities")):
            raise refused(ENGINE, one if isinstance(one, str) else type(one), _ENGINES)
    if several and not engine:
        raise refused(ENGINE, engine, _ENGINES)
    return frozen(engine)


# -- options that are otherwise judged when records are made --------------------------------------


def _codec(value: Any) -> None:
    from .codecs.named import codec_named

    codec_named(value, sealed=True)


def _compress(value: Any) -> None:
    from .codecs.compression import ABOVE, compression_named

    compression_named(value, ABOVE)


def _secret(value: Any) -> None:
    from .codecs.seal import seal_of

    seal_of(secret=value)


def _encrypt(value: Any) -> None:
    from .codecs.seal import seal_of

    seal_of(encrypt=value)


_JUDGES: dict[str, Callable[[Any], None]] = {
    "codec": _codec,
    "compress": _compress,
    "secret": _secret,
    "encrypt": _encrypt,
}


# -- keeping and showing --------------------------------------------------------------------------


def frozen(value: Any) -> Any:
    """The value, or a copy of it that can't be changed."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, set):
        return frozenset(value)
    return MappingProxyType(dict(value)) if isinstance(value, dict) else value


def thawed(value: Any) -> Any:
    """A value that was frozen, as a file would hold it."""
    if isinstance(value, (tuple, frozenset)):
        return list(value)
    return dict(value) if isinstance(value, MappingProxyType) else value


def shown_setting(name: str, value: Any) -> str:
    """The value as text, without secrets."""
    if name in _HIDDEN:
        return "…"
    return _shown_engine(value) if name == ENGINE else shown(thawed(value))


def _shown_engine(engine: Any) -> str:
    if isinstance(engine, tuple):
        return f"[{', '.join(map(_shown_engine, engine))}]"
    if not isinstance(engine, str):
        return f"<{type(engine).__qualname__}>"
    scheme, colon, rest = engine.partition(":")
    place, question, query = rest.partition("?")
    _, at, host = place.rpartition("@")
    if "@" in query:  # or else it was a password with a question mark
        at, host = "@", ""
    slashes = "//" if at and place.startswith("//") else ""
    return repr(f"{scheme}{colon}{slashes}{at and '…@'}{host}{question and '?…'}")

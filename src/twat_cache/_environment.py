"""Options from the environment: `TWAT_CACHE_TTL=10m` says what `ttl="10m"` does.

Only options that a text can carry, and that make sense for all functions of a program, can be
given so: a `name`, say, that two functions share would make them share their results.
"""

from __future__ import annotations

from ._options import guess
from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

__all__ = ["PREFIX", "options_of"]

PREFIX = "TWAT_CACHE_"

_FLAGS = {"1": True, "true": True, "yes": True, "on": True}
_FLAGS |= {"0": False, "false": False, "no": False, "off": False}
_SWITCHES = {"no_extensions", "require_extensions", "disabled", "log", "dir"}
"""Variables that are no options."""


def options_of(
    environ: Mapping[str, str], prefix: str, options: Collection[str]
) -> dict[str, tuple[str, Any]]:
    """The variable and the value of each option that is set to a text that isn't empty.

    Args:
        environ: The environment.
        prefix: What the names of variables begin with.
        options: All options that there are.

    Raises:
        ConfigurationError: A variable names an option that can't be given so, or seems to name
            one; never shows its value.
    """
    found = {}
    for variable, text in environ.items():
        name = variable.removeprefix(prefix).lower()
        if not variable.startswith(prefix) or name in _SWITCHES or not text:
            continue
        form = _FORMS.get(name)
        if form is not None:
            found["engine" if name == "url" else name] = variable, form(text)
        elif name in options or name == "engine" or guess(name, [*_FORMS, *_SWITCHES]):
            meant = "url" if name == "engine" else name
            others = [prefix + one.upper() for one in sorted({*_FORMS, *_SWITCHES})]
            raise ConfigurationError(
                f"{variable} can't be set{guess(meant, [*_FORMS, *_SWITCHES])}; accepted: "
                f"{', '.join(others)}"
            )
    return found


# -- what texts mean; what isn't understood stays, and is refused as the option's value -----------


def _text(text: str) -> Any:
    return text


def _text_or_none(text: str) -> Any:
    return None if text.lower() == "none" else text


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return _text_or_none(text)


def _length(text: str) -> Any:
    return 0 if text == "0" else _text_or_none(text)


def _flag(text: str) -> Any:
    return _FLAGS.get(text.lower(), text)


def _words(text: str) -> Any:
    words = text.split()
    return words[0] if len(words) == 1 else words


_FORMS: dict[str, Callable[[str], Any]] = {
    "url": _words,
    "maxsize": _number,
    "ttl": _text_or_none,
    "policy": _text,
    "tti": _text_or_none,
    "jitter": _number,
    "max_bytes": _text_or_none,
    "memory_limit": _text_or_none,
    "typed": _flag,
    "unhashable": _text,
    "copy": _flag,
    "stale": _length,
    "refresh_ahead": _number,
    "beta": _number,
    "soft_timeout": _text_or_none,
    "hard_timeout": _text_or_none,
    "retry": _number,
    "single_flight": _flag,
    "tags": str.split,
    "tag_ttl": _length,
    "coherence": _text,
    "generators": _text_or_none,
    "namespace": _text,
    "version": _text,
    "codec": _text,
    "compress": _text_or_none,
    "secret": _words,
    "encrypt": _words,
    "checksum": _flag,
    "strict": _flag,
}

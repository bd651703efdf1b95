"""URLs of local engines: a path, and options after the question mark.

    sqlite:///relative/path.db       sqlite:////absolute/path.db       sqlite:///:memory:
    file:///absolute/folder          file:relative/folder              file:~/folder?fsync=1

The paths of `sqlite` follow the usage of SQL toolkits, where what comes after the third slash is
the path; those of folders follow RFC 8089, where the third slash is the root.
"""

from __future__ import annotations

import os
from operator import index
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

from ..errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["entries", "file_of", "flag", "folder_of", "options_of", "parted", "seconds"]


def options_of(url: str, known: frozenset[str]) -> dict[str, Any]:
    """The options in the URL, as text.

    Raises:
        ConfigurationError: An option is unknown, or given twice.
    """
    pairs = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    options = dict(pairs)
    scheme = url.partition(":")[0]
    if unknown := sorted(options.keys() - known):
        raise ConfigurationError(
            f"{scheme} has no option {unknown[0]!r}; known: {', '.join(sorted(known)) or 'none'}"
        )
    if len(options) < len(pairs):
        raise ConfigurationError(f"an option of the {scheme} URL is given more than once")
    return options


def parted(url: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """The URL without the options of these names, and what it says for them, as text.

    All else stays as it was written, since libraries differ in how they read a query.

    Raises:
        ConfigurationError: One of them is given twice.
    """
    place, _, query = url.partition("?")
    found: dict[str, str] = {}
    others = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name not in names:
            others.append(pair)
        elif name in found:
            raise ConfigurationError(f"{name}= is given more than once")
        else:
            found[name] = unquote_plus(value)
    return (f"{place}?{'&'.join(others)}" if others else place), found


def file_of(url: str) -> str:
    """The path in `scheme:///path`, relative unless it begins with another slash."""
    rest = _after_scheme(url)
    if rest == "//:memory:":
        return ":memory:"
    if not rest.startswith("///") or len(rest) == 3:
        raise _refused(url, "scheme:///relative/path or scheme:////absolute/path")
    return os.path.expanduser(rest[3:])


def folder_of(url: str) -> str:
    """The path in `scheme:///absolute/folder` or `scheme:relative/folder`."""
    rest = _after_scheme(url)
    if rest.startswith("///"):
        rest = rest[2:]
        if os.name == "nt" and rest[2:3] == ":":
            rest = rest[1:]
    elif rest.startswith("//"):
        rest = ""
    if not rest.strip("/"):
        raise _refused(url, "scheme:///absolute/folder or scheme:relative/folder")
    return os.path.expanduser(rest)


def seconds(timeout: float | str) -> float:
    """The option `timeout`, as a number or as the text that a URL holds."""
    try:
        number = float(timeout)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < 1e6:
        raise refused("timeout", timeout, "seconds, 0 or more")
    return number


def entries(maxsize: int | str | None) -> int | None:
    """The option `maxsize`, as a number or as the text that a URL holds; None is no bound."""
    if maxsize is None:
        return None
    try:
        number = int(maxsize) if isinstance(maxsize, str) else index(maxsize)
    except (TypeError, ValueError):
        number = 0
    if isinstance(maxsize, bool) or number < 1:
        raise refused("maxsize", maxsize, "an int from 1 on, or None (no bound)")
    return number


def flag(option: str, value: bool | str) -> bool:
    """An option that is on or off, as a bool or as the text that a URL holds."""
    flags = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
    found = value if isinstance(value, bool) else flags.get(str(value).lower())
    if found is None:
        raise refused(option, value, "True or False; in a URL 1 or 0")
    return found


def _after_scheme(url: str) -> str:
    return unquote(url.partition(":")[2].partition("?")[0], errors="strict")


def _refused(url: str, accepted: str) -> ConfigurationError:
    scheme = url.partition(":")[0]
    return ConfigurationError(
        f"the {scheme} URL names no path; accepted: {accepted.replace('scheme', scheme)}"
    )

"""Where local stores are: folders under the user's cache directory, each with a plain name."""

from __future__ import annotations

import os

from .errors import PathError

__all__ = ["get_cache_path"]

_APPLICATION = "twat_cache"
_DEFAULT = "default"
_LONGEST = 100
_RESERVED = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(10))}


def get_cache_path(folder_name: str | os.PathLike[str] | None = None) -> str:
    """The folder of a local store, as an absolute path; nothing is made.

    It lies in the user's cache directory, as the platform has it, or in that which the environment
    variable `TWAT_CACHE_DIR` names.

    Args:
        folder_name: One plain name, up to 100 characters, without separators and not beginning
            with a dot; or an absolute path, which is taken as it is. None is `"default"`.

    Raises:
        PathError: The name would lead elsewhere, or can't be a folder's.
    """
    if folder_name is None:
        folder_name = _DEFAULT
    if not isinstance(folder_name, (str, os.PathLike)):
        raise PathError(f"a folder's name is a text, not {type(folder_name).__qualname__}")
    name = os.fspath(folder_name)
    if os.path.isabs(name) and "\0" not in name and ".." not in name.split(os.sep):
        return os.path.normpath(name)
    is_plain = 0 < len(name) <= _LONGEST and not any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name)
    if not is_plain or name[0] == "." or name[-1] in ". " or name.lower() in _RESERVED:
        raise PathError(
            f"folder_name={name[:_LONGEST]!r} is no plain name of a folder; accepted: up to "
            f"{_LONGEST} characters without separators, not beginning with a dot, or an absolute "
            "path without '..'"
        )
    return os.path.join(_home(), name)


def _home() -> str:
    given = os.environ.get("TWAT_CACHE_DIR")
    if given:
        return os.path.abspath(os.path.expanduser(given))
    from platformdirs import user_cache_dir

    return user_cache_dir(_APPLICATION, appauthor=False)

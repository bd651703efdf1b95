"""TOML files, by whatever reads them here."""

from __future__ import annotations

import os
from importlib import import_module

from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["read_toml"]


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        ConfigurationError: It is no TOML; or Python is older than 3.11 and tomli isn't installed.
        OSError: It can't be read.
    """
    reader = _reader(path)
    with open(path, "rb") as file:
        try:
            table: dict[str, Any] = reader.load(file)
        except ValueError as error:  # also of bytes that are no text
            raise ConfigurationError(f"{os.fspath(path)} is no TOML: {error}") from error
    return table


def _reader(path: str | os.PathLike[str]) -> Any:
    for name in ("tomllib", "tomli"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ConfigurationError(
        f"{os.fspath(path)} can't be read: Python reads TOML from 3.11 on, and tomli isn't "
        "installed; pip install tomli"
    )

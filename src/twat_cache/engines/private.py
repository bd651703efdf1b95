"""Folders and files that only their owner can enter and read."""

from __future__ import annotations

import os

from ..errors import PathError

__all__ = ["private_file", "private_folder"]

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


def private_folder(path: str) -> None:
    """Makes the folder, and those above it that are missing, with mode 0700.

    A folder that is there already keeps its mode.

    Raises:
        PathError: It can't be made, or a file has its name.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        private_folder(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise PathError(f"{path} is a file, not a folder; choose another place") from None
    except OSError as error:
        raise PathError(f"the folder {path} can't be made: {error.strerror}") from error


def private_file(path: str) -> None:
    """Makes the file, empty, with mode 0600; one that is there stays as it is, and isn't opened.

    Raises:
        PathError: It can't be made.
    """
    if os.path.exists(path):
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise PathError(f"the file {path} can't be made: {error.strerror}") from error

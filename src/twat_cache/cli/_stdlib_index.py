"""The demo's work: find the standard library's source files and index one of them.

`index_file` is an ordinary function with an ordinary cost (a few milliseconds: read, parse,
walk the tree), decorated the way a user would decorate it.
"""

from __future__ import annotations

import ast
import os
import random
import sysconfig
import tokenize
from typing import NamedTuple

from .. import mcache

# Tests are nearly two thirds of the library's lines, and some of them do not parse on purpose.
LEFT_OUT = frozenset(
    {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
)
CAPACITY = 4096
SEED = 20_240_229

_BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.BoolOp,
    ast.comprehension,
    ast.Assert,
    ast.match_case,
)


class FileIndex(NamedTuple):
    """What one source file holds."""

    lines: int
    functions: int
    classes: int
    imports: int
    branches: int


class NoSourcesError(Exception):
    """This interpreter has no standard library in source form (an embedded build, a zip)."""


@mcache(maxsize=CAPACITY)
def index_file(path: str) -> FileIndex:
    """Parse one file and count its lines, functions, classes, imports and branches."""
    with tokenize.open(path) as file:  # honours the file's own encoding line
        source = file.read()
    functions = classes = imports = branches = 0
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions += 1
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            imports += 1
        elif isinstance(node, _BRANCHES):
            branches += 1
    return FileIndex(source.count("\n"), functions, classes, imports, branches)


def library_folder() -> str:
    """The folder that holds the running interpreter's standard library."""
    return sysconfig.get_path("stdlib")


def source_files(limit: int | None = None) -> list[str]:
    """The standard library's `.py` files in a fixed shuffled order, tests left out.

    Args:
        limit: Take only so many of them; the same ones every time.

    Raises:
        NoSourcesError: There are none.
    """
    found: list[str] = []
    for folder, inner, names in os.walk(library_folder()):
        inner[:] = sorted(name for name in inner if name not in LEFT_OUT)
        found += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".py")]
    if not found:
        raise NoSourcesError(f"no .py files under {library_folder()}")
    random.Random(SEED).shuffle(found)
    return found[: CAPACITY if limit is None else min(limit, CAPACITY)]


def popular_stream(paths: list[str], length: int) -> list[str]:
    """A Zipf-like stream of look-ups: the n-th path is asked for 1/n as often as the first.

    It is drawn with a fixed seed, so every run and both cores see the same stream.
    """
    weights = [1.0 / rank for rank in range(1, len(paths) + 1)]
    return random.Random(SEED).choices(paths, weights, k=length)


def total(indexes: list[FileIndex]) -> FileIndex:
    """The sums over all files."""
    return FileIndex(*(sum(column) for column in zip(*indexes, strict=True)))

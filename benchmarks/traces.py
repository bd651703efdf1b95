"""Readers of recorded workloads: which keys were asked for, in order.

What a file holds is told by its first lines; which files of a folder are traces, by their names.
Plain and gzipped files are read alike.

* ``lirs``: one decimal block number a line; lines of ``*`` are separators.
* ``arc``: ``start count ignored number`` a line, for the blocks start … start + count - 1 in turn.
* ``keys``: one key a line, whatever it is; of a CSV the column named key, id, block, lbn or
  obj_id, or the first one where no header names any.

A key becomes the rank of its first appearance: 0, 1, 2 … A policy sees no more of a key than which
others it equals, so nothing is lost, and every trace is met by the same kind of key.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, NamedTuple

KEY_COLUMNS = ("key", "id", "block", "lbn", "obj_id")
SUFFIXES = {".trace", ".lirs", ".arc", ".lis", ".csv", ".keys", ".txt"}
_SEEN = 20


class Trace(NamedTuple):
    """A workload: its name and the keys asked for, in order."""

    name: str
    keys: list[int]

    @property
    def distinct(self) -> int:
        """How many different keys there are."""
        return len(set(self.keys))


class UnknownFormat(ValueError):
    """Nothing in the file looks like a list of keys."""


def ranked(keys: Iterable[object]) -> list[int]:
    """Each key as the rank of its first appearance."""
    ranks: dict[object, int] = {}
    return [ranks.setdefault(key, len(ranks)) for key in keys]


def read(path: Path) -> Trace:
    """The trace in a file, plain or gzipped.

    Raises:
        UnknownFormat: The file is empty, or a line is not of the format that the first ones are of.
    """
    with _opened(path) as file:
        lines = (line.strip() for line in file)
        filled = (line for line in lines if line and set(line) != {"*"})
        first = list(islice(filled, _SEEN))
        if not first:
            raise UnknownFormat(f"{path} is empty")
        kind = recognise(first)
        try:
            return Trace(_name(path), ranked(READERS[kind](chain(first, filled))))
        except (ValueError, IndexError) as error:
            raise UnknownFormat(f"{path} is no {kind} trace: {error}") from error


def found(folder: Path) -> list[Path]:
    """The files in a folder (not below it) that are traces by their names, sorted."""
    return sorted(filter(_is_trace, folder.iterdir()))


def recognise(lines: list[str]) -> str:
    """``"lirs"``, ``"arc"`` or ``"keys"``: what the lines, stripped and not empty, are of."""
    rows = [line.split() for line in lines]
    if all(word.isdecimal() for row in rows for word in row):
        if all(len(row) == 1 for row in rows):
            return "lirs"
        if all(len(row) == 4 for row in rows):
            return "arc"
    return "keys"


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt") if is_packed else path.open("rt")


def _lirs(lines: Iterator[str]) -> Iterator[object]:
    return map(int, lines)


def _arc(lines: Iterator[str]) -> Iterator[object]:
    for line in lines:
        start, count, _, _ = map(int, line.split())
        yield from range(start, start + count)


def _keys(lines: Iterator[str]) -> Iterator[object]:
    rows = csv.reader(lines)
    head = next(rows)
    named = [at for at, name in enumerate(head) if name.strip().lower() in KEY_COLUMNS]
    if not named:
        yield head[0]
    at = named[0] if named else 0
    for row in rows:
        yield row[at]


READERS = {"lirs": _lirs, "arc": _arc, "keys": _keys}


def _unpacked(path: Path) -> Path:
    return Path(path.name.removesuffix(".gz"))


def _is_trace(path: Path) -> bool:
    return path.is_file() and _unpacked(path).suffix.lower() in SUFFIXES


def _name(path: Path) -> str:
    plain = _unpacked(path)
    return plain.stem if plain.suffix.lower() in SUFFIXES else plain.name

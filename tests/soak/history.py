"""What processes did to a store, and the check that all they read was right.

Each operation has the moment before it began and the moment after it ended, by a clock that all
processes of the machine share. An operation took effect at some moment in between. So for a read
that gave a value, or gave none, it is wrong if there was

- no write of that value that began before the read ended, or
- another write (a set, a delete, a dropped tag) that began after that one had ended, and ended
  before the read began.

A write is known to have taken effect, at the latest, when the first read that gave its value ended.
A set during which a tag of its value is dropped may store a value that is dropped already: it may
count as a removal itself.

This finds every value from before a change that was acknowledged before the read; it is less than
a proof of linearizability, which isn't to be had in linear time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from math import inf
from typing import NamedTuple

GET, SET, DELETE, INVALIDATE = range(4)
NAMES = ("get", "set", "delete", "invalidate_tags")
NOTHING = 0


class Operation(NamedTuple):
    """One operation on one key; `number` is that of the value, 0 for none."""

    kind: int
    key: int
    number: int
    begin: int
    end: int


class Log:
    """The operations of one thread, in a file of 64-bit numbers."""

    def __init__(self) -> None:
        self._numbers = array("q")

    def note(self, kind: int, key: int, number: int, begin: int, end: int) -> None:
        self._numbers.extend((kind, key, number, begin, end))

    def write(self, path: str) -> None:
        with open(path, "wb") as file:
            self._numbers.tofile(file)


def read_log(path: str) -> list[Operation]:
    numbers = array("q")
    with open(path, "rb") as file:
        numbers.frombytes(file.read())
    return [Operation(*numbers[at : at + 5]) for at in range(0, len(numbers), 5)]


def counts(operations: list[Operation]) -> Counter[str]:
    """How many there were of each kind; and of the reads, how many found a value."""
    found = Counter(NAMES[operation.kind] for operation in operations)
    hits = sum(op.kind == GET and op.number != NOTHING for op in operations)
    found["get that found a value"], found["get that found none"] = hits, found["get"] - hits
    return found


def wrong_reads(operations: list[Operation]) -> list[str]:
    """What is wrong, a line for each wrong read, the first ones first."""
    by_key: dict[int, list[Operation]] = {}
    for operation in operations:
        by_key.setdefault(operation.key, []).append(operation)
    found = [wrong for history in by_key.values() for wrong in _wrong(history)]
    return [text for _, text in sorted(found)]


def _wrong(history: list[Operation]) -> list[tuple[int, str]]:
    """The wrong reads of one key."""
    reads = [op for op in history if op.kind == GET]
    sets = {op.number: op for op in history if op.kind == SET}
    removals = [op for op in history if op.kind in {DELETE, INVALIDATE}]
    effect = _known_effects(sets, reads)
    all_writes = _Ended([(effect[n], op.begin) for n, op in sets.items()] + _spans(removals))
    all_sets = _Ended([(effect[n], op.begin) for n, op in sets.items()])
    starts = sorted((op.begin, op.end) for op in removals + _dropped_at_once(sets, removals))
    latest_end = list(accumulate((end for _, end in starts), max))
    found = []
    for read in reads:
        if read.number != NOTHING:
            its = sets.get(read.number)
            if its is None or its.begin > read.end:
                found.append((read.begin, f"{read}: nobody had written that"))
            elif all_writes.last_begin(read.begin) > effect[read.number]:
                found.append((read.begin, f"{read}: a later write was done before it"))
            continue
        last_set = all_sets.last_begin(read.begin)
        index = bisect_left(starts, (read.end, -inf))
        removed = latest_end[index - 1] if index else -inf
        if last_set > removed:
            found.append((read.begin, f"{read}: a value was there before, and nobody removed it"))
    return found


def _dropped_at_once(sets: dict[int, Operation], removals: list[Operation]) -> list[Operation]:
    """The sets during which a tag was dropped."""
    drops = sorted((op.begin, op.end) for op in removals if op.kind == INVALIDATE)
    latest_end = list(accumulate((end for _, end in drops), max))
    found = []
    for op in sets.values():
        begun = bisect_left(drops, (op.end, -inf))
        if begun and latest_end[begun - 1] > op.begin:
            found.append(op)
    return found


def _spans(operations: list[Operation]) -> list[tuple[float, float]]:
    return [(op.end, op.begin) for op in operations]


def _known_effects(sets: dict[int, Operation], reads: list[Operation]) -> dict[int, float]:
    """When each set had taken effect, at the latest."""
    effect: dict[int, float] = {number: op.end for number, op in sets.items()}
    for read in reads:
        if read.number in effect and read.end < effect[read.number]:
            effect[read.number] = read.end
    return effect


class _Ended:
    """Of what had ended before a moment: when the last of it to begin had begun."""

    def __init__(self, spans: list[tuple[float, float]]) -> None:
        spans.sort()
        self._ends = [end for end, _ in spans]
        self._begins = list(accumulate((begin for _, begin in spans), max))

    def last_begin(self, moment: float) -> float:
        index = bisect_left(self._ends, moment)
        return self._begins[index - 1] if index else -inf

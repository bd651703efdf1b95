"""Belady's optimum: against the published figures, and against trying everything."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.belady import next_uses, optimum
from benchmarks.traces import read
from benchmarks.workloads import DATA, reference

read = cache(read)
HERE = [row for row in reference().values() if (DATA / f"{row['trace']}.trace.gz").exists()]


def best(keys, size, kept=frozenset()):
    """The most hits that any choice of whom to evict leads to."""
    if not keys:
        return 0
    key, rest = keys[0], keys[1:]
    if key in kept:
        return 1 + best(rest, size, kept)
    if len(kept) < size:
        return best(rest, size, kept | {key})
    return max(best(rest, size, kept - {victim} | {key}) for victim in kept)


@pytest.mark.parametrize("row", HERE, ids=lambda row: f"{row['trace']}-{row['size']}")
def test_the_published_optimum_is_met_to_the_digit(row):
    trace = read(DATA / f"{row['trace']}.trace.gz")
    assert row["optimum"] == round(100 * optimum(trace.keys, row["size"]), 2)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=10), st.integers(1, 4))
def test_no_choice_of_victims_does_better(keys, size):
    assert best(keys, size) == round(optimum(keys, size) * len(keys))


def test_the_next_uses_may_be_given():
    keys = [1, 2, 3, 1, 2, 3]
    assert optimum(keys, 2) == optimum(keys, 2, next_uses(keys)) == 2 / 6

"""A million calls of each shape leave nothing behind; and what may die does, on both cores.

Each shape runs once to warm up and once more to be measured: total references where this Python
counts them, memory, objects known to the collector, and references to keys, values and functions.
"""

from __future__ import annotations

import gc
import sys
import weakref
from contextlib import suppress

import pytest

from tests.fixtures.shapes import HELD, SHAPES, Bad

MANY = {"compiled": 1_000_000, "pure": 50_000}
TOLERANCE = 1 << 20  # bytes; the smallest leak, 16 bytes a call, would be sixteen times that


def memory():
    """Bytes of memory that the process has, or 0 where there is no way to tell."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096
    except OSError:
        return 0


def held():
    return [sys.getrefcount(one) for one in HELD]


def measure():
    gc.collect()
    references = getattr(sys, "gettotalrefcount", lambda: 0)()
    return references, len(gc.get_objects()), memory()


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_a_million_calls_leave_nothing_behind(core, tc, name):
    make, share = SHAPES[name]
    many = int(MANY[core] * share)
    work = make(tc)
    work(many)
    before, refcounts = measure(), held()
    work(many)
    after = measure()
    assert held() == refcounts
    assert after[1] - before[1] <= 5, "objects known to the collector"
    assert after[0] - before[0] <= 100, "references in total"
    assert after[2] - before[2] < TOLERANCE, "memory"


# -- what may die does -----------------------------------------------------------------------------


class Mortal:
    """Something that can be watched."""

    def __hash__(self):
        return 1


ENDS = {
    "clear": lambda f: f.cache_clear(),
    "invalidate": lambda f: [f.invalidate(*key) for key, _ in f.items()],
    "evict": lambda f: [f(n) for n in range(9)],
    "resize": lambda f: f.resize(0),
    "replace": lambda f: [f.put(None, *key) for key, _ in f.items()] and f.cache_clear(),
}


@pytest.mark.parametrize("end", ENDS)
def test_keys_and_values_die_when_they_leave(tc, end):
    values = []

    def function(x):
        value = Mortal()
        values.append(weakref.ref(value))
        return value

    f = tc.mcache(maxsize=4)(function)
    key = Mortal()
    f(key)
    gone = weakref.ref(key)
    del key
    assert gone() is not None
    assert values[0]() is not None
    ENDS[end](f)
    assert (gone(), values[0]()) == (None, None)


def test_an_error_in_a_comparison_keeps_nobody_alive(tc):
    f = tc.mcache(lambda x: 1)
    f(Bad("eq"))
    given = Bad("eq")
    gone = weakref.ref(given)
    with suppress(ValueError):
        f(given)
    del given
    assert gone() is None


@pytest.mark.parametrize("decorator", ["mcache", "lru_cache"])
def test_a_function_its_cache_and_its_values_die_together(tc, decorator):
    def function(x):
        return Mortal()

    f = getattr(tc, decorator)()(function)
    gone = [weakref.ref(f), weakref.ref(function), weakref.ref(f(1)), weakref.ref(f.table)]
    del f, function
    gc.collect()
    assert [reference() for reference in gone] == [None] * 4


def test_an_object_dies_with_its_last_strong_reference_and_takes_its_values(tc):
    class Class:
        @tc.mcache
        def method(self, x):
            return Mortal()

    one = Class()
    gone = [weakref.ref(one), weakref.ref(one.method(1)), weakref.ref(one.method(2))]
    bound = one.method
    del one
    assert gone[0]() is not None
    del bound
    assert [reference() for reference in gone] == [None] * 3

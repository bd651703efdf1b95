"""A million calls of each shape leave nothing behind; and what may die does, on both cores.

Each shape runs once to warm up and once more to be measured: total references where this Python
counts them, memory, objects known to the collector, and references to keys, values and functions.
"""

from __future__ import annotations

import gc
import itertools
import sys
import weakref
from contextlib import suppress

import pytest

from tests.fixtures.clock import FakeClock

MANY = {"compiled": 1_000_000, "pure": 50_000}
TOLERANCE = 1 << 20  # bytes; the smallest leak, 16 bytes a call, would be sixteen times that
HELD = object(), (object(),), "".join(["he", "ld"]), 10**30

SHAPES = {}


def shape(function=None, *, share=1):
    """A shape gives the work of many calls; slow ones do a share of them."""
    if function is None:
        return lambda function: shape(function, share=share)
    SHAPES[function.__name__] = function, share
    return function


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


def repeated(call):
    """The work of calling this again and again."""

    def work(n):
        for _ in itertools.repeat(None, n):
            call()

    return work


# -- hits --------------------------------------------------------------------------------------------


@shape
def hits(tc):
    f = tc.mcache(lambda x: HELD)
    return lambda n: [None for x in itertools.repeat("held", n) if f(x) is None]


@shape
def hits_of_random_keys(tc):
    f = tc.mcache(maxsize=100)(lambda x, y: HELD)

    def work(n):
        for x in range(n):
            f(x * 7 % 100, "held")

    return work


@shape
def hits_under_a_ttl(tc):
    f = tc.mcache(ttl=60)(lambda x: HELD)
    return repeated(lambda: f(HELD[1]))


@shape
def hits_of_lru_cache(tc):
    f, g = tc.lru_cache(lambda *args: HELD), tc.lru_cache(typed=True)(lambda x: HELD)

    def work(n):
        for x in range(n // 2):
            f(x % 9), g(1.5)
            f(HELD[0], x % 9)

    return work


@shape
def keywords_and_defaults(tc):
    f = tc.mcache(lambda a, b=HELD, *, c="".join(["he", "ld"]): HELD)
    g = tc.lru_cache(lambda a, b=1: HELD)

    def work(n):
        for x in range(n // 4):
            f(x % 5), f(b=HELD[0], a=x % 5), f(1, c=x % 5), g(a=x % 5, b=HELD[1])

    return work


@shape
def more_shapes_of_calls_than_are_remembered(tc):
    f = tc.mcache(maxsize=500)(lambda *args, **kwargs: HELD)
    g = tc.mcache(lambda a=0, **kwargs: HELD)

    def work(n):
        for x in range(n // 4):
            f(**{f"name{x % 60}": HELD[0]})
            g(**{"a": x % 5, "".join(["na", "me"]): 1, f"x{x % 50}": 2})

    return work


@shape
def typed(tc):
    f = tc.mcache(typed=True)(lambda x, y=0, *args: HELD)

    def work(n):
        for x in range(n // 4):
            f(x % 5), f(float(x % 5)), f(True, HELD[0]), f(1, y=HELD[3])

    return work


@shape
def hits_asked_by_their_own_eq(tc):
    f = tc.mcache(lambda x: HELD)
    return repeated(lambda: f((1, HELD[1], "x" * 3)))


@shape(share=1 / 2)
def awaited_hits(tc):
    @tc.acache
    async def f(x):
        return HELD

    def drive(coroutine):
        with suppress(StopIteration):
            coroutine.send(None)

    async def await_many(n):
        for x in range(n):
            assert await f(x % 5) is HELD

    return lambda n: (drive(await_many(n)), [f(1).close() for _ in range(100)])


@shape(share=1 / 2)
def copies(tc):
    f = tc.mcache(copy=list)(lambda x: [HELD])

    def work(n):
        for x in range(n):
            f(x % 5).append(HELD)

    return work


@shape
def method_hits(tc):
    class Class:
        @tc.mcache
        def method(self, x, y=HELD):
            return HELD

    one = Class()

    def work(n):
        for x in range(n // 2):
            one.method(x % 5), one.method(1, y=HELD[0])

    return work


# -- misses ------------------------------------------------------------------------------------------


@shape
def misses_and_evictions(tc):
    f = tc.mcache(maxsize=100)(lambda x: [x])
    numbers = itertools.count()

    def work(n):
        for x in itertools.islice(numbers, n):
            f(x)

    return work


@shape(share=1 / 2)
def misses_of_long_keys(tc):
    f = tc.mcache(maxsize=50)(lambda *args, **kwargs: {})
    g = tc.lru_cache(maxsize=50)(lambda *args, **kwargs: {})
    numbers = itertools.count()

    def work(n):
        for x in itertools.islice(numbers, n // 2):
            f(x, HELD, str(x), k=(x,)), g(HELD, str(x), k=(x,))

    return work


@shape(share=1 / 2)
def expiries(tc):
    clock = FakeClock()
    f = tc.mcache(maxsize=10, ttl=1, clock=clock)(lambda x: [HELD])

    def work(n):
        for x in range(n):
            f(x % 5)
            clock.now += 300_000_000

    return work


@shape(share=1 / 2)
def objects_that_come_and_go(tc):
    class Class:
        @tc.mcache
        def method(self, x):
            return [HELD]

        @tc.mcache
        def other(self, *args):
            return HELD

    def work(n):
        for x in range(n // 2):
            one = Class()
            one.method(x), one.other(x, HELD)
            one.method(x)

    return work


@shape(share=1 / 4)
def decisions(tc):
    f = tc.mcache(ttl=lambda result, x: x % 3 or None, cache_if=lambda result, x: x % 2, maxsize=9)

    def work(n):
        g = f(lambda x: [HELD])
        for x in range(n):
            g(x % 20)

    return work


# -- errors ------------------------------------------------------------------------------------------


class Bad:
    """Raises, as it is told to, when hashed or compared."""

    def __init__(self, how):
        self.how = how

    def __hash__(self):
        if self.how == "hash":
            raise ValueError(HELD)
        return 1

    def __eq__(self, other):
        raise ValueError(HELD)


def raising(call, kind=ValueError):
    def work(n):
        for _ in itertools.repeat(None, n):
            try:
                call()
            except kind:
                pass
            else:
                raise AssertionError

    return work


@shape
def errors_in_the_function(tc):
    def fail(x):
        raise ValueError(HELD)

    f = tc.mcache(fail)
    return raising(lambda: f(HELD[1]))


@shape
def errors_in_hash(tc):
    f, bad = tc.mcache(lambda x, y: HELD), Bad("hash")
    return raising(lambda: f(HELD, bad))


@shape
def errors_in_eq(tc):
    f = tc.mcache(lambda x: HELD)
    f(Bad("eq"))
    return raising(lambda: f(Bad("eq")))


@shape
def arguments_that_do_not_fit(tc):
    f = tc.mcache(lambda x, y=1: HELD)
    return raising(lambda: f(1, z=HELD), TypeError)


@shape(share=1 / 10)
def unhashable_arguments(tc):
    f = tc.mcache(lambda x: HELD)
    g = tc.mcache(unhashable="bypass")(lambda x: HELD)
    h = tc.mcache(unhashable="digest")(lambda x: HELD)

    def work(n):
        raising(lambda: f([HELD]), TypeError)(n // 2)
        repeated(lambda: (g([HELD]), h([1, "a"])))(n // 4)

    return work


# -- controls ----------------------------------------------------------------------------------------


@shape(share=1 / 2)
def controls_of_one_key(tc):
    f = tc.mcache(maxsize=5, ttl=60)(lambda x: HELD)

    def work(n):
        for x in range(n // 8):
            f.put(HELD, x % 9), f.invalidate(x % 7), f.contains(x % 5), f.peek(x % 5)
            f.put([], HELD, ttl_=5), f.refresh(x % 9), f.cache_key(HELD), f(x=x % 9)

    return work


@shape(share=1 / 2)
def clearing_and_resizing(tc):
    f = tc.mcache(maxsize=50)(lambda x: [x])

    def work(n):
        for x in range(n):
            f(x % 60)
            if x % 500 == 0:
                f.cache_clear(), f.items(), f.stats(), f.cache_info()
            if x % 100 == 0:
                f.resize(x % 90), f.items()

    return work


@shape(share=1 / 2)
def changes_in_flight(tc):
    @tc.mcache(maxsize=3)
    def f(x):
        f.invalidate(x) if x % 2 else f.put(HELD, x)
        return [x]

    def work(n):
        for x in range(n // 2):
            f(x)

    return work


@shape(share=1 / 20)
def decorated_functions_that_come_and_go(tc):
    def work(n):
        for x in range(n // 2):
            f = tc.mcache(lambda x, y=HELD: [x])
            f(x), f(x, y=1), f(HELD)
            g = tc.lru_cache(maxsize=2)(f)
            g(x), g(HELD)

    return work


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


# -- what may die does -------------------------------------------------------------------------------


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

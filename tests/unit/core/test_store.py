"""The structure of a table under stress, seen from outside, on both cores."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from collections import OrderedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import package
from tests.fixtures import worlds

CHUNK = 16_384  # entries that the compiled core allocates at once
THRESHOLDS = [3, 6, 12, 24, 48, 96, 384, 768, 1_536, 3_072]  # where its index grows


@pytest.fixture
def make(tc):
    """Makes tables of the core under test; keys are tuples of one object."""
    return lambda maxsize=None, **options: tc._core.Table(maxsize, **{"width": 1} | options)


def contents(table):
    return [(key[0], value) for key, value in table.items()]


def test_growth_to_300_000_entries_and_back_one_at_a_time_in_random_order(make):
    table, many = make(), 300_000
    for n in range(many):
        table.put((n,), -n)
    assert len(table) == many
    assert table.items()[::30_000] == [((n,), -n) for n in range(0, many, 30_000)]
    order = list(range(many))
    rng = random.Random(1)
    rng.shuffle(order)
    for done, n in enumerate(order, 1):
        assert table.discard((n,)) is True
        if done % 20_000 == 0:
            assert len(table) == many - done
            assert table.discard((n,)) is False
            for other in rng.sample(order[done:], min(200, many - done)):
                assert table.peek((other,)) == -other
            for other in rng.sample(order[:done], 200):
                assert table.peek((other,)) is None
    assert (len(table), table.items()) == (0, [])
    table.put((1,), 1)
    assert table.items() == [((1,), 1)]


@pytest.mark.parametrize("keep", [1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 40_000])
def test_resize_down_and_up_keeps_the_most_recently_used(make, keep):
    table, many = make(50_000), 50_000
    for n in range(many):
        table.put((n,), n)
    table.resize(keep)
    assert contents(table) == [(n, n) for n in range(many - keep, many)]
    table.resize(many)
    for n in range(many - keep):
        table.put((n,), n)
    assert (
        contents(table)[:: many // 50]
        == [(n % many, n % many) for n in range(many - keep, 2 * many - keep)][:: many // 50]
    )
    assert [table.get((n,)) for n in range(0, many, 997)] == list(range(0, many, 997))
    assert len(table) == many


def test_a_full_table_evicts_in_order_over_many_rounds(make):
    table = make(1_000)
    for n in range(20_000):
        table.put((n,), n)
        assert len(table) == min(n + 1, 1_000)
    assert contents(table) == [(n, n) for n in range(19_000, 20_000)]
    assert table.counters()[2:4] == (20_000, 19_000)


def test_an_unbounded_table_keeps_the_order_of_insertion(make):
    table = make()
    for n in (3, 1, 2):
        table.put((n,), n)
    table.get((3,)), table.get((1,)), table.put((1,), "again")
    assert contents(table) == [(3, 3), (1, "again"), (2, 2)]
    table.discard((3,)), table.put((3,), 3)
    assert contents(table) == [(1, "again"), (2, 2), (3, 3)]
    table.resize(3)
    table.get((1,))
    assert contents(table) == [(2, 2), (3, 3), (1, "again")]


# -- a model ---------------------------------------------------------------------------------------


class Model(OrderedDict):
    """A table as an OrderedDict."""

    maxsize = None

    def put(self, n, value):
        old = n in self
        self[n] = value
        if old and self.maxsize is not None:
            self.move_to_end(n)
        self.resize(self.maxsize)

    def resize(self, maxsize):
        self.maxsize = maxsize
        while maxsize is not None and len(self) > maxsize:
            self.popitem(last=False)


def act(table, model, verb, start, many, seed):
    """Does the same to both; `many` keys from `start` on, every third or in random order."""
    keys = list(range(start, start + many))
    if seed:
        random.Random(seed).shuffle(keys)
    for n in keys:
        if verb == "put":
            table.put((n,), seed)
            model.put(n, seed)
        elif verb == "discard":
            assert table.discard((n,)) == (model.pop(n, None) is not None)
        elif verb == "get":
            assert table.get((n,)) == model.get(n)
            if n in model and model.maxsize is not None:
                model.move_to_end(n)
        elif verb == "thin" and n % 3:
            table.discard((n,)), model.pop(n, None)
    if verb == "resize":
        table.resize(many), model.resize(many)
    elif verb == "clear":
        table.clear(), model.clear()


def deeds(*counts):
    many = st.one_of(*[st.integers(max(0, n - 2), n + 2) for n in counts])
    verbs = ["put", "put", "put", "discard", "discard", "thin", "get", "resize", "clear"]
    return st.lists(
        st.tuples(st.sampled_from(verbs), st.integers(0, 40), many, st.integers(0, 3)),
        min_size=3,
        max_size=8,
    )


def compare(core, maxsize, trace):
    table, model = package(core)._core.Table(maxsize, width=1), Model()
    model.resize(maxsize)
    for deed in trace:
        act(table, model, *deed)
        assert len(table) == len(model)
        assert contents(table) == list(model.items()), deed


quickly = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@pytest.mark.parametrize("core", worlds.CORES)
@settings(max_examples=150, deadline=None, suppress_health_check=quickly)
@given(maxsize=st.sampled_from([None, 2, 30, 100, 800]), trace=deeds(*THRESHOLDS[:8]))
def test_a_table_is_an_ordered_dict_across_the_growth_of_its_index(core, maxsize, trace):
    package(core)
    compare(core, maxsize, trace)


@pytest.mark.parametrize("core", worlds.CORES)
@settings(max_examples=12, deadline=None, suppress_health_check=quickly)
@given(
    maxsize=st.sampled_from([None, CHUNK - 1, CHUNK]),
    trace=deeds(CHUNK, 2 * CHUNK, 10, 1_536, 12_288, 24_576),
)
def test_a_table_is_an_ordered_dict_across_the_bounds_of_its_chunks(core, maxsize, trace):
    package(core)
    compare(core, maxsize, trace)


@pytest.mark.parametrize("over", [1, 10, 100, 200])
@pytest.mark.parametrize("threshold", [768, 1_536, 3_072, 6_144, 12_288, 24_576])
def test_a_table_that_shrinks_while_its_index_still_moves(make, threshold, over):
    """The index grows at the threshold and moves a few slots a write: removing runs into that."""
    table, model = make(), Model()
    act(table, model, "put", 0, threshold + over, 0)
    act(table, model, "discard", 0, threshold // 2, 1)
    act(table, model, "put", threshold, threshold // 3, 2)
    act(table, model, "discard", threshold // 3, threshold, 3)
    assert contents(table) == list(model.items())
    act(table, model, "put", 0, 2 * threshold, 1)
    act(table, model, "discard", 0, 2 * threshold - over, 2)
    assert contents(table) == list(model.items())


# -- columns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", range(8))
def test_columns_never_run_into_each_other(make, clock, columns):
    timed, weighted, generational = columns & 1, columns & 2, columns & 4
    table = make(
        timed=bool(timed),
        stale=5 if timed else None,
        weighted=bool(weighted),
        generational=bool(generational),
        clock=clock,
    )
    for n in range(1_000):
        table.put((n,), n, 10 + n, weight=n) if timed else table.put((n,), n, weight=n)
    assert table.weight == (sum(range(1_000)) if weighted else 0)
    clock.now += 500
    kept = range(491, 1_000) if timed else range(1_000)
    assert contents(table) == [(n, n) for n in kept]
    table.generation = 1
    assert contents(table) == ([] if generational else [(n, n) for n in kept])
    for n in range(1_000):
        table.get((n,)), table.discard((n,))
    assert table.weight == 0 or timed
    assert (table.timed, table.weighted, table.generational) == (
        bool(timed),
        bool(weighted),
        bool(generational),
    )


def test_entries_of_an_earlier_generation_are_dead(make):
    table = make(10, generational=True)
    table.put((1,), "old")
    table.generation += 1
    table.put((2,), "new")
    assert contents(table) == [(2, "new")]
    assert [table.peek((1,)), table.peek((1,), stale=True), len(table)] == [None, None, 2]
    assert table.get((1,)) is None
    assert (len(table), table.counters()[4]) == (1, 1)


def test_after_valid_until_the_table_answers_nothing_and_keeps_all(make, clock):
    table = make(10, clock=clock)
    assert table.valid_until is None
    table.put((1,), 1)
    table.valid_until = clock.now + 5
    assert table.get((1,)) == 1
    clock.now += 5
    assert [table.get((1,)), table.peek((1,)), table.items(), len(table)] == [None, None, [], 1]
    table.valid_until = None
    assert contents(table) == [(1, 1)]


def test_what_was_discarded_while_nothing_was_valid_does_not_come_back(make, clock):
    table = make(10, clock=clock)
    table.put((1,), 1)
    table.valid_until = clock.now
    assert table.discard((1,)) is True
    table.valid_until = None
    assert table.get((1,)) is None


def test_a_stale_value_is_discarded_too(make, clock):
    table = make(10, ttl=10, stale=5, clock=clock)
    table.put((1,), 1)
    clock.now += 12
    assert table.discard((1,)) is True
    assert table.discard((1,)) is False
    assert table.peek((1,), stale=True) is None


def test_what_is_kept_is_looked_at_with_its_deadlines(make, clock):
    table = make(10, ttl=10, stale=5, clock=clock)
    table.put((1,), 1)
    table.put((2,), 2, None)
    start = clock.now
    assert table.look((1,)) == (1, start + 10, start + 15)
    assert table.look((2,)) == (2, None, None)
    assert table.look((3,)) is None
    clock.now += 14
    assert table.look((1,)) == (1, start + 10, start + 15)
    clock.now += 1
    assert table.look((1,)) is None
    assert table.counters()[:2] == (0, 0)


def test_a_landing_may_bring_both_deadlines(make, clock):
    table = make(10, timed=True, stale=0, clock=clock)
    assert table.land_until(table.depart((1,)), "one", clock.now + 5, clock.now + 9)
    assert not table.land_until(table.depart((1,)), "late", None, None)
    assert table.get((1,)) == "one"
    clock.now += 5
    assert table.get((1,)) is None
    assert table.look((1,)) == ("one", clock.now, clock.now + 4)
    assert table.land_until(table.depart((1,)), "two", clock.now, None)
    assert table.get((1,)) is None
    assert table.look((1,)) == ("two", clock.now, None)
    assert table.sweep() == 0


def test_a_landing_without_room_for_its_deadlines_is_refused(make, clock):
    table = make(10, timed=True, clock=clock)
    flight = table.depart((1,))
    with pytest.raises(ValueError, match="without stale="):
        table.land_until(flight, 1, None, None)
    assert len(table) == 0


def test_what_idles_too_long_is_not_looked_at_any_more(make, clock):
    table = make(10, ttl=10, tti=4, clock=clock)
    table.put((1,), 1)
    clock.now += 3
    assert table.look((1,)) == (1, clock.now + 7, clock.now + 7)
    clock.now += 1
    assert table.look((1,)) is None


def test_a_stale_value_is_kept_unanswered_until_its_second_deadline(make, clock):
    table = make(10, ttl=10, stale=5, clock=clock)
    table.put((1,), 1)
    clock.now += 10
    assert [table.peek((1,)), table.peek((1,), stale=True), table.get((1,))] == [None, 1, None]
    assert len(table) == 1
    clock.now += 5
    assert [table.peek((1,), stale=True), len(table)] == [None, 1]
    assert table.get((1,)) is None
    assert (len(table), table.counters()[4]) == (0, 1)


def test_an_entry_may_bring_its_own_deadline(make, clock):
    table = make(10, ttl=10, clock=clock)
    for n, ttl in enumerate([0, 3, None]):
        table.put((n,), n, ttl)
    for step, kept in ((2, [0, 1, 2]), (1, [0, 2]), (6, [0, 2]), (1, [2]), (10**18, [2])):
        clock.now += step
        assert [key for key, _ in contents(table)] == kept


def test_weights_follow_whatever_happens_to_entries(make):
    table = make(3, weighted=True)
    for n in range(5):
        table.put((n,), n, weight=10**n)
    assert table.weight == 11_100
    table.put((3,), 3, weight=5)
    assert table.weight == 10_105
    table.discard((2,)), table.resize(1)
    assert (table.weight, contents(table)) == (5, [(3, 3)])
    table.clear()
    assert table.weight == 0


def test_bypass_answers_nothing_and_changes_nothing_but_its_count(tc):
    f = tc.mcache(maxsize=3)(lambda x: [x])
    first = f(1)
    f.table.bypass += 1
    assert f(1) == f(x=1) == [1]
    assert f(1) is not first
    f.table.bypass -= 1
    assert f(1) is first
    assert f.stats()[:4] == (1, 1, 1, 0)
    assert f.stats().bypasses == 3


MANY = {"compiled": 400_000, "pure": 100_000}
MEMORY = """
    import gc
    import twat_cache

    def rss():
        with open("/proc/self/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1])

    table = twat_cache._core.Table(None, width=1)
    keys = [(n,) for n in range({many})]
    begun = rss()
    for _ in range(3):
        for key in keys:
            table.put(key, None)
        full = rss()
        {empty}
        gc.collect()
        print(full - begun, rss() - begun)
    """


def memory(core, empty):
    """Kilobytes over the start, when full and when emptied in this way again, three times."""
    script = textwrap.dedent(MEMORY).format(many=MANY[core], empty=empty)
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=worlds.environment(core),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [tuple(map(int, line.split())) for line in ended.stdout.splitlines()]


reads_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@reads_proc
def test_memory_goes_back_after_clear():
    """On the compiled core; the pure one's is the interpreter's to give back."""
    package("compiled")
    full, left = memory("compiled", "table.clear()")[0]
    assert full > 10_000
    assert left < full / 4


@reads_proc
@pytest.mark.parametrize(
    "empty",
    ["table.clear()", "any(not table.discard(key) for key in keys)", "table.resize(0)"],
    ids=["clear", "discard", "resize"],
)
def test_memory_of_entries_that_left_is_used_again(core, empty):
    first, _, third = memory(core, f"{empty}; table.resize(None)")
    assert first[0] > 10_000
    assert third[0] < first[0] * 1.5


DIGITS = sorted(
    sign * (2**bits + more)
    for bits in (0, 29, 30, 31, 59, 60, 61, 62, 90)
    for more in (-2, -1, 0, 1, 2)
    for sign in (1, -1)
)


def test_ints_of_any_number_of_digits_are_told_by_value(tc):
    f = tc.mcache(maxsize=None)(lambda x: str(x))
    for n in DIGITS:
        assert str(n) == f(n)
    made = f.cache_info().misses
    assert len(set(DIGITS)) == made
    for n in DIGITS:
        again = int(str(n))  # another object
        assert f(again) == str(n) == f(n)
        if n == float(n):
            assert f(float(n)) == str(n), "equal keys are one key"
    assert made == f.cache_info().misses

"""Deadlines of a table's entries: who dies when, who finds out, and what it is counted as."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import package
from tests.fixtures import worlds
from tests.fixtures.clock import FakeClock

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]
TICK = 1 << 27
SECOND = 10**9


@pytest.fixture
def gone():
    """What the listener was told: keys with causes."""
    return []


@pytest.fixture
def make(tc, clock, gone):
    """Makes tables with keys of one object, on the fake clock, with a listener."""

    def listener(key, value, cause):
        gone.append((key[0], cause))

    def make(maxsize=None, **options):
        defaults = {"width": 1, "clock": clock, "on_removal": listener, "timed": True}
        return tc._core.Table(maxsize, **defaults | options)

    return make


def keys(table):
    return [key[0] for key, _ in table.items()]


# -- amortised over writes -------------------------------------------------------------------------


def test_a_write_removes_what_died_in_a_tick_that_is_over(make, clock, gone):
    table = make(ttl=5)
    table.put((1,), 1), table.put((2,), 2)
    clock.now += 5
    table.put((3,), 3)
    assert (len(table), gone) == (3, [])  # dead, but their tick is still running
    clock.now += TICK
    table.put((4,), 4)
    assert sorted(gone) == [(1, "expired"), (2, "expired"), (3, "expired")]
    assert (len(table), table.counters()[3:5]) == (1, (0, 3))


def test_a_tick_is_cut_from_the_clock_and_not_from_the_deadline(make, clock, gone):
    clock.now = 10 * TICK - 2
    table = make()
    table.put((1,), 1, 1)  # dies as the last of its tick
    table.put((2,), 2, 2)  # dies as the first of the next
    clock.now = 10 * TICK
    table.put((3,), 3)
    assert gone == [(1, "expired")]
    clock.now = 11 * TICK - 1
    table.put((4,), 4)
    assert gone == [(1, "expired")]
    clock.now = 11 * TICK
    table.put((5,), 5)
    assert gone == [(1, "expired"), (2, "expired")]


def test_no_write_removes_more_than_sixteen_and_the_oldest_ticks_come_first(make, clock, gone):
    table = make()
    order = list(range(50))
    random.Random(1).shuffle(order)
    for n in order:
        table.put((n,), n, SECOND + n * TICK)
    clock.now += 1000 * SECOND
    for written in range(1, 5):
        table.put((-written,), None)
        left = [key for key, cause in gone if cause == "expired"]
        assert left == list(range(min(50, 16 * written)))
    assert len(table) == 4


def test_each_write_removes_sixteen_of_many_that_died(make, clock):
    table, many = make(), 20_000
    for n in range(many):
        table.put((n,), n, SECOND)
    clock.now += 2 * SECOND
    for n in range(1, many // 16 + 1):
        table.put((-1,), n)
        assert many + 1 - len(table) == 16 * n
    assert len(table) == 1


def test_what_died_makes_room_before_anything_alive_has_to(make, clock, gone):
    table = make(4, policy="lru")
    table.put((1,), 1), table.put((2,), 2), table.put((3,), 3, 5), table.put((4,), 4, 5)
    clock.now += TICK + 5
    table.put((5,), 5), table.put((6,), 6)
    assert (sorted(gone), keys(table)) == ([(3, "expired"), (4, "expired")], [1, 2, 5, 6])
    table.put((7,), 7)
    assert gone[2:] == [(1, "size")]
    assert table.counters()[3:5] == (1, 2)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_victim_that_is_dead_has_expired(make, clock, gone, policy):
    table = make(2, policy=policy)
    table.put((1,), 1, 5), table.put((2,), 2, 5)
    clock.now += 5  # within the tick: nobody has noticed
    table.put((3,), 3)
    assert [cause for _, cause in gone] == ["expired"]
    assert (table.counters()[3:5], len(table)) == ((0, 1), 2)


def test_a_deadline_that_moved_is_the_one_that_counts(make, clock, gone):
    table = make()
    table.put((1,), 1, 5), table.put((2,), 2, 50 * SECOND), table.put((3,), 3, 5)
    table.put((1,), 1, 100 * SECOND), table.put((2,), 2, 5), table.put((3,), 3, None)
    clock.now += SECOND
    table.put((4,), 4)
    assert [one for one in gone if one[1] == "expired"] == [(2, "expired")]
    clock.now += 100 * SECOND
    table.put((5,), 5)
    assert [one for one in gone if one[1] == "expired"] == [(2, "expired"), (1, "expired")]
    assert keys(table) == [3, 4, 5]


def test_entries_that_left_otherwise_do_not_expire_later(make, clock, gone):
    table = make(ttl=5)
    for n in range(300):
        table.put((n,), n)
        table.discard((n,))
    table.put((0,), 0, 50 * SECOND)
    clock.now += SECOND
    table.put((1,), 1)
    assert {cause for _, cause in gone} == {"explicit"}
    assert (keys(table), table.counters()[4]) == ([0, 1], 0)


# -- sweep -----------------------------------------------------------------------------------------


def test_a_sweep_removes_all_that_is_dead_at_once(make, clock, gone):
    table = make()
    for n in range(1_000):
        table.put((n,), n, n + 1)
    assert (table.sweep(), len(table)) == (0, 1_000)
    clock.now += 700
    assert (table.sweep(), len(table), table.sweep()) == (700, 300, 0)
    assert sorted(gone) == [(n, "expired") for n in range(700)]
    assert table.counters()[3:6] == (0, 700, 0)
    clock.now += 10**20
    assert (table.sweep(), len(table)) == (300, 0)


def test_a_sweep_of_a_table_without_deadlines_finds_nothing(tc):
    table = tc._core.Table(5, width=1)
    table.put((1,), 1)
    assert (table.sweep(), len(table)) == (0, 1)


def test_a_sweep_keeps_what_is_stale_and_still_kept(make, clock):
    table = make(ttl=10, stale=5)
    table.put((1,), 1), table.put((2,), 2, 11)
    clock.now += 14
    assert (table.sweep(), table.peek((1,), stale=True)) == (0, 1)
    clock.now += 1
    assert (table.sweep(), len(table)) == (1, 1)


def test_a_sweep_while_the_whole_table_is_out_of_force_removes_nothing(make, clock):
    table = make(ttl=10)
    table.put((1,), 1)
    clock.now += 20
    table.valid_until = clock.now
    assert (table.sweep(), len(table)) == (0, 1)
    table.put((2,), 2)
    clock.now += 2 * TICK
    table.put((3,), 3)
    assert len(table) == 3
    table.valid_until = None
    assert (table.sweep(), len(table)) == (2, 1)


# -- time to idle ----------------------------------------------------------------------------------


def test_an_entry_that_is_not_used_for_so_long_is_dead(make, clock, gone):
    table = make(tti=10)
    assert (table.tti, table.timed) == (10, True)
    table.put((1,), 1), table.put((2,), 2)
    for _ in range(5):
        clock.now += 9
        assert table.get((1,)) == 1
        assert table.peek((2,)) == (2 if clock.now < FakeClock().now + 10 else None)
    assert table.get((2,)) is None
    assert gone == [(2, "expired")]
    clock.now += 10
    assert [table.peek((1,)), keys(table), len(table)] == [None, [], 1]
    assert table.sweep() == 1


def test_calls_keep_an_entry_busy_and_a_look_does_not(tc, clock):
    f = tc._core.Gate(lambda x: [x], tc._core.Table(9, tti=10, clock=clock))
    g = tc.mcache(lambda x: [x])
    assert g.table.tti is None
    first = f(1)
    for _ in range(4):
        clock.now += 9
        assert f(1) is first
    clock.now += 9
    assert f.table.peek(1) is first
    clock.now += 9
    second = f(1)
    assert second is not first
    clock.now += 9
    assert f(1) is second
    clock.now += 10
    assert f(1) is not second


def test_time_to_live_and_time_to_idle_hold_both(make, clock):
    table = make(ttl=25, tti=10)
    table.put((1,), 1), table.put((2,), 2, None), table.put((3,), 3, 5)
    seen = []
    for _ in range(4):
        clock.now += 9
        seen.append([table.get((n,)) for n in (1, 2, 3)])
    assert seen == [[1, 2, None], [1, 2, None], [None, 2, None], [None, 2, None]]
    table.put((2,), "again")
    clock.now += 9
    assert table.get((2,)) == "again"


def test_idle_entries_leave_in_the_order_of_their_deaths(make, clock, gone):
    table = make(tti=SECOND)
    for n in range(6):
        table.put((n,), n)
        clock.now += TICK
    for n in (0, 3, 1):
        table.get((n,))
        clock.now += TICK
    clock.now += SECOND + TICK
    table.put((9,), 9)
    assert [key for key, _ in gone] == [2, 4, 5, 0, 3, 1]


# -- a model ---------------------------------------------------------------------------------------

deltas = st.sampled_from([1, 3, TICK // 3, TICK, 3 * TICK, 100 * TICK])
ttls = st.sampled_from([None, 0, 1, 5, TICK // 2, TICK, 5 * TICK, 200 * TICK])
names = st.integers(0, 12)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("put"), names, ttls),
        st.tuples(st.just("put"), names, ttls),
        st.tuples(st.just("get"), names),
        st.tuples(st.just("get"), names),
        st.tuples(st.just("discard"), names),
        st.tuples(st.just("advance"), deltas),
        st.tuples(st.just("advance"), deltas),
        st.tuples(st.just("sweep")),
    ),
    max_size=60,
)


class Deaths:
    """An unbounded table with a TTL and a time to idle: all deadlines in a dict."""

    def __init__(self, now, ttl, tti):
        self.now, self.ttl, self.tti = now, ttl, tti
        self.held = {}
        self.expired = 0

    def ends(self, key):
        fresh, idle = self.held[key]
        return min(end for end in (fresh, idle, 1 << 62) if end is not None)

    def lose(self, dead):
        for key in list(self.held):
            if dead(self.ends(key)):
                del self.held[key]
                self.expired += 1

    def put(self, key, ttl):
        self.lose(lambda end: end // TICK < self.now // TICK)
        if key in self.held and self.ends(key) <= self.now:
            del self.held[key]
            self.expired += 1
        lasts = self.ttl if ttl == 0 else ttl
        fresh = None if lasts is None else self.now + lasts
        self.held[key] = fresh, None if self.tti is None else self.now + self.tti

    def get(self, key):
        if key not in self.held:
            return False
        if self.ends(key) <= self.now:
            del self.held[key]
            self.expired += 1
            return False
        self.held[key] = self.held[key][0], None if self.tti is None else self.now + self.tti
        return True

    def discard(self, key):
        if key in self.held and self.ends(key) <= self.now:
            self.expired += 1
            del self.held[key]
        return self.held.pop(key, None) is not None

    def sweep(self):
        before = self.expired
        self.lose(lambda end: end <= self.now)
        return self.expired - before


@pytest.mark.parametrize("core", worlds.CORES)
@settings(max_examples=300, deadline=None)
@given(ttl=ttls, tti=st.sampled_from([None, 2, TICK, 4 * TICK]), trace=moves)
def test_expiry_is_exact(core, ttl, tti, trace):
    clock = FakeClock()
    ttl = ttl or None
    table = package(core)._core.Table(None, width=1, ttl=ttl, tti=tti, timed=True, clock=clock)
    model = Deaths(clock.now, ttl, tti)
    for verb, *args in trace:
        if verb == "put":
            table.put((args[0],), True, args[1]), model.put(*args)
        elif verb == "advance":
            clock.now += args[0]
            model.now = clock.now
        elif verb == "sweep":
            assert table.sweep() == model.sweep()
        else:
            assert bool(getattr(table, verb)((args[0],))) == getattr(model, verb)(*args)
        assert len(table) == len(model.held)
        assert table.counters()[4] == model.expired
        fresh = {key for key in model.held if model.ends(key) > clock.now}
        assert set(keys(table)) == fresh

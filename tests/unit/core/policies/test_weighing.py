"""Tables bounded by weight."""

from __future__ import annotations

import pytest

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]


@pytest.fixture
def gone():
    return []


@pytest.fixture
def make(tc, gone):
    def make(maxsize=None, **options):
        told = {"width": 1, "on_removal": lambda key, value, cause: gone.append((key[0], cause))}
        return tc._core.Table(maxsize, **told | options)

    return make


def fill(table, *weights):
    for n, weight in enumerate(weights, 1):
        table.put((n,), n, weight=weight)
    return table


def keys(table):
    return [key[0] for key, _ in table.items()]


def test_the_weight_stays_within_its_bound(make, gone):
    table = make(max_weight=10)
    assert (table.max_weight, table.weighted, table.maxsize) == (10, True, None)
    fill(table, 3, 3, 3)
    assert (table.weight, gone) == (9, [])
    table.put((4,), 4, weight=5)
    assert (keys(table), table.weight, gone) == ([3, 4], 8, [(1, "size"), (2, "size")])
    table.put((5,), 5, weight=2)
    assert (table.weight, len(table)) == (10, 3)
    assert table.counters()[3] == 2


def test_both_bounds_hold(make):
    table = fill(make(3, max_weight=10), 1, 1, 1, 1)
    assert keys(table) == [2, 3, 4]
    table.put((5,), 5, weight=9)
    assert keys(table) == [4, 5]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_keeps_the_weight(make, policy):
    table = make(policy=policy, max_weight=100)
    for n in range(2_000):
        table.put((n * n % 61,), n, weight=n % 23)
        assert table.weight <= 100
        if n % 3:
            table.get((n % 61,))
    assert table.weight == sum(weight for *_, weight in table.dump())
    assert len(table) == len(table.items())


def test_a_value_that_alone_is_too_heavy_is_not_stored_and_counted(make, gone):
    table = fill(make(max_weight=10), 4, 4)
    table.put((3,), 3, weight=11)
    assert table.land(table.depart((4,)), 4, weight=12) is False
    assert (keys(table), gone) == ([1, 2], [])
    assert table.counters()[2:4] == (2, 0)
    assert table.counters()[8] == 2
    table.put((3,), 3, weight=10)
    assert (keys(table), table.counters()[8]) == ([3], 2)
    table.clear()
    assert table.counters()[8] == 0


def test_what_a_too_heavy_value_would_have_replaced_leaves(make, gone):
    table = fill(make(max_weight=10), 4, 4)
    table.put((1,), "heavy", weight=11)
    assert (keys(table), gone, table.weight) == ([2], [(1, "replaced")], 4)
    assert table.land(table.depart((2,)), "heavy", weight=11) is False
    assert (keys(table), table.counters()[8]) == ([2], 2)  # it was fresh, and no put
    assert table.land(table.depart((2,)), "heavy", weight=11, replace=True) is False
    assert (keys(table), table.counters()[3:9]) == ([], (0, 0, 0, 0, 0, 3))


def test_a_dead_value_under_a_too_heavy_one_has_expired(tc, clock):
    table = tc._core.Table(None, width=1, ttl=5, max_weight=10, clock=clock)
    table.put((1,), 1, weight=5)
    clock.now += 5
    assert table.land(table.depart((1,)), 1, weight=11) is False
    assert (len(table), table.weight, table.counters()[4]) == (0, 0, 1)


def test_a_value_that_became_heavier_makes_others_leave_and_may_leave_itself(make, gone):
    table = fill(make(max_weight=10), 3, 3, 3)
    table.put((2,), 2, weight=6)
    assert (keys(table), table.weight, gone) == ([3, 2], 9, [(1, "size")])
    table = fill(make(max_weight=10, policy="fifo"), 3, 3, 3)
    gone.clear()
    table.put((1,), 1, weight=6)
    assert (keys(table), table.weight, gone) == ([2, 3], 6, [(1, "size")])
    table.put((2,), "lighter", weight=1)
    assert (table.weight, gone[1:]) == (4, [(2, "replaced")])


def test_weightless_entries_need_no_room(make):
    table = fill(make(max_weight=0), 0, 0, 0, 1)
    assert (keys(table), table.weight, table.counters()[8]) == ([1, 2, 3], 0, 1)


def test_resizing_sets_both_bounds_or_one(make, gone):
    table = fill(make(9, max_weight=100), 10, 20, 30, 40)
    table.resize(9)
    assert (table.maxsize, table.max_weight, len(table)) == (9, 100, 4)
    table.resize(9, max_weight=75)
    assert (table.max_weight, keys(table), table.weight) == (75, [3, 4], 70)
    table.resize(1)
    assert (keys(table), table.max_weight) == ([4], 75)
    table.resize(None, max_weight=None)
    fill(table, 1_000, 1_000)
    assert (table.weight, table.max_weight, len(table)) == (2_040, None, 3)
    assert gone == [(1, "size"), (2, "size"), (3, "size")]
    table.resize(None, max_weight=1_100)
    assert keys(table) == [2]


def test_a_table_that_keeps_no_weights_can_not_be_bounded_by_weight(make):
    table = make(5)
    with pytest.raises(ValueError, match="a table that keeps no weights can't be bounded"):
        table.resize(3, max_weight=10)
    table.resize(3, max_weight=None)
    assert (table.maxsize, table.max_weight, table.weighted) == (3, None, False)


def test_weights_survive_all_that_happens_to_entries(make, clock):
    table = make(max_weight=1_000, ttl=50, clock=clock)
    for n in range(3_000):
        table.put((n % 97,), n, weight=n % 40)
        if n % 7 == 0:
            table.discard((n % 31,))
        if n % 11 == 0:
            clock.now += 3
        if n % 500 == 0:
            table.sweep(), table.shed(3), table.resize(None, max_weight=1_000 + n % 3)
        if n == 1_500:
            table.clear()
    held = sum(weight for *_, weight in table.dump())
    clock.now += 1 << 28
    assert table.weight >= held > 0
    table.sweep()
    assert (table.weight, len(table)) == (0, 0)


# -- the weigher -----------------------------------------------------------------------------------


def test_a_gate_weighs_what_is_to_be_stored(tc):
    asked = []

    def weigh(result, args, kwargs):
        asked.append((result, args, kwargs))
        return len(result)

    def decide(result, args, kwargs):
        return -1 if args == ("no",) else 0

    from_plan = tc._keys.plan.plan_of(lambda x, y=1: x)
    table = tc._core.Table(None, width=2, max_weight=10)
    gate = tc._core.Gate(
        lambda x, y=1: x * 2, table, plan=from_plan, weigh=weigh, decide=decide, copier=str.upper
    )
    assert [gate("abc"), gate("abc"), gate("no"), gate("x" * 6), gate(x="abc", y=1)] == [
        "abcabc", "ABCABC", "nono", "x" * 12, "ABCABC"
    ]  # fmt: skip
    assert asked == [("abcabc", ("abc",), {}), ("x" * 12, ("x" * 6,), {})]
    assert (table.weight, table.counters()[8]) == (6, 1)


def test_a_weigher_that_raises_is_heard_and_nothing_is_stored(tc):
    table = tc._core.Table(3, weighted=True)
    gate = tc._core.Gate(lambda x: x, table, weigh=lambda result, args, kwargs: 1 / result)
    with pytest.raises(ZeroDivisionError):
        gate(0)
    assert (len(table), table.counters()[1:3]) == (0, (1, 0))

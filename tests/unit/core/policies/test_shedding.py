"""Entries that are let go by request, listed to be kept elsewhere, or all at once."""

from __future__ import annotations

import pytest

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]


def fill(table, many):
    for n in range(1, many + 1):
        table.put((n,), -n)
    return table


def keys(table):
    return [key[0] for key, _ in table.items()]


# -- shed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("maxsize", [9, None])
def test_shedding_lets_so_many_go(tc, policy, maxsize):
    table = fill(tc._core.Table(maxsize, width=1, policy=policy), 9)
    assert [table.shed(0), table.shed(2), table.shed(3), len(table)] == [0, 2, 3, 4]
    assert table.counters()[3:6] == (5, 0, 0)
    assert [table.shed(100), table.shed(1), len(table)] == [4, 0, 0]
    assert len(fill(table, 20)) == (maxsize or 20)


@pytest.mark.parametrize(
    ("policy", "ordered", "left"),
    [
        ("lru", True, [3, 4, 1, 2]),
        ("lru", False, [1, 2, 3, 4]),
        ("fifo", True, [1, 2, 3, 4]),
        ("lfu", True, [3, 4, 1, 2]),
        ("sieve", True, [3, 4, 1, 2]),
    ],
)
def test_an_unbounded_table_sheds_in_its_order(tc, policy, ordered, left):
    gone = []
    table = tc._core.Table(
        None, width=1, policy=policy, ordered=ordered, on_removal=lambda key, *_: gone.append(key)
    )
    fill(table, 4)
    table.get((1,)), table.get((2,))
    for _ in range(4):
        assert table.shed(1) == 1
    assert gone == [(n,) for n in left]


def test_what_is_dead_is_shed_as_expired(tc, clock):
    gone = []
    table = tc._core.Table(
        9, width=1, timed=True, clock=clock, on_removal=lambda key, _, cause: gone.append(cause)
    )
    table.put((1,), 1, 5), table.put((2,), 2), table.put((3,), 3, 5), table.put((4,), 4)
    clock.now += 5
    assert table.shed(3) == 3
    assert gone == ["expired", "size", "expired"]
    assert (table.counters()[3:5], keys(table)) == ((1, 2), [4])


def test_an_ordered_table_keeps_its_policy_whatever_its_bounds(tc):
    table = fill(tc._core.Table(None, width=1, ordered=True), 5)
    table.get((1,))
    assert keys(table) == [2, 3, 4, 5, 1]
    table.resize(3)
    assert keys(table) == [4, 5, 1]
    table.resize(None)
    table.get((4,))
    assert keys(table) == [5, 1, 4]


# -- bounds that come and go -----------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_the_order_is_gone_on_with_where_a_bound_comes_or_goes(tc, policy):
    table = fill(tc._core.Table(6, width=1, policy=policy), 6)
    for n in (1, 1, 3, 3, 3, 5):
        table.get((n,))
    before = keys(table)
    table.resize(None)
    assert keys(table) == before
    table.get((before[0],)), table.put((7,), 7)
    assert keys(table) == [*before, 7]
    table.resize(7)
    assert sorted(keys(table)) == [1, 2, 3, 4, 5, 6, 7]
    if policy != "tinylfu":  # what it was told last is in its window, which goes first
        assert keys(table) == [*before, 7]
    table.resize(6)
    assert len(table) == 6
    if policy not in ("random", "tinylfu"):
        assert keys(table) == [*before[1:], 7]


# -- dump ------------------------------------------------------------------------------------------


def test_a_dump_has_all_that_it_takes_to_store_again(tc, clock):
    table = tc._core.Table(9, width=1, ttl=50, tti=40, weighted=True, clock=clock)
    table.put((1,), "a", weight=3), table.put((2,), "b", None, weight=0), table.put((3,), "c", 7)
    clock.now += 5
    table.get((1,)), table.put((4,), "d")
    assert table.dump() == [
        ((2,), "b", None, 0), ((3,), "c", 2, 1), ((1,), "a", 45, 3), ((4,), "d", 50, 1)
    ]  # fmt: skip
    clock.now += 2
    assert [key[0] for key, *_ in table.dump()] == [2, 1, 4]
    assert table.counters()[:2] == (1, 0)


def test_without_weights_each_entry_weighs_one_and_without_deadlines_lasts_for_ever(tc):
    table = fill(tc._core.Table(9), 2)
    table.put((1,), "new", weight=7)
    assert table.dump() == [((2,), -2, None, 1), ((1,), "new", None, 1)]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_dump_is_in_the_order_of_items(tc, policy):
    table = fill(tc._core.Table(8, width=1, policy=policy), 20)
    for n in (15, 18, 15, 20):
        table.get((n,))
    assert [(key, value) for key, value, *_ in table.dump()] == table.items()
    assert len(table.dump()) == 8


def test_a_dump_keeps_no_instance_alive_and_leaves_out_the_dead(tc):
    class Owner:
        pass

    table = tc._core.Table(9, width=2, weak=True)
    one = Owner()
    table.put((one, 1), 1)
    assert table.dump() == [((one, 1), 1, None, 1)]
    del one
    assert table.dump() == []


# -- gates -----------------------------------------------------------------------------------------


@pytest.mark.thread_unsafe(reason="lists the gates of the whole process")
def test_every_gate_that_lives_is_known_in_the_order_of_making(tc):
    known = len(tc._core.gates())
    made = [tc._core.Gate(len, tc._core.Table(1)) for _ in range(5)]
    functions = [tc.mcache(lambda x: x), tc.lru_cache(lambda x: x)]
    found = tc._core.gates()
    assert found[-7:] == [*made, *functions]
    assert len(found) >= known
    del found, made[1:3]
    left = tc._core.gates()[-5:]
    assert left == [*made, *functions]


@pytest.mark.thread_unsafe(reason="lists the gates of the whole process")
def test_being_known_keeps_no_gate_alive(tc):
    before = tc._core.gates()
    gates = [tc._core.Gate(len, tc._core.Table(1)) for _ in range(100)]
    assert len(tc._core.gates()) == len(before) + 100
    del gates
    assert tc._core.gates() == before


@pytest.mark.thread_unsafe(reason="lists the gates of the whole process")
def test_a_gate_that_is_configured_anew_is_known_once(tc):
    gate, other = (tc._core.Gate(len, tc._core.Table(1)) for _ in range(2))
    gate.__init__(len, tc._core.Table(5))
    assert tc._core.gates()[-2:] == [gate, other]

"""W-TinyLFU: what is remembered of keys, how it fades, and that both cores agree for long."""

from __future__ import annotations

import os
import random

import pytest

SIZES = [1, 2, 3, 15, 16, 17, 40, 100, 200, 700, 2_500]  # 16 entries are visited at a time


def table_of(tc, maxsize):
    return tc._core.Table(maxsize, policy="tinylfu", width=1)


def ask(table, key):
    """Whether it was there; now it is."""
    if table.get((key,)) is not None:
        return True
    table.put((key,), key)
    return False


def scan(table, keys):
    for key in keys:
        ask(table, key)


def has(table, key):
    return table.peek((key,)) is not None


def settled(tc, maxsize=100):
    """A full table whose first age is over: the keys 0 to 99, each stored and used once."""
    table = table_of(tc, maxsize)
    scan(table, range(maxsize))
    scan(table, range(maxsize))
    scan(table, range(10_000, 10_000 + maxsize))
    return table


# -- counts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["discarded", "evicted"])
def test_the_count_of_a_key_that_left_is_remembered(tc, way):
    table = table_of(tc, 100)
    scan(table, range(100))
    for _ in range(5):
        ask(table, 7)
    scan(table, range(100))  # now 7 is one of those used the longest ago
    assert table.discard((7,)) if way == "discarded" else table.shed(25) == 25
    assert not has(table, 7)
    scan(table, range(100, 125))
    ask(table, 7), ask(table, 7_000)
    scan(table, range(1_000, 1_300))
    assert has(table, 7)
    assert not has(table, 7_000)


def test_uses_just_before_a_key_is_discarded_count(tc):
    """Without a write in between the policy hears of them late; it has to before the entry goes."""

    def stays(uses):
        table = settled(tc)
        table.put((7_777,), 7_777)
        for _ in range(uses):
            assert table.get((7_777,)) == 7_777
        assert table.discard((7_777,))
        table.put((7_777,), 7_777)
        scan(table, range(20_000, 20_200))
        return has(table, 7_777)

    assert not stays(0)
    assert stays(8)


def test_what_nobody_saw_before_does_not_push_out_what_was_used(tc):
    table = settled(tc)
    for _ in range(3):
        scan(table, range(100))
    before = sum(has(table, key) for key in range(100))
    scan(table, range(30_000, 30_400))
    assert before >= 98
    assert sum(has(table, key) for key in range(100)) >= 98


def test_a_lead_of_one_is_not_enough_to_get_in(tc):
    """The first to leave begins an age: a use of one before it counts nothing, a new one's does."""
    table = table_of(tc, 100)
    scan(table, range(100))
    scan(table, range(1_000, 1_050))
    assert sum(has(table, key) for key in range(100)) >= 98


def test_a_popular_entry_outlives_newcomers_for_some_ages_and_then_fades(tc):
    table = settled(tc)
    for _ in range(20):
        ask(table, 5)
    scan(table, range(40_000, 41_000))  # an age at least
    assert has(table, 5)
    for start in range(50_000, 62_000, 1_000):  # others become popular, and age follows age
        for key in [*range(start, start + 150)] * 3:
            ask(table, key), ask(table, key)
    assert not has(table, 5)


def test_a_cleared_table_remembers_nothing(both):
    for tc in both:
        used, new = settled(tc), table_of(tc, 100)
        used.clear()
        for key in [*range(150), *range(90), *range(60, 260)]:
            assert ask(used, key) == ask(new, key)
        assert used.items() == new.items()


# -- both cores, for long --------------------------------------------------------------------------


class Pair:
    """The same table on both cores: each step is taken on both and has to have one outcome."""

    def __init__(self, both, maxsize):
        self.tables = [table_of(tc, maxsize) for tc in both]

    def __getattr__(self, name):
        def call(*args):
            first, second = (getattr(table, name)(*args) for table in self.tables)
            assert first == second, (name, args)
            return first

        return call


def live(pair, size, seed, requests):
    """Requests of some popularity, which moves; and now and then anything else."""
    rng = random.Random(seed)
    keys, slope = size * rng.choice([2, 4, 10]) + 1, rng.choice([0.3, 0.7, 1.2])
    for n in range(requests):
        key = rng.randrange(keys)
        chance = rng.random()
        if chance < 0.97:
            if rng.random() < 0.7:
                key = min(int(rng.paretovariate(slope)), 10**9) + n // (5 * size)
            if pair.get((key,)) is None:
                pair.put((key,), n)
        elif chance < 0.985:
            pair.discard((key,))
        elif chance < 0.995:
            pair.put((key,), n)
        elif chance < 0.998:
            pair.shed(rng.randrange(1, 4))
        elif chance < 0.9988:
            pair.resize(rng.choice([size, max(1, size // 2), max(1, size // 9), 2 * size]))
        elif chance < 0.9989:
            pair.resize(None), pair.resize(size)
        elif chance < 0.99895:
            pair.clear()
        if n % (size // 2 + 7) == 0:
            pair.items()
    assert pair.items() is not None
    pair.counters()


@pytest.mark.parametrize("size", SIZES)
def test_a_long_life_is_the_same_on_both_cores(both, size):
    for seed in range(int(os.environ.get("TRACES", "1"))):
        live(Pair(both, size), size, size + 7_919 * seed, 2_000 + 25 * size)


@pytest.mark.parametrize("size", [5, 90, 1_200])
def test_hits_alone_bring_new_ages_on_both_cores(both, size):
    """Many hits in a row: not all are shown to the simulation, and ages come from hits alone."""
    pair = Pair(both, size)
    rng = random.Random(size)
    for round in range(4):
        for n in range(2 * size):
            if pair.get((n,)) is None:
                pair.put((n,), n)
        held = [key for key, _ in pair.items()]
        for _ in range(12 * size):
            pair.get(held[min(int(rng.expovariate(3 / size)), len(held) - 1)])
        for n in range(round * size, (round + 1) * size):
            pair.put((10**6 + n,), n)
        pair.items()


@pytest.mark.parametrize("size", [20, 100, 700])
def test_the_window_gets_its_size_at_the_same_moment_on_both_cores(both, size):
    """What was new lately is wanted, and then a loop: windows of all and of 1 % lead in turn."""
    pair = Pair(both, size)
    rng = random.Random(size)
    for phase in range(4):
        for n in range(12 * size):
            back = int(rng.expovariate(2.5 / size))
            key = phase * 10**6 + (n % (size * 5 // 4) if phase % 2 else n // 2 - back)
            if pair.get((key,)) is None:
                pair.put((key,), n)
            if n % (size // 4) == 0:
                pair.items()


@pytest.mark.parametrize("many", [3, 17, 300])
def test_entries_that_leave_in_the_middle_of_an_age_are_no_matter(both, many):
    """Removing entries moves others: whoever was not visited has to be, whoever was not twice."""
    pair = Pair(both, 600)
    rng = random.Random(many)
    for round in range(12):
        for _ in range(1_500):
            key = int(rng.paretovariate(0.6)) % 2_000
            if pair.get((key,)) is None:
                pair.put((key,), key)
        for _ in range(many):
            pair.discard((rng.randrange(2_000),))
        if round % 4 == 3:
            pair.resize(rng.choice([50, 600, 900]))
        pair.items()


@pytest.mark.parametrize("policy", ["lfu", "tinylfu"])
def test_hits_before_a_heavier_value_are_heard_before_room_is_made_for_it(both, policy):
    """The pure core made the room when it heard of the first hit of that entry."""
    for many in range(1, 8):
        seen = []
        for tc in both:
            told = []
            table = tc._core.Table(
                None,
                policy=policy,
                width=1,
                max_weight=20,
                on_removal=lambda key, *_, told=told: told.append(key),
            )
            for n in range(10):
                table.put((n,), n, weight=2)
            assert table.get((9,)) == 9
            for n in range(many):
                assert table.get((n,)) == n
            table.put((9,), "heavier", weight=5)
            seen.append((told[1:], table.items(), table.weight))
        assert seen[0] == seen[1]
        assert seen[0][2] <= 20

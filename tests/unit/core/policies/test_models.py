"""Policies against models of a few lines each: the same entries in the same order, always."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conftest import package
from tests.fixtures import worlds
from tests.fixtures.policy_models import POLICIES, Model, run, sizes, steps, weights


def thorough(examples):
    return settings(
        max_examples=examples * int(os.environ.get("TRACES", "1")),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.mark.parametrize("core", worlds.CORES)
@pytest.mark.parametrize("policy", POLICIES)
@thorough(150)
@given(maxsize=sizes, trace=steps(bounds=False))
def test_a_policy_is_exact_to_the_entry(core, policy, maxsize, trace):
    run(package(core)._core, policy, maxsize, None, trace)


@pytest.mark.parametrize("core", worlds.CORES)
@pytest.mark.parametrize("policy", POLICIES)
@thorough(150)
@given(maxsize=sizes, max_weight=weights, trace=steps())
def test_a_policy_is_exact_under_weights_and_other_bounds(core, policy, maxsize, max_weight, trace):
    run(package(core)._core, policy, maxsize, max_weight, trace)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("maxsize", [1, 7, 100, 1_000])
def test_a_long_life_is_exact_too(tc, policy, maxsize):
    rng = random.Random(maxsize)
    table, model = tc._core.Table(maxsize, policy=policy, width=1), Model(policy, maxsize, None)
    for n in range(8 * maxsize + 2_000):
        key = int(rng.paretovariate(0.7)) if n % 3 else rng.randrange(4 * maxsize)
        found = table.get((key,))
        assert found == model.get(key)
        if found is None:
            table.put((key,), n + 1), model.put(key, n + 1, 1)
        if n % 97 == 0:
            assert table.discard((key,)) == model.discard(key)
        if n % 501 == 0 and maxsize < 1_000:
            assert [(key[0], value) for key, value in table.items()] == [
                item[:2] for item in model.items()
            ]
    assert [key[0] for key, _ in table.items()] == [key for key, *_ in model.items()]
    assert table.counters()[3] == len(model.evicted)


@pytest.mark.parametrize("policy", POLICIES)
def test_hits_by_calls_and_by_get_are_the_same_to_a_policy(tc, policy):
    f = tc.mcache(maxsize=8, policy=policy)(lambda x: x + 1)
    model = Model(policy, 8, None)
    rng = random.Random(5)
    for n in range(3_000):
        key = min(int(rng.paretovariate(0.6)), 10**6)
        assert f(key) == key + 1 if n % 2 else f(x=key) == key + 1
        if model.get(key) is None:
            model.put(key, key + 1, 1)
        if n % 10 == 0:
            assert f.items() == [((key,), value) for key, value, _ in model.items()]


def test_many_hits_without_a_write_are_all_heard_of(tc):
    f = tc.mcache(maxsize=3, policy="lfu")(lambda x: x)
    f(1), f(2), f(3)
    for _ in range(1_000):
        f(1)
    for _ in range(999):
        f(2)
    for _ in range(1_001):
        f(3)
    assert [value for _, value in f.items()] == [2, 1, 3]
    f(4)  # takes the place of 2; then 5 of 4, which was used once
    f(5)
    assert [value for _, value in f.items()] == [5, 1, 3]


# -- random ----------------------------------------------------------------------------------------


def test_random_evicts_each_with_the_same_chance(tc):
    table, gone, many = tc._core.Table(5, policy="random", width=1), Counter(), 5_000
    for round in range(many):
        for n in range(5):
            table.put((n,), n)
        table.put((9,), 9)
        kept = {key[0] for key, _ in table.items()}
        assert len(kept) == len(table) == 5
        assert 9 in kept, "the new entry is never the one to go"
        (left,) = {0, 1, 2, 3, 4} - kept
        gone[left] += 1
        table.discard((9,))
        table.put((left,), left)
    assert set(gone) == {0, 1, 2, 3, 4}
    assert all(abs(count - many / 5) < 200 for count in gone.values())  # seven standard deviations


def test_random_holds_the_bound_and_the_oldest_come_first(tc):
    table, rng = tc._core.Table(50, policy="random", width=1), random.Random(1)
    arrived = {}
    for n in range(5_000):
        key = rng.randrange(200)
        if table.get((key,)) is None:
            arrived[key] = n
            table.put((key,), key)
        if n % 7 == 0:
            table.discard((rng.randrange(200),))
        assert len(table) <= 50
        held = [key[0] for key, _ in table.items()] if n % 50 == 0 else []
        assert held == sorted(held, key=arrived.__getitem__)
    table.resize(20)
    assert len(table) == len(table.items()) == 20


# -- where policies differ ------------------------------------------------------------------------


def hit_ratio(tc, policy, keys, maxsize):
    f = tc.mcache(maxsize=maxsize, policy=policy)(lambda x: None)
    for key in keys:
        f(key)
    return f.stats().hit_ratio


def test_a_scan_costs_sieve_and_s3fifo_less_than_lru(tc):
    rng = random.Random(3)
    keys = []
    for n in range(200):
        keys += [int(rng.paretovariate(0.9)) for _ in range(100)]
        keys += range(10**7 + 50 * n, 10**7 + 50 * n + 50)
    ratios = {policy: hit_ratio(tc, policy, keys, 60) for policy in ("lru", "sieve", "s3fifo")}
    assert ratios["sieve"] > ratios["lru"] + 0.01
    assert ratios["s3fifo"] > ratios["lru"] + 0.01


def test_an_unknown_policy_is_refused(tc):
    with pytest.raises(ValueError, match="policy must be one of lru, fifo, random, lfu, sieve"):
        tc._core.Table(5, policy="mru")
    assert tc._core.POLICIES == ("lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu")
    assert [tc._core.Table(5, policy=policy).policy for policy in POLICIES] == [*POLICIES]

"""What policies once did wrong, one test each."""

from __future__ import annotations

from time import process_time

import pytest

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]


@pytest.mark.parametrize("policy", POLICIES)
def test_growing_within_a_weight_costs_the_same_for_each_entry(tc, policy):
    """s3fifo laid its ghosts out anew whenever the table held more entries than ever before."""

    def took(n):
        table = tc._core.Table(None, width=1, policy=policy, max_weight=2 * n)
        for number in range(n):
            table.put((number,), None, weight=2)
        before = process_time()
        for number in range(n, 3 * n):
            table.put((number,), None, weight=1)
        assert 2 * n - 1 <= table.weight <= 2 * n
        return process_time() - before

    few = min(took(1_000) for _ in range(3))
    assert min(took(8_000) for _ in range(2)) < 32 * few

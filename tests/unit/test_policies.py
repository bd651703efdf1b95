"""`policy=`: each by its name, with the behaviour that its name promises."""

from __future__ import annotations

import pytest

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]


def left(f):
    return sorted(key[0] for key, _ in f.items())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("decorator", ["mcache", "acache"])
def test_every_policy_is_known_by_its_name(tc, policy, decorator):
    async def coroutine_function(x):
        return x

    function = coroutine_function if decorator == "acache" else lambda x: x
    f = getattr(tc, decorator)(policy=policy)(function)
    assert f.table.policy == policy
    assert getattr(tc, decorator)(100, None, policy)(function).table.policy == policy


def test_lru_is_the_default(tc):
    assert tc.mcache(lambda x: x).table.policy == "lru"


def test_the_names_are_those_of_the_core(tc):
    assert list(tc._core.POLICIES) == POLICIES


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("how", ["function", "method", "typed", "called by name", "many"])
def test_every_policy_keeps_the_bound_and_answers_right(tc, policy, how):
    class Holder:
        @tc.mcache(maxsize=10, policy=policy)
        def m(self, x):
            return -x

    f = {
        "function": tc.mcache(maxsize=10, policy=policy)(lambda x: -x),
        "method": Holder().m,
        "typed": tc.mcache(maxsize=10, policy=policy, typed=True)(lambda x: -x),
        "called by name": tc.mcache(maxsize=10, policy=policy)(lambda *, x: -x),
        "many": tc.mcache(maxsize=10, policy=policy)(lambda *x: -x[0]),
    }[how]
    for n in [*range(30), *range(5), *range(40)]:
        assert (f(x=n) if how == "called by name" else f(n)) == -n
    info = f.cache_info()
    assert info.currsize == 10
    assert info.hits + info.misses == 75
    f.resize(3)
    assert f.cache_info().currsize == 3
    f.cache_clear()
    assert f.cache_info().currsize == 0


def used(tc, policy):
    """Room for three: 1 and 2 stored and used much, 3 stored last; then one more."""
    f = tc.mcache(maxsize=3, policy=policy)(lambda x: x)
    f(1), f(2), f(1), f(1), f(2), f(2), f(1), f(3), f(4)
    return left(f)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("lru", [1, 3, 4]), ("fifo", [2, 3, 4]), ("lfu", [1, 2, 4]), ("sieve", [1, 2, 4])],
)
def test_who_leaves_is_as_the_name_says(tc, policy, expected):
    assert used(tc, policy) == expected


@pytest.mark.parametrize("policy", ["lfu", "sieve", "s3fifo", "tinylfu"])
def test_what_is_used_often_outlives_a_scan(tc, policy):
    f = tc.mcache(maxsize=100, policy=policy)(lambda x: x)
    for _ in range(6):
        for n in range(20):
            f(n)
        for n in range(20):
            f(n)
    for n in range(1000, 1150):
        f(n)
    assert sum(f.contains(n) for n in range(20)) >= 18


@pytest.mark.parametrize("policy", POLICIES)
def test_without_a_bound_nothing_leaves(tc, policy):
    f = tc.mcache(maxsize=None, policy=policy)(lambda x: x)
    for n in range(500):
        f(n), f(n)
    assert f.cache_info() == (500, 500, None, 500)


@pytest.mark.parametrize("policy", POLICIES)
def test_each_object_has_the_policy(tc, policy):
    class Holder:
        @tc.mcache(maxsize=2, policy=policy, per_instance=True)
        def m(self, x):
            return x

    holder = Holder()
    for n in range(5):
        holder.m(n)
    assert holder.m.table.policy == policy
    assert holder.m.cache_info().currsize == 2

"""`override()`: what is stored in a block lasts as long as the block says."""

from __future__ import annotations

from functools import partial

import pytest

from tests.fixtures.kinds import KINDS, made


@pytest.fixture
def make(tc, tmp_path):
    """Makes cached functions of each kind."""
    return partial(made, tc, tmp_path)


def test_override_gives_what_is_stored_another_ttl(tc, clock):
    f = tc.mcache(ttl=100, clock=clock)(lambda x: [x])
    steps = tc.mcache(ttl=100, stale=10, clock=clock)(lambda x: [x])
    with tc.override(ttl="5s"):
        for g in (f, steps):
            assert g(1) is g(1)
    first, other = f(1), steps(1)
    clock.advance(4)
    assert (f(1) is first, steps(1) is other) == (True, True)
    clock.advance(1)
    assert f(1) is not first
    assert f.contains(1) is True
    clock.advance(50)
    assert f.contains(1) is True


def test_override_by_a_function_of_the_result(tc, clock):
    f = tc.mcache(ttl=100, clock=clock)(lambda x: x)
    with tc.override(ttl=lambda result, x: {1: 5, 2: None, 3: 0}[result]):
        for n in (1, 2, 3):
            f(n)
    assert [f.contains(n) for n in (1, 2, 3)] == [True, True, False]
    clock.advance(1000)
    assert [f.contains(n) for n in (1, 2, 3)] == [False, True, False]


def test_override_where_there_is_no_room_for_deadlines_stores_nothing(tc, make):
    for kind in ("plain", "method"):
        f = make(kind)
        with tc.override(ttl=5):
            assert f(1) is not f(1)
        with tc.override(ttl=None):
            assert f(1) is f(1)


@pytest.mark.parametrize("kind", KINDS)
def test_override_tells_what_is_not_to_be_stored(tc, make, kind):
    f = make(kind)
    f(1)
    with tc.override(cache_if=lambda result, *args: 2 in args):
        f(1), f(2), f(3)
        assert f(1) == f.peek(1)
    assert [f.contains(n) for n in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_s_own_cache_if_holds_until_it_is_overridden(tc, make, kind):
    f = make(kind, ttl=60, cache_if=lambda result, *args: False)
    with tc.override(ttl=30):
        f(1)
        assert f.contains(1) is False
    with tc.override(cache_if=lambda result, *args: True):
        f(1)
    assert f.contains(1) is True


def test_of_two_overrides_the_inner_one_counts(tc, clock):
    f = tc.mcache(ttl=100, clock=clock)(lambda x: [x])
    with tc.override(ttl=5, cache_if=lambda result, x: x != 3), tc.override(ttl=50):
        f(1), f(3)
    assert [f.contains(1), f.contains(3)] == [True, False]
    clock.advance(10)
    assert f.contains(1)


def test_override_on_an_engine(tc, tmp_path, clock):
    f = tc.ucache(f"sqlite:///{tmp_path}/cache.db", ttl=100, clock=clock)(lambda x: [x])
    with tc.override(ttl=5):
        f(1)
    with tc.override(ttl=None):
        f(2)
    f(3)
    clock.advance(4)
    assert [f.contains(n) for n in (1, 2, 3)] == [True, True, True]
    clock.advance(2)
    assert [f.contains(n) for n in (1, 2, 3)] == [False, True, True]
    clock.advance(1000)
    assert [f.contains(n) for n in (1, 2, 3)] == [False, True, False]


@pytest.mark.parametrize(
    "options", [{"maxsize": 5}, {"tll": 5}, {"ttl": -1}, {"ttl": "soon"}, {"cache_if": 1}]
)
def test_override_refuses_what_it_cannot_do(tc, options):
    with pytest.raises(tc.ConfigurationError, match="accepted"):
        tc.override(**options)

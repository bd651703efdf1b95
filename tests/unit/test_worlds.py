"""The fixtures keep the two cores apart, and the fake clock keeps time."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from tests.fixtures import worlds
from tests.fixtures.clock import FakeClock


def test_each_world_runs_the_core_it_is_named_for(tc, core):
    assert tc.core_info().name == core


def test_the_worlds_share_no_gate(both):
    @both.pure.mcache
    def f(x):
        return x

    @both.compiled.mcache
    def g(x):
        return x

    f(1), g(1), g(1)
    assert f.stats().hits == 0
    assert g.stats().hits == 1
    assert type(f) is not type(g)


def test_the_pure_world_never_holds_the_compiled_module(both):
    assert "twat_cache_pure._core_c" not in sys.modules
    assert "twat_cache_pure._core_py" in sys.modules


def test_what_a_world_imports_late_is_its_own(both):
    assert both.pure.Cached.__module__ == "twat_cache_pure.types"
    assert both.compiled.Cached.__module__ == "twat_cache.types"


def test_the_environment_names_one_switch(monkeypatch):
    monkeypatch.setenv(worlds.FORBIDDEN, "1")
    assert worlds.FORBIDDEN not in worlds.environment("compiled")
    assert worlds.environment("compiled")[worlds.REQUIRED] == "1"
    assert worlds.REQUIRED not in worlds.environment("pure")


def test_the_clock_stands_still():
    clock = FakeClock(5)
    assert (clock(), clock(), clock.reads) == (5, 5, 2)


@pytest.mark.parametrize("by", [90, 90.0, timedelta(minutes=1, seconds=30)])
def test_the_clock_advances_by_seconds_or_timedelta(by):
    clock = FakeClock(7)
    assert clock.advance(by) == clock() == 90_000_000_007


def test_the_clock_adds_small_steps_exactly():
    clock = FakeClock(0)
    for _ in range(10):
        clock.advance(0.1)
    assert clock() == 1_000_000_000


def test_the_clock_never_goes_back():
    with pytest.raises(ValueError, match="can't go back"):
        FakeClock().advance(-1)

"""Results in a table: what steps find there, and what they may leave."""

from __future__ import annotations

from importlib import import_module
from math import inf
from typing import Any

import pytest

SECOND = 1_000_000_000


class Kit:
    """The parts of one world, and stores made of them."""

    def __init__(self, tc, clock):
        self.Table = tc._core.Table
        self.clock = clock
        for module in ("_stores.in_table", "_stores.tag_index", "_run.call", "_run.drive"):
            self.__dict__.update(vars(import_module(f"{tc.__name__}.{module}")))
        self.RefreshAhead = import_module(f"{tc.__name__}._run.early").RefreshAhead
        self.lasts: Any = 10 * SECOND
        self.weight = 1

    def terms(self, value, call):
        return self.lasts, self.weight

    def plain(self, **options):
        table = self.Table(9, width=1, timed=True, clock=self.clock, **options)
        return self.TableStore(table, self.terms)

    def timed(self, **options):
        table = self.Table(
            9, width=1, timed=True, stale=0, weighted=True, max_weight=100, clock=self.clock
        )
        return self.TimedTableStore(table, self.terms, **options)

    def call(self, x, **options):
        return self.Call((x,), (x,), None, **options)

    def look(self, store, x):
        found = store.look(self.call(x))
        return found and (found.value, found.left, found.margin, found.raised)

    def keep(self, store, x, value, raised=0, took=0.0, **options):
        call = self.call(x, **options)
        call.took = took
        departed = store.depart(call)
        try:
            store.keep(call, value, departed, raised)
        finally:
            store.abandon(departed)


@pytest.fixture
def kit(tc, clock):
    return Kit(tc, clock)


def test_a_plain_store_gives_what_is_fresh(kit):
    store = kit.plain()
    assert kit.look(store, 1) is None
    kit.keep(store, 1, "one")
    assert kit.look(store, 1) == ("one", inf, 0.0, 0)
    kit.clock.advance(10)
    assert kit.look(store, 1) is None


@pytest.mark.parametrize("kind", ["plain", "timed"])
def test_terms_may_refuse_a_value(kit, kind):
    store = getattr(kit, kind)()
    kit.lasts = -1
    kit.keep(store, 1, "one")
    assert kit.look(store, 1) is None


@pytest.mark.parametrize("kind", ["plain", "timed"])
def test_what_lasts_for_ever_does(kit, kind):
    store = getattr(kit, kind)()
    kit.lasts = None
    kit.keep(store, 1, "one")
    kit.clock.advance(10_000_000)
    assert kit.look(store, 1) == ("one", inf, 0.0, 0)


@pytest.mark.parametrize("kind", ["plain", "timed"])
def test_what_arrived_first_stays_unless_a_call_is_forced(kit, kind):
    store = getattr(kit, kind)()
    kit.keep(store, 1, "first")
    kit.keep(store, 1, "second")
    assert kit.look(store, 1)[0] == "first"
    kit.keep(store, 1, "third", is_forced=True)
    assert kit.look(store, 1)[0] == "third"


@pytest.mark.parametrize("kind", ["plain", "timed"])
def test_what_was_put_by_hand_grounds_what_is_on_its_way(kit, kind):
    store = getattr(kit, kind)()
    call = kit.call(1, is_forced=True)
    departed = store.depart(call)
    store.put(kit.call(1), "by hand", 10 * SECOND, 1)
    store.keep(call, "older", departed)
    assert kit.look(store, 1)[0] == "by hand"


def test_values_are_copied_on_both_ways(kit):
    for kind in (kit.TableStore, kit.TimedTableStore):
        table = kit.Table(9, width=1, timed=True, stale=0, clock=kit.clock)
        store = kind(table, kit.terms, list)
        value = [1]
        kit.keep(store, 1, value)
        value.append(2)
        found = kit.look(store, 1)[0]
        assert found == [1]
        found.append(3)
        assert kit.look(store, 1)[0] == [1]


def test_a_stale_result_is_found_until_its_end(kit):
    store = kit.timed(stale=5)
    kit.keep(store, 1, "one")
    assert kit.look(store, 1) == ("one", 10.0, 0.0, 0)
    kit.clock.advance(10)
    assert store.table.get((1,)) is None
    assert kit.look(store, 1) == ("one", 0.0, 0.0, 0)
    kit.clock.advance(4)
    assert kit.look(store, 1) == ("one", -4.0, 0.0, 0)
    kit.keep(store, 1, "two")
    assert kit.look(store, 1) == ("two", 10.0, 0.0, 0)
    kit.clock.advance(15)
    assert kit.look(store, 1) is None


def test_a_table_with_a_time_of_its_own_gives_it(kit):
    table = kit.Table(9, width=1, ttl=3 * SECOND, stale=0, clock=kit.clock)
    store = kit.TimedTableStore(table, kit.terms, stale=5)
    kit.lasts = 0
    kit.keep(store, 1, "one")
    assert kit.look(store, 1) == ("one", 3.0, 0.0, 0)


def test_a_result_is_no_hit_in_its_margin(kit):
    store = kit.timed(stale=5, early=kit.RefreshAhead(0.8))
    kit.keep(store, 1, "one")
    kit.clock.advance(7.5)
    assert store.table.get((1,)) == "one"
    kit.clock.advance(1)
    assert store.table.get((1,)) is None
    value, left, margin, _ = kit.look(store, 1)
    assert (value, left) == ("one", 1.5)
    assert margin == pytest.approx(2.0)


def test_a_value_put_by_hand_has_all_its_deadlines(kit):
    store = kit.timed(stale=5, early=kit.RefreshAhead(0.5))
    store.put(kit.call(1), "one", 10 * SECOND, 3)
    assert store.table.weight == 3
    kit.clock.advance(5)
    assert store.table.get((1,)) is None
    assert kit.look(store, 1) == ("one", 5.0, 5.0, 0)
    kit.clock.advance(9)
    assert kit.look(store, 1) == ("one", -4.0, 5.0, 0)


def test_what_came_by_another_way_is_no_more_than_fresh(kit):
    store = kit.timed(stale=5)
    store.table.put((1,), "one", 10 * SECOND)
    assert kit.look(store, 1) == ("one", 10.0, 0.0, 0)
    kit.clock.advance(10)
    assert kit.look(store, 1) is None


@pytest.mark.parametrize("stale", [1e10, 1e300])
def test_what_may_be_stale_for_ages_is_read_right(kit, stale):
    store = kit.timed(stale=stale, early=kit.RefreshAhead(0.5))
    kit.lasts = 10 * SECOND
    kit.keep(store, 1, "one")
    assert kit.look(store, 1) == ("one", 10.0, 5.0, 0)


def test_an_exception_is_kept_and_is_no_hit(kit):
    store = kit.timed(lives=[2.0, 7.0])
    error = LookupError("gone", 7)
    kit.keep(store, 1, error, raised=2)
    assert store.table.get((1,)) is None
    assert store.table.items() == []
    found, left, _, raised = kit.look(store, 1)
    assert (type(found), found.args, left, raised) == (LookupError, ("gone", 7), 7.0, 2)
    assert found is not error
    kit.keep(store, 1, "one")
    assert kit.look(store, 1)[0] == "one"
    kit.clock.advance(10)
    kit.keep(store, 1, error, raised=1)
    kit.clock.advance(2)
    assert kit.look(store, 1) is None


def test_an_exception_that_cannot_be_copied_is_not_kept(kit):
    class Slotted(Exception):
        __slots__ = ("more",)

    store = kit.timed(lives=[2.0])
    kit.keep(store, 1, Slotted("no"), raised=1)
    assert kit.look(store, 1) is None
    assert len(store.table) == 0


def test_a_computation_that_comes_to_nothing_leaves_nothing(kit):
    for store in (kit.plain(), kit.timed()):
        departed = store.depart(kit.call(1))
        store.abandon(departed)
        assert len(store.table) == 0

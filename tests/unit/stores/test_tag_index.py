"""Dropping a tag lets all entries go that have it, and no others; and nothing is remembered of
what has left.
"""

from __future__ import annotations

import gc
import sys
import threading
from importlib import import_module
from random import Random
from uuid import uuid4

import pytest

SECOND = 1_000_000_000


class Thing:
    """Something that can be held weakly."""


class Shop:
    """A table, a store on it, and an index of tags between them."""

    def __init__(self, tc, clock, maxsize=9, *, weak=False, timed=True, **options):
        for module in ("_stores.in_table", "_stores.tag_index", "_run.call", "_run.drive"):
            self.__dict__.update(vars(import_module(f"{tc.__name__}.{module}")))
        self.clock = clock
        self.tags = {}
        self.lasts = 10 * SECOND
        self.weight = 1
        self.index = self.TagIndex(lambda call: self.tags.get(call.place[-1], ()), weak)
        self.width = 2 if weak else 1
        self.told = []
        self.table = tc._core.Table(
            maxsize, width=self.width, weak=weak, clock=clock, on_removal=self.hear,
            **{"timed": True, "stale": 0} if timed else {}, **options,
        )  # fmt: skip
        self.index.table = self.table
        kind = self.TimedTableStore if timed else self.TableStore
        self.store = kind(self.table, lambda *_: (self.lasts, self.weight), tags=self.index)

    def hear(self, key, value, cause):
        self.told.append((value, cause))
        self.index.gone(key, cause)

    def call(self, *key, **options):
        return self.Call(key, key, None, **options)

    def depart(self, *key, **options):
        call = self.call(*key, **options)
        return call, self.store.depart(call)

    def arrive(self, departed, value):
        call, notes = departed
        self.store.keep(call, value, notes)
        self.store.abandon(notes)

    def keep(self, *key, value="value", **options):
        self.arrive(self.depart(*key, **options), value)

    def holds(self):
        return sorted(key[-1] for key, _ in self.table.items())

    def check_nothing_is_left(self):
        assert self.index._by_tag == {}
        assert self.index._latest == {}


@pytest.fixture
def frantic():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def shop(tc, clock):
    shop = Shop(tc, clock)
    shop.tags = {1: ["red"], 2: ["red", "round"], 3: ["round"], 4: []}
    return shop


def test_dropping_a_tag_drops_what_has_it(shop):
    for n in (1, 2, 3, 4):
        shop.keep(n)
    assert shop.index.drop(["red"]) == 2
    assert shop.holds() == [3, 4]
    assert shop.index.drop(["red"]) == 0
    assert shop.index.drop(["round", "red", "square"]) == 1
    assert shop.holds() == [4]
    shop.table.discard((4,))
    shop.check_nothing_is_left()


def test_an_entry_with_two_of_the_tags_counts_once(shop):
    shop.keep(2)
    assert shop.index.drop(["red", "round"]) == 1


def test_stale_entries_are_dropped_too(shop):
    shop.store._stale = 5 * SECOND
    shop.keep(1)
    shop.clock.advance(12)
    assert shop.index.drop(["red"]) == 1
    assert shop.table.look((1,)) is None


def test_a_plain_table_has_tags_as_well(tc, clock):
    shop = Shop(tc, clock, timed=False)
    shop.tags = {1: ["red"]}
    shop.lasts = None
    shop.keep(1)
    shop.store.put(shop.call(2), "by hand", None, 1)
    assert shop.index.drop(["red"]) == 1
    assert shop.holds() == [2]


def test_what_is_on_its_way_when_its_tag_is_dropped_is_not_stored(shop):
    departed = shop.depart(1)
    assert shop.index.drop(["red"]) == 0
    shop.arrive(departed, "older than the drop")
    assert shop.holds() == []
    shop.keep(1, value="younger")
    assert shop.holds() == [1]


def test_what_begins_while_others_are_dropped_is_stored(shop):
    departed = shop.depart(1)
    shop.index.drop(["round"])
    shop.arrive(departed, "value")
    assert shop.holds() == [1]


def test_the_tags_of_an_entry_are_those_of_its_last_value(shop):
    shop.keep(1)
    shop.tags[1] = ["blue"]
    shop.keep(1, is_forced=True)
    assert shop.index.tags_at((1,)) == {"blue"}
    assert shop.index.drop(["red"]) == 0
    assert shop.index.drop(["blue"]) == 1
    assert shop.index.tags_at((1,)) == frozenset()


def test_a_value_that_is_not_stored_does_not_change_the_tags(shop):
    shop.keep(1)
    shop.tags[1] = ["blue"]
    shop.keep(1)
    assert shop.index.tags_at((1,)) == {"red"}
    shop.lasts = -1
    shop.keep(1, is_forced=True)
    assert shop.index.tags_at((1,)) == {"red"}
    assert shop.index.drop(["blue"]) == 0
    assert shop.index.drop(["red"]) == 1


def test_a_value_by_hand_has_the_tags_of_its_call(shop):
    shop.store.put(shop.call(1), "by hand", None, 1)
    assert shop.index.drop(["red"]) == 1


def test_an_exception_has_tags_too(shop):
    shop.store._lives = [5.0]
    call, notes = shop.depart(1)
    shop.store.keep(call, LookupError(), notes, 1)
    assert shop.index.drop(["red"]) == 1
    assert shop.table.look((1,)) is None


@pytest.mark.parametrize("way", ["discard", "evict", "expire", "sweep", "clear", "close", "resize"])
def test_nothing_is_remembered_of_what_has_left(tc, clock, way):
    shop = Shop(tc, clock, 3)
    shop.tags = {n: [f"tag {n}", "all"] for n in range(20)}
    for n in range(3):
        shop.keep(n)
    assert len(shop.index._latest) == 3
    if way == "discard":
        for n in range(3):
            shop.table.discard((n,))
    elif way == "evict":
        for n in range(3, 20):
            shop.keep(n)
        assert len(shop.index._latest) == 3
        assert len(shop.index._by_tag) == 4
        shop.table.clear()
    elif way == "expire":
        shop.clock.advance(10)
        for n in range(3):
            assert shop.table.get((n,)) is None
    elif way == "sweep":
        shop.clock.advance(10)
        shop.table.sweep()
    elif way == "resize":
        shop.table.resize(0)
    else:
        getattr(shop.table, way)()
    shop.check_nothing_is_left()


def test_a_value_that_is_too_heavy_takes_the_older_one_and_its_tags_along(tc, clock):
    shop = Shop(tc, clock, max_weight=5)
    shop.tags = {1: ["red"]}
    shop.keep(1)
    shop.weight = 6
    shop.keep(1, is_forced=True)
    assert shop.holds() == []
    shop.check_nothing_is_left()


def test_a_computation_that_comes_to_nothing_is_forgotten(shop):
    _, notes = shop.depart(1)
    shop.store.abandon(notes)
    shop.check_nothing_is_left()


def test_entries_of_objects_that_died_are_forgotten(tc, clock):
    shop = Shop(tc, clock, weak=True)
    shop.tags = {1: ["red"], 2: ["red"], 3: []}
    one, two = Thing(), Thing()
    for key in ((one, 1), (one, 2), (two, 1), (one, 3)):
        shop.keep(*key)
    del one, key
    gc.collect()
    assert len(shop.index._latest) == 1
    assert shop.index.drop(["red"]) == 1
    assert len(shop.table) == 0
    shop.check_nothing_is_left()


def test_drop_tags_reaches_all_tables(tc, clock, shop):
    other, tag = Shop(tc, clock), uuid4().hex  # tables of other tests may be there yet
    for one in (shop, other):
        one.tags = {1: [tag]}
        one.keep(1)
    assert shop.drop_tags(iter([tag])) == 2
    del other, one
    gc.collect()
    assert shop.drop_tags([tag]) == 0


def test_late_news_of_an_entry_does_not_untag_its_successor(shop):
    shop.keep(1)
    shop.table.discard((1,))
    shop.keep(1)
    shop.index.gone((1,), "size")  # as another thread would tell, which was slow
    assert shop.index.drop(["red"]) == 1


def test_a_landing_that_overlaps_another_untags_neither(shop):
    """Nobody knows which of two values came last, so the tags of both lead to the entry."""
    slow = shop.index.depart(shop.call(1))
    shop.tags[1] = ["blue"]
    flight = shop.table.depart((1,))

    def land():
        shop.keep(1, value="quick", is_forced=True)
        return shop.table.land(flight, "slow", replace=True)

    assert shop.index.land(slow, land)
    assert shop.table.get((1,)) == "slow"
    assert shop.index.drop(["red"]) == 1
    shop.keep(1)
    assert shop.index.drop(["blue"]) == 1
    shop.check_nothing_is_left()


def test_an_entry_that_leaves_while_it_lands_is_forgotten(shop):
    result = shop.index.depart(shop.call(1))
    flight = shop.table.depart((1,))

    def land():
        stored = shop.table.land(flight, "short-lived")
        shop.table.discard((1,))
        return stored

    assert shop.index.land(result, land)
    shop.check_nothing_is_left()


def test_a_key_that_cannot_be_compared_stops_nobody(shop):
    class Odd:
        is_broken = False

        def __hash__(self):
            return 1

        def __eq__(self, other):
            if self.is_broken:
                raise ValueError("broken")
            return self is other

    odd = Odd()
    shop.tags[odd] = ["odd"]
    departed = shop.depart(odd)
    shop.keep(Odd())
    Odd.is_broken = True
    with pytest.raises(ValueError, match="broken"):
        shop.arrive(departed, "value")
    Odd.is_broken = False
    shop.store.abandon(departed[1])
    shop.table.clear()
    shop.index.drop(["odd"])
    assert shop.index._by_tag == {}


@pytest.mark.usefixtures("frantic")
def test_threads_that_drop_and_store_at_once_lose_no_drop(tc, clock):
    """An entry that a drop should have reached must never be found after it."""
    shop = Shop(tc, clock, 6)
    versions = [0] * 4
    shop.tags = {n: [f"tag {n % 4}"] for n in range(12)}
    wrong = []
    stop = threading.Event()

    def store(seed):
        random = Random(seed)
        while not stop.is_set():
            n = random.randrange(12)
            departed = shop.depart(n, is_forced=random.random() < 0.5)
            value = versions[n % 4]
            shop.arrive(departed, value)

    def drop():
        random = Random(9)
        for _ in range(1500):
            tag = random.randrange(4)
            versions[tag] += 1
            now = versions[tag]
            shop.index.drop([f"tag {tag}"])
            for key, value in shop.table.items():
                if key[0] % 4 == tag and value < now:
                    wrong.append((key, value, now))

    threads = [threading.Thread(target=store, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        drop()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    shop.table.clear()
    shop.index.drop([f"tag {n}" for n in range(4)])
    assert shop.index._by_tag == {}

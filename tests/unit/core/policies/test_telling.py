"""The listener of a table: what it is told of, when, and what it may do."""

from __future__ import annotations

import gc
import sys

import pytest

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]


class Told(list):
    """A listener that writes down what it hears, and then does something, once."""

    def __init__(self):
        super().__init__()
        self.then = None

    def __call__(self, key, value, cause):
        self.append((key, value, cause))
        then, self.then = self.then, None
        if then is not None:
            then()


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def make(tc, told):
    def make(maxsize=None, **options):
        return tc._core.Table(maxsize, **{"width": 1, "on_removal": told} | options)

    return make


@pytest.fixture
def unraisable(monkeypatch):
    """The errors that nobody could be given."""
    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: heard.append(args.exc_value))
    return heard


def fill(table, many):
    for n in range(1, many + 1):
        table.put((n,), f"v{n}")
    return table


# -- causes ----------------------------------------------------------------------------------------


def test_nothing_is_told_while_nothing_leaves(make, told):
    table = fill(make(9), 5)
    table.get((1,)), table.peek((1,)), table.items(), table.resize(5), table.sweep()
    assert table.on_removal is told
    assert told == []


@pytest.mark.parametrize("policy", POLICIES)
def test_size(make, told, policy):
    table = fill(make(2, policy=policy), 4)
    assert [cause for *_, cause in told] == ["size", "size"]
    assert sorted([*told, *[(*item, "size") for item in table.items()]]) == [
        ((n,), f"v{n}", "size") for n in (1, 2, 3, 4)
    ]


def test_size_in_the_order_of_leaving(make, told):
    table = fill(make(5), 5)
    table.get((1,))
    table.resize(2)
    assert told == [((2,), "v2", "size"), ((3,), "v3", "size"), ((4,), "v4", "size")]


def test_expired(make, told, clock):
    table = fill(make(9, ttl=5, clock=clock), 3)
    clock.now += 5
    assert told == []
    assert table.get((1,)) is None
    table.discard((2,))
    table.sweep()
    assert told == [((n,), f"v{n}", "expired") for n in (1, 2, 3)]


def test_explicit(make, told):
    table = fill(make(9), 4)
    table.discard((3,)), table.discard((3,)), table.discard((9,))
    assert told == [((3,), "v3", "explicit")]
    told.clear(), table.get((1,)), table.clear()
    assert told == [((n,), f"v{n}", "explicit") for n in (2, 4, 1)]


def test_replaced(make, told):
    table = make(9)
    first, second = [1], [1]
    table.put((1,), first), table.put((1,), first)
    assert told == []
    table.put((1,), second)
    assert told == [((1,), first, "replaced")]
    assert told[0][1] is first
    table.land(table.depart((1,)), "late"), table.land(table.depart((1,)), "new", replace=True)
    assert told[1:] == [((1,), second, "replaced")]
    assert table.items() == [((1,), "new")]


def test_replaced_when_stale_and_expired_when_dead(make, told, clock):
    table = make(9, ttl=5, stale=5, clock=clock)
    table.put((1,), "a")
    clock.now += 7
    table.land(table.depart((1,)), "b")
    clock.now += 10
    table.put((1,), "c")
    assert told == [((1,), "a", "replaced"), ((1,), "b", "expired")]


def test_collected(make, told):
    class Owner:
        pass

    table = make(9, width=2, weak=True)
    one, other = Owner(), Owner()
    table.put((one, 1), "one"), table.put((other, 1), "other"), table.discard((other, 1))
    assert told == [((other, 1), "other", "explicit")]
    told.clear()
    del one
    gc.collect()
    assert told == [((None, 1), "one", "collected")]
    assert table.counters()[6] == 1


def test_closed(make, told):
    table = fill(make(9), 3)
    table.get((1,)), table.get((7,)), table.close()
    assert told == [((n,), f"v{n}", "closed") for n in (2, 3, 1)]
    assert (len(table), table.counters()) == (0, (0,) * 9)
    table.put((1,), "again")
    assert table.get((1,)) == "again"


def test_closing_grounds_what_is_in_flight(make):
    table = make(9)
    flight = table.depart((1,))
    table.close()
    assert table.land(flight, 1) is False


def test_generations_that_are_over_expire(make, told):
    table = fill(make(2, generational=True), 2)
    table.generation += 1
    table.put((3,), "v3")
    assert told == [((1,), "v1", "expired")]
    assert table.counters()[3:5] == (0, 1)


def test_a_table_that_is_dropped_tells_nothing(make, told):
    fill(make(9), 3)
    gc.collect()
    assert told == []


def test_keys_are_told_as_they_are_listed(tc, told):
    table = tc._core.Table(1, on_removal=told)
    keys = [1, "a", (1,), (1, 2), ()]
    for key in keys:
        table.put(key, key)
        assert [type(key)] == [type(shown) for shown, _ in table.items()]
    assert told == [(key, key, "size") for key in keys[:-1]]
    assert [type(key) for key, *_ in told] == [int, str, tuple, tuple]


def test_a_listener_may_be_set_and_taken_away(make, told):
    table = fill(make(9, on_removal=None), 3)
    assert table.on_removal is None
    table.discard((1,))
    table.on_removal = told
    table.discard((2,))
    table.on_removal = None
    table.discard((3,))
    assert told == [((2,), "v2", "explicit")]


# -- when ------------------------------------------------------------------------------------------


def test_the_table_is_as_it_will_be_when_the_listener_is_called(make):
    def listener(key, value, cause):
        seen.append((key[0], cause, len(table), [key[0] for key, _ in table.items()]))

    seen, table = [], make(3, on_removal=listener)
    fill(table, 4)
    assert seen == [(1, "size", 3, [2, 3, 4])]
    table.resize(1)
    assert seen[1:] == [(2, "size", 1, [4]), (3, "size", 1, [4])]
    table.put((4,), "new"), table.discard((4,))
    assert seen[3:] == [(4, "replaced", 1, [4]), (4, "explicit", 0, [])]
    fill(table, 1), table.clear()
    assert seen[5:] == [(1, "explicit", 0, [])]


def test_a_write_tells_of_the_dead_then_of_what_it_replaced_then_of_victims(make, told, clock):
    table = make(max_weight=10, clock=clock, timed=True)
    table.put((1,), "dead", 5, weight=1)
    for n in (2, 3, 4):
        table.put((n,), f"v{n}", weight=3)
    clock.now += 1 << 28
    table.put((4,), "heavy", weight=8)
    assert [(key[0], cause) for key, _, cause in told] == [
        (1, "expired"), (4, "replaced"), (2, "size"), (3, "size")
    ]  # fmt: skip


def test_values_live_until_the_listener_has_heard_of_them(make):
    class Value:
        def __del__(self):
            order.append("died")

    order = []
    table = make(1, on_removal=lambda key, value, cause: order.append(cause))
    for n in range(3):
        table.put((n,), Value())
    table.clear()
    assert order == ["size", "died", "size", "died", "explicit", "died"]


# -- what it may do --------------------------------------------------------------------------------

DEEDS = {
    "put": lambda t: t.put((8,), "by the listener"),
    "put many": lambda t: [t.put((n,), n) for n in range(20, 40)],
    "put the same": lambda t: t.put((1,), "by the listener"),
    "discard": lambda t: t.discard((3,)),
    "clear": lambda t: t.clear(),
    "close": lambda t: t.close(),
    "resize": lambda t: t.resize(1),
    "unbound": lambda t: t.resize(None),
    "shed": lambda t: t.shed(2),
    "sweep": lambda t: t.sweep(),
    "ask": lambda t: (t.items(), t.dump(), t.get((2,)), t.counters(), len(t), t.weight),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("deed", DEEDS)
def test_a_listener_may_use_the_table(make, told, policy, deed):
    table = fill(make(3, policy=policy, weighted=True), 3)
    for way in (
        lambda: table.put((4,), "v4"),
        lambda: table.put((4,), "again"),
        lambda: table.discard(table.items()[0][0]),
        lambda: table.shed(1),
        lambda: table.clear(),
    ):
        told.then = lambda: DEEDS[deed](table)
        way()
        assert told.then is None
        fill(table, 2)
        assert len(table) == len(table.items()) == len(table.dump())
        assert table.maxsize is None or len(table) <= table.maxsize
        assert table.weight == sum(weight for *_, weight in table.dump())
        table.resize(3), fill(table, 3)
        assert len(table) == 3
    for n in range(100):
        table.put((n,), n), table.get((n // 2,))
    assert len(table) == 3


def test_a_nested_change_is_told_before_it_returns(make, told):
    table = fill(make(2), 2)
    seen = []

    def nested():
        table.put((9,), "v9")
        seen.extend([(key[0], cause) for key, _, cause in told])

    told.then = nested
    table.put((3,), "v3")
    assert seen == [(1, "size"), (2, "size")]
    assert [key[0] for key, _ in table.items()] == [3, 9]


def test_a_listener_that_always_stores_goes_as_deep_as_it_likes(make):
    def listener(key, value, cause):
        if key[0] < 60:
            table.put((key[0] + 10,), "next")

    table = make(1, on_removal=listener)
    table.put((0,), 0), table.put((1,), 1)
    assert len(table) == 1
    assert [key[0] % 10 for key, _ in table.items()] in ([0], [1])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_a_listener_raises_nobody_sees_but_python(make, unraisable, error):
    def listener(key, value, cause):
        heard.append(key[0])
        raise error(cause)

    heard = []
    table = fill(make(2, on_removal=listener), 4)
    table.put((4,), "new")
    assert table.discard((4,)) is True
    table.clear()
    assert heard == [1, 2, 4, 4, 3]
    gc.collect()
    assert [(type(one), str(one)) for one in unraisable] == [
        (error, cause) for cause in ("size", "size", "replaced", "explicit", "explicit")
    ]
    assert (len(table), table.counters()) == (0, (0,) * 9)


def test_an_error_in_a_listener_of_the_collector_is_nobody_s(make, unraisable):
    class Owner:
        pass

    table = make(9, weak=True, on_removal=lambda *args: 1 / 0)
    one = Owner()
    table.put((one,), 1)
    del one
    gc.collect()
    assert [type(one) for one in unraisable] == [ZeroDivisionError]
    assert len(table) == 0


def test_what_has_left_is_told_even_if_the_write_fails(make, told, clock):
    class Key:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            raise ValueError("can't be compared")

    table = make(9, timed=True, clock=clock)
    table.put((7,), "dead", 5), table.put((Key(),), "stored")
    clock.now += 1 << 28
    with pytest.raises(ValueError, match="can't be compared"):
        table.put((Key(),), "other")
    assert told == [((7,), "dead", "expired")]


def test_a_key_shown_to_the_listener_keeps_nothing_alive(make, told):
    class Owner:
        pass

    table = make(1, weak=True)
    one, other = Owner(), Owner()
    table.put((one,), 1), table.put((other,), 2)
    assert told == [((one,), 1, "size")]
    told.clear()
    del one, other
    gc.collect()
    assert told == [((None,), 2, "collected")]

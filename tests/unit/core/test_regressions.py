"""What once went wrong in a core, each as small as it can be; on both unless it is C's own."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from datetime import timedelta

import pytest

from tests.fixtures import worlds

MANY = 1_000_000  # arguments: as pointers, as much as the whole C stack


@pytest.fixture
def compiled(both):
    """The compiled core's Table and Gate."""
    return both.compiled._core


class Object:
    """Can be referenced weakly."""


def test_the_types_in_a_key_outlast_the_call(tc):
    # They were borrowed from arguments that may be of another class when the function is done.
    class Later:
        pass

    def turn(x):
        x.__class__ = Later
        gc.collect(1)
        return [type(f"Other{n}", (), {}) for n in range(50)]

    for f in (tc.mcache(typed=True)(turn), tc.lru_cache(typed=True)(turn)):
        for _ in range(3):
            f(type("Sooner", (Object,), {"__slots__": ()})())
        assert [key[1].__name__ for key, _ in f.table.items()] == ["Sooner"] * 3


def test_the_type_of_an_instance_in_a_key_outlasts_the_call(tc):
    # The short way to hash arguments of known types kept no type, and passes the instance over.
    class Later:
        pass

    class Sooner(Object):
        @tc.mcache(typed=True)
        def turn(self, x=1):
            self.__class__ = Later
            gc.collect(1)
            return [type(f"Other{n}", (), {}) for n in range(50)]

    instances = [type(f"Sooner{n}", (Sooner,), {})() for n in range(6)]
    for one, other in zip(instances[::2], instances[1::2], strict=True):
        one.turn(2)
        other.turn(x=3)
    names = [key[2].__name__ for key, _ in Sooner.turn.table.items()]
    assert names == [f"Sooner{n}" for n in range(6)]


def test_keys_of_floats_with_few_bits_are_told_apart_by_their_hashes(tc):
    # The highest bits of these hashes were lost; keys that have one hash are compared one by one.
    compared = []

    class Number:
        def __init__(self, value):
            self.value = value

        def __hash__(self):
            return hash(self.value)

        def __eq__(self, other):
            compared.append((self.value, other.value))
            return self.value == other.value

    @tc.mcache(maxsize=1000)
    def f(*args):
        return args

    for values in itertools.product((0.0, 0.25, 0.5, 1.0, 1.5, -0.25, 3.0), repeat=3):
        f(*map(Number, values))
    assert f.cache_info().currsize == 7**3
    assert not compared


# -- objects held weakly --------------------------------------------------------------------------


def test_a_record_of_an_owner_that_outlives_a_clear_knows_of_no_entries(tc):
    # Evicting an owner's only entry for its next one left the owner out of the table's books, so
    # that `cache_clear` missed it, and its death removed entries of others, or what wasn't there.
    class Class:
        @tc.mcache(maxsize=1)
        def method(self, x):
            return [x]

    one, other = Class(), Class()
    records = []
    for x in range(5):
        one.method(x)
        records += weakref.getweakrefs(one)
    Class.method.cache_clear()
    other.method("kept")
    del one
    gc.collect()
    assert Class.method.contains(other, "kept")
    assert Class.method.cache_info().currsize == 1


def test_an_owner_whose_only_entry_expires_is_known_afterwards(tc, clock):
    class Class:
        @tc.mcache(ttl=1, clock=clock)
        def method(self, x):
            return [x]

    one, other = Class(), Class()
    one.method(1)
    clock.advance(1)
    one.method(1)
    records = weakref.getweakrefs(one)
    one.method(2)
    records += weakref.getweakrefs(one)
    Class.method.cache_clear()
    other.method(1)
    del one
    gc.collect()
    assert Class.method.contains(other, 1)


def test_the_collector_may_run_while_a_method_s_cache_is_cleared(tc):
    class Value:
        def __init__(self):
            self.itself = self

        def __del__(self):
            Class.method.cache_clear()

    class Class:
        @tc.mcache(maxsize=5)
        def method(self, x):
            return Value()

    objects = [Class() for _ in range(9)]
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for x in range(200):
            objects[x % 9].method(x)
            if x % 7 == 0:
                objects[x % 9] = Class()
            if x % 11 == 0:
                Class.method.cache_clear()
    finally:
        gc.set_threshold(*before)
    assert Class.method.cache_info().currsize == len(Class.method.items())


def test_the_type_and_callback_of_an_owner_are_harmless_in_other_hands(compiled, both):
    class Class:
        @both.compiled.mcache
        def method(self):
            return 1

    one, other = Class(), Object()
    one.method()
    (owner,) = weakref.getweakrefs(one)
    copy = type(owner)(other, owner.__callback__)
    del other
    assert copy() is None
    owner.__callback__(owner)
    assert [one.method(), one.method()] == [1, 1]


# -- calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", [False, True])
def test_a_million_arguments_need_no_room_on_the_stack(tc, typed):
    many = tuple(range(MANY))
    for f in (
        tc.lru_cache(maxsize=4, typed=typed)(lambda *args, **kwargs: len(args)),
        tc.mcache(maxsize=4, typed=typed)(lambda *args, **kwargs: len(args)),
    ):
        assert [f(*many), f(*many), f(*many, k=1), f(*many, k=1)] == [MANY] * 4
        assert f.cache_info()[:2] == (2, 2)


def test_a_function_of_thousands_of_parameters(tc):
    names = [f"p{n}" for n in range(3_000)]
    f = tc.mcache(maxsize=2)(eval(f"lambda {', '.join(names)}: p0"))
    for first in range(4):
        values = [first, *range(2_999)]
        assert f(*values) == f(*values) == f(**dict(zip(names, values, strict=True))) == first
    assert f.cache_info()[:2] == (8, 4)
    assert len(f.items()[0][0]) == 3_000


def test_controls_do_not_use_up_the_call_shapes_that_are_remembered(compiled):
    # Not to be seen from outside but by its speed: that it goes on working is all there is to ask.
    import twat_cache

    f = twat_cache.mcache(lambda a, b=1: (a, b))
    for n in range(40):
        f.contains(n, b=n)
    assert [f(1, b=2), f(b=2, a=1), f(1, 2)] == [(1, 2)] * 3
    assert f.cache_info()[:2] == (2, 1)


def test_a_default_that_leads_back_to_the_function_dies_with_it(tc):
    def make():
        default = Object()

        @tc.mcache
        def f(x, default=default):
            return 1

        default.function = f
        assert f(1) == f(x=1) == 1
        return weakref.ref(default)

    gone = make()
    gc.collect()
    assert gone() is None


def test_a_hash_may_configure_the_gate_anew(compiled):
    from twat_cache._keys.plan import plan_of

    kinds = [
        lambda: {"table": compiled.Table(3, width=1), "plan": plan_of(lambda x: x)},
        lambda: {"table": compiled.Table(3, width=2), "plan": plan_of(lambda x, y: x)},
        lambda: {"table": compiled.Table(3)},
    ]

    class Key:
        def __hash__(self):
            gate.__init__(lambda *args, **kwargs: "second", **second())
            gc.collect()
            return 1

        __eq__ = object.__eq__

    calls = [((Key(),), {}), ((Key(), Key()), {}), ((), {"x": Key()}), ((Key(),), {"y": Key()})]
    for first in kinds:
        for second in kinds:
            for args, kwargs in calls:
                gate = compiled.Gate(lambda *args, **kwargs: "first", **first())
                for _ in range(3):
                    assert gate(*args, **kwargs) in ("first", "second")


def test_a_key_function_that_calls_its_gate_ends_in_a_recursion_error(compiled):
    gate = compiled.Gate.__new__(compiled.Gate)
    gate.__init__(len, compiled.Table(3, width=1), key=gate)
    with pytest.raises(RecursionError):
        gate(1)


def test_a_subclass_may_have_a_call_of_its_own(tc):
    class Special(tc._core.Gate):
        def __call__(self, x):
            return "special", super().__call__(x)

    gate = Special(lambda x: x, tc._core.Table(3))
    assert gate(1) == ("special", 1)


# -- misuse of the raw core -----------------------------------------------------------------------


def test_a_gate_that_was_not_initialised_says_so(compiled):
    gate = compiled.Gate.__new__(compiled.Gate)
    for use in (lambda: gate(1), lambda: gate.bind((), {}), lambda: gate.through(1, (), {})):
        with pytest.raises(RuntimeError, match="not been initialised"):
            use()


def test_a_gate_and_a_table_that_do_not_fit_are_refused(compiled):
    from twat_cache._keys.plan import plan_of

    plan = plan_of(lambda x: x)
    for table, options in (
        (compiled.Table(3, width=5), {"plan": plan}),
        (compiled.Table(3, width=1), {}),
        (compiled.Table(3, weak=True), {}),
        (compiled.Table(3, width=2), {"key": len}),
    ):
        with pytest.raises(ValueError):
            compiled.Gate(len, table, **options)
    with pytest.raises(ValueError, match="2 objects don't fit a table of width 1"):
        compiled.Gate(len, compiled.Table(3, width=1), plan=plan, typed=True)(1)
    assert compiled.Gate(abs, compiled.Table(3), plan=plan)(-1) == 1


@pytest.mark.parametrize("key", [5, (), (1, 2), None, [1]])
def test_a_key_that_does_not_fit_its_table_is_refused(compiled, key):
    import twat_cache

    with pytest.raises(TypeError):
        twat_cache.mcache(lambda x: x).through(key, (1,), {})


def test_a_flight_lands_on_its_own_table_only(compiled):
    table, other = compiled.Table(3, width=1), compiled.Table(3, width=3)
    flight = table.depart((1,))
    for wrong in (flight, type(flight)()):
        with pytest.raises(ValueError, match="another table"):
            other.land(wrong, 1)
    assert table.land(flight, 1) is True
    assert (len(table), len(other)) == (1, 0)


def test_a_flight_that_is_grounded_as_it_lands_is_not_stored(tc):
    class Key:
        then = None

        def __hash__(self):
            return 1

        def __eq__(self, other):
            self.then, then = None, self.then
            if then:
                then()
            return False

    table = tc._core.Table(3, width=1)
    first, second = Key(), Key()
    table.put((first,), 1)
    flight = table.depart((second,))
    first.then = table.clear
    assert table.land(flight, "older than the clear") is False
    assert len(table) == 0


@pytest.mark.parametrize("change", ["discard", "put", "clear"])
def test_a_flight_can_be_grounded_until_its_result_is_stored(tc, change):
    moments = []

    def clock():
        if moments:
            moments.pop()()
        return 0

    table = tc._core.Table(3, width=1, ttl=9, clock=clock)
    flight = table.depart((1,))
    arguments = {"discard": [(1,)], "put": [(1,), "newer"], "clear": []}[change]
    moments.append(lambda: getattr(table, change)(*arguments))
    assert table.land(flight, "older than the change") is False
    assert table.get((1,)) == ("newer" if change == "put" else None)


# -- numbers --------------------------------------------------------------------------------------


def test_a_time_of_centuries_is_for_ever(tc):
    for ttl in (timedelta.max, 10**12, lambda result, x: 10**12):
        f = tc.mcache(ttl=ttl)(lambda x: [x])
        assert f(1) is f(1)
        f.put(2, 1, ttl_=10**12)
        assert f(1) == 2


def test_a_bound_beyond_all_machines_is_none(tc):
    table = tc._core.Table(10**30, width=1, ttl=10**30)
    table.put((1,), 1, 10**40)
    table.valid_until = 10**40
    assert (table.get((1,)), table.maxsize, len(table)) == (1, 10**30, 1)


# -- awaiting -------------------------------------------------------------------------------------


def test_a_value_may_hold_the_task_that_awaited_it(tc):
    @tc.acache
    async def f(x):
        return []

    async def main():
        value = await f(1)
        task = asyncio.create_task(f(1))
        value.append(task)
        assert await task is value
        return weakref.ref(task)

    gone = asyncio.run(main())
    f.cache_clear()
    gc.collect()
    assert gone() is None


def test_what_was_awaited_can_not_be_thrown_into(tc):
    @tc.acache
    async def f(x):
        return x

    async def main():
        await f(1)
        hit = f(1)
        await hit
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            hit.throw(ValueError("late"))
        hit.close()
        hit = f(1)
        with pytest.raises(ValueError, match=r"^early$"):
            hit.throw(ValueError("early"))
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await hit

    asyncio.run(main())


def test_a_greenlet_may_leave_the_function_in_the_middle():
    # A flight's record on the C stack is another greenlet's as soon as the stacks are swapped.
    greenlet = pytest.importorskip("greenlet")
    tc = worlds.world("compiled")
    main = greenlet.getcurrent()

    @tc.mcache
    def f(x):
        main.switch()
        return x

    def deep(n):
        return deep(n - 1) if n else f.put(3, 1)

    ways = [greenlet.greenlet(f) for _ in range(50)]
    for x, way in enumerate(ways):
        way.switch(x)
    deep(100)
    f.invalidate(7)
    for way in ways:
        way.switch()
    assert f.cache_info().currsize == 49
    assert not f.contains(7)

"""Calls in flight while the cache changes, and objects that die meanwhile: pinned on both cores."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest


@pytest.fixture
def elsewhere():
    """Runs a function in another thread, to its end, and gives what it gave."""

    def run(act):
        found = []
        thread = threading.Thread(target=lambda: found.append(act()))
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        return found[0]

    return run


@pytest.fixture(params=["in the function itself", "in another thread"])
def place(request, elsewhere):
    """Where the cache is changed while the function runs."""
    return elsewhere if request.param == "in another thread" else lambda act: act()


CHANGES = {
    "invalidate": lambda f: f.invalidate(1),
    "cache_clear": lambda f: f.cache_clear(),
    "resize": lambda f: f.resize(7),
    "resize to the same": lambda f: f.resize(8),
    "put": lambda f: f.put("newer", 1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_call_in_flight_does_not_store_its_older_result(tc, change, place):
    @tc.mcache(maxsize=8)
    def f(x):
        if not began:
            began.append(x)
            place(lambda: CHANGES[change](f))
        return f"run {len(began)}"

    began = []
    assert f(1) == "run 1"
    assert f.peek(1) == ("newer" if change == "put" else None)
    if change != "put":
        assert not f.contains(1)
        assert f(1) == "run 1"
        assert f.contains(1)


def test_a_refresh_in_flight_does_not_store_its_older_result(tc, place):
    for change in CHANGES:

        @tc.mcache(maxsize=8)
        def f(x):
            place(lambda: CHANGES[change](f))
            return "older"

        assert f.refresh(1) == "older"
        assert f.peek(1) == ("newer" if change == "put" else None)


@pytest.mark.parametrize("change", ["invalidate", "put"])
def test_a_change_of_one_key_does_not_concern_the_calls_of_others(tc, change):
    @tc.mcache
    def f(x):
        if x != 1:
            CHANGES[change](f)
        return x

    assert [f(2), f(2)] == [2, 2]
    assert f.contains(2)
    assert f.stats().misses == 1


def test_a_method_in_flight_does_not_store_its_older_result(tc, place):
    class Class:
        @tc.mcache
        def method(self, x):
            place(lambda: self.method.invalidate(x))
            return x

    one = Class()
    assert one.method(5) == 5
    assert not one.method.contains(5)


def test_many_calls_of_one_key_in_flight_are_all_too_old(tc):
    @tc.mcache
    def f(x):
        depth.append(x)
        if len(depth) < 5:
            f(x)
        else:
            f.invalidate(x)
        return x

    depth = []
    f(1)
    assert not f.contains(1)
    assert f.stats().stores == 0


def test_a_computation_after_the_change_is_stored(tc):
    @tc.mcache
    def f(x):
        if not begun:
            begun.append(x)
            f.invalidate(x)
            begun.append(f(x))
        return len(begun)

    begun = []
    assert f(1) == 2
    assert f.peek(1) == 1  # of the inner call, which began after the change
    assert f(1) == 1


def test_with_two_results_the_one_that_was_stored_first_stays(tc):
    @tc.mcache
    def f(x):
        order.append(x)
        mine = len(order)
        if mine < 3:
            f(x)
        return mine

    order = []
    assert f(1) == 1
    assert [f(1), f.stats().stores] == [3, 1]


def test_a_decision_or_a_copy_may_ground_its_own_call(tc):
    for option in ("cache_if", "ttl", "copy"):

        def meddle(result, *args, **kwargs):
            f.invalidate(1)
            return result

        f = tc.mcache(**{option: meddle})(lambda x: 5)
        assert f(1) == 5
        assert not f.contains(1)


def test_resize_to_nothing_in_the_middle_of_a_call_stores_nothing(tc, place):
    for decorated in (tc.mcache(maxsize=3), tc.mcache(maxsize=None)):

        def f(x):
            place(lambda: f.resize(0))
            return x

        f = decorated(f)
        assert f(1) == 1
        assert f.cache_info()[2:] == (0, 0)


def test_lru_cache_stores_across_a_clear_as_functools_does(tc):
    @tc.lru_cache
    def f(x):
        f.cache_clear()
        return x

    f(1)
    assert f.cache_info() == (0, 0, 128, 1)


# -- objects ---------------------------------------------------------------------------------------


def test_a_reused_id_never_finds_old_entries(tc):
    class Class:
        def __init__(self, n):
            self.n = n

        @tc.mcache(maxsize=None)
        def method(self, x):
            return self.n, x

    ids = set()
    for n in range(10_000):
        one = Class(n)
        ids.add(id(one))
        assert one.method(1) == (n, 1)
        assert one.method(1) == (n, 1)
        del one
    assert len(ids) < 10_000, "no id was used twice, so this shows nothing"
    assert Class.method.cache_info() == (10_000, 10_000, None, 0)
    assert Class.method.stats().collected == 10_000


def test_a_reused_id_of_an_argument_never_finds_old_entries(tc):
    class Argument:
        pass

    f = tc.mcache(maxsize=4)(lambda x: weakref.ref(x))
    for _ in range(10_000):
        one = Argument()
        assert f(one)() is one
        del one
    assert f.cache_info()[:2] == (0, 10_000)


def test_an_id_reused_while_dying_finds_nothing(tc):
    class Class:
        @tc.mcache
        def method(self):
            return object()

        def __del__(self):
            found.append(Class.method.peek(self))

    found = []
    for _ in range(100):
        one = Class()
        value = one.method()
        one = None
        assert found.pop() in (value, None)
        assert Class.method.cache_info().currsize == 0


def test_an_object_brought_back_by_its_del_keeps_working(tc):
    class Phoenix:
        @tc.mcache
        def method(self, x):
            return [x]

        def __del__(self):
            ashes.append(self)

    ashes = []
    for _ in range(20):
        one = Phoenix()
        first = one.method(1)
        del one
        (one,) = ashes
        assert one.method(1) in (first, [1])
        assert one.method(1) is one.method(1)
        del one
        ashes.clear()
        gc.collect()
    assert Phoenix.method.cache_info().currsize == 0


def test_a_weakref_callback_may_use_the_cache_of_its_object(tc):
    class Class:
        @tc.mcache
        def method(self, x):
            return x

    other = Class()
    for n in range(50):
        one = Class()
        watches = [
            weakref.ref(one, lambda _, n=n: (other.method(n), Class.method.cache_info())),
            weakref.ref(one, lambda _: Class.method.cache_clear()),
            weakref.ref(one, lambda _, n=n: other.method.invalidate(n - 1)),
        ]
        one.method(1), one.method(2)
        del one
        assert Class.method.cache_info().currsize <= 50
        assert watches[0]() is None


def test_the_only_reference_to_an_object_may_be_in_its_own_entry(tc):
    class Class:
        @tc.mcache
        def method(self):
            return self

    one = Class()
    assert one.method() is one
    Class.method.cache_clear()
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_values_and_keys_that_die_in_the_collector_may_use_the_cache(tc):
    class Node:
        def __init__(self, n):
            self.me = self
            self.n = n

        def __del__(self):
            f(self.n % 5)

    f = tc.mcache(maxsize=3)(lambda n: Node(n))
    for n in range(100):
        f(n)
        if n % 10 == 0:
            gc.collect()
    assert f.cache_info().currsize == 3
    f.resize(0)
    gc.collect()


def test_a_cache_in_a_cycle_is_collected_with_all_it_holds(tc):
    class Value:
        pass

    def make(weak):
        @tc.mcache(method=weak or None)
        def f(x):
            return [f, x]

        value = Value()
        f.me = f
        f(value)
        return weakref.ref(f), weakref.ref(value)

    for weak in (False, True):
        gone = make(weak)
        gc.collect()
        assert [reference() for reference in gone] == [None, None]


def test_a_call_in_flight_keeps_what_it_needs_alive(tc):
    gone = []

    def make():
        def f(x):
            holder.clear()
            gc.collect()
            return [x]

        holder.append(tc.mcache(f))
        gone.append(weakref.ref(holder[0]))

    holder = []
    make()
    assert holder[0](5) == [5]
    assert gone[0]() is None

"""Many threads on one cache, switched as often as the interpreter can, on both cores."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time

import pytest

THREADS = 8
SECONDS = 0.6


@pytest.fixture(autouse=True)
def frantic():
    """Threads are switched every microsecond."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*works, seconds=SECONDS):
    """Runs each work(random, done) in a thread of its own until the time is over.

    `done` is false until then. Gives what the works gave; an error in one is an error here.
    """
    barrier = threading.Barrier(len(works) + 1)
    over = threading.Event()
    found, errors = [None] * len(works), []

    def run(i, work):
        barrier.wait()
        try:
            found[i] = work(random.Random(i), over.is_set)
        except BaseException as error:
            errors.append(error)
            over.set()

    threads = [
        threading.Thread(target=run, args=(i, work), daemon=True) for i, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    barrier.wait()
    over.wait(seconds)
    over.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return found


class Calm:
    """A key whose comparison runs Python code, so that threads are switched in it."""

    def __init__(self, n):
        self.n = n

    def __hash__(self):
        return self.n // 2  # two and two collide

    def __eq__(self, other):
        return self.n == other.n


KEYS = {"ints": int, "strs": str, "floats": float, "tuples": lambda n: (n, str(n)), "own": Calm}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("maxsize", [5, 100, None])
def test_values_are_right_and_no_call_is_lost_in_the_counts(tc, maxsize, kind):
    make = KEYS[kind]
    f = tc.mcache(maxsize=maxsize)(lambda x: ("value", x.n if kind == "own" else x))

    def work(rng, done):
        calls = 0
        while not done():
            n = rng.randrange(20)
            assert f(make(n)) == ("value", n if kind == "own" else make(n))
            calls += 1
        return calls

    calls = together(*[work] * THREADS, seconds=0.3)
    info = f.cache_info()
    assert info.hits + info.misses == sum(calls)
    assert min(calls) > 0
    assert info.currsize == len(f.items()) == min(20, maxsize or 20)
    assert f.stats().stores - f.stats().evictions >= info.currsize


@pytest.mark.parametrize("decorator", ["mcache", "lru_cache"])
def test_keywords_and_defaults_in_many_threads(tc, decorator):
    f = getattr(tc, decorator)(maxsize=50)(lambda a, b=1, *args, c=2, **kw: (a, b, args, c, kw))
    calls = [
        (lambda a: f(a), lambda a: (a, 1, (), 2, {})),
        (lambda a: f(a, c=3), lambda a: (a, 1, (), 3, {})),
        (lambda a: f(b=a, a=1), lambda a: (1, a, (), 2, {})),
        (lambda a: f(a, 2, 3), lambda a: (a, 2, (3,), 2, {})),
        (lambda a: f(a, **{f"k{a}": 4}), lambda a: (a, 1, (), 2, {f"k{a}": 4})),
    ]

    def work(rng, done):
        count = 0
        while not done():
            call, expected = rng.choice(calls)
            a = rng.randrange(30)
            assert call(a) == expected(a)
            count += 1
        return count

    counts = together(*[work] * THREADS)
    assert sum(f.cache_info()[:2]) == sum(counts)


def test_clear_resize_invalidate_and_put_from_other_threads(tc):
    f = tc.mcache(maxsize=10, ttl=0.01)(lambda x: ("value", x.n))

    def call(rng, done):
        while not done():
            n = rng.randrange(30)
            assert f(Calm(n)) in (("value", n), ("by hand", n))

    def change(rng, done):
        while not done():
            n = rng.randrange(30)
            act = rng.randrange(7)
            if act == 0:
                f.cache_clear()
            elif act == 1:
                f.resize(rng.choice([0, 1, 5, 10, None]))
            elif act == 2:
                f.put(("by hand", n), Calm(n))
            elif act == 3:
                assert f.refresh(Calm(n)) == ("value", n)
            elif act == 4:
                for (key,), value in f.items():
                    assert value[1] == key.n
            elif act == 5:
                assert f.peek(Calm(n)) in (None, ("value", n), ("by hand", n))
            else:
                f.invalidate(Calm(n))

    together(*[call] * (THREADS - 3), *[change] * 3, seconds=1.5)
    f.resize(4)
    assert f.cache_info().currsize == len(f.table.items()) or f.stats().currsize <= 4
    f.cache_clear()
    assert f.stats()[:10] == (0,) * 9 + (4,)
    assert [f(Calm(1)), f(Calm(1))] == [("value", 1)] * 2


def test_the_bound_holds_when_all_have_come_to_rest(tc):
    f = tc.mcache(maxsize=7)(lambda x: [x])

    def work(rng, done):
        while not done():
            n = rng.randrange(1_000)
            assert f(n) == [n]

    together(*[work] * THREADS)
    assert f.cache_info().currsize == len(f.items()) == 7


def test_methods_of_objects_that_come_and_go_in_all_threads(tc):
    class Class:
        def __init__(self, name):
            self.name = name

        @tc.mcache(maxsize=200)
        def method(self, x):
            return self.name, x

    shared = [Class(("shared", n)) for n in range(5)]

    def work(rng, done):
        mine = threading.get_ident()
        count = 0
        while not done():
            one = Class((mine, count))
            assert one.method(1) == one.method(x=1) == ((mine, count), 1)
            n = rng.randrange(5)
            assert shared[n].method(count % 3) == (("shared", n), count % 3)
            del one
            count += 1
        return count

    counts = together(*[work] * THREADS)
    info = Class.method.cache_info()
    assert info.hits + info.misses == 3 * sum(counts)
    assert info.currsize <= 15
    assert {key[0] for key, _ in Class.method.items()} <= set(shared)
    assert Class.method.stats().collected + Class.method.stats().evictions >= sum(counts)


def test_objects_that_die_in_other_threads_than_they_were_used_in(tc):
    class Class:
        @tc.mcache(maxsize=None)
        def method(self, x):
            return [x]

    passed = []

    def use(rng, done):
        while not done():
            one = Class()
            assert one.method(3) == [3]
            passed.append(one)

    def drop(rng, done):
        while not done() or passed:
            try:
                passed.pop()
            except IndexError:
                time.sleep(0)

    together(*[use] * 3, *[drop] * 3)
    passed.clear()  # the last ones were passed when nobody was there to drop them
    assert Class.method.cache_info().currsize == 0
    assert Class.method.stats().collected == Class.method.stats().stores


def test_recursion_in_many_threads(tc):
    @tc.mcache(maxsize=3)
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    def work(rng, done):
        while not done():
            assert fib(12) == 144
            if rng.random() < 0.2:
                fib.cache_clear()

    together(*[work] * THREADS)
    assert fib.cache_info().currsize <= 3


def test_deadlines_in_many_threads(tc, clock):
    f = tc.mcache(maxsize=20, ttl=1, clock=clock)(lambda x: (x, clock.now))

    def work(rng, done):
        while not done():
            x, made = f(rng.randrange(30))
            assert 0 <= x < 30
            assert made <= clock.now

    def advance(rng, done):
        while not done():
            clock.advance(0.25)

    together(*[work] * (THREADS - 1), advance)
    clock.advance(1)
    assert f.items() == []
    assert f.cache_info().currsize <= 20


def test_a_cache_that_is_made_dressed_and_dropped_by_all(tc):
    def work(rng, done):
        while not done():
            f = tc.mcache(maxsize=2)(lambda x, y=1: [x, y])
            for n in range(5):
                assert f(n) == f(n, y=1) == [n, 1]
            g = tc.lru_cache(maxsize=None)(lambda x: f)
            assert g(1) is g(1) is f

    together(*[work] * THREADS)


def test_tasks_of_many_event_loops_in_many_threads(tc):
    @tc.mcache(maxsize=10)
    async def f(x):
        await asyncio.sleep(0)
        return [x]

    async def main(rng, done):
        count = 0
        while not done():
            found = await asyncio.gather(*[f(n) for n in range(5)], *[f(n) for n in range(15)])
            assert found == [[n] for n in [*range(5), *range(15)]]
            if rng.random() < 0.1:
                f.cache_clear()
            if rng.random() < 0.1:
                await f.invalidate(rng.randrange(15))
            count += 20
        return count

    counts = together(*[lambda rng, done: asyncio.run(main(rng, done))] * 4)
    assert min(counts) > 0
    assert f.cache_info().currsize <= 10

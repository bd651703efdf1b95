"""Gets that are made at once are one trip, and whoever asked gets what was asked for."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import suppress

import pytest

from tests.fixtures.shaky_engine import AsyncShakyEngine, ShakyEngine
from twat_cache import AsyncCache, EngineConnectionError, EngineError, resilient, ucache
from twat_cache._guard import coalescing

THREADS = 8
PATIENCE = 60


class Slow:
    """A gate in which the first get waits until so many others wait for it."""

    def __init__(self, engine, waiting):
        self.engine = engine
        self.waiting = waiting
        self.first = threading.Event()
        self.is_over = False

    def __call__(self, method):
        if method == "get" and not self.is_over:
            self.is_over = True
            self.first.set()
            turns = threading.Event()
            for _ in range(PATIENCE * 1000):
                if len(self.engine._waiting) >= self.waiting:
                    return
                turns.wait(0.001)
            raise AssertionError("they don't wait")


def at_once(engine, shaky, works):
    """Does the first work, and the others while the engine is at it; gives what they gave."""
    shaky.gate = gate = Slow(engine, len(works) - 1)
    found = [None] * len(works)

    def do(number):
        try:
            found[number] = works[number]()
        except EngineError as error:
            found[number] = error

    threads = [threading.Thread(target=do, args=(n,), daemon=True) for n in range(len(works))]
    threads[0].start()
    assert gate.first.wait(PATIENCE)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return found


@pytest.fixture
def shaky():
    return ShakyEngine()


@pytest.fixture
def engine(shaky, monkeypatch):
    monkeypatch.setattr(coalescing, "_LONG", PATIENCE)  # for threads that take long to start
    engine = resilient(shaky, probe=0.02)
    yield engine
    engine.close()


def test_threads_that_get_while_another_does_cost_one_trip(engine, shaky):
    engine.put({f"k{n}": b"%d" % n for n in range(THREADS)}, None)
    works = [lambda n=n: engine.get([f"k{n}", "none", "k0"]) for n in range(THREADS)]
    found = at_once(engine, shaky, works)
    assert found == [[b"%d" % n, None, b"0"] for n in range(THREADS)]
    assert shaky.count("get") == 2


def test_who_waited_for_a_trip_in_vain_does_not_wait_again(engine, shaky):
    def fail(method):
        gate(method)
        if method == "get":
            raise EngineConnectionError("cut")

    found = []
    works = [lambda n=n: engine.get([f"k{n}"]) for n in range(THREADS)]
    gate = Slow(engine, THREADS - 1)
    shaky.gate = fail

    def do(work):
        try:
            work()
        except EngineError as error:
            found.append(error)

    threads = [threading.Thread(target=do, args=(work,), daemon=True) for work in works]
    threads[0].start()
    assert gate.first.wait(PATIENCE)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(found) == THREADS
    assert len({id(error) for error in found}) == THREADS, "each has a copy of its own"
    assert all("cut" in str(error) for error in found)
    assert shaky.count("get") <= 2


def test_a_failure_that_is_of_one_batch_is_told_to_that_batch(engine, shaky):
    shaky.error = EngineError("no such database")
    works = [lambda n=n: engine.get([f"k{n}"]) for n in range(THREADS)]
    found = at_once(engine, shaky, works)
    assert [str(error) for error in found] == ["no such database"] * THREADS
    shaky.error = None
    assert engine.get(["k"]) == [None]


def test_who_is_interrupted_on_the_way_lets_another_go(engine, shaky):
    class Interrupt(BaseException):
        pass

    def interrupt(method):
        gate(method)
        if method == "get" and shaky.count("get") == 1:
            raise Interrupt

    engine.put({f"k{n}": b"%d" % n for n in range(THREADS)}, None)
    gate = Slow(engine, THREADS - 1)
    shaky.gate = interrupt
    found = [None] * THREADS

    def do(number):
        try:
            found[number] = engine.get([f"k{number}"])
        except Interrupt as error:
            found[number] = error

    threads = [threading.Thread(target=do, args=(n,), daemon=True) for n in range(THREADS)]
    threads[0].start()
    assert gate.first.wait(PATIENCE)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert isinstance(found[0], Interrupt)
    assert found[1:] == [[b"%d" % n] for n in range(1, THREADS)]


def test_nobody_waits_long_for_another(shaky):
    engine = resilient(shaky)
    may_go, is_in = threading.Event(), threading.Event()

    def wait(method):
        if method == "get" and not is_in.is_set():
            is_in.set()
            assert may_go.wait(PATIENCE)

    shaky.gate = wait
    slow = threading.Thread(target=engine.get, args=(["slow"],), daemon=True)
    slow.start()
    assert is_in.wait(PATIENCE)
    assert engine.get(["a"]) == [None]
    assert engine.get(["b"]) == [None]
    may_go.set()
    slow.join(PATIENCE)
    engine.close()


def test_a_get_in_the_middle_of_ones_own_get_does_not_wait_for_itself(engine, shaky):
    engine.put({"a": b"1", "b": b"2"}, None)
    found = []

    def again(method):
        if method == "get" and not found:
            found.append(None)
            found[:] = engine.get(["b"])

    shaky.gate = again
    assert engine.get(["a"]) == [b"1"]
    assert found == [b"2"]
    assert engine.get(["a"]) == [b"1"]


def test_what_fails_keeps_nothing_alive(shaky, monkeypatch):
    monkeypatch.setattr(coalescing, "_LONG", PATIENCE)
    engine = resilient(shaky, failures=100)  # while it is open it keeps what opened it

    class Local:
        pass

    def ask():
        local = Local()
        there.append(weakref.ref(local))
        with suppress(EngineError):
            engine.get(["a"])

    there = []
    shaky.error = lambda: EngineError("no such database")
    gc.disable()
    try:
        at_once(engine, shaky, [ask] * THREADS)
        ask()
    finally:
        gc.enable()
        engine.close()
    assert [found() for found in there] == [None] * (THREADS + 1)


def test_a_large_batch_goes_in_parts(engine, shaky):
    keys = [[f"{n}:{m}" for m in range(400)] for n in range(THREADS)]
    found = at_once(engine, shaky, [lambda mine=mine: engine.get(mine) for mine in keys])
    assert found == [[None] * 400] * THREADS
    sizes = [len(asked[1]) for asked in shaky.asked if asked[0] == "get"]
    assert max(sizes) <= 1000
    assert sum(sizes) == THREADS * 400


# -- tasks -----------------------------------------------------------------------------------------


def run(main):
    return asyncio.run(asyncio.wait_for(main, PATIENCE))


def test_gets_of_one_turn_of_a_loop_cost_one_trip():
    raw = AsyncShakyEngine()
    engine = resilient(raw)

    async def main():
        await engine.put({f"k{n}": b"%d" % n for n in range(64)}, None)
        found = await asyncio.gather(*(engine.get([f"k{n}", "none"]) for n in range(64)))
        assert found == [[b"%d" % n, None] for n in range(64)]
        assert raw.blocking.count("get") == 1
        assert await engine.get(["k1"]) == [b"1"]
        await engine.close()

    run(main())


def test_functions_that_miss_at_once_ask_at_once():
    raw = AsyncShakyEngine()
    calls = []

    @ucache(resilient(raw))
    async def f(x):
        calls.append(x)
        return x

    async def main():
        await asyncio.gather(*map(f, range(64)))
        raw.blocking.asked.clear()
        assert await asyncio.gather(*map(f, range(64))) == list(range(64))
        assert raw.blocking.count("get") == 1
        await f.close()

    run(main())
    assert sorted(calls) == list(range(64))


def test_a_task_that_is_cancelled_takes_nothing_from_the_others():
    engine = resilient(AsyncShakyEngine())

    async def main():
        await engine.put({"a": b"1", "b": b"2"}, None)
        first, second = (asyncio.ensure_future(engine.get([key])) for key in "ab")
        await asyncio.sleep(0)
        first.cancel()
        assert await second == [b"2"]
        with pytest.raises(asyncio.CancelledError):
            await first
        await engine.close()

    run(main())


def test_tasks_each_get_a_copy_of_what_is_raised():
    raw = AsyncShakyEngine()
    engine = resilient(raw, probe=0.02)

    async def main():
        raw.blocking.error = EngineError("no such database")
        found = await asyncio.gather(*(engine.get([key]) for key in "abc"), return_exceptions=True)
        assert [str(error) for error in found] == ["no such database"] * 3
        assert len({id(error) for error in found}) == 3
        assert raw.blocking.count("get") == 1
        await engine.close()

    run(main())


def test_loops_one_after_the_other_and_at_once():
    engine = resilient(AsyncShakyEngine())

    async def main():
        await engine.put({"a": b"1"}, None)
        return await asyncio.gather(*(engine.get(["a"]) for _ in range(10)))

    found = []
    threads = [
        threading.Thread(target=lambda: found.append(run(main())), daemon=True) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [[[b"1"]] * 10] * 4
    assert run(main()) == [[b"1"]] * 10


def test_a_store_of_an_async_engine_can_be_emptied_by_who_can_not_await():
    raw = AsyncShakyEngine()
    cache = AsyncCache(resilient(raw))

    async def main():
        await cache.set("a", 1)

    run(main())
    cache._empty()
    assert list(raw.blocking.scan("")) == []
    run(cache.close())

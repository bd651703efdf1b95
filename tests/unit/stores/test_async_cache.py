"""`AsyncCache`: tasks, event loops, coroutine loaders, engines that have to be awaited."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from tests.fixtures.async_engine import async_engine


@pytest.fixture(params=["memory", "mapping", "async", "near"])
def tiers(tc, clock, request):
    """What a store or a decorator may be given as its engine."""
    seconds = lambda: clock.now / 1e9
    if request.param == "memory":
        return "memory"
    if request.param == "mapping":
        return tc.open_engine("mapping:")
    engine = async_engine(tc, seconds)
    return ["memory", engine] if request.param == "near" else engine


def test_a_loader_may_be_a_function_or_a_coroutine_function(tc, tiers):
    async def aload():
        await asyncio.sleep(0)
        return 1

    async def aload_many(keys):
        return dict.fromkeys(keys, 3)

    async def main():
        async with tc.AsyncCache(tiers) as cache:
            assert await cache.get_or_load("a", aload) == 1
            assert await cache.get_or_load("b", lambda: 2) == 2
            assert await cache.get_or_load("c", lambda: aload()) == 1
            found = await cache.get_many_or_load(["a", "d"], aload_many)
            assert found == {"a": 1, "d": 3}
            assert sorted(await cache.keys()) == ["a", "b", "c", "d"]

    asyncio.run(main())


def test_tasks_that_miss_at_once_share_one_computation(tc, tiers):
    calls = []

    async def load():
        calls.append(1)
        await asyncio.sleep(0.02)
        return [1]

    async def main():
        async with tc.AsyncCache(tiers) as cache:
            found = await asyncio.gather(*(cache.get_or_load("a", load) for _ in range(64)))
            assert found == [[1]] * 64
            assert cache.stats().joined == 63

    asyncio.run(main())
    assert len(calls) == 1


def test_an_old_value_is_given_to_a_coroutine_that_asks(tc, tiers, clock):
    seen = []

    async def load(*, old):
        seen.append(old)
        return len(seen)

    async def main():
        async with tc.AsyncCache(tiers, ttl=10, stale=60, clock=clock) as cache:
            assert await cache.get_or_load("a", load) == 1
            clock.advance(20)
            assert await cache.get_or_load("a", load) == 1
            await cache.close()  # waits for it
            assert seen == [tc.MISSING, 1]

    asyncio.run(main())


def test_one_store_serves_two_event_loops(tc):
    cache = tc.AsyncCache("mapping:")
    gate = threading.Event()
    calls = []

    async def load():
        calls.append(1)
        await asyncio.to_thread(gate.wait, 20)
        return 1

    found = []
    threads = [
        threading.Thread(target=lambda: found.append(asyncio.run(cache.get_or_load("a", load))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while not calls:
        pass
    gate.set()
    for thread in threads:
        thread.join(20)
    assert found == [1] * 4
    assert len(calls) == 1
    asyncio.run(cache.close())


def test_an_engine_that_is_given_stays_open_and_one_that_is_named_is_closed(tc, clock):
    engine = async_engine(tc, lambda: clock.now / 1e9)

    async def main():
        async with tc.AsyncCache(engine) as cache:
            await cache.set("a", 1)
        assert not engine.is_closed
        async with tc.AsyncCache("mapping:") as cache:
            await cache.set("a", 1)
        with pytest.raises(tc.EngineError, match="closed"):
            await cache.get("a")

    asyncio.run(main())


def test_a_function_on_an_engine_that_has_to_be_awaited(tc, tiers, clock):
    if not hasattr(tiers, "is_closed") and not isinstance(tiers, list):
        pytest.skip("it hasn't")
    calls = []

    @tc.ucache(tiers, clock=clock, ttl=60, tags=["t"], invalidate_by=("x",))
    async def f(x, y=0):
        calls.append((x, y))
        return [x, y]

    async def main():
        assert await f(1) == await f(1) == [1, 0]
        assert await f.peek(1) == [1, 0]
        assert await f.contains(1)
        assert await f.invalidate(1)
        assert not await f.invalidate(1)
        await f.put("by hand", 1)
        assert await f(1) == "by hand"
        assert await f.refresh(1) == [1, 0]
        assert [value for _, value in await f.items()] == [[1, 0]]
        warmed = await f.warm([1, 2, 3])
        assert (warmed.fresh, warmed.loaded) == (1, 2)
        await f.invalidate_by(x=2)
        assert [await f.contains(x) for x in (1, 2, 3)] == [True, False, True]
        await f.cache_clear()
        assert not await f.contains(1)
        await f.close()
        assert await f(1) == [1, 0]
        assert await f(1) == [1, 0]

    asyncio.run(main())
    assert len(calls) == 6


@pytest.mark.parametrize("tiers", ["mapping", "async", "near"], indirect=True)
def test_a_function_that_is_closed_runs_each_time_and_nothing_has_failed(tc, tiers):
    @tc.ucache(tiers)
    async def f(x):
        return [x]

    async def main():
        assert await f(1) == await f(1) == [1]
        closing = f.close()
        if closing is not None:
            await closing
        assert await f(1) == await f(1) == [1]

    asyncio.run(main())
    stats = f.stats()
    assert (stats.loads, stats.engine_errors) == (3, 0)


def test_the_controls_of_a_function_that_is_closed_are_awaited_as_before(tc):
    @tc.ucache(async_engine(tc, float))
    async def f(x):
        return [x]

    async def main():
        await f(1)
        await f.close()
        await f.close()
        await f.cache_clear()
        assert await f.items() == []

    asyncio.run(main())


def test_what_can_not_be_awaited_says_so(tc, clock):
    gc.collect()  # caches of other tests, whose engines are closed

    @tc.ucache(async_engine(tc, float), tags=["t"], name="mine")
    async def f(x):
        return x

    with pytest.raises(tc.EngineError, match="asynchronous"):
        tc.clear_cache("mine")
    with pytest.raises(tc.EngineError, match="asynchronous"):
        tc.invalidate_tags("t")
    asyncio.run(f.close())
    cache = tc.AsyncCache(async_engine(tc, float), name="store")
    with pytest.raises(tc.EngineError, match="asynchronous"):
        tc.clear_cache("store")
    asyncio.run(cache.close())


def test_a_coroutine_that_is_cancelled_leaves_nothing_wrong_near(tc, clock):
    """Whatever comes of the engine, the near table has forgotten."""
    slow = asyncio.Event()

    async def main():
        engine = async_engine(tc, lambda: clock.now / 1e9)

        @tc.ucache(["memory", engine], clock=clock)
        async def f(x):
            return [x]

        assert await f(1) == [1]
        drop = engine.drop

        async def never(keys):
            await drop(keys)
            slow.set()
            await asyncio.sleep(60)

        engine.drop = never
        task = asyncio.ensure_future(f.invalidate(1))
        await asyncio.wait_for(slow.wait(), 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        engine.drop = drop
        assert not f.contains.__self__._near.peek((1, int))
        assert not await f.contains(1)

    asyncio.run(main())

"""`CacheContext` and `engine_context`: what a block opens, it closes, whatever happens."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from tests.fixtures.async_engine import async_engine


def is_closed(tc, cache):
    try:
        cache.get("a")
    except tc.EngineError:
        return True
    return False


@pytest.mark.parametrize("engine", ["memory", "mapping:", ["memory", "mapping:"]], ids=str)
def test_a_block_has_a_store_and_closes_it(tc, engine):
    context = tc.CacheContext(engine, ttl=60)
    with context as cache:
        assert isinstance(cache, tc.Cache)
        cache.set("a", 1)
        assert cache.get("a") == 1
    assert is_closed(tc, cache)
    with pytest.raises(ZeroDivisionError), context as other:
        raise ZeroDivisionError
    assert other is not cache
    assert is_closed(tc, other)


def test_options_are_judged_when_it_is_entered(tc):
    context = tc.CacheContext("nope:", ttl=5)
    with pytest.raises(tc.ConfigurationError, match="nope"):
        context.__enter__()
    with pytest.raises(RuntimeError, match="wasn't entered"):
        context.__exit__(None, None, None)


def test_blocks_within_blocks_have_stores_of_their_own(tc):
    context = tc.CacheContext("memory")
    with context as outer:
        outer.set("a", 1)
        with context as inner:
            assert inner.get("a") is None
        assert is_closed(tc, inner)
        assert outer.get("a") == 1
    assert is_closed(tc, outer)


def test_threads_close_their_own(tc):
    context = tc.CacheContext("memory")
    steps = [threading.Event() for _ in range(3)]
    told = []

    def first():
        with context as cache:
            cache.set("a", "first")
            steps[0].set()
            steps[1].wait(20)
        told.append(is_closed(tc, cache))
        steps[2].set()

    thread = threading.Thread(target=first)
    thread.start()
    steps[0].wait(20)
    with context as cache:
        cache.set("a", "second")
        steps[1].set()
        steps[2].wait(20)
        assert cache.get("a") == "second"
    thread.join()
    assert told == [True]
    assert is_closed(tc, cache)


def test_tasks_close_their_own(tc):
    context = tc.CacheContext("mapping:")

    async def one(number, entered, go_on):
        async with context as cache:
            await cache.set(f"n{number}", number)
            entered.set()
            await go_on.wait()
            return await cache.get(f"n{number}")

    async def main():
        events = [asyncio.Event() for _ in range(4)]
        first = asyncio.ensure_future(one(1, events[0], events[1]))
        second = asyncio.ensure_future(one(2, events[2], events[3]))
        await events[0].wait(), await events[2].wait()
        events[1].set()
        assert await first == 1
        events[3].set()
        assert await second == 2

    asyncio.run(main())


def test_it_may_be_left_where_it_was_not_entered(tc):
    """As fixtures of tests do, which are set up in one context and torn down in another."""
    context = tc.CacheContext("memory")
    cache = contextvars.copy_context().run(context.__enter__)
    cache.set("a", 1)
    contextvars.copy_context().run(context.__exit__, None, None, None)
    assert is_closed(tc, cache)


def test_async_with_gives_an_async_store(tc, clock):
    engine = async_engine(tc, lambda: clock.now / 1e9)

    async def main():
        for one in ("memory", "mapping:", engine):
            async with tc.CacheContext(one) as cache:
                assert isinstance(cache, tc.AsyncCache)
                await cache.set("a", 1)
                assert await cache.get("a") == 1
            with pytest.raises(tc.EngineError, match="closed"):
                await cache.get("a")
            with pytest.raises(ZeroDivisionError):
                async with tc.CacheContext(one):
                    raise ZeroDivisionError

    asyncio.run(main())
    assert not engine.is_closed


def test_what_goes_on_in_the_background_is_waited_for(tc, clock):
    seen = []

    def load(old):
        seen.append(old)
        return len(seen)

    with tc.CacheContext("memory", ttl=1, stale=60, clock=clock) as cache:
        cache.get_or_load("a", load)
        clock.advance(5)
        cache.get_or_load("a", load)
    assert seen == [tc.MISSING, 1]


# -- engines ---------------------------------------------------------------------------------------


def test_a_block_has_an_engine_and_closes_it(tc, tmp_path):
    context = tc.engine_context(f"sqlite:///{tmp_path}/a.db", max_bytes="1MB")
    for _ in range(2):
        with context as engine:
            engine.put({"k": b"v"}, 60)
            assert engine.get(["k"]) == [b"v"]
        with pytest.raises(tc.EngineError, match="closed"):
            engine.get(["k"])
    with pytest.raises(ZeroDivisionError), context as engine:
        raise ZeroDivisionError
    with pytest.raises(tc.EngineError, match="closed"):
        engine.get(["k"])


def test_an_engine_that_was_open_stays_open(tc):
    engine = tc.open_engine("mapping:")
    with tc.engine_context(engine) as same:
        assert same is engine
    engine.ping()


@pytest.mark.parametrize("others", [[], ["mapping:"]])
def test_an_engine_that_was_open_stays_open_in_a_list_too(tc, tmp_path, others):
    engine = tc.open_engine(f"sqlite:///{tmp_path}/a.db")
    with tc.engine_context([*others, engine]) as given:
        given.put({"k": b"v"}, None)
    assert engine.get(["k"]) == [b"v"]
    if others:
        with pytest.raises(tc.EngineClosedError):
            given.get(["k"])
    engine.close()


def test_what_a_list_opened_is_closed_with_it(tc):
    near = tc.open_engine("mapping:")
    tiers = tc.open_engine([near, "mapping:"])
    tiers.put({"k": b"v"}, None)
    tiers.close()
    near.ping()
    with pytest.raises(tc.EngineClosedError):
        tiers.ping()


def test_a_list_is_one_engine_of_several(tc):
    with tc.engine_context(["mapping:", "mapping:"]) as engine:
        engine.put({"k": b"v"}, 60)
        assert engine.get(["k"]) == [b"v"]
        assert type(engine).__name__ == "TieredEngine"
    assert tc.open_engine(["null:"]).get(["k"]) == [None]


def test_an_async_engine_is_entered_by_async_with(tc, monkeypatch):
    from importlib import import_module

    made = []

    class Entry:
        name = value = "mine"

        def load(self):
            class Kind:
                @staticmethod
                def from_url(url):
                    made.append(async_engine(tc, float))
                    return made[-1]

            return Kind

    monkeypatch.setattr(import_module(f"{tc.__name__}._open"), "_entry_points", lambda: [Entry()])
    with (
        pytest.raises(tc.ConfigurationError, match="enter this by `async with`"),
        tc.engine_context("mine:"),
    ):
        raise AssertionError

    async def main():
        async with tc.engine_context("mine:") as engine:
            await engine.put({"k": b"v"}, None)
            assert not engine.is_closed
        assert engine.is_closed
        async with tc.engine_context("mapping:") as engine:
            engine.put({"k": b"v"}, None)
        with pytest.raises(tc.EngineError):
            engine.ping()
        async with tc.AsyncCache("mine:") as cache:
            await cache.set("a", 1)
            assert not made[-1].is_closed
        assert made[-1].is_closed

    asyncio.run(main())


def test_memory_is_no_engine_of_bytes(tc):
    for use in (tc.open_engine, lambda url: tc.engine_context(url).__enter__()):
        with pytest.raises(tc.ConfigurationError, match="'mapping:'"):
            use("memory:")
        with pytest.raises(tc.ConfigurationError, match="mapping"):
            use("memory")

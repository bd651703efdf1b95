"""Gets that are awaited: coroutines, and futures for `gather` and the like, which need no task."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import weakref
from contextvars import ContextVar
from threading import Thread

import pytest

from tests.fixtures.shaky_engine import AsyncShakyEngine
from twat_cache import MISSING, AsyncCache, EngineError, resilient, ucache

PATIENCE = 60
MANY = 64


class Kit:
    """A function and a store on one engine, as whoever asks it is to find them alike."""

    def __init__(self):
        self.raw = AsyncShakyEngine()
        self.engine = resilient(self.raw, probe=0.02)
        self.calls = []
        self.cache = AsyncCache(self.engine)

        @ucache(self.engine, name="f")
        async def f(x):
            self.calls.append(x)
            await asyncio.sleep(0)
            return [x]

        self.f = f

    @property
    def gets(self):
        return self.raw.blocking.count("get")

    async def fill(self, many=MANY):
        for number in range(many):
            await self.f(number)
            await self.cache.set(str(number), [number])
        self.raw.blocking.asked.clear()
        self.calls.clear()


@pytest.fixture
def kit():
    made = Kit()
    yield made

    async def close():
        made.raw.blocking.error = None
        await made.f.close()
        await made.cache.close()

    run(close())


@pytest.fixture(params=["ucache", "AsyncCache"])
def get(request, kit):
    """Gets the list of a number, which is there if the kit was filled."""
    if request.param == "ucache":
        return kit.f
    return lambda number: kit.cache.get(str(number), [number])


def run(main):
    return asyncio.run(asyncio.wait_for(main, PATIENCE))


async def in_a_group(one):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one)
    return task.result()


async def waited_for(one):
    done, _ = await asyncio.wait([asyncio.ensure_future(one)])
    (it,) = done
    return it.result()


async def as_it_comes(one):
    for coming in asyncio.as_completed([one]):
        return await coming


async def in_another_loop(one):
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        future = asyncio.run_coroutine_threadsafe(one, loop)
        return await asyncio.wrap_future(future)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


async def awaited(one):
    return await one


async def called_back(one):
    called = asyncio.get_running_loop().create_future()
    one.add_done_callback(called.set_result)
    return (await called).result()


WAYS = [
    awaited,
    called_back,
    asyncio.create_task,
    asyncio.ensure_future,
    asyncio.shield,
    lambda one: asyncio.wait_for(one, PATIENCE),
    lambda one: asyncio.gather(one),
    waited_for,
    as_it_comes,
    in_another_loop,
]
if sys.version_info >= (3, 11):
    WAYS.append(in_a_group)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_there", [True, False])
def test_it_goes_wherever_a_coroutine_goes(kit, get, way, is_there):
    async def main():
        if is_there:
            await kit.fill(1)
        found = await way(get(0))
        assert found in ([0], [[0]])
        assert kit.calls in ([], [0])
        assert not (is_there and kit.calls)

    run(main())


def test_it_is_taken_for_what_it_is(kit):
    assert asyncio.iscoroutinefunction(AsyncCache.get)
    assert asyncio.iscoroutinefunction(kit.cache.get)
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(kit.cache.get)

    async def main():
        one = kit.cache.get("a")
        assert asyncio.iscoroutine(one)
        assert inspect.isawaitable(one)
        future = asyncio.ensure_future(one)
        assert asyncio.isfuture(future)
        assert not asyncio.iscoroutine(future)
        assert await future is None
        assert await future is None

    run(main())
    assert asyncio.run(kit.cache.get("a")) is None


def test_hits_at_once_are_one_trip_and_need_one_task(kit, get):
    made = []

    def factory(loop, coroutine, **options):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def main():
        await kit.fill()
        asyncio.get_running_loop().set_task_factory(factory)
        found = await asyncio.gather(*map(get, range(MANY)))
        asyncio.get_running_loop().set_task_factory(None)
        assert found == [[number] for number in range(MANY)]
        assert kit.gets == 1
        assert len(made) == 1
        assert not kit.calls

    run(main())


def test_those_who_ask_for_the_same_get_values_of_their_own(kit, get):
    async def main():
        await kit.fill(1)
        first, second = await asyncio.gather(get(0), get(0))
        assert first == second
        assert first is not second
        assert kit.gets == 1

    run(main())


def test_misses_at_once_compute_once_for_each_key(kit):
    async def main():
        found = await asyncio.gather(*(kit.f(number % 3) for number in range(9)))
        assert found == [[number % 3] for number in range(9)]
        assert sorted(kit.calls) == [0, 1, 2]
        assert kit.f.stats().hits == 0
        assert await asyncio.gather(*map(kit.f, range(3))) == [[0], [1], [2]]
        assert kit.f.stats().hits == 3

    run(main())


def test_what_is_missing_is_the_default(kit):
    async def main():
        found = await asyncio.gather(
            kit.cache.get("a"), kit.cache.get("b", 1), kit.cache.get("c", MISSING)
        )
        assert found == [None, 1, MISSING]
        assert (kit.cache.stats().hits, kit.cache.stats().misses) == (0, 3)
        await kit.cache.set("a", 1, tags=["t"])
        assert await asyncio.gather(kit.cache.get("a"), kit.cache.get("b")) == [1, None]
        assert (kit.cache.stats().hits, kit.cache.stats().misses) == (1, 4)

    run(main())


def test_an_engine_that_fails_fails_each_and_functions_answer_all_the_same(kit):
    async def main():
        await kit.fill(3)
        kit.raw.blocking.error = EngineError("no such database")
        found = await asyncio.gather(*(kit.cache.get(key) for key in "012"), return_exceptions=True)
        assert [str(error) for error in found] == ["no such database"] * 3
        assert len({id(error) for error in found}) == 3
        assert await asyncio.gather(*map(kit.f, range(3))) == [[0], [1], [2]]
        assert sorted(kit.calls) == [0, 1, 2]
        assert kit.f.stats().engine_errors >= 3

    run(main())


@pytest.mark.parametrize("failures", [0, 3])  # after three it isn't asked
@pytest.mark.parametrize("way", [awaited, asyncio.gather])
def test_an_engine_that_fails_keeps_nothing_alive(kit, way, failures):
    class Default:
        pass

    async def ask():
        with pytest.raises(EngineError):
            await way(kit.cache.get("a", default))

    async def main():
        nonlocal default
        for _ in range(failures):
            await ask()
        default = Default()
        there = weakref.ref(default)
        await ask()
        default = None
        await asyncio.sleep(0)
        assert there() is None

    default = None
    kit.raw.blocking.error = lambda: EngineError("no such database")
    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


def test_a_function_is_called_in_a_copy_of_the_context_that_asked(kit):
    name = ContextVar("name", default="nobody")

    @ucache(kit.engine, name="g")
    async def f(x):
        found = name.get()
        name.set("somebody else")
        return found

    async def main():
        name.set("somebody")
        asked = f(1), f(2)
        name.set("another")
        assert await asyncio.gather(*asked) == ["another", "another"]
        assert name.get() == "another"
        assert await f(3) == "another"
        assert name.get() == "somebody else"  # as a coroutine that is awaited

    run(main())


def test_a_function_that_raises(kit):
    @ucache(kit.engine, name="g")
    async def f(x):
        raise LookupError(x)

    async def main():
        found = await asyncio.gather(f(1), f(2), return_exceptions=True)
        assert [(type(error), error.args) for error in found] == [
            (LookupError, (1,)),
            (LookupError, (2,)),
        ]

    run(main())


def test_who_is_cancelled_takes_nothing_from_the_others(kit, get):
    async def main():
        await kit.fill(2)
        first, second = asyncio.ensure_future(get(0)), asyncio.ensure_future(get(1))
        assert first.cancel()
        assert await second == [1]
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not first.cancel()
        assert not second.cancel()

    run(main())


def test_to_cancel_it_cancels_what_it_computes(kit):
    entered = asyncio.Event()
    ended = []

    @ucache(kit.engine, name="g")
    async def f(x):
        entered.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            ended.append(x)
            raise

    async def main():
        both = asyncio.gather(f(1), f(1))
        await entered.wait()
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both
        assert ended

    run(main())


def test_who_cancels_it_may_say_why(kit):
    entered = asyncio.Event()

    @ucache(kit.engine, name="g")
    async def f(x):
        entered.set()
        await asyncio.sleep(PATIENCE)

    async def main():
        future = asyncio.ensure_future(f(1))
        await entered.wait()
        future.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await future

    run(main())


@pytest.mark.parametrize("turns", [1, 2, 3, 4])
def test_at_the_end_of_a_loop_nobody_is_left_waiting(kit, get, turns):
    ended = []

    async def wait():
        inner = asyncio.ensure_future(get(0))
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            await asyncio.wait([inner], timeout=PATIENCE)
        ended.append(inner.done())

    async def main():
        tasks.append(asyncio.create_task(wait()))
        for _ in range(turns):
            await asyncio.sleep(0)

    tasks = []
    asyncio.run(main())
    assert ended == [True]


def test_who_forgets_to_await_it_is_told(kit, get):
    async def main():
        with pytest.warns(RuntimeWarning, match="never awaited"):
            get(0)
            gc.collect()
        get(0).close()

    run(main())
    assert not kit.raw.blocking.asked


def test_who_asks_of_what_is_closed_meanwhile(kit):
    @ucache(kit.engine, name="g")
    async def g(x):
        return [x]

    async def main():
        asked = [g(0), g(0)]
        await g.close()
        assert await asyncio.gather(*asked) == [[0], [0]]

    run(main())


def test_a_get_that_is_left_in_the_middle_holds_up_nobody(kit):
    async def main():
        await kit.fill(2)
        for left in (kit.engine.get(["a"]), kit.f(0), kit.cache.get("0")):
            left.send(None)
            assert await asyncio.wait_for(kit.f(1), PATIENCE) == [1]
            assert await asyncio.gather(kit.f(1), kit.cache.get("1")) == [[1], [1]]
            left.close()

    run(main())

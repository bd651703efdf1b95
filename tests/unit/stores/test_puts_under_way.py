"""A result that is just being put when its key is changed: nothing older comes after a change."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tests.fixtures.async_engine import async_engine
from tests.fixtures.colours import COLOURS, PATIENCE
from twat_cache import Cache, ucache
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.sqlite import SqliteEngine

_numbers = count()
_A_WHILE = 0.2  # seconds in which a change would end that doesn't wait


class Gated(MappingEngine):
    """An engine whose first `put` does things before and after it puts."""

    __slots__ = ("after", "before")

    def __init__(self):
        super().__init__()
        self.before = self.after = None

    def put(self, items, ttl):
        before, after, self.before, self.after = self.before, self.after, None, None
        if before is not None:
            before()
        super().put(items, ttl)
        if after is not None:
            after()


@pytest.fixture(params=COLOURS)
def colour(request):
    return COLOURS[request.param]


@pytest.fixture
def engine():
    return Gated()


@pytest.fixture(params=["engine", "near"])
def place(request, engine):
    return engine if request.param == "engine" else ["memory", engine]


def name():
    return f"put under way {next(_numbers)}"


class Meeting:
    """A change that comes upon a put: it begins before it, and is asked about after it.

    A change that doesn't wait has ended before the put, and the answer is had before the put ends.
    """

    def __init__(self, colour, engine, change, ask):
        self.colour, self.change, self.ask = colour, change, ask
        self.changed, self.landed, self.asked = (threading.Event() for _ in range(3))
        self.answer = None
        engine.before, engine.after = self.before, self.after

    def before(self):
        self.join = COLOURS["def"].start(self.run)
        self.changed.wait(_A_WHILE)

    def after(self):
        self.landed.set()
        if self.changed.is_set():
            self.asked.wait(PATIENCE)

    def run(self):
        self.colour.do(self.change)
        self.changed.set()
        assert self.landed.wait(PATIENCE)
        self.answer = self.colour.do(self.ask)
        self.asked.set()

    def end(self):
        assert self.join() == [None]
        return self.answer


CHANGES = {
    "invalidate": lambda f: f.invalidate(1),
    "cache_clear": lambda f: f.cache_clear(),
    "put": lambda f: f.put("new", 1),
    "refresh": lambda f: f.refresh(1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_change_nothing_older_is_found(colour, engine, place, change):
    truth = ["old"]

    def body(x):
        return truth[0]

    f = colour.cached(ucache(place, name=name()), body)

    def changing():
        truth[0] = "new"
        return CHANGES[change](f)

    meeting = Meeting(colour, engine, changing, lambda: f(1))
    assert colour.do(lambda: f(1)) == "old"
    assert meeting.end() == "new"
    assert colour.do(lambda: f(1)) == "new"


@pytest.mark.parametrize("change", ["delete", "clear", "set"])
def test_nor_in_a_store_whose_values_are_loaded_many_at_a_time(engine, place, change):
    changes = {
        "delete": lambda: cache.delete("a"),
        "clear": lambda: cache.clear(),
        "set": lambda: cache.set("a", "new"),
    }
    with Cache(place) as cache:
        meeting = Meeting(
            COLOURS["def"], engine, changes[change], lambda: cache.get("a", "nothing")
        )
        loaded = cache.get_many_or_load(["a", "b"], lambda keys: dict.fromkeys(keys, "old"))
        assert loaded == {"a": "old", "b": "old"}
        assert meeting.end() == ("new" if change == "set" else "nothing")
        assert cache.get("a", "nothing") == ("new" if change == "set" else "nothing")
        assert cache.get("b") == (None if change == "clear" else "old")


def test_nor_with_an_engine_that_is_awaited(tc, clock):
    async def main():
        engine = async_engine(tc, lambda: clock.now / 1e9)
        may_put, entered = asyncio.Event(), asyncio.Event()
        real = engine.put

        async def put(items, ttl):
            entered.set()
            await may_put.wait()
            await real(items, ttl)

        engine.put = put
        truth = ["old"]

        @tc.ucache(engine, name=name())
        async def f(x):
            return truth[0]

        call = asyncio.ensure_future(f(1))
        await entered.wait()
        truth[0] = "new"
        change = asyncio.ensure_future(f.invalidate(1))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not change.done()
        may_put.set()
        await change
        assert await f(1) == "new"
        assert await call == "old"
        await f.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_an_engine_that_is_awaited_makes_while_it_puts_waits_for_nobody(
    tc, clock, change
):
    async def main():
        engine = async_engine(tc, lambda: clock.now / 1e9)
        real, puts, truth = engine.put, [], ["old"]

        async def put(items, ttl):
            puts.append(items)
            if len(puts) == 1:
                truth[0] = "new"
                await CHANGES[change](f)
            await real(items, ttl)

        engine.put = put

        @tc.ucache(engine, name=name())
        async def f(x):
            return truth[0]

        assert await f(1) == "old"
        assert await f(1) == "new"
        await f.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_of_two_results_the_newer_one_stays(colour, engine, place):
    """Without single flight: the older one is just being put when the newer one comes."""
    runs = []

    def body(x):
        runs.append(x)
        return f"run {len(runs)}"

    f = colour.cached(ucache(place, single_flight=False, name=name()), body)
    meeting = Meeting(colour, engine, lambda: f(1), lambda: f.peek(1))
    assert colour.do(lambda: f(1)) == "run 1"
    assert meeting.end() == "run 2"
    assert runs == [1, 1]


def test_an_older_result_does_not_replace_what_refresh_has_put_in_the_table(colour, engine):
    truth, begun, gate = ["old"], threading.Event(), threading.Event()

    def body(x):
        value = truth[0]
        if value == "old":
            begun.set()
            yield gate
        return value

    f = colour.cached(ucache(["memory", engine], name=name()), body)
    join = colour.start(lambda: f(1))
    assert begun.wait(PATIENCE)
    truth[0] = "new"
    assert colour.do(lambda: f.refresh(1)) == "new"
    gate.set()
    assert join() == ["old"]
    assert colour.do(lambda: f(1)) == "new"


def test_a_put_that_fails_holds_nobody_up(colour, engine, place):
    f = colour.cached(ucache(place, name=name()), lambda x: x)

    def fail():
        raise OSError("down")

    engine.before = fail
    colour.do(lambda: f(1))
    assert f.stats().engine_errors == 1
    colour.do(lambda: f.invalidate(1))
    assert colour.do(lambda: f.peek(1)) is None
    colour.do(lambda: f(1))
    assert colour.do(lambda: f.peek(1)) == 1


# -- cancelled -------------------------------------------------------------------------------------


async def opened(gate):
    while not gate.is_set():  # noqa: ASYNC110 - a thread opens it
        await asyncio.sleep(0.001)


def test_who_is_cancelled_while_a_thread_puts_leaves_nothing_behind_a_change(engine, place):
    entered, may_put, landed = (threading.Event() for _ in range(3))
    engine.before = lambda: (entered.set(), may_put.wait(PATIENCE))
    engine.after = landed.set

    async def main():
        @ucache(place, name=name())
        async def f(x):
            return "old"

        call = asyncio.ensure_future(f(1))
        await opened(entered)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        change = asyncio.ensure_future(f.invalidate(1))
        await asyncio.wait([change], timeout=_A_WHILE)
        may_put.set()
        await change
        await opened(landed)
        assert await f.peek(1) is None

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_who_is_cancelled_before_a_thread_puts_puts_nothing(engine):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        gate, computed = threading.Event(), asyncio.Event()
        busy = []

        @ucache(engine, name=name())
        async def f(x):
            if not busy:
                busy.append(loop.run_in_executor(None, gate.wait, PATIENCE))
                computed.set()
            return len(busy)

        call = asyncio.ensure_future(f(1))
        await computed.wait()
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        gate.set()
        await f.invalidate(1)
        assert await f.peek(1) is None
        assert await f(1) == await f.peek(1) == 1

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_a_put_that_is_awaited_goes_on_without_who_is_cancelled(tc, clock):
    async def main():
        engine = async_engine(tc, lambda: clock.now / 1e9)
        may_put, entered = asyncio.Event(), asyncio.Event()
        real = engine.put

        async def put(items, ttl):
            entered.set()
            await may_put.wait()
            await real(items, ttl)

        engine.put = put

        @tc.ucache(engine, name=name())
        async def f(x):
            return "value"

        call = asyncio.ensure_future(f(1))
        await entered.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        may_put.set()
        while await f.peek(1) is None:  # noqa: ASYNC110 - the engine doesn't tell
            await asyncio.sleep(0)
        await f.invalidate(1)
        assert await f.peek(1) is None
        await f.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


# -- what the table before an engine has -----------------------------------------------------------


def test_who_computed_computes_anew_before_the_end(colour, engine, clock):
    """In the table a value ends where it is to be looked at more closely, from the beginning."""
    runs, again = [], threading.Event()

    def body(x):
        runs.append(x)
        if len(runs) == 2:
            again.set()
        return len(runs)

    place = ["memory", engine]
    f = colour.cached(ucache(place, ttl=100, refresh_ahead=0.5, clock=clock, name=name()), body)

    async def awaited():
        assert await f(1) == 1
        clock.advance(80)
        assert await f(1) == 1
        await opened(again)
        f.close()

    if colour.is_async:
        asyncio.run(asyncio.wait_for(awaited(), PATIENCE))
    else:
        assert f(1) == 1
        clock.advance(80)
        assert f(1) == 1
        assert again.wait(PATIENCE)
        f.close()
    assert runs == [1, 1]


def test_so_does_a_store_that_loaded_many(engine, clock):
    loads, again = [], threading.Event()

    def load():
        loads.append(None)
        again.set()
        return "anew"

    with Cache(["memory", engine], ttl=100, refresh_ahead=0.5, clock=clock) as cache:
        cache.get_many_or_load(["a"], lambda keys: dict.fromkeys(keys, "first"))
        clock.advance(80)
        assert cache.get_or_load("a", load) == "first"
        assert again.wait(PATIENCE)


def test_a_result_whose_lease_was_lost_is_in_no_table(colour, tmp_path):
    """Another may have computed since, and stored what is newer."""
    engine = SqliteEngine(str(tmp_path / "store.db"))
    runs = []

    def body(x):
        runs.append(x)
        if len(runs) == 1:
            (lease,) = engine.scan("~lease:")
            engine.drop([lease])
        return len(runs)

    f = colour.cached(ucache(["memory", engine], single_flight="process", name=name()), body)
    assert [colour.do(lambda: f(1)) for _ in range(3)] == [1, 2, 2]
    engine.close()

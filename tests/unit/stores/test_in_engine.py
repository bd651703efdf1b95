"""Results in an engine that may fail, be damaged or be changed by others at any moment."""

from __future__ import annotations

import asyncio
import gc
import threading
from itertools import count

import pytest

from tests.fixtures.colours import COLOURS, PATIENCE, until
from twat_cache import Cache, ConfigurationError, EngineError, events, invalidate_tags, ucache
from twat_cache.engine_types import Capabilities
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.sqlite import SqliteEngine
from twat_cache.testing import FakeClock

_numbers = count()


class Troubled(MappingEngine):
    """An engine whose methods fail when they are told to, and that notes what it is asked."""

    __slots__ = ("asked", "failing")

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.failing = {}
        self.asked = []


def _troubled(name):
    def method(self, *args):
        self.asked.append((name, *args))
        if name in self.failing:
            raise self.failing[name]
        return getattr(MappingEngine, name)(self, *args)

    return method


for _name in ("get", "put", "add", "drop", "swap", "touch"):
    setattr(Troubled, _name, _troubled(_name))


@pytest.fixture(params=COLOURS)
def colour(request):
    return COLOURS[request.param]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    return Troubled(clock=clock.seconds)


@pytest.fixture
def told():
    found = []
    stop = events.subscribe(found.append)
    yield found
    stop()


@pytest.fixture
def runs():
    return []


@pytest.fixture
def cached(colour, engine, clock, runs):
    """Makes a cached function on the engine, which counts its runs."""

    def make(on=engine, **options):
        def body(x):
            runs.append(x)
            return f"run {len(runs)}"

        options = {"name": f"in engine {next(_numbers)}", "clock": clock, **options}
        return colour.cached(ucache(on, **options), body)

    return make


# -- an engine that fails --------------------------------------------------------------------------

ERRORS = [EngineError("down"), OSError(5, "down"), ZeroDivisionError(), ValueError("odd")]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", ["get", "put", "add"])
def test_the_function_answers_and_the_trouble_is_counted_and_told(
    colour, cached, engine, told, method, error
):
    f = cached(tags=["tag"])
    engine.failing[method] = error
    assert colour.do(lambda: f(1)) == "run 1"
    failed = [event for event in told if type(event).__name__ == "EngineFailed"]
    assert {(event.engine, event.operation, event.error) for event in failed} == {
        ("troubled", method, type(error).__name__)
    }
    assert f.stats().engine_errors == len(failed) >= 1
    engine.failing.clear()
    colour.do(lambda: f(1))
    runs = f.stats().loads
    colour.do(lambda: f(1))
    assert f.stats().loads == runs  # it is kept again


@pytest.mark.parametrize("answer", [[], None, ["text"], [5], 7])
def test_an_engine_that_answers_nonsense_is_one_that_fails(colour, cached, engine, answer):
    f = cached(on=Odd(answer))
    assert colour.do(lambda: f(1)) == "run 1"
    assert f.stats().engine_errors + f.stats().refused_records >= 1


class Odd:
    """An engine by whom nothing is as it should be."""

    capabilities = Capabilities()

    def __init__(self, answer):
        self.answer = answer

    def get(self, keys):
        return self.answer

    def put(self, items, ttl):
        return "?"

    add = drop = put

    def scan(self, prefix):
        return 5

    def close(self):
        pass

    def ping(self):
        pass


def test_a_use_that_can_not_be_noted_leaves_the_answer(colour, cached, engine, runs):
    f = cached(tti=10)
    colour.do(lambda: f(1))
    engine.failing["touch"] = EngineError("down")
    assert colour.do(lambda: f(1)) == "run 1"
    assert f.stats().engine_errors == 1


def test_a_damaged_record_is_a_miss_that_is_told(colour, cached, engine, told, runs):
    f = cached()
    colour.do(lambda: f(1))
    key = f.cache_key(1)
    (data,) = engine.get([key])
    engine.put({key: bytes(data[:-1]) + bytes([data[-1] ^ 1])}, None)
    assert colour.do(lambda: f(1)) == "run 2"
    assert colour.do(lambda: f(1)) == "run 2"  # it was written anew
    assert f.stats().refused_records == 1
    (refused,) = [event for event in told if type(event).__name__ == "RecordRefused"]
    assert refused.engine == "troubled"
    assert refused.key == key[-32:]


# -- time ------------------------------------------------------------------------------------------


def test_what_is_used_is_kept_for_longer(colour, cached, clock, runs):
    f = cached(tti=10)
    colour.do(lambda: f(1))
    for _ in range(3):
        clock.advance(8)
        assert colour.do(lambda: f(1)) == "run 1"
    clock.advance(11)
    assert colour.do(lambda: f(1)) == "run 2"


def test_using_a_stale_value_does_not_forget_it(colour, cached, clock, runs):
    f = cached(ttl=10, stale=100, tti=50)
    colour.do(lambda: f(1))
    for _ in range(2):
        clock.advance(15)
        assert colour.do(lambda: f(1)).startswith("run")
    assert colour.do(lambda: f.peek(1)) is not None or f.stats().stale_hits >= 1


def test_an_engine_that_can_not_note_uses_refuses_tti():
    class Plain(MappingEngine):
        capabilities = MappingEngine.capabilities._replace(touch=False)

    with pytest.raises(ConfigurationError, match="tti="):
        ucache(Plain(), tti=10, name="plain")(lambda x: x)


def test_a_ttl_of_zero_or_less_stores_nothing(colour, cached, engine, runs):
    f = cached(ttl=lambda result, x: {1: 0, 2: None, 3: 60}[x])
    for x in (1, 2, 3):
        colour.do(lambda x=x: f(x))
        colour.do(lambda x=x: f(x))
    assert runs == [1, 1, 2, 3]


# -- tags ------------------------------------------------------------------------------------------


def test_dropping_a_tag_forgets_all_that_has_it_by_one_write(colour, cached, engine, runs):
    f = cached(tags=lambda x: [f"odd:{x % 2}"])
    for x in range(10):
        colour.do(lambda x=x: f(x))
    engine.asked.clear()
    gc.collect()  # caches of other tests, whose engines are closed
    invalidate_tags("odd:1")
    writes = [name for name, *_ in engine.asked if name != "get"]
    assert writes == ["put"]
    for x in range(10):
        colour.do(lambda x=x: f(x))
    assert sorted(runs) == sorted([*range(10), 1, 3, 5, 7, 9])


def test_a_look_up_with_tags_is_one_trip(colour, cached, engine, runs):
    f = cached(tags=["one", "two"])
    colour.do(lambda: f(1))
    engine.asked.clear()
    colour.do(lambda: f(1))
    assert [name for name, *_ in engine.asked] == ["get"]


def test_a_computation_in_flight_over_a_drop_leaves_nothing_behind(colour, engine, clock, runs):
    gate = threading.Event()

    def body(x):
        runs.append(x)
        mine = len(runs)
        if mine == 1:
            yield gate
        return f"run {mine}"

    f = colour.cached(ucache(engine, tags=["tag"], name=f"in flight {next(_numbers)}"), body)
    join = colour.start(lambda: f(1))
    until(lambda: runs)
    gc.collect()  # caches of other tests, whose engines are closed
    invalidate_tags("tag")
    gate.set()
    assert join() == ["run 1"]
    assert colour.do(lambda: f(1)) == "run 2"
    assert colour.do(lambda: f(1)) == "run 2"


def test_a_lost_token_loses_what_had_it(colour, cached, engine, runs):
    f = cached(tags=["tag"])
    colour.do(lambda: f(1))
    assert engine.drop([key for key in engine.scan("") if "tag" in key]) == 1
    assert colour.do(lambda: f(1)) == "run 2"
    assert colour.do(lambda: f(1)) == "run 2"


def test_tokens_in_memory_are_forgotten_by_all_caches_of_the_process(colour, cached, engine, runs):
    f, g = cached(tags=["tag"], tag_ttl=1000), cached(tags=["tag"], tag_ttl=1000)
    for one in (f, g):
        colour.do(lambda one=one: one(1))
        colour.do(lambda one=one: one(1))
    assert runs == [1, 1]
    with Cache(engine) as cache:
        cache.invalidate_tags("tag")
    for one in (f, g):
        colour.do(lambda one=one: one(1))
    assert runs == [1] * 4


def test_a_token_of_another_process_is_seen_after_tag_ttl(colour, engine, clock, runs, cached):
    other = MappingEngine(engine._mapping, clock=clock.seconds)  # as another process has it
    f = cached(tags=["tag"], tag_ttl=0.05)
    g = cached(on=other, tags=["tag"])
    colour.do(lambda: f(1))
    colour.do(lambda: f(1))
    with Cache(other) as cache:
        cache.invalidate_tags("tag")
    del g
    end = threading.Event()
    end.wait(0.06)
    assert colour.do(lambda: f(1)) == "run 2"


def test_tokens_can_be_counted_while_caches_come_and_go(engine):
    from twat_cache._stores.tokens import Tokens, in_use

    stop = threading.Event()

    def make():
        while not stop.is_set():
            Tokens(engine, f"prefix {next(_numbers)}")

    join = COLOURS["def"].start(make, make)
    for _ in range(300):
        in_use()
    stop.set()
    assert join() == [None, None]


# -- changes by hand -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mapping", "sqlite"])
def test_of_many_who_add_where_something_stale_is_one_is_told_true(kind, clock, tmp_path):
    if kind == "mapping":
        engine = MappingEngine(clock=clock.seconds)
    else:
        engine = SqliteEngine(str(tmp_path / "store.db"), clock=clock.seconds)
    with Cache(engine, clock=clock, stale=1000) as cache:
        for n in range(20):
            cache.set(f"key{n}", "old", ttl=1)
        clock.advance(2)
        barrier = threading.Barrier(8)

        def add(me):
            told = []
            for n in range(20):
                barrier.wait(PATIENCE)
                told.append(cache.add(f"key{n}", me, ttl=100))
            return told

        came = COLOURS["def"].together(*[lambda me=me: add(me) for me in range(8)])
        assert [sum(told) for told in zip(*came, strict=True)] == [1] * 20
        for n in range(20):
            winner = [told[n] for told in came].index(True)
            assert cache.get(f"key{n}") == winner
    engine.close()


@pytest.mark.parametrize("change", ["invalidate", "put"])
def test_a_computation_that_begins_while_a_change_is_on_its_way_is_not_kept(
    engine, clock, runs, change
):
    """It may have read what the change replaces; only what begins afterwards is kept."""
    begun, may_end = threading.Event(), threading.Event()

    @ucache(engine, clock=clock, name=f"change {next(_numbers)}")
    def f(x):
        runs.append(x)
        if len(runs) == 2:
            begun.set()
            may_end.wait(PATIENCE)
        return f"run {len(runs)}"

    f(1)
    real = Troubled.drop if change == "invalidate" else Troubled.put
    joins = []

    def slow(self, *args):
        if not joins:  # a call misses in the middle of the change
            joins.append(COLOURS["def"].start(lambda: f(2)))
            assert begun.wait(PATIENCE)
        return real(self, *args)

    name = "drop" if change == "invalidate" else "put"
    setattr(Troubled, name, slow)
    try:
        if change == "invalidate":
            f.invalidate(2)
        else:
            f.put("by hand", 2)
    finally:
        setattr(Troubled, name, real)
    may_end.set()
    assert joins[0]() == ["run 2"]
    assert f(2) == ("by hand" if change == "put" else "run 3")


@pytest.mark.parametrize("change", ["invalidate", "cache_clear"])
def test_a_result_that_is_just_being_stored_when_it_is_invalidated_does_not_stay(
    engine, clock, runs, monkeypatch, change
):
    """The last moment: it was looked whether the key was changed, and the record is on its way."""

    @ucache(engine, clock=clock, name=f"last moment {next(_numbers)}")
    def f(x):
        runs.append(x)
        return f"run {len(runs)}"

    def slow(self, *args):
        if len(runs) == 1:
            f.invalidate(1) if change == "invalidate" else f.cache_clear()
        return MappingEngine.put(self, *args)

    monkeypatch.setattr(Troubled, "put", slow)
    assert f(1) == "run 1"
    assert f(1) == "run 2"
    assert f(1) == "run 2"


def test_an_older_result_does_not_take_the_place_of_a_newer_one(engine, clock, runs):
    """Without single flight two compute at once; who began first ends last."""
    gate = threading.Event()

    @ucache(engine, clock=clock, single_flight=False, name=f"older {next(_numbers)}")
    def f(x):
        runs.append(x)
        mine = len(runs)
        if mine == 1:
            gate.wait(PATIENCE)
        return f"run {mine}"

    join = COLOURS["def"].start(lambda: f(1))
    until(lambda: runs)
    assert f(1) == "run 2"
    gate.set()
    assert join() == ["run 1"]
    assert f(1) == "run 2"


def test_writes_to_other_keys_ground_nothing(engine, clock, runs):
    gate = threading.Event()

    @ucache(engine, clock=clock, name=f"other {next(_numbers)}")
    def f(x):
        runs.append(x)
        gate.wait(PATIENCE)
        return x

    join = COLOURS["def"].start(lambda: f(0))
    until(lambda: runs)
    for n in range(1, 2000):
        f.put(n, n)
    gate.set()
    join()
    assert f(0) == 0
    assert runs == [0]


def test_notes_of_computations_are_all_taken_away(engine, clock, runs, colour, cached):
    f = cached(tags=["tag"], cache_exceptions={KeyError: 5})
    colour.together(*[lambda n=n: f(n) for n in range(20)])
    engine.failing["add"] = EngineError("down")
    colour.together(*[lambda n=n: f(n) for n in range(20, 30)])
    assert not f._far._changes._notes


def test_a_call_cancelled_while_the_engine_is_asked_leaves_no_note(engine, clock):
    asked, gate = threading.Event(), threading.Event()

    @ucache(engine, tags=["tag"], name=f"cancelled {next(_numbers)}")
    async def f(x):
        return x

    real = Troubled.add

    def slow(self, *args):
        asked.set()
        gate.wait(PATIENCE)
        return real(self, *args)

    async def main():
        task = asyncio.ensure_future(f(1))
        await asyncio.to_thread(asked.wait, PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        assert not f._far._changes._notes
        assert await f(1) == 1

    Troubled.add = slow
    try:
        asyncio.run(main())
    finally:
        Troubled.add = real

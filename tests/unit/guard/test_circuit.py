"""An engine that is out of order costs nothing, comes back by itself, and has missed nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

import twat_cache
from tests.fixtures.shaky_engine import AsyncShakyEngine, ShakyEngine
from twat_cache import (
    Cache,
    ConfigurationError,
    EngineClosedError,
    EngineConnectionError,
    EngineError,
    EngineTimeoutError,
    open_engine,
    resilient,
    ucache,
)
from twat_cache._guard import circuit as circuits
from twat_cache.engines.mapping import MappingEngine

AWAY = partial(EngineConnectionError, "nobody is there")
LATE = partial(EngineTimeoutError, "it took too long")


def until(condition, seconds=20):
    """Waits until the background has done its work."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't come to pass"
        time.sleep(0.001)


@pytest.fixture
def shaky():
    return ShakyEngine()


@pytest.fixture
def engine(shaky):
    engine = resilient(shaky, probe=0.02)
    yield engine
    engine.close()


def back(engine, shaky):
    shaky.error = None
    until(lambda: not engine.circuit.is_open)


def test_what_fails_at_once_is_tried_once_more(engine, shaky):
    errors = [AWAY]
    shaky.gate = lambda method: setattr(shaky, "error", errors.pop() if errors else None)
    engine.put({"a": b"1"}, None)
    assert shaky.count("put") == 2
    assert engine.get(["a"]) == [b"1"]
    assert not engine.circuit.is_open


@pytest.mark.parametrize("method", ["add", "swap"])
def test_what_may_have_happened_already_is_tried_once(engine, shaky, method):
    shaky.error = AWAY
    args = {"add": ("a", b"1", None), "swap": ("a", None, b"1", None)}[method]
    with pytest.raises(EngineConnectionError):
        getattr(engine, method)(*args)
    assert shaky.count(method) == 1


def test_what_will_not_pass_is_tried_once(engine, shaky):
    shaky.error = EngineError("the password is wrong")
    with pytest.raises(EngineError, match="the password is wrong"):
        engine.get(["a"])
    assert shaky.count("get") == 1


def test_after_some_failures_in_a_row_nobody_asks_it(engine, shaky):
    shaky.error = AWAY
    for _ in range(3):
        with pytest.raises(EngineConnectionError, match="nobody is there"):
            engine.get(["a"])
    asked = shaky.count("get")
    for _ in range(50):
        with pytest.raises(EngineConnectionError, match="isn't asked until it does: nobody"):
            engine.get(["a"])
        with pytest.raises(EngineConnectionError):
            engine.add("a", b"1", None)
    assert shaky.count("get") == asked
    assert shaky.count("add") == 0
    back(engine, shaky)
    assert engine.get(["a"]) == [None]


def test_an_answer_between_failures_begins_the_row_anew(engine, shaky):
    for _ in range(5):
        shaky.error = AWAY
        for _ in range(2):
            with pytest.raises(EngineConnectionError):
                engine.get(["a"])
        shaky.error = None
        assert engine.get(["a"]) == [None]
    assert engine.circuit.opened == 0


def test_a_time_out_opens_it_at_once_and_a_probe_closes_it(engine, shaky):
    shaky.error = LATE
    with pytest.raises(EngineTimeoutError):
        engine.get(["a"])
    assert engine.circuit.is_open
    assert shaky.count("get") == 1
    back(engine, shaky)
    assert engine.circuit.opened == 1


def test_a_ping_asks_whatever_happened(engine, shaky):
    shaky.error = EngineTimeoutError("slow as ever")
    with pytest.raises(EngineTimeoutError):
        engine.get(["a"])
    with pytest.raises(EngineTimeoutError, match="slow as ever"):
        engine.ping()
    back(engine, shaky)
    assert engine.ping() is None


def test_what_answers_a_ping_and_serves_nobody_is_asked_ever_less(engine, shaky):
    shaky.gate = lambda method: setattr(shaky, "error", LATE if method == "get" else None)
    for _ in range(300):
        with pytest.raises(EngineError):
            engine.get(["a"])
        time.sleep(0.001)
    assert shaky.count("get") < 60
    shaky.gate = shaky.error = None
    until(lambda: not engine.circuit.is_open)
    assert engine.get(["a"]) == [None]


def test_a_time_out_does_not_open_it_while_others_are_served(engine, shaky):
    def late_for_one(method):
        if method == "get" and shaky.asked[-1][1] == ["large"]:
            shaky.gate = shaky.error = None
            assert engine.guarded.get(["small"]) == [None]
            shaky.gate, shaky.error = late_for_one, LATE
        else:
            shaky.error = None

    shaky.gate = late_for_one
    for _ in range(2):
        with pytest.raises(EngineTimeoutError):
            engine.get(["large"])
    assert engine.get(["small"]) == [None]
    assert engine.circuit.opened == 0


@pytest.mark.parametrize("method", ["put", "keep"])
def test_what_it_has_no_room_for_keeps_nobody_from_reading(engine, shaky, method):
    engine.put({"a": b"old", "b": b"kept"}, None)
    full = partial(EngineError, "it is full")
    shaky.gate = lambda method: setattr(shaky, "error", full if method == "put" else None)
    for _ in range(9):
        with pytest.raises(EngineError, match="it is full"):
            getattr(engine, method)({"a": b"new"}, None)
        assert engine.get(["b"]) == [b"kept"]
    assert engine.get(["a"]) == [None if method == "put" else b"old"]
    assert engine.circuit.opened == 0


def test_what_it_never_drops_keeps_nobody_from_reading(engine, shaky):
    def refuse_one(method):
        is_poison = method == "drop" and "poison" in shaky.asked[-1][1]
        shaky.error = partial(EngineError, "no permission") if is_poison else None

    engine.put({"a": b"1", "poison": b"2"}, None)
    shaky.gate = refuse_one
    with pytest.raises(EngineError, match="no permission"):
        engine.drop(["poison"])
    assert engine.get(["a"]) == [b"1"]
    shaky.gate, shaky.error = None, AWAY
    engine.drop(["a", "poison"])
    shaky.gate = refuse_one
    until(lambda: not engine.circuit.is_open)
    assert engine.get(["a", "poison"]) == [None, b"2"]


def test_a_probe_that_can_not_start_is_sent_by_the_next_call(engine, shaky, monkeypatch):
    def no_thread(self):
        raise RuntimeError("can't start new thread")

    engine.put({"a": b"1"}, None)
    shaky.error = AWAY
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        engine.drop(["a"])
        shaky.error = None
        with pytest.raises(EngineConnectionError):
            engine.get(["a"])
    with pytest.raises(EngineConnectionError):
        engine.get(["b"])
    until(lambda: not engine.circuit.is_open)
    assert engine.get(["a"]) == [None]


def test_a_probe_that_ended_with_its_event_loop_is_sent_anew():
    shaky = ShakyEngine()

    class Awaited:
        """Has no twin that blocks, so it is probed in the loop of who found it dead."""

        capabilities = shaky.capabilities._replace(async_=True)

        def __getattr__(self, name):
            if name == "blocking":
                raise AttributeError(name)
            method = getattr(shaky, name)

            async def call(*args):
                return method(*args)

            return call

    engine = resilient(Awaited(), probe=0.001)
    shaky.error = LATE
    loop = asyncio.new_event_loop()
    with pytest.raises(EngineTimeoutError):
        loop.run_until_complete(engine.get(["a"]))
    loop.close()
    shaky.error = None

    async def main():
        with pytest.raises(EngineConnectionError):
            await engine.get(["a"])
        await asyncio.to_thread(until, lambda: not engine.circuit.is_open)
        assert await engine.get(["a"]) == [None]

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_probe_survives_what_is_no_engine_error(engine, shaky):
    shaky.error = partial(ValueError, "a bug in the engine")
    shaky.gate = lambda method: setattr(shaky, "error", AWAY if method == "drop" else shaky.error)
    engine.drop(["a"])
    shaky.gate, shaky.error = None, partial(ValueError, "a bug in the engine")
    until(lambda: "a bug" in str(engine.circuit.refusal().__cause__.__cause__))
    back(engine, shaky)


def test_after_it_was_closed_it_is_closed_whatever_was_before(engine, shaky):
    shaky.error = AWAY
    engine.drop(["a"])
    engine.close()
    shaky.error = None
    for call in (lambda: engine.get(["a"]), lambda: engine.drop(["a"])):
        with pytest.raises(EngineClosedError):
            call()


def test_a_closed_engine_says_so_and_is_no_failure(engine, shaky):
    engine.close()
    for _ in range(5):
        with pytest.raises(EngineClosedError):
            engine.get(["a"])
    assert not engine.circuit.is_open


# -- what is due -----------------------------------------------------------------------------------


def test_what_was_dropped_meanwhile_is_dropped_before_anything_is_asked(engine, shaky):
    engine.put({"a": b"old", "b": b"old", "c": b"kept"}, None)
    shaky.error = AWAY
    assert engine.drop(["a"]) == 0
    assert engine.drop(["b"]) == 0
    assert engine.circuit.is_open
    back(engine, shaky)
    assert engine.get(["a", "b", "c"]) == [None, None, b"kept"]


def test_what_could_not_be_put_leaves_nothing_older(engine, shaky):
    engine.put({"a": b"old"}, None)
    shaky.error = AWAY
    with pytest.raises(EngineConnectionError):
        engine.put({"a": b"new"}, None)
    back(engine, shaky)
    assert engine.get(["a"]) == [None]


def test_what_was_added_by_a_call_that_failed_is_forgotten(engine, shaky):
    def fail_late(method):
        if method == "add":
            MappingEngine.add(shaky, "a", b"1", None)
            shaky.error = LATE

    shaky.gate = fail_late
    with pytest.raises(EngineTimeoutError):
        engine.add("a", b"1", None)
    shaky.gate = None
    back(engine, shaky)
    assert engine.add("a", b"2", None)


def test_what_was_not_even_asked_for_is_not_forgotten(engine, shaky):
    shaky.error = LATE
    with pytest.raises(EngineTimeoutError):
        engine.get(["a"])
    with pytest.raises(EngineConnectionError):
        engine.add("a", b"1", None)
    MappingEngine.put(shaky, {"a": b"1"}, None)  # by another
    back(engine, shaky)
    assert engine.get(["a"]) == [b"1"]


def test_what_could_not_be_forgotten_on_condition_is_when_it_is_back(engine, shaky):
    engine.put({"mine": b"1", "another's": b"1"}, None)
    shaky.error = AWAY
    for key in ("mine", "another's"):
        with pytest.raises(EngineConnectionError):
            engine.swap(key, b"1", None, None)
    MappingEngine.put(shaky, {"another's": b"2"}, None)
    back(engine, shaky)
    assert engine.get(["mine", "another's"]) == [None, b"2"]


def test_a_lease_is_given_back_though_it_is_away_when_the_computation_ends(engine, shaky):
    @ucache(engine, single_flight="process", name="away in the end")
    def f(x):
        shaky.error = LATE
        return x

    assert f(1) == 1
    back(engine, shaky)
    assert list(MappingEngine.scan(shaky, "~lease")) == []
    f.close()


def test_what_is_due_stays_due_if_the_engine_fails_again(engine, shaky):
    engine.put({"a": b"old"}, None)
    shaky.error = AWAY
    engine.drop(["a"])
    tries = []

    def fail_some_drops(method):
        tries.extend([method] * (method == "drop"))
        shaky.error = LATE if method == "drop" and len(tries) < 4 else None

    shaky.gate, shaky.error = fail_some_drops, None
    until(lambda: not engine.circuit.is_open)
    assert len(tries) == 4
    assert engine.get(["a"]) == [None]


def test_threads_that_drop_while_it_comes_and_goes_lose_no_drop(engine, shaky):
    stop = threading.Event()

    def come_and_go():
        while not stop.is_set():
            shaky.error = AWAY
            time.sleep(0.001)
            shaky.error = None
            time.sleep(0.001)

    wrong = []

    def work(me):
        for turn in range(200):
            key = f"{me}:{turn}"
            MAPPING_PUT(shaky, {key: b"old"}, None)
            engine.drop([key])
            try:
                (found,) = engine.get([key])
            except EngineError:
                continue
            if found is not None:
                wrong.append(key)

    goer = threading.Thread(target=come_and_go)
    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    goer.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    stop.set()
    goer.join(60)
    back(engine, shaky)
    assert wrong == []
    assert list(engine.scan("")) == []


MAPPING_PUT = ShakyEngine.__mro__[1].put


def test_too_much_to_remember_of_what_no_cache_has_is_remembered(shaky):
    engine = resilient(shaky, probe=0.02, queue=3)
    engine.put({f"k{n}": b"old" for n in range(9)}, None)
    shaky.error = AWAY
    for n in range(9):
        engine.drop([f"k{n}"])
    back(engine, shaky)
    assert list(engine.scan("")) == []
    engine.close()


def test_too_much_to_remember_of_a_cache_that_is_no_more_is_dropped_all_the_same(shaky):
    engine = resilient(shaky, probe=0.02, queue=3)

    @ucache(engine, name="stays")
    def f(x):
        return version[0]

    version = [1]
    assert [f(n) for n in range(6)] == [1] * 6
    with Cache(engine) as passing:
        passing.set("x", 1)
    del passing
    gc.collect()
    shaky.error = AWAY
    version[0] = 2
    for n in range(6):
        f.invalidate(n)
    back(engine, shaky)
    assert [f(n) for n in range(6)] == [2] * 6
    f.close()
    engine.close()


def test_tiers_of_engines_forget_too_what_was_dropped_meanwhile(shaky):
    engine = resilient(shaky, probe=0.02, queue=3)
    f = ucache(["mapping:", engine], name="in tiers")(lambda x: version[0])
    version = [1]
    assert [f(n) for n in range(6)] == [1] * 6
    shaky.error = AWAY
    version[0] = 2
    for n in range(6):
        f.invalidate(n)
    back(engine, shaky)
    assert [f(n) for n in range(6)] == [2] * 6
    shaky.error = AWAY
    version[0] = 3
    with pytest.raises(EngineError):
        f.cache_clear()
    back(engine, shaky)
    f._far.engine._near[0].drop(list(f._far.engine._near[0].scan("")))
    assert [f(n) for n in range(6)] == [3] * 6
    f.close()
    engine.close()


def test_who_closes_it_tells_it_first_what_is_due(shaky, monkeypatch):
    monkeypatch.setattr(circuits, "_FIRST", 60)  # no probe is quicker
    engine = resilient(shaky, probe=60)
    engine.put({"a": b"old", "b": b"kept"}, None)
    shaky.error = AWAY
    engine.drop(["a"])
    until(lambda: shaky.count("ping"))
    shaky.error = None
    engine.close()
    assert [key for asked in shaky.asked if asked[0] == "drop" for key in asked[1]][-1] == "a"


def test_what_is_due_when_it_closes_and_can_not_be_told_is_an_error_in_the_log(shaky, caplog):
    engine = resilient(shaky, probe=0.02)
    shaky.error = AWAY
    engine.drop(["a", "b"])
    engine.close()
    (line,) = [line for line in caplog.records if line.levelname == "ERROR"]
    assert "2 keys" in line.getMessage()


def test_a_program_that_ends_tells_it_what_is_due(tmp_path):
    program = """if True:
        import atexit
        atexit.register(lambda: print(*[one[0] for one in shaky.asked]))  # done last of all
        from tests.fixtures.shaky_engine import ShakyEngine
        from twat_cache import EngineConnectionError, resilient
        from twat_cache._guard import circuit

        circuit._FIRST = 60
        shaky = ShakyEngine()
        engine = resilient(shaky, probe=60)
        atexit.register(lambda: setattr(shaky, "error", None))
        shaky.error = EngineConnectionError("away")
        engine.drop(["a"])
        while "ping" not in [one[0] for one in shaky.asked]:
            pass
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split()[-1] == "drop", done.stdout + done.stderr


def test_too_much_to_remember_drops_all_that_caches_have_there(shaky):
    engine = resilient(shaky, probe=0.02, queue=3)
    with Cache(engine, namespace="shop") as mine, Cache(engine, namespace="other") as other:
        for n in range(5):
            mine.set(str(n), n)
        other.set("x", 1)
        engine.put({"strange": b"kept"}, None)
        shaky.error = AWAY
        for n in range(4):
            assert mine.delete(str(n)) is False
        assert engine.circuit.outbox.overflows == 1
        back(engine, shaky)
        assert [mine.get(str(n)) for n in range(5)] == [None] * 5
        assert other.get("x") == 1, "nothing of it is forgotten"
        assert engine.get(["strange"]) == [b"kept"]
    engine.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.thread_unsafe(reason="it forks")
def test_a_child_of_a_fork_finds_the_engine_again(engine, shaky):
    shaky.error = AWAY
    engine.drop(["a"])
    child = os.fork()
    if not child:
        code = 1
        try:
            shaky.error = None
            with pytest.raises(EngineConnectionError):
                engine.get(["a"])
            until(lambda: not engine.circuit.is_open)
            code = engine.get(["a"]) != [None]
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- functions and stores --------------------------------------------------------------------------


def test_a_function_is_computed_while_its_engine_is_away(engine, shaky):
    calls = []

    @ucache(engine, tags=lambda x: [f"t{x}"])
    def f(x):
        calls.append(x)
        return x * 2

    assert f(1) == f(1) == 2
    shaky.error = LATE
    asked = len(shaky.asked)
    assert [f(1) for _ in range(20)] == [2] * 20
    operations = {asked[0] for asked in shaky.asked[asked:]}
    assert operations <= {"get", "ping"}
    assert shaky.count("get") == 2 + 1 + 0
    assert f.stats().engine_errors >= 20
    back(engine, shaky)
    before = len(calls)
    assert f(1) == 2
    assert len(calls) == before, "it was there all the time"
    f.close()


@pytest.mark.parametrize("how", ["invalidate", "tag", "everywhere", "clear"])
def test_what_is_invalidated_while_it_is_away_does_not_come_back(engine, shaky, how):
    version = [1]

    @ucache(engine, tags=["t"], name=f"away by {how}")
    def f(x):
        return version[0]

    assert f(1) == 1
    shaky.error = AWAY
    version[0] = 2
    if how == "invalidate":
        f.invalidate(1)
    elif how == "tag":
        Cache(engine).invalidate_tags("t")
    elif how == "everywhere":
        twat_cache.invalidate_tags("t")
    else:
        with pytest.raises(EngineError):
            f.cache_clear()
    back(engine, shaky)
    assert f(1) == 2
    f.close()


@pytest.mark.parametrize("kind", ["function", "tagged", "store"])
def test_a_stale_value_that_is_near_answers_while_it_is_away(engine, shaky, clock, kind):
    def load():
        if shaky.error is not None:
            raise ZeroDivisionError
        return ["value"]

    tiers, options = ["memory", engine], {"ttl": 10, "stale": 100, "clock": clock}
    if kind == "store":
        cache = Cache(tiers, **options)
        call, forget = lambda: cache.get_or_load("k", load), lambda: cache.delete("k")
    else:
        options["tags"] = ["t"] if kind == "tagged" else None
        cache = ucache(tiers, name=f"stale and near, {kind}", **options)(load)
        call, forget = cache, cache.invalidate
    value = call()
    clock.advance(50)
    shaky.error = LATE
    assert call() is call() is value
    assert cache.stats().stale_hits == 2
    clock.advance(100)
    with pytest.raises(ZeroDivisionError):
        call()
    back(engine, shaky)
    call()
    clock.advance(50)
    shaky.error = LATE
    forget()
    with pytest.raises(ZeroDivisionError):
        call()
    cache.close()


def test_a_stale_value_that_is_near_is_of_no_use_where_the_engine_has_none(engine, shaky, clock):
    answers = iter([[1], None, None])
    options = {"ttl": 10, "stale": 100, "clock": clock, "cache_if": bool, "name": "stale and gone"}
    f = ucache(["memory", engine], **options)(lambda: next(answers))
    assert f() == [1]
    MappingEngine.drop(shaky, [f.cache_key()])  # by another process
    clock.advance(50)
    assert f() is None
    shaky.error = LATE
    assert f() is None
    f.close()


def test_many_are_loaded_but_those_that_are_near_while_it_is_away(engine, shaky):
    with Cache(["memory", engine]) as cache:
        cache.set_many({"a": 1, "b": 2})
        assert cache.get("a") == 1
        shaky.error = LATE
        found = cache.get_many_or_load(["a", "b"], lambda keys: dict.fromkeys(keys, "loaded"))
        assert found == {"a": 1, "b": "loaded"}


def test_what_is_deleted_by_brackets_while_it_is_away_is_noted_like_all_else(engine, shaky):
    with Cache(engine) as cache:
        cache["a"] = 1
        shaky.error = LATE
        del cache["a"]
        back(engine, shaky)
        assert "a" not in cache
        with pytest.raises(KeyError):
            del cache["a"]


def test_an_async_engine_and_its_blocking_twin_have_one_circuit():
    raw = AsyncShakyEngine()
    engine = resilient(raw, probe=0.02)
    assert engine.blocking.circuit is engine.circuit

    async def main():
        await engine.put({"a": b"old"}, None)
        raw.blocking.error = LATE
        with pytest.raises(EngineTimeoutError):
            await engine.get(["a"])
        with pytest.raises(EngineConnectionError):
            engine.blocking.get(["a"])
        assert await engine.drop(["a"]) == 0
        raw.blocking.error = None
        await asyncio.to_thread(until, lambda: not engine.circuit.is_open)
        assert await engine.get(["a"]) == [None]
        await engine.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_events_and_names_tell_the_engine_itself(engine, shaky):
    told = []
    stop = twat_cache.events.subscribe(told.append)
    f = ucache(engine, name="told by its own name")(lambda x: x)
    try:
        shaky.error = AWAY
        f(1)
    finally:
        stop()
        f.close()
    assert [one.engine for one in told if hasattr(one, "engine")] == ["shaky"]
    with Cache(engine) as cache:
        assert repr(cache) == "<Cache in ShakyEngine>"


def test_a_drop_that_is_cancelled_is_done_all_the_same():
    raw = AsyncShakyEngine()
    engine = resilient(raw, probe=0.02)

    async def main():
        await engine.put({"a": b"old"}, None)
        drop = asyncio.ensure_future(engine.drop(["a"]))
        await asyncio.sleep(0)
        drop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await drop
        await asyncio.to_thread(until, lambda: not engine.circuit.is_open)
        assert await engine.get(["a"]) == [None]
        await engine.close()

    asyncio.run(asyncio.wait_for(main(), 60))


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"), [("attempts", 0), ("probe", -1.0), ("queue", "many"), ("failures", True)]
)
def test_a_term_that_is_no_number_is_refused(shaky, name, value):
    with pytest.raises(ConfigurationError, match=name):
        resilient(shaky, **{name: value})


def test_a_url_takes_terms_only_where_there_is_a_network(tmp_path):
    with pytest.raises(ConfigurationError, match="failures"):
        open_engine(f"file://{tmp_path}/store?failures=5")

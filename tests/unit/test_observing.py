"""What hooks hear of real calls."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module

import pytest


@pytest.fixture
def events(tc):
    """The module `events` of the core under test, without hooks of others."""
    module = import_module(f"{tc.__name__}.events")
    before = module.hooks
    module.hooks = ()
    yield module
    module.hooks = before


@pytest.fixture
def told(events):
    heard = []
    events.subscribe(heard.append)
    return heard


def names(told):
    return [type(event).__name__ for event in told]


def test_a_hit_tells_nothing_and_a_miss_no_argument(tc, told):
    @tc.acache(name="greet")
    async def greet(name):
        return f"hello {name}"

    async def main():
        await greet("the card number")
        await greet("the card number")

    asyncio.run(main())
    (loaded,) = told
    assert "Loaded" == type(loaded).__name__
    assert ("greet", "") == (loaded.cache, loaded.key)
    assert 0 <= loaded.seconds < 60
    assert "card" not in repr(told)


def test_a_function_that_raises(tc, told):
    @tc.mcache(single_flight=True, name="fails")
    def fails():
        raise LookupError("the card number")

    with pytest.raises(LookupError):
        fails()
    (failed,) = told
    assert ("LoadFailed", "fails", "LookupError") == (*names(told), failed.cache, failed.error)
    assert "card" not in repr(told)


def test_a_function_that_raises_what_generators_end_with(tc, told):
    @tc.mcache(single_flight=True)
    def ends():
        raise StopIteration

    with pytest.raises(StopIteration):
        ends()
    assert ["StopIteration"] == [event.error for event in told]


def test_a_call_that_waits_for_another(tc, told):
    async def main():
        may_go = asyncio.Event()

        @tc.acache
        async def slow():
            await may_go.wait()
            return 1

        calls = [asyncio.ensure_future(slow()) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0)
        may_go.set()
        return await asyncio.gather(*calls)

    assert [1, 1, 1] == asyncio.run(main())
    assert ["Loaded", "Waited", "Waited"] == sorted(names(told))
    assert all(event.seconds >= 0 for event in told)


def test_a_stale_answer_and_its_refresh(tc, events, told, clock):
    is_refreshed = threading.Event()
    events.subscribe(lambda event: type(event) is events.Refreshed and is_refreshed.set())

    @tc.mcache(ttl=60, stale="1h", clock=clock)
    def one():
        return 1

    one()
    clock.advance(90)
    assert 1 == one()
    assert is_refreshed.wait(60)
    assert ["Loaded", "Loaded", "Refreshed", "StaleServed"] == sorted(names(told))
    (stale,) = (event for event in told if type(event) is events.StaleServed)
    assert (30.0, "refreshing") == (stale.age, stale.reason)


def test_a_stale_answer_to_a_failure(tc, events, told, clock):
    is_refused = threading.Event()
    events.subscribe(lambda event: type(event) is events.RefreshFailed and is_refused.set())
    fails = False

    @tc.mcache(ttl=60, stale="1h", soft_timeout=30, clock=clock)
    def flaky():
        if fails:
            raise OSError("the card number")
        return 1

    flaky()
    fails = True
    clock.advance(90)
    assert 1 == flaky()
    assert is_refused.wait(60)
    kinds = sorted(names(told))
    assert ["LoadFailed", "Loaded", "RefreshFailed", "StaleServed"] == kinds
    assert {"OSError"} == {event.error for event in told if hasattr(event, "error")}
    assert ["failed"] == [event.reason for event in told if hasattr(event, "reason")]
    assert "card" not in repr(told)


def test_a_hook_that_raises_disturbs_no_call(tc, events, caplog):
    def broken(event):
        raise RuntimeError("broken")

    events.subscribe(broken)

    @tc.mcache(single_flight=True)
    def one():
        return 1

    assert 1 == one()
    assert 1 == len(caplog.records)


def test_a_hook_may_use_caches(tc, events):
    seen = []

    @tc.mcache(single_flight=True)
    def described(kind):
        return f"a {kind}"

    events.subscribe(lambda event: seen.append(described(type(event).__name__)))

    @tc.mcache(single_flight=True)
    def one():
        return 1

    one()
    assert ["a Loaded"] == seen


def test_an_engine_s_key_is_shown_as_cache_key_ends(tc, told):
    @tc.ucache("sqlite:///:memory:", name="greet")
    def greet(name):
        return f"hello {name}"

    greet("the card number")
    greet("the card number")
    assert ["Loaded", "Stored"] == names(told)
    key = greet.cache_key("the card number")
    assert [key[-32:]] * 2 == [event.key for event in told]
    assert ("greet", "sqlite") == (told[1].cache, told[1].engine)
    assert told[1].bytes > len("hello the card number")
    assert "card" not in repr(told)


def test_a_key_of_one_s_own_is_not_shown(tc, told):
    with tc.Cache("sqlite:///:memory:", name="sessions") as store:
        assert 1 == store.get_or_load("card-number-0123456789abcdef0123456789abcdef", lambda: 1)
    assert ["Loaded", "Stored"] == names(told)
    assert {32} == {len(event.key) for event in told}
    assert "0123456789abcdef" not in repr(told)
    assert {"sessions"} == {event.cache for event in told}


def test_a_value_that_can_not_be_stored(tc, told):
    @tc.ucache("sqlite:///:memory:", name="lock")
    def lock():
        return threading.Lock()

    with pytest.warns(RuntimeWarning, match="can't be stored"):
        lock()
    loaded, refused = told
    assert ("NotStored", "lock", "SerializationError") == (
        type(refused).__name__,
        refused.kind,
        refused.error,
    )
    assert loaded.key == refused.key != ""


class Failing:
    """An engine that can't serve."""

    def __init__(self, tc):
        self.capabilities = tc.Capabilities()
        self._error = tc.EngineError

    def _fail(self, *_):
        raise self._error("the card number")

    get = put = add = drop = scan = ping = _fail

    def close(self):
        pass


def test_an_engine_that_fails(tc, told):
    @tc.ucache(Failing(tc), name="f")
    def f():
        return 1

    assert 1 == f()
    kinds = [(type(event).__name__, getattr(event, "operation", "")) for event in told]
    assert [("EngineFailed", "get"), ("Loaded", ""), ("EngineFailed", "put")] == kinds
    assert ("failing", "EngineError") == (told[0].engine, told[0].error)
    assert "card" not in repr(told)


def test_a_record_that_can_not_be_used(tc, told):
    engine = tc.open_engine("sqlite:///:memory:")

    @tc.ucache(engine, name="f")
    def f():
        return 1

    engine.put({f.cache_key(): b"no record"}, None)
    assert 1 == f()
    assert ["RecordRefused", "Loaded", "Stored"] == names(told)
    assert ("sqlite", "foreign") == (told[0].engine, told[0].damage)

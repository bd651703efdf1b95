"""hard_timeout: nobody waits longer, and what comes late is kept all the same."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from tests.fixtures.colours import PATIENCE, SETTLED, Begin, Def, until

SOON = 0.03  # seconds


class Failure(Exception):
    pass


@pytest.fixture(params=["memory", "mapping"])
def place(request):
    return request.param


def has(f, x):
    return lambda: f.contains(x)


def until_kept(f, x):
    """A part of a script: waits until there is a value."""
    while not (yield has(f, x)):
        yield 0.001


def test_within_the_time_all_is_as_without(shop, play, tc):
    shop = shop(hard_timeout=PATIENCE)
    error = shop.failing[2] = Failure("it")

    def script():
        assert (yield shop) == "run 1"
        assert (yield shop) == "run 1"
        with pytest.raises(Failure) as raised:
            yield lambda: shop(2)
        assert raised.value is error

    play(script)
    assert shop.stats().loads == 1
    assert shop.stats().load_failures == 1


def test_past_it_the_call_raises_and_the_late_result_is_kept(shop, play, tc):
    shop = shop(hard_timeout=SOON)
    gate = shop.hold(1)

    def script():
        with pytest.raises(tc.LoadTimeoutError, match=r"hard_timeout=0\.03") as raised:
            yield shop
        assert isinstance(raised.value, TimeoutError)
        gate.set()
        yield from until_kept(shop.f, 1)
        assert (yield shop) == "run 1"

    play(script)
    assert len(shop.runs) == 1


def test_all_who_wait_are_told(shop, play, tc):
    shop = shop(hard_timeout=SOON)
    gate = shop.hold(1)

    def script():
        joins = []
        for _ in range(3):
            joins.append((yield Begin(shop)))
        for join in joins:
            with pytest.raises(tc.LoadTimeoutError):
                yield join
        gate.set()

    play(script)


def test_the_next_call_tries_anew_and_the_older_result_comes_too_late(shop, play, tc):
    shop = shop(hard_timeout=SOON)
    gate = shop.hold(1)

    def script():
        with pytest.raises(tc.LoadTimeoutError):
            yield shop
        assert (yield shop) == "run 2"
        gate.set()
        yield 0.05
        assert (yield shop) == "run 2"

    play(script)


@pytest.mark.parametrize("change", ["invalidate", "put"])
def test_a_late_result_of_before_a_change_is_dropped(shop, play, tc, change):
    shop = shop(hard_timeout=SOON)
    gate = shop.hold(1)

    def script():
        with pytest.raises(tc.LoadTimeoutError):
            yield shop
        if change == "put":
            yield lambda: shop.f.put("by hand", 1)
        else:
            yield lambda: shop.f.invalidate(1)
        gate.set()
        yield 0.05
        assert (yield shop) == ("by hand" if change == "put" else "run 2")

    play(script)


def test_with_a_stale_value_nobody_is_told(shop, play, clock, tc):
    shop = shop(ttl=10, stale=20, soft_timeout=PATIENCE, hard_timeout=SOON)
    gate = shop.hold(2)

    def script():
        yield shop
        clock.advance(15)
        assert (yield shop) == "run 1"  # after hard_timeout, which is shorter
        gate.set()
        yield SETTLED
        assert (yield shop) != "run 1"
        yield SETTLED

    play(script)


def test_the_function_sees_the_context_of_its_caller(colour, decorator, play):
    tenant = ContextVar("tenant", default="nobody")

    def body(x):
        seen.append(tenant.get())
        tenant.set("changed")
        yield 0
        return x

    seen = []
    f = colour.cached(decorator(hard_timeout=PATIENCE), body)

    def script():
        tenant.set("somebody")
        yield lambda: f(1)
        assert tenant.get() == "somebody"

    play(script)
    assert seen == ["somebody"]


def test_a_function_that_comes_upon_its_own_key_does_not_wait_for_itself(colour, decorator, play):
    def body(n):
        runs.append(n)
        return ["outer", (yield lambda: f(n))] if len(runs) == 1 else "inner"

    runs = []
    f = colour.cached(decorator(hard_timeout=PATIENCE), body)

    def script():
        assert (yield lambda: f(1)) == ["outer", "inner"]

    play(script)


def test_a_stop_iteration_comes_back_from_the_thread(decorator):
    @decorator(hard_timeout=PATIENCE)
    def f(x):
        return next(iter(()))

    with pytest.raises(StopIteration):
        f(1)


def test_a_def_function_runs_in_a_thread_of_its_own(decorator):
    @decorator(hard_timeout=PATIENCE)
    def f(x):
        return threading.current_thread().daemon, threading.get_ident()

    is_daemon, thread = f(1)
    assert is_daemon
    assert thread != threading.get_ident()


def test_a_cancelled_caller_takes_its_coroutine_along(decorator):
    ended = []

    @decorator(hard_timeout=PATIENCE)
    async def f(x):
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            ended.append(x)
            raise

    async def main():
        task = asyncio.ensure_future(f(1))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        assert ended == [1]

    asyncio.run(main())


def test_without_an_event_loop_there_is_no_limit(decorator):
    @decorator(hard_timeout=SOON)
    async def f(x):
        threading.Event().wait(2 * SOON)
        return x

    with pytest.raises(StopIteration) as end:
        f(1).send(None)
    assert end.value.value == 1


def test_too_many_that_hang_are_refused(tc, colour, decorator, play, monkeypatch):
    from importlib import import_module

    apart = import_module(f"{tc.__name__}._run.apart")
    monkeypatch.setattr(apart, "_MOST", 2)
    monkeypatch.setattr(apart, "_beside", apart.Workers(most=2))
    monkeypatch.setattr(apart, "_tasks", {})
    gate = threading.Event()

    def body(x):
        runs.append(x)
        yield gate
        return x

    runs = []
    f = colour.cached(decorator(hard_timeout=SOON), body)

    def script():
        for x in range(2):
            with pytest.raises(tc.LoadTimeoutError, match="took longer"):
                yield lambda x=x: f(x)
        with pytest.raises(tc.LoadTimeoutError, match="was not called"):
            yield lambda: f(2)
        gate.set()
        for x in range(2):
            yield from until_kept(f, x)
        yield 0.01
        assert (yield lambda: f(2)) == 2
        assert runs == [0, 1, 2]

    play(script)


def test_where_no_thread_can_be_had_the_function_runs_at_once(tc, decorator, monkeypatch):
    """As at the end of the interpreter."""
    from importlib import import_module

    workers = import_module(f"{tc.__name__}._run.workers")
    apart = import_module(f"{tc.__name__}._run.apart")

    class Refusing(threading.Thread):
        def start(self):
            raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(workers, "Thread", Refusing)
    monkeypatch.setattr(apart, "_beside", apart.Workers(most=2))

    @decorator(hard_timeout=SOON)
    def f(x):
        return threading.get_ident()

    assert f(1) == threading.get_ident()


def test_a_late_result_is_kept_by_its_own_thread(decorator):
    gate = threading.Event()

    @decorator(hard_timeout=SOON)
    def f(x):
        gate.wait(PATIENCE)
        return x

    assert type(Def().together(lambda: f(1))[0]).__name__ == "LoadTimeoutError"
    gate.set()
    until(lambda: f.contains(1))

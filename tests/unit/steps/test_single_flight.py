"""One computation for each key at a time, whoever asks; and nobody waits for ever."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
import weakref
from contextlib import contextmanager

import pytest

from tests.fixtures.colours import COLOURS, PATIENCE, Def, until

MANY = 64


class Failure(Exception):
    pass


@pytest.fixture
def gate():
    return threading.Event()


@pytest.fixture
def runs():
    return []


@pytest.fixture
def slow(colour, decorator, gate, runs):
    """A cached function that notes its argument, waits for the gate and gives a list."""

    def body(x):
        runs.append(x)
        yield gate
        return [x]

    return colour.cached(decorator(), body)


# -- a stampede ------------------------------------------------------------------------------------


def test_of_many_who_miss_one_key_one_computes(colour, slow, gate, runs):
    arrived = []

    def call():
        arrived.append(None)
        return slow(1)

    join = colour.start(*[call] * MANY)
    until(lambda: len(arrived) == MANY)
    gate.set()
    assert join() == [[1]] * MANY
    assert runs == [1]
    stats = slow.stats()
    assert (stats.loads, stats.hits + stats.joined) == (1, MANY - 1)


def test_keys_do_not_wait_for_each_other(colour, slow, gate, runs):
    join = colour.start(*[lambda n=n: slow(n) for n in range(MANY)])
    until(lambda: len(runs) == MANY)  # all at once
    gate.set()
    assert join() == [[n] for n in range(MANY)]


def test_it_can_be_switched_off(colour, decorator, gate, runs):
    def body(x):
        runs.append(x)
        yield gate
        return x

    f = colour.cached(decorator(single_flight=False), body)
    join = colour.start(*[lambda: f(1)] * 5)
    until(lambda: len(runs) == 5)
    gate.set()
    assert join() == [1] * 5


def test_what_is_not_stored_is_shared_all_the_same(colour, decorator, gate, runs):
    def body(x):
        runs.append(x)
        yield gate
        return x

    f = colour.cached(decorator(cache_if=lambda result, x: False), body)
    join = colour.start(*[lambda: f(1)] * 5)
    until(lambda: runs)
    until_all_wait(f, 4)
    gate.set()
    assert join() == [1] * 5
    assert runs == [1]


def flights_of(f):
    path = f._behind.path if hasattr(f, "_behind") else f._path
    return path.flights


def until_all_wait(f, many):
    """Waits until so many wait for the one computation that is on its way."""
    until(lambda: sum(len(one.wakers) for one in list(flights_of(f).values())) == many)


# -- exceptions ------------------------------------------------------------------------------------


def test_an_exception_reaches_all_who_wait_each_by_its_own_copy(colour, decorator, gate, runs):
    error = Failure("no", 1)

    def body(x):
        runs.append(x)
        yield gate
        raise error

    f = colour.cached(decorator(), body)
    join = colour.start(*[lambda: f(1)] * 4)
    until(lambda: runs)
    until_all_wait(f, 3)
    gate.set()
    raised = join()
    assert sum(one is error for one in raised) == 1
    copies = [one for one in raised if one is not error]
    assert len({id(one) for one in copies}) == 3
    for one in copies:
        assert (type(one), one.args, one.__cause__) == (Failure, ("no", 1), error)
    assert isinstance(colour.together(lambda: f(1))[0], Failure)
    assert runs == [1, 1]  # it is not kept
    assert not flights_of(f)


def test_a_stop_iteration_comes_through(decorator, runs):
    """Generators would take it for their own end; a coroutine never raises one."""
    gate = threading.Event()

    def f(x):
        runs.append(x)
        gate.wait(PATIENCE)
        return next(iter(()))

    f = decorator()(f)
    join = Def().start(lambda: f(1), lambda: f(1))
    until(lambda: runs)
    until_all_wait(f, 1)
    gate.set()
    one, other = join()
    assert type(one) is type(other) is StopIteration
    assert one is not other
    assert {one.__cause__, other.__cause__} == {None, one if other.__cause__ else other}


@pytest.mark.thread_unsafe(reason="turns the garbage collector off")
@pytest.mark.parametrize("waiting", [0, 1])
def test_exceptions_and_arguments_go_without_the_garbage_collector(decorator, waiting):
    """No circle of references holds them: traceback, frame, flight."""
    gate = threading.Event()

    class Big:
        def __cache_key__(self):
            return "big"

    def fail(x):
        gate.wait(PATIENCE)
        raise Failure(1)

    f = decorator(key=lambda x: 1)(fail)
    gone = []

    def attempt(argument):
        try:
            f(argument)
        except Failure as error:
            gone.append(weakref.ref(error))
            if error.__cause__ is not None:
                gone.append(weakref.ref(error.__cause__))

    gc.collect()
    gc.disable()
    try:
        big = [Big() for _ in range(1 + waiting)]
        gone += map(weakref.ref, big)
        join = Def().start(*[lambda: attempt(big.pop())] * len(big))
        until(lambda: not big)
        until_all_wait(f, waiting)
        gate.set()
        join()
        del join
        assert [ref() for ref in gone] == [None] * len(gone)
    finally:
        gc.enable()


# -- who gives up ----------------------------------------------------------------------------------


def test_one_who_leads_and_gives_up_hands_over(colour, decorator, gate, runs):
    def body(x):
        runs.append(x)
        if len(runs) == 1:
            yield gate
            raise KeyboardInterrupt if not colour.is_async else asyncio.CancelledError
        yield 0
        return x

    f = colour.cached(decorator(), body)
    join = colour.start(*[lambda: f(1)] * 5)
    until(lambda: runs)
    until_all_wait(f, 4)
    gate.set()
    came = join()
    assert sorted(map(type, came), key=str)[-4:] == [int] * 4 or came.count(1) == 4
    assert runs == [1, 1]
    assert colour.do(lambda: f(1)) == 1
    assert len(runs) == 2


@pytest.mark.thread_unsafe(reason="interrupts the main thread")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no such signals here")
def test_a_thread_that_waits_can_be_interrupted_and_disturbs_nobody(decorator, runs):
    gate = threading.Event()

    def f(x):
        runs.append(x)
        gate.wait(PATIENCE)
        return x

    f = decorator()(f)
    join = Def().start(lambda: f(1), lambda: f(1))
    until_all_wait(f, 1)
    me = threading.get_ident()

    def interrupt():
        until_all_wait(f, 2)
        signal.pthread_kill(me, signal.SIGUSR1)

    with handling(signal.SIGUSR1, lambda *_: raise_(Failure())):
        end = Def().start(interrupt)
        with pytest.raises(Failure):
            f(1)
        end()
    until_all_wait(f, 1)
    gate.set()
    assert join() == [1, 1]
    assert runs == [1]


def raise_(error):
    raise error


@contextmanager
def handling(number, handler):
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.thread_unsafe(reason="interrupts the main thread")
@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="no such signals here")
def test_a_signal_handler_may_call_the_function_that_it_interrupts(decorator, runs):
    def f(x):
        runs.append(x)
        if len(runs) == 1:
            signal.raise_signal(signal.SIGUSR1)
        return x

    f = decorator()(f)
    inner = []
    with handling(signal.SIGUSR1, lambda *_: inner.append(f(1))):
        assert f(1) == 1
    assert inner == [1]


# -- who would wait for himself --------------------------------------------------------------------


def test_recursion_on_the_same_key_runs_the_function(colour, decorator, runs):
    def body(n):
        runs.append(n)
        if len(runs) < 3:
            inner = yield lambda: f(n)
            return ["outer", inner]
        return ["innermost"]
        yield

    f = colour.cached(decorator(), body)
    assert colour.do(lambda: f(1)) == ["outer", ["outer", ["innermost"]]]
    assert colour.do(lambda: f(1)) == ["outer", ["outer", ["innermost"]]]  # the whole is kept
    assert runs == [1] * 3


def test_recursion_over_other_keys_is_cached(colour, decorator, runs):
    def body(n):
        runs.append(n)
        if n < 2:
            return n
        one = yield lambda: f(n - 1)
        two = yield lambda: f(n - 2)
        return one + two

    f = colour.cached(decorator(), body)
    assert colour.do(lambda: f(20)) == 6765
    assert sorted(runs) == list(range(21))


def test_recursion_through_another_function(colour, decorator):
    def even(n):
        return True if n == 0 else (yield lambda: odd(n))

    def odd(n):
        return (yield lambda: even(n)) if len(calls) > 3 or calls.append(n) else "deep"

    calls = []
    even, odd = colour.cached(decorator(), even), colour.cached(decorator(), odd)
    assert colour.do(lambda: even(1)) == "deep"


@pytest.mark.parametrize("length", [2, 3, 5])
def test_who_would_wait_in_a_circle_does_not(colour, decorator, length):
    """Each computation asks for the next one's key while all are on their way."""
    begun = [threading.Event() for _ in range(length)]
    runs = []

    def body(n):
        runs.append(n)
        begun[n].set()
        if runs.count(n) > 1:
            return f"{n} alone"
        yield from begun
        return [n, (yield lambda: f((n + 1) % length))]

    f = colour.cached(decorator(), body)
    came = colour.together(*[lambda n=n: f(n) for n in range(length)])
    assert [one[0] for one in came] == list(range(length))
    assert len(runs) <= 2 * length


def test_a_circle_through_a_nested_computation(colour, decorator):
    """The first leads A, and in it B, and waits for C; who leads C asks for A."""
    a_waits, c_asks = threading.Event(), threading.Event()
    runs = []

    def body(name):
        runs.append(name)
        if runs.count(name) > 1:
            return f"{name} alone"
        if name == "A":
            return ["A", (yield lambda: f("B"))]
        if name == "B":
            yield c_asks
            a_waits.set()
            return ["B", (yield lambda: f("C"))]
        c_asks.set()
        yield a_waits
        yield 0.05  # until A really waits, or soon will
        return ["C", (yield lambda: f("A"))]

    f = colour.cached(decorator(), body)
    a, c = colour.together(lambda: f("A"), lambda: f("C"))
    assert a[0] == "A"
    assert c[0] == "C"
    assert runs.count("A") <= 2
    assert runs.count("C") <= 2


def test_a_circle_of_which_a_computation_waits_for_two_others_at_once(decorator):
    """A gathers B and C, and B asks for A: also the wait for B counts, though C was last."""
    runs = []

    async def main():
        waiting = asyncio.Event()

        async def f(name):
            runs.append(name)
            if runs.count(name) > 1:
                return f"{name} alone"
            if name == "A":
                return ["A", *await asyncio.gather(cached("B"), cached("C"))]
            await waiting.wait()
            if name == "B":
                return ["B", await cached("A")]
            return "C"

        cached = decorator()(f)
        others = [asyncio.ensure_future(cached("B")), asyncio.ensure_future(cached("C"))]
        await asyncio.sleep(0.01)
        first = asyncio.ensure_future(cached("A"))
        await asyncio.sleep(0.05)
        waiting.set()
        return await asyncio.wait_for(asyncio.gather(first, *others), PATIENCE)

    a, b, c = asyncio.run(main())
    assert (a[0], b[0], c) == ("A", "B", "C")
    assert runs.count("B") == runs.count("C") == 1


def test_a_task_of_the_computation_knows_whose_it_is(decorator, runs):
    async def f(x):
        runs.append(x)
        if len(runs) == 1:
            inner = await asyncio.gather(*[cached(x) for _ in range(3)])
            assert inner == ["inner"] * 3
            return "outer"
        return "inner"

    cached = decorator()(f)
    assert asyncio.run(asyncio.wait_for(cached(1), PATIENCE)) == "outer"
    assert asyncio.run(cached(1)) == "outer"


def test_a_circle_through_both_colours(tc):
    """A coroutine function that asks a function, in a thread, that asks it again."""

    @tc.mcache
    async def outer(x):
        runs.append("outer")
        return "alone" if len(runs) > 2 else await asyncio.to_thread(inner, x, loop)

    @tc.mcache(single_flight=True, ignore=["loop"])
    def inner(x, loop):
        runs.append("inner")
        return asyncio.run_coroutine_threadsafe(outer(x), loop).result(PATIENCE)

    runs: list = []

    async def main():
        nonlocal loop
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(outer(1), PATIENCE)

    loop = None
    assert asyncio.run(main()) == "alone"


# -- event loops -----------------------------------------------------------------------------------


def test_two_event_loops_share_one_computation(decorator, gate, runs):
    colour = COLOURS["async def"]

    def body(x):
        runs.append(x)
        yield gate
        return x

    f = colour.cached(decorator(), body)
    joins = [colour.start(lambda: f(1), lambda: f(1)) for _ in range(2)]
    until_all_wait(f, 3)
    gate.set()
    assert [join() for join in joins] == [[1, 1], [1, 1]]
    assert runs == [1]


@pytest.mark.parametrize("who", ["task", "loop that goes on"])
def test_a_leader_in_an_event_loop_that_has_stopped_strands_nobody(decorator, who):
    runs = []

    async def f(x):
        runs.append(x)
        if len(runs) == 1:
            await asyncio.Event().wait()
        return x

    f = decorator()(f)
    stopped = asyncio.new_event_loop()
    try:
        task = stopped.create_task(f(1))
        stopped.run_until_complete(asyncio.sleep(0.05))
        assert runs == [1]
        if who == "loop that goes on":
            stopped.run_until_complete(asyncio.sleep(0))
        assert asyncio.run(asyncio.wait_for(f(1), PATIENCE)) == 1
        assert runs == [1, 1]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            stopped.run_until_complete(task)
    finally:
        stopped.close()


def test_one_who_waits_for_another_loop_sees_it_stop(decorator):
    """The leader's loop stops while another loop already waits for it."""
    runs = []
    asked = threading.Event()

    async def f(x):
        runs.append(x)
        if len(runs) == 1:
            await asyncio.sleep(PATIENCE * 10)
        return x

    f = decorator()(f)
    loop = asyncio.new_event_loop()

    def lead():
        task = loop.create_task(f(1))
        loop.call_later(0.05, asked.set)

        until_it_waits = asyncio.to_thread(until_all_wait, f, 1)
        loop.run_until_complete(until_it_waits)
        return task

    join = Def().start(lead)
    assert asked.wait(PATIENCE)
    assert asyncio.run(asyncio.wait_for(f(1), PATIENCE)) == 1
    (task,) = join()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_a_coroutine_driven_by_hand_computes_alone(decorator, runs):
    """As under a loop that isn't asyncio's: it shares with nobody, and waits for nobody."""

    class Turn:
        def __await__(self):
            yield self

    async def f(x):
        runs.append(x)
        await Turn()
        return x

    f = decorator()(f)
    one, other = f(1), f(1)
    assert isinstance(one.send(None), Turn)
    assert isinstance(other.send(None), Turn)
    for coroutine in (one, other):
        with pytest.raises(StopIteration) as end:
            coroutine.send(None)
        assert end.value.value == 1
    assert runs == [1, 1]
    third = f(1)
    with pytest.raises(StopIteration):
        third.send(None)
    assert runs == [1, 1]


def test_a_coroutine_that_is_dropped_lets_others_go_on(decorator, runs):
    async def f(x):
        runs.append(x)
        await asyncio.sleep(0 if len(runs) > 1 else PATIENCE * 10)
        return x

    f = decorator()(f)

    async def main():
        dropped = f(1)
        future = dropped.send(None)
        while not runs:  # the engine is asked in a thread
            await asyncio.wait([future], timeout=PATIENCE)
            future = dropped.send(None)
        del future
        waiting = asyncio.ensure_future(f(1))
        await asyncio.sleep(0.01)
        dropped.close()
        return await asyncio.wait_for(waiting, PATIENCE)

    assert asyncio.run(main()) == 1
    assert runs == [1, 1]


# -- changes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["invalidate", "put", "clear"])
def test_after_a_change_nobody_joins_or_keeps_what_began_before(
    colour, decorator, gate, runs, change
):
    def body(x):
        runs.append(x)
        mine = len(runs)
        if mine == 1:
            yield gate
        return f"run {mine}"
        yield

    f = colour.cached(decorator(), body)
    join = colour.start(lambda: f(1))
    until(lambda: runs)
    if change == "invalidate":
        colour.do(lambda: f.invalidate(1))
    elif change == "put":
        colour.do(lambda: f.put("by hand", 1))
    else:
        f.cache_clear()
    after = colour.do(lambda: f(1))
    assert after == ("by hand" if change == "put" else "run 2")
    gate.set()
    assert join() == ["run 1"]
    assert colour.do(lambda: f(1)) == after


def test_a_forced_computation_is_what_others_join(colour, decorator, runs):
    gates = [threading.Event(), threading.Event()]

    def body(x):
        runs.append(x)
        mine = len(runs)
        yield gates[mine - 1]
        return f"run {mine}"

    f = colour.cached(decorator(), body)
    older = colour.start(lambda: f(1))
    until(lambda: len(runs) == 1)
    newer = colour.start(lambda: f.refresh(1), lambda: f(1))
    until(lambda: len(runs) == 2)
    gates[1].set()
    assert newer()[0] == "run 2"
    gates[0].set()
    assert older() == ["run 1"]
    assert colour.do(lambda: f(1)) == "run 2"  # the older one doesn't take its place


# -- processes and memory --------------------------------------------------------------------------


@pytest.mark.thread_unsafe(reason="forks")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_while_others_compute_waits_for_nobody(decorator, runs):
    gate = threading.Event()

    def f(x):
        runs.append(x)
        if len(runs) == 1:
            gate.wait(PATIENCE)
        return x

    f = decorator()(f)
    join = Def().start(lambda: f(1))
    until(lambda: runs)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if f(1) == 1 and len(runs) == 2 else 1)
        except BaseException:
            os._exit(2)
    end = time.monotonic() + PATIENCE
    while (state := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
        time.sleep(0.01)
    if state == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    gate.set()
    assert join() == [1]
    assert os.waitstatus_to_exitcode(state[1]) == 0


def test_a_context_that_outlives_a_computation_keeps_nothing_of_it(tc):
    class Value(list):
        pass

    async def main():
        rest = []

        async def f(x):
            rest.append(asyncio.ensure_future(asyncio.sleep(PATIENCE)))
            return Value([x])

        f = tc.acache(f)
        gone = weakref.ref(await f(1))
        await f.invalidate(1)
        gc.collect()
        assert gone() is None
        rest[0].cancel()

    asyncio.run(main())

"""What happens in the middle of a table's work: interrupts, other threads, re-entrant keys."""

from __future__ import annotations

import linecache
import random
import signal
import sys
import threading
import time

import pytest

from tests.fixtures import worlds

POLICIES = ["lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"]


class Interrupt(BaseException):
    """As from a signal handler."""


def is_safe(frame):
    """Whether Python looks for no signals in this line: no call lies between it and the last one.

    The turn is given back there, and without the GIL the lock of a step.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return line in ("try:", "if 0 in turn and turn[0] is mine:", "del turn[0]", "_one.release()")


class Interrupter:
    """Raises in the so-manieth line of the pure core that runs from now on."""

    def __init__(self, line):
        self.left = line
        self.is_done = False

    def __call__(self, frame, event, arg):
        if "_core_py" not in frame.f_code.co_filename:
            return None
        if event == "line" and not is_safe(frame):
            self.left -= 1
            if self.left < 0 and not self.is_done:
                self.is_done = True
                raise Interrupt
        return self


WORKS = {
    "put": lambda t, clock: t.put((100,), 100, weight=3),
    "put again": lambda t, clock: t.put((5,), "again", weight=9),
    "discard": lambda t, clock: t.discard((5,)),
    "get": lambda t, clock: [t.get((5,)) for _ in range(70)],
    "expire": lambda t, clock: (setattr(clock, "now", clock.now + (1 << 29)), t.put((1,), 1)),
    "sweep": lambda t, clock: (setattr(clock, "now", clock.now + (1 << 29)), t.sweep()),
    "shed": lambda t, clock: t.shed(3),
    "clear": lambda t, clock: t.clear(),
    "resize": lambda t, clock: t.resize(4),
    "unbound": lambda t, clock: t.resize(None, max_weight=None),
    "items": lambda t, clock: t.items(),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("work", WORKS)
def test_an_interrupt_in_any_line_leaves_a_table_that_works(clock, monkeypatch, policy, work):
    """In any line of Python, that is: on the pure core."""
    monkeypatch.setattr(sys, "unraisablehook", lambda args: None)  # as the listener is called
    core, line, is_done = worlds.world("pure")._core, 0, True
    while is_done:
        told = []
        table = core.Table(
            8,
            width=1,
            policy=policy,
            timed=True,
            max_weight=60,
            clock=clock,
            on_removal=lambda *args: told.append(args),
        )
        for n in range(12):
            table.put((n,), n, 10 + n if n % 2 else None, weight=n % 5), table.get((n // 2,))
        interrupter = Interrupter(line)
        before = sys.gettrace()
        sys.settrace(interrupter)
        try:
            WORKS[work](table, clock)
        except Interrupt:
            pass
        finally:
            sys.settrace(before)
        is_done = interrupter.is_done
        table.resize(8, max_weight=60)
        for n in range(140, 240):
            table.put((n,), n, weight=2), table.get((n - 3,))
        assert 6 <= len(table.items()) == len(table) <= 8, line
        assert table.weight == sum(weight for *_, weight in table.dump())
        assert table.get((239,)) == 239
        table.clear()
        for n in range(20):
            table.put((n,), n)
        assert len(table) == len(table.items()) == 8
        line += 1 + line // 40  # all of the first, then one in so many
    assert line > 10


@pytest.mark.parametrize("policy", POLICIES)
def test_keys_that_use_the_table_while_room_is_made(tc, policy):
    class Key:
        """All collide; asked whether it is another, it uses the table now and then.

        It stores other keys than those that it is asked about: one stored during the look-up of
        itself may be stored twice, as in a dict.
        """

        def __init__(self, n):
            self.n = n

        def __hash__(self):
            return 1

        def __eq__(self, other):
            if budget and rng.random() < 0.2:
                budget.pop()
                deed, key = rng.randrange(5), (Key(rng.randrange(12, 24)),)
                kept, budget[:] = budget[:], []
                if deed == 0:
                    table.put(key, None)
                elif deed == 1:
                    table.discard(key)
                elif deed == 2:
                    table.get(key)
                elif deed == 3:
                    table.shed(1)
                else:
                    table.items()
                budget[:] = kept
                done.append(deed)
            return self.n == other.n

    rng = random.Random(4)
    table = tc._core.Table(5, width=1, policy=policy)
    budget, done = [], []
    for n in range(300):
        budget[:] = [None] * 3
        key = Key(rng.randrange(12))
        if table.get((key,)) is None:
            table.put((key,), n)
        budget.clear()
        listed = [key[0].n for key, _ in table.items()]
        assert len(listed) == len(set(listed)) == len(table) <= 5
    assert set(done) == {0, 1, 2, 3, 4}
    table.clear()
    assert len(table) == 0


@pytest.fixture
def frantic():
    """Threads are switched every microsecond."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frantic")
@pytest.mark.parametrize("policy", POLICIES)
def test_many_threads_keep_the_bounds_and_tell_of_each_entry_once(tc, policy):
    def listener(key, value, cause):
        told.append(value)
        if len(told) % 50 == 0:
            table.get((1,)), table.put((1,), object(), weight=1)

    told, errors, stopped = [], [], []
    table = tc._core.Table(
        20,
        width=1,
        policy=policy,
        max_weight=100,
        tti=10**8,
        clock=lambda: stopped[0] if stopped else time.monotonic_ns(),
        on_removal=listener,
    )
    stored = [[] for _ in range(6)]

    def work(mine, seed):
        rng = random.Random(seed)
        try:
            for n in range(1_200):
                key = (min(int(rng.paretovariate(0.6)), 10**6),)
                if table.get(key) is None:
                    value = object()
                    mine.append(value)
                    table.put(key, value, weight=rng.randrange(9))
                if n % 40 == 0:
                    table.discard(key)
                if n % 150 == 0:
                    table.shed(2), table.sweep(), table.items()
                if n % 300 == 0 and seed == 0:
                    table.resize(15 + n % 7), table.resize(20)
                if n % 500 == 0:
                    table.clear()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(mine, seed)) for seed, mine in enumerate(stored)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    stopped.append(time.monotonic_ns())  # or entries would go while they are counted
    table.sweep()
    table.put((0,), "last", weight=0)
    assert len(table) == len(table.items()) <= 20
    assert table.weight == sum(weight for *_, weight in table.dump()) <= 100
    table.clear()
    values = {id(value) for mine in stored for value in mine}
    found = [id(value) for value in told if id(value) in values]
    assert len(found) == len(set(found)) == len(values)


def in_another_thread(work):
    """Whether `work` comes to its end there."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such signals")
def test_signals_at_any_point_keep_no_other_thread_out(tc):
    def interrupt(*_):
        raise Interrupt

    def use():
        table.put((1,), object(), weight=2), table.get((1,)), table.discard((1,))

    table = tc._core.Table(3, width=1, max_weight=9)
    before, interrupts, until = signal.signal(signal.SIGALRM, interrupt), 0, time.monotonic() + 0.4
    while time.monotonic() < until:
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 1e-4))
            for _ in range(2_000):
                use()
        except Interrupt:
            interrupts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    assert interrupts > 10
    assert in_another_thread(use)
    assert table.get((2,)) is None


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such signals")
def test_a_signal_handler_may_wait_for_another_thread_at_any_point(tc):
    """So no lock is held where Python sees to signals, finalizers and the like."""

    def handle(*_):
        waits.append(in_another_thread(use))

    def use():
        table.put((1,), object()), table.get((1,)), table.discard((1,))

    table, waits = tc._core.Table(3, width=1, policy="lfu"), [True]
    before = signal.signal(signal.SIGALRM, handle)
    while waits[-1] and len(waits) < 200:
        many = len(waits)
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 1e-4))
        while len(waits) == many:
            use()
    signal.signal(signal.SIGALRM, before)
    assert all(waits)


@pytest.mark.usefixtures("frantic")
@pytest.mark.parametrize("policy", POLICIES)
def test_calls_in_many_threads_lose_no_count(tc, policy):
    f = tc.mcache(maxsize=30, policy=policy)(lambda x: ("value", x))
    errors = []

    def work(seed):
        rng = random.Random(seed)
        try:
            for _ in range(3_000):
                x = min(int(rng.paretovariate(0.6)), 500)
                assert f(x) == ("value", x)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    info = f.cache_info()
    assert info.hits + info.misses == 18_000
    assert info.currsize == len(f.items()) == 30

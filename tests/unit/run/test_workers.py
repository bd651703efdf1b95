"""Threads for what nobody waits for."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref

import pytest

from tests.fixtures.background import settle_pool
from tests.fixtures.colours import PATIENCE, until
from twat_cache._run import workers as module
from twat_cache._run.workers import Workers


def test_work_is_done_by_daemons():
    done = []
    pool = Workers(most=2)
    assert pool.submit(lambda: done.append(threading.current_thread()))
    settle_pool(pool)
    assert [thread.daemon for thread in done] == [True]
    assert done[0] is not threading.current_thread()


def test_what_work_raises_disturbs_nobody():
    done = []
    pool = Workers(most=1, waiting=9)
    for error in (ValueError, SystemExit, KeyboardInterrupt):
        pool.submit(lambda error=error: raise_(error()))
    pool.submit(lambda: done.append(1))
    settle_pool(pool)
    assert done == [1]


def raise_(error):
    raise error


def test_there_is_a_bound_to_threads_and_to_what_waits():
    gate = threading.Event()
    running = []

    def work():
        running.append(threading.get_ident())
        gate.wait(PATIENCE)

    pool = Workers(most=2, waiting=3)
    assert [pool.submit(work) for _ in range(7)] == [True] * 5 + [False] * 2
    until(lambda: len(running) == 2)
    assert pool._busy
    gate.set()
    settle_pool(pool)
    assert len(running) == 5
    assert len(set(running)) <= 2
    assert pool.submit(work)


def test_threads_are_used_again_and_leave_when_there_is_nothing_to_do(monkeypatch):
    monkeypatch.setattr(module, "_IDLE", 0.05)
    threads = []
    pool = Workers(most=9)
    for _ in range(3):
        pool.submit(lambda: threads.append(threading.current_thread()))
        settle_pool(pool)
    assert len(set(threads)) == 1
    threads[0].join(PATIENCE)
    assert not threads[0].is_alive()
    pool.submit(lambda: threads.append(threading.current_thread()))
    settle_pool(pool)
    assert threads[-1] is not threads[0]


def test_work_that_is_done_is_let_go(monkeypatch):
    monkeypatch.setattr(module, "_IDLE", 10 * PATIENCE)

    class Thing:
        pass

    pool = Workers(most=1)
    thing = Thing()
    gone = weakref.ref(thing)
    pool.submit(lambda thing=thing: None)
    del thing
    settle_pool(pool)
    until(lambda: gone() is None or gc.collect() < 0)


def test_work_may_make_more_work():
    done = []
    pool = Workers(most=1, waiting=9)
    pool.submit(lambda: pool.submit(lambda: done.append(1)))
    settle_pool(pool)
    assert done == [1]


AT_THE_END = """
from twat_cache._run.workers import Workers

pool = Workers(most=2)
pool.submit(lambda: None)

class Last:
    def __del__(self, pool=pool):
        pool.submit(lambda: print("destructor", flush=True))

last = Last()
"""


def test_work_of_the_end_of_the_interpreter_is_done():
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_END], capture_output=True, text=True, timeout=60, check=True
    )
    assert "destructor" in done.stdout
    assert done.stderr == ""


@pytest.mark.thread_unsafe(reason="forks")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_has_threads_of_its_own():
    gate = threading.Event()
    pool = Workers(most=1, waiting=1)
    pool.submit(lambda: gate.wait(PATIENCE))
    pool.submit(lambda: None)
    child = os.fork()
    if child == 0:
        done = []
        pool.submit(lambda: done.append(1))
        settle_pool(pool)
        os._exit(0 if done == [1] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.set()
    settle_pool(pool)

"""Computations that go on by themselves: how many there are."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.fixtures.background import settle_tasks
from twat_cache._run import apart
from twat_cache._run.apart import Start
from twat_cache._run.flight import Flight

MOST = 3


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(apart, "_MOST", MOST)
    monkeypatch.setattr(apart, "_tasks", {})


class Pause:
    """The effect of waiting for an event of asyncio; without one, in vain."""

    def __init__(self, event=None):
        self.event = event

    async def arun(self):
        await (asyncio.Event() if self.event is None else self.event).wait()


def pausing(event=None):
    yield Pause(event)
    return "done"


async def begin(many, event=None):
    begun = [await Start(pausing(event), Flight()).arun() for _ in range(many)]
    await asyncio.sleep(0)  # each is on its way
    return begun


def close_unfinished(loop):
    """As a program does that cares for none of its tasks."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # asyncio would complain of the program
    loop.close()


def test_there_is_a_bound_to_tasks():
    async def main():
        event = asyncio.Event()
        assert await begin(MOST + 1, event) == [True] * MOST + [False]
        event.set()
        await settle_tasks(apart)
        assert await begin(1, event) == [True]
        await settle_tasks(apart)

    asyncio.run(main())
    assert apart._tasks == {}


def test_tasks_of_event_loops_that_were_closed_unfinished_do_not_count():
    for _ in range(2 * MOST):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(begin(1)) == [True]
        close_unfinished(loop)
        assert len(apart._tasks) <= MOST


def test_tasks_of_another_event_loop_that_is_open_do():
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(begin(MOST)) == [True] * MOST
    assert asyncio.run(begin(1)) == [False]
    close_unfinished(loop)
    assert asyncio.run(begin(MOST + 1)) == [True] * MOST + [False]


@pytest.mark.thread_unsafe(reason="forks")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_does_not_count_the_tasks_of_its_parent():
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(begin(MOST)) == [True] * MOST
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if asyncio.run(begin(1)) == [True] else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    close_unfinished(loop)

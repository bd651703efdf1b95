"""A child goes on with what caches share, whatever a thread did there that it hasn't."""

from __future__ import annotations

import os
import signal
import threading
from itertools import count

import pytest

from tests.fixtures.colours import COLOURS, PATIENCE
from twat_cache import EngineError, _fork_lock, _log, events, mcache, ucache
from twat_cache._tiers import LateEngine
from twat_cache.engines.mapping import MappingEngine

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.thread_unsafe(reason="it forks"),
]

_numbers = count()


def code_of_child(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(int(PATIENCE))  # which ends a child that hangs
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def name():
    return f"fork lock {next(_numbers)}"


def fail(*_):
    raise ValueError("odd")


def use_an_engine():
    f = ucache("mapping:", name=name())(lambda x: x)

    def use():
        f(1)
        f.invalidate(1)
        f(1)
        f.stats()

    return f, use


def changes():
    f, use = use_an_engine()
    return f._far._changes._lock, use


def counts():
    f, use = use_an_engine()
    return f._tally._lock, use


def subscriptions():
    return events._lock, lambda: events.subscribe(print)()


def log():
    return _log._lock, lambda: _log.debug()()


def listener():
    f = mcache(maxsize=1, on_removal=fail, name=name())(lambda x: x)

    def use():
        f(1)
        f.invalidate(1)
        assert f.stats().listener_errors == 1

    return f._listener._lock, use


def late_engine():
    engine = LateEngine(MappingEngine, EngineError("down"))

    def use():
        with pytest.raises(EngineError, match="down"):
            engine.ping()

    return engine._lock, use


@pytest.mark.parametrize("what", [changes, counts, subscriptions, log, listener, late_engine])
def test_a_child_is_not_locked_out(what, monkeypatch):
    lock, use = what()
    held, may_end = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            assert may_end.wait(PATIENCE)

    monkeypatch.setattr(_fork_lock, "_AT_REST", 0.01)
    join = COLOURS["def"].start(hold)
    assert held.wait(PATIENCE)
    code = code_of_child(use)
    may_end.set()
    assert (code, join()) == (0, [None])


@pytest.mark.parametrize("method", ["put", "drop"])
def test_a_child_neither_waits_for_nor_minds_what_another_thread_was_doing(method):
    """It has that of the parent's results that is in memory, and stores its own."""
    inside, may_end = threading.Event(), threading.Event()

    class Slow(MappingEngine):
        is_slow = True

    def slow(self, *args):
        if Slow.is_slow:
            inside.set()
            assert may_end.wait(PATIENCE)
        return getattr(MappingEngine, method)(self, *args)

    setattr(Slow, method, slow)
    runs = []

    @ucache(Slow(), name=name())
    def f(x):
        runs.append(x)
        return len(runs)

    def use():
        Slow.is_slow = False
        f.invalidate(1)
        assert f(1) == f(1) == len(runs)

    doing = f if method == "put" else f.invalidate
    join = COLOURS["def"].start(lambda: doing(1))
    assert inside.wait(PATIENCE)
    code = code_of_child(use)
    may_end.set()
    join()
    assert code == 0

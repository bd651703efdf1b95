"""Engines that hold a lock while a process forks."""

import os
import threading

import pytest

from twat_cache import _fork_lock
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.tiered import TieredEngine

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.thread_unsafe(reason="it forks"),
]


class Waiting(dict):
    """Its `get` waits until it may go on."""

    def __init__(self):
        super().__init__()
        self.entered, self.may_go = threading.Event(), threading.Event()

    def get(self, key, default=None):
        self.entered.set()
        assert self.may_go.wait(30)
        return super().get(key, default)


def code_of_child(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("tiers", [1, 2])
def test_a_child_is_not_locked_out_by_a_thread_that_it_has_not(tiers, monkeypatch):
    def work():
        mapping.may_go.set()
        engine.put({"key": b"1"}, None)
        assert engine.get(["key"]) == [b"1"]

    monkeypatch.setattr(_fork_lock, "_AT_REST", 0.01)
    mapping = Waiting()
    engine = MappingEngine(mapping)
    if tiers == 2:
        engine = TieredEngine([MappingEngine(), engine])
    thread = threading.Thread(target=engine.get, args=(["no"],))
    thread.start()
    assert mapping.entered.wait(30)
    code = code_of_child(work)
    mapping.may_go.set()
    thread.join()
    assert code == 0
    assert engine.get(["key"]) == [None]
    engine.put({"key": b"mine"}, None)
    assert engine.get(["key"]) == [b"mine"]


def test_a_fork_waits_for_what_is_being_done(monkeypatch):
    def work():
        assert engine.get(["key"]) == [b"1"]

    def put():
        engine.put({"key": b"1"}, None)
        done.append(True)

    done = []
    monkeypatch.setattr(_fork_lock, "_AT_REST", 30.0)
    mapping = Waiting()
    engine = MappingEngine(mapping)
    with engine._lock:
        thread = threading.Thread(target=put)
        thread.start()
        mapping.may_go.set()
        assert code_of_child(lambda: None) == 0  # who holds it itself may fork
        assert done == []
    thread.join()
    assert code_of_child(work) == 0

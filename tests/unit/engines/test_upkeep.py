"""What bounded engines keep note of beside their entries."""

import os
import signal
import threading

import pytest

from twat_cache import _fork_lock
from twat_cache.engines.file import FileEngine
from twat_cache.engines.sqlite import SqliteEngine
from twat_cache.testing import FakeClock


def code_of_child(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(60)  # a child that hangs dies of it
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.thread_unsafe(reason="it forks")
@pytest.mark.parametrize("kind", ["file", "sqlite"])
def test_a_fork_while_another_thread_culls_hangs_nobody(kind, tmp_path, monkeypatch):
    def hold():
        with lock:
            held.set()
            assert may_go.wait(100)

    def work():
        engine.put({"child's": b"1"}, None)
        assert engine.get(["child's"]) == [b"1"]

    monkeypatch.setattr(_fork_lock, "_AT_REST", 0.01)
    make = {"file": FileEngine, "sqlite": SqliteEngine}[kind]
    engine = make(tmp_path / "store", maxsize=3)
    engine.put({"parent's": b"1"}, None)
    engine.get(["parent's"])
    lock = (engine._size if kind == "file" else engine._upkeep)._lock
    held, may_go = threading.Event(), threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(100)
    code = code_of_child(work)
    may_go.set()
    thread.join()
    assert code == 0
    assert engine.get(["parent's", "child's"]) == [b"1", b"1"]
    engine.close()


def test_a_use_of_several_keys_at_once_is_known_to_other_processes(tmp_path):
    clock = FakeClock()
    ours = SqliteEngine(tmp_path / "store.db", maxsize=4, clock=clock.seconds)
    theirs = SqliteEngine(tmp_path / "store.db", maxsize=4, clock=clock.seconds)
    for key in "abcd":
        clock.advance(2)
        ours.put({key: b"1"}, None)
    clock.advance(2)
    ours.get(["a", "b"])
    clock.advance(2)
    ours.get(["a", "b"])  # more than a second later
    theirs.put({"e": b"1", "f": b"1"}, None)
    assert set(theirs.scan("")) == {"a", "b", "e", "f"}
    ours.close()
    theirs.close()

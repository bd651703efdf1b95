"""What an SQLite engine's connections must stand: forks, interrupts, finalisers, other engines."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace
from weakref import WeakSet

import pytest

from twat_cache import EngineError, EngineTimeoutError
from twat_cache.engines.sqlite import (
    SqliteEngine,
    database,
    holding,
    opening,
    session,
    sessions,
    trouble,
)

POSIX = pytest.mark.skipif(os.name != "posix", reason="forks are POSIX's")


@pytest.fixture
def path(tmp_path, request):
    if getattr(request, "param", None) == ":memory:":
        return ":memory:"
    return tmp_path / "folder" / "store.db"


@pytest.fixture
def engine(path):
    engine = SqliteEngine(path)
    yield engine
    engine.close()


class Disturbed(WeakSet):
    """Another thread adds to it while it is read for the first time."""

    quiet = False

    def __iter__(self):
        if not self.quiet:
            self.quiet = True
            raise RuntimeError("Set changed size during iteration")
        return super().__iter__()


@POSIX
def test_engines_made_while_a_process_forks_do_not_keep_others_open(engine, monkeypatch):
    engine.put({"key": b"1"}, None)
    mine = engine._runner._sessions.mine()
    monkeypatch.setattr(sessions, "_every", Disturbed([engine._runner._sessions]))
    sessions._before_fork()
    sessions._after_fork_in_parent()
    assert mine.retired
    assert engine.get(["key"]) == [b"1"]


BURST = 30
"""Calls in a row, after which snapshots are held."""


def read_often(engine, expected):
    for _ in range(BURST):
        assert engine.get(["key"]) == [expected]


def in_thread(work, *args):
    """What the work gives in a thread of its own."""
    given = []
    thread = threading.Thread(target=lambda: given.append(work(*args)))
    thread.start()
    thread.join()
    return given[0]


@contextmanager
def foreign(path):
    """A program of another kind, whose writes change no word."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
        yield lambda value: db.execute("UPDATE entries SET value = ?", (value,))


def test_a_foreign_write_is_seen_by_who_is_always_met_in_a_statement(path, engine):
    engine.put({"key": b"0"}, None)
    mine = engine._runner._sessions.mine()
    with foreign(path) as write:
        for number in range(1, 20):
            read_often(engine, b"%d" % (number - 1))
            with mine.lock:  # as a statement has it
                write(b"%d" % number)
                assert in_thread(mine.let_go) is False
            read_often(engine, b"%d" % number)


def test_a_snapshot_found_old_while_its_thread_puts_stays_old(path, engine, monkeypatch):
    engine.put({"key": b"0"}, None)
    mine = engine._runner._sessions.mine()
    number = mine._new_number

    def met():  # within the put, after its commit
        assert in_thread(mine.let_go) is False
        return number()

    monkeypatch.setattr(mine, "_new_number", met)
    for _ in range(BURST):
        engine.put({"key": b"1"}, None)
        assert mine.mine is None
    assert engine.get(["key"]) == [b"1"]


def test_an_interrupt_while_a_snapshot_is_taken_leaves_none_behind(path, engine, monkeypatch):
    def interrupted(session):
        add(session)
        raise KeyboardInterrupt

    add = holding.holders.add
    other = SqliteEngine(path)
    engine.put({"key": b"old"}, None)
    monkeypatch.setattr(holding.holders, "add", interrupted)
    with pytest.raises(KeyboardInterrupt) as kept:  # with its frames, as a notebook keeps them
        read_often(engine, b"old")
    monkeypatch.undo()
    other.put({"key": b"new"}, None)
    read_often(engine, b"new")
    engine.put({"key": b"mine"}, None)
    assert other.get(["key"]) == [b"mine"]
    other.close()
    assert kept.value.__traceback__


def test_a_session_whose_thread_can_not_start_is_not_kept(engine, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    holders = holding.Holders()
    monkeypatch.setattr(session, "holders", holders)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    engine.put({"key": b"1"}, None)
    read_often(engine, b"1")
    assert not holders._sessions
    assert engine._runner._sessions.mine()._held is None


def refused(work, *args):
    with pytest.raises(EngineError, match="by this very thread"):
        work(*args)


@pytest.mark.parametrize("path", ["file", ":memory:"], indirect=True)
def test_who_asks_in_the_middle_of_a_statement_is_refused_at_once(path, engine):
    engine.put({"key": b"1", "other": b"1"}, None)
    mine = engine._runner._sessions.mine()
    with mine.lock:  # as the statement has it that a finaliser interrupts
        refused(engine.get, ["key"])
        refused(engine.get, ["key", "other"])
        refused(engine.put, {"key": b"2"}, None)
        refused(engine.put, {"key": b"2", "other": b"2"}, None)
        refused(engine.add, "key", b"2", None)
        refused(engine.drop, ["key"])
        refused(engine.ping)
        refused(engine.close)
        engine._runner.write_if_free(lambda db: db.execute("DELETE FROM entries"))
    assert engine.get(["key", "other"]) == [b"1", b"1"]
    read_often(engine, b"1")
    engine.put({"key": b"2"}, None)
    assert engine.get(["key"]) == [b"2"]


def test_who_asks_while_its_thread_opens_the_database_is_refused_at_once(path, monkeypatch):
    def opened(path, setup):
        if before:
            refused(before.pop().get, ["key"])
        return connect(path, setup)

    connect = sessions.connect
    first, second = SqliteEngine(path), SqliteEngine(path)
    first.put({"key": b"1"}, None)
    for engine in (first, second):
        before = [first]
        monkeypatch.setattr(sessions, "connect", opened)
        assert in_thread(engine.get, ["key"]) == [b"1"]
        assert not before
        monkeypatch.undo()
    first.close()
    second.close()


def test_a_signal_between_two_tries_to_write_may_write(path, monkeypatch):
    def interrupted(seconds):
        if pending:
            pending.pop()
            db.execute("COMMIT")
            engine.put({"handler's": b"1"}, None)
        sleep(seconds)

    sleep, pending = time.sleep, [True]
    engine = SqliteEngine(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(trouble.time, "sleep", interrupted)
        engine.put({"mine": b"1"}, None)
    assert engine.get(["mine", "handler's"]) == [b"1", b"1"]
    engine.close()


FINALISER = """
import gc, sys
from twat_cache import EngineError
from twat_cache.engines.sqlite import SqliteEngine

class Cyclic:
    def __init__(self):
        self.me = self

    def __del__(self):
        try:
            engine.get(["key"])
            engine.put({"mine": b"1"}, None)
            told.add("served")
        except EngineError:
            told.add("refused")

told = set()
engine = SqliteEngine(sys.argv[1])
engine.put({"key": b"0"}, None)
gc.set_threshold(5)
for number in range(2_000):
    Cyclic()
    assert engine.get(["key", "other"]) == [b"0", None]
    assert engine.get(["key"]) == [b"0"]
    engine.put({"key": b"0", "one": b"1"}, None)
gc.set_threshold(700)
engine.close()
"""


def test_finalisers_that_use_the_engine_hang_nobody(path):
    ran = subprocess.run([sys.executable, "-c", FINALISER, path], capture_output=True, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("how", ["renew", "set aside", "open"])
def test_no_engine_keeps_a_file_that_another_has_found_gone(path, engine, how):
    other = SqliteEngine(path)
    other.put({"key": b"old"}, None)
    theirs = other._runner._sessions.mine()
    engine.put({"mine": b"old"}, None)
    if how == "set aside":
        engine._runner._sessions.set_aside()
    elif how == "renew":
        path.unlink()
        engine.ping()
    else:
        path.unlink()
        SqliteEngine(path).close()
    assert theirs.retired
    engine.put({"mine": b"new"}, None)
    assert other.get(["key", "mine"]) == [None, b"new"]
    other.close()


@POSIX
def test_engines_of_one_path_share_a_lock_in_the_child_of_a_fork_too(path, engine):
    def places():
        return engine._runner._sessions._lock, other._runner._sessions._lock

    other = SqliteEngine(path.parent / ".." / "folder" / "store.db")
    before = places()
    sessions._before_fork()
    sessions._after_fork_in_child()  # nothing is inherited here: all was at rest
    assert len({*before, *places()}) == 2
    assert engine.get(["key"]) == other.get(["key"]) == [None]
    other.close()


def garble(path):
    """Leaves the header, by which it is ours, and nothing else of the first page."""
    with open(path, "r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3_996)


@POSIX
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.thread_unsafe(reason="it forks")
def test_processes_that_find_damage_at_once_keep_what_they_put(tmp_path):
    def work(path, name, start):
        while time.monotonic() < start:
            pass
        engine = SqliteEngine(path)
        engine.put({name: b"1"}, None)
        engine.close()

    names = ["a", "b", "c", "d"]
    for number in range(12):
        path = tmp_path / f"store{number}.db"
        SqliteEngine(path).close()
        garble(path)
        start = time.monotonic() + 0.01
        codes = [child(work, path, name, start) for name in names]
        assert [os.waitpid(one, 0)[1] for one in codes] == [0] * 4
        engine = SqliteEngine(path)
        assert engine.get(names) == [b"1"] * 4
        engine.close()


def child(work, *args):
    """The number of a fork that does the work."""
    number = os.fork()
    if not number:
        code = 1
        try:
            work(*args)
            code = 0
        finally:
            os._exit(code)
    return number


def test_who_finds_damage_later_leaves_the_file_that_was_begun_since(path, engine):
    engine.close()
    garble(path)
    late = sessions.Sessions(str(path), ())
    with pytest.raises(sqlite3.DatabaseError):
        late.mine()
    first = SqliteEngine(path)
    first.put({"key": b"1"}, None)
    late.set_aside()
    assert first.get(["key"]) == [b"1"]
    first.close()


@POSIX
def test_a_file_is_set_aside_by_one_process_while_none_opens_it(path, engine, monkeypatch):
    import fcntl

    def refused_while_another_process_has(lock):
        with open(f"{path}-gen", "rb") as file:
            fcntl.flock(file, lock)
            with pytest.raises(EngineTimeoutError, match="opening or replacing"):
                SqliteEngine(path)

    monkeypatch.setattr(opening, "_SECONDS", 0)
    engine.close()
    refused_while_another_process_has(fcntl.LOCK_EX)
    garble(path)
    refused_while_another_process_has(fcntl.LOCK_SH)
    damaged = path.with_name("store.db.damaged")
    assert not damaged.exists()
    again = SqliteEngine(path)
    assert damaged.exists()
    assert again.get(["key"]) == [None]
    again.close()


def test_what_failed_since_the_file_was_replaced_is_done_in_the_new_one(path, engine):
    def work(db):
        tried.append(db)
        if len(tried) == 1:
            if is_replaced:
                path.unlink()
            raise sqlite3.OperationalError("disk I/O error")
        return db.execute("SELECT count(*) FROM entries").fetchone()[0]

    engine.put({"key": b"1"}, None)
    tried, is_replaced = [], False
    with pytest.raises(EngineError, match="disk I/O error"):
        engine._runner.write(work)
    assert len(tried) == 1
    tried, is_replaced = [], True
    assert engine._runner.write(work) == 0
    assert len(tried) == 2


def test_a_store_that_another_process_is_just_beginning_is_not_foreign(path):
    class Slow(sqlite3.Connection):
        def execute(self, *args):
            found = super().execute(*args).fetchone()
            if not begun:
                begun.append(SqliteEngine(path))
            return SimpleNamespace(fetchone=lambda: found)

    path.parent.mkdir()
    begun = []
    with closing(sqlite3.connect(path, factory=Slow)) as db:
        database._refuse_foreign(db, str(path))
    begun[0].close()

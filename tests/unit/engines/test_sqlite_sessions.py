"""What an SQLite engine's connections must stand: forks, interrupts, finalisers, other engines."""

import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from weakref import WeakSet

import pytest

from twat_cache.engines.sqlite import SqliteEngine, holding, session, sessions

POSIX = pytest.mark.skipif(os.name != "posix", reason="forks are POSIX's")


@pytest.fixture
def path(tmp_path):
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

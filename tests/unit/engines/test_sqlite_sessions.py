"""What an SQLite engine's connections must stand: forks, interrupts, finalisers, other engines."""

import os
from weakref import WeakSet

import pytest

from twat_cache.engines.sqlite import SqliteEngine, sessions

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

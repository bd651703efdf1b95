"""The engine on a folder, with large values in files."""

import os
import stat
import time

import pytest

from twat_cache import EngineError, open_engine
from twat_cache.engines.disk import DiskEngine, files, index
from twat_cache.testing import EngineSuite, FakeClock

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and signals are POSIX's")
LARGE = b"x" * 50_000


class TestContract(EngineSuite):
    def make(self, clock):
        return DiskEngine(self.folder / "store", clock=clock)


class TestAllInFiles(EngineSuite):
    def make(self, clock):
        return DiskEngine(self.folder / "store", spill=1, clock=clock)


class TestBounded(EngineSuite):
    def make(self, clock):
        return DiskEngine(self.folder / "store", max_bytes="1GB", clock=clock)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def engine(path):
    engine = DiskEngine(path)
    yield engine
    engine.close()


def values(path):
    return [file for file in (path / "values").rglob("*") if file.is_file()]


def test_only_large_values_get_files(path, engine):
    engine.put({"small": b"x" * 32_767}, None)
    assert values(path) == []
    engine.put({"large": b"x" * 32_768}, None)
    assert [file.read_bytes() for file in values(path)] == [b"x" * 32_768]


@pytest.mark.parametrize(
    "leave",
    [
        lambda engine: engine.drop(["key"]),
        lambda engine: engine.put({"key": LARGE}, None) or engine.drop(["key"]),
        lambda engine: engine.put({"key": LARGE}, 0),
        lambda engine: engine.swap("key", LARGE, None, None),
        lambda engine: engine.swap("key", LARGE, LARGE, 0),
        lambda engine: engine.swap("key", LARGE, b"small", None),
        lambda engine: engine.put({"key": b"small"}, None) or engine.drop(["no"]),
        lambda engine: engine.touch(["key"], 0) and engine.drop(["no"]),
    ],
)
def test_the_file_of_a_value_that_left_is_deleted(path, engine, leave):
    engine.put({"key": LARGE}, None)
    leave(engine)
    assert values(path) == []
    assert engine._index._runner.read(lambda db: engine._index._beside(db)) == 0


@pytest.mark.parametrize(
    "leave",
    [
        lambda engine, keys: engine.drop(keys) == len(keys),
        lambda engine, keys: engine.put(dict.fromkeys(keys, b"small"), None) or engine.drop(["no"]),
        lambda engine, keys: engine.touch(keys, 0) == len(keys),
    ],
)
def test_the_files_of_many_values_that_left_at_once_are_deleted(path, leave):
    engine = DiskEngine(path, spill=10)
    keys = [f"key{number}" for number in range(2 * index.STEP + 7)]
    engine.put({**dict.fromkeys(keys, b"x" * 10), "other": LARGE}, None)
    assert len(values(path)) == len(keys) + 1
    leave(engine, keys)
    assert len(values(path)) == 1
    assert engine.get(["other"]) == [LARGE]
    engine.close()


def test_a_damaged_note_of_a_file_to_delete_holds_up_none_of_the_others(path, engine):
    def damage(db):
        db.executemany("INSERT INTO orphans (pointer) VALUES (?)", [("?",)] * 2 * index.STEP)

    engine._index._runner.write(damage)
    engine.put({"key": LARGE}, None)
    engine.drop(["key"])
    assert values(path) == []
    assert engine._index.orphans() == []


def test_a_value_that_was_not_stored_leaves_no_file(path, engine):
    engine.put({"key": b"1"}, None)
    assert engine.add("key", LARGE, None) is False
    assert engine.add("other", LARGE, 0) is False
    assert engine.swap("key", b"2", LARGE, None) is False
    engine.close()
    with pytest.raises(EngineError):
        engine.put({"key": LARGE}, None)
    assert values(path) == []


def test_the_files_of_expired_values_are_deleted(path):
    clock = FakeClock()
    engine = DiskEngine(path, clock=clock.seconds)
    engine.put({f"key{n}": LARGE for n in range(20)}, 10)
    clock.advance(11)
    for number in range(200):
        engine.put({f"new{number}": b"x"}, None)
    assert values(path) == []
    engine.close()


def test_the_bound_counts_index_and_files(path):
    bound = 2_000_000
    engine = DiskEngine(path, max_bytes=bound)
    for number in range(150):
        engine.put({f"key{number}": LARGE, f"small{number}": b"x" * 5_000}, None)
    total = sum(file.stat().st_size for file in values(path))
    total += os.path.getsize(path / "index.db")
    assert bound * 0.5 < total < bound * 1.15
    assert engine.get(["key149"]) == [LARGE]
    assert engine.get(["key0"]) == [None]
    engine.close()


def test_a_value_whose_file_was_deleted_or_cut_is_missing(path, engine):
    engine.put({"gone": LARGE, "cut": LARGE, "whole": LARGE}, None)
    names = {key: engine._index.get([key])[0] for key in ("gone", "cut")}
    from twat_cache.engines.disk.pointer import parse

    os.unlink(engine._files._place(parse(names["gone"])[0]))
    os.truncate(engine._files._place(parse(names["cut"])[0]), 100)
    assert engine.get(["gone", "cut", "whole"]) == [None, None, LARGE]
    assert engine.add("gone", LARGE, 0) is False
    assert engine.add("whole", b"new", None) is False
    assert engine.add("gone", LARGE, None) is True
    assert engine.add("cut", b"small", None) is True
    assert engine.add("cut", b"late", None) is False
    assert engine.get(["gone", "cut", "whole"]) == [LARGE, b"small", LARGE]
    assert len(values(path)) == 2


def test_a_file_that_no_row_knows_is_deleted_once_it_is_old(path, engine, monkeypatch):
    engine.put({"key": LARGE}, None)
    (wanted,) = values(path)
    stray = wanted.with_name(wanted.name[:16] + "0" * 16)
    young = wanted.with_name(wanted.name[:16] + "1" * 16)
    foreign = wanted.with_name("notes.txt")
    for file in (stray, young, foreign):
        file.write_bytes(b"half")
    for file in (stray, wanted, foreign):
        os.utime(file, (0, time.time() - 7_200))
    monkeypatch.setattr(files.random, "randrange", lambda n: int(wanted.name[:2], 16))
    for _ in range(65):
        engine._tidy()
    assert set(values(path)) == {wanted, young, foreign}


@POSIX
def test_files_and_folders_are_private(path, engine):
    engine.put({"key": LARGE, "small": b"1"}, None)
    modes = {(e.is_dir(), stat.S_IMODE(e.stat().st_mode)) for e in [path, *path.rglob("*")]}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_options_stand_in_the_url(path):
    engine = open_engine(f"disk://{path}?spill=10B&max_bytes=1MB")
    engine.put({"key": b"x" * 10}, None)
    assert len(values(path)) == 1
    engine.close()

"""The engine that keeps each value in a file."""

import os
import shutil
import stat
import threading
import time

import pytest

from twat_cache import ConfigurationError, EngineError, EngineTimeoutError, open_engine
from twat_cache.engines.file import FileEngine
from twat_cache.testing import EngineSuite, FakeClock

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and forks are POSIX's")


class TestContract(EngineSuite):
    def make(self, clock):
        return FileEngine(self.folder / "store", clock=clock)


class TestBounded(EngineSuite):
    def make(self, clock):
        return FileEngine(self.folder / "store", max_bytes="1GB", clock=clock)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "above" / "store"


@pytest.fixture
def engine(path):
    engine = FileEngine(path)
    yield engine
    engine.close()


@pytest.fixture
def clock():
    return FakeClock()


def files(path):
    return [file for shard in path.glob("[0-9a-f][0-9a-f]") for file in shard.iterdir()]


def test_what_was_put_outlives_the_engine(path, engine):
    engine.put({"key": b"value"}, None)
    engine.close()
    assert FileEngine(path).get(["key"]) == [b"value"]


def test_with_fsync_it_is_the_same(path):
    engine = open_engine(f"file://{path}?fsync=1")
    engine.put({"key": b"value"}, None)
    assert engine.get(["key"]) == [b"value"]


@POSIX
def test_files_and_folders_are_private(path, engine):
    engine.put({"key": b"value"}, None)
    modes = {
        (entry.is_dir(), stat.S_IMODE(entry.stat().st_mode))
        for entry in [path.parent, path, *path.rglob("*")]
    }
    assert modes == {(True, 0o700), (False, 0o600)}


@pytest.mark.parametrize("key", ["../../out", "/etc/passwd", "..", "a/b", "C:\\x", "nul\0"])
def test_no_key_leads_out_of_the_folder(tmp_path, path, engine, key):
    engine.put({key: b"value"}, None)
    assert [entry.name for entry in tmp_path.iterdir()] == ["above"]
    assert [entry.name for entry in path.parent.iterdir()] == ["store"]
    assert len(files(path)) == 1


def test_a_folder_with_other_things_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(EngineError, match="other things"):
        FileEngine(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_another_format_is_refused(path, engine):
    (path / "twat-cache-files").write_text("99\n")
    with pytest.raises(EngineError, match="format"):
        FileEngine(path)


def test_a_large_value_is_a_view_of_its_file_and_aligned(engine):
    value = os.urandom(1_000_000)
    engine.put({"key": value}, None)
    (view,) = engine.get(["key"])
    assert isinstance(view, memoryview)
    assert view.readonly
    numpy = pytest.importorskip("numpy")
    array = numpy.frombuffer(view, dtype="u1")
    assert array.ctypes.data % 64 == 0
    assert array.tobytes() == value


@POSIX
def test_a_view_outlives_what_becomes_of_its_entry(engine):
    value = b"x" * 1_000_000
    engine.put({"key": value}, 60)
    (view,) = engine.get(["key"])
    engine.touch(["key"], None)
    engine.put({"key": b"y" * 1_000_000}, None)
    engine.drop(["key"])
    engine.close()
    assert view == value


@pytest.mark.parametrize("size", [0, 100, 10_000, 500_000])
def test_a_file_that_is_cut_short_is_missing(path, engine, size):
    engine.put({"key": b"x" * size}, None)
    (file,) = files(path)
    whole = file.read_bytes()
    for length in {0, 1, 31, 32, 40, 63, len(whole) - 1} - {len(whole)}:
        file.write_bytes(whole[:length])
        assert engine.get(["key"]) == [None], length
        assert list(engine.scan("")) == []
        assert engine.drop(["no"]) == 0
    file.write_bytes(whole + b"more")
    assert engine.get(["key"]) == [None]
    assert engine.add("key", b"new", None) is True


def test_a_damaged_head_never_gives_a_wrong_value(path, engine):
    engine.put({"key": b"value"}, None)
    (file,) = files(path)
    whole = file.read_bytes()
    for place in range(64):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        file.write_bytes(broken)
        assert engine.get(["key"])[0] in {None, b"value"}, place


def test_an_entry_under_another_name_is_missing(path, engine):
    engine.put({"one": b"1"}, None)
    (file,) = files(path)
    _, place = engine._folder.place(b"other")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    file.rename(place)
    assert engine.get(["other", "one"]) == [None, None]


def test_a_deleted_folder_is_begun_anew(path, engine):
    engine.put({"key": b"old"}, None)
    shutil.rmtree(path)
    assert engine.get(["key"]) == [None]
    engine.put({"key": b"new"}, None)
    assert engine.get(["key"]) == [b"new"]
    shutil.rmtree(path)
    engine.ping()
    assert engine.drop(["key"]) == 0


@pytest.mark.parametrize("missing", [".", "locks"])
@pytest.mark.parametrize(
    ("act", "given"),
    [
        (lambda engine: engine.drop(["key"]), 0),
        (lambda engine: engine.touch(["key"], 5), 0),
        (lambda engine: engine.touch(["key"], 0), 0),
        (lambda engine: engine.left(["key"]), [None]),
        (lambda engine: engine.swap("key", b"value", None, None), False),
        (lambda engine: engine.swap("key", b"value", b"new", None), False),
        (lambda engine: engine.swap("key", None, b"new", None), True),
        (lambda engine: engine.add("key", b"new", 0), False),
        (lambda engine: engine.add("key", b"new", None), True),
    ],
)
def test_in_a_deleted_folder_nothing_is_there(path, engine, missing, act, given):
    engine.put({"key": b"value"}, None)
    shutil.rmtree(path / missing)
    if missing == "locks":
        shutil.rmtree(files(path)[0].parent)
    assert act(engine) == given
    engine.put({"key": b"later"}, None)
    assert engine.get(["key"]) == [b"later"]
    assert FileEngine(path).get(["key"]) == [b"later"]


def test_an_entry_that_leaves_while_it_is_touched_was_not_there(path):
    class Culling(FakeClock):
        """Deletes all files when it is asked for the time once more."""

        def seconds(self):
            if self.left == 0:
                for file in files(path):
                    file.unlink()
            self.left -= 1
            return super().seconds()

    clock = Culling()
    clock.left = -1
    engine = FileEngine(path, clock=clock.seconds)
    engine.put({"key": b"value"}, None)
    clock.left = 1
    assert engine.touch(["key"], 60) == 0
    assert engine.get(["key"]) == [None]


def test_expired_files_are_deleted_by_and_by(path, clock, monkeypatch):
    engine = FileEngine(path, clock=clock.seconds)
    monkeypatch.setattr("twat_cache.engines.file.engine._SWEEP", 1)
    engine.put({f"old{n}": b"x" for n in range(50)}, 10)
    clock.advance(11)
    for _ in range(3_000):
        engine._upkeep(0)
    assert files(path) == []


def test_the_size_stays_within_its_bound_and_the_oldest_leave_first(path, clock):
    bound = 1_000_000
    engine = FileEngine(path, max_bytes=bound, clock=clock.seconds)
    engine.put({"favourite": b"x" * 20_000}, None)
    for number in range(150):
        clock.advance(2)
        engine.put({f"key{number}": b"x" * 20_000}, None)
        assert engine.get(["favourite"]) == [b"x" * 20_000]
        assert sum(file.stat().st_size for file in files(path)) <= bound
    there = [value is not None for value in engine.get([f"key{n}" for n in range(150)])]
    assert there == sorted(there)
    assert sum(there) > 35


def test_a_value_above_the_bound_is_left_out_with_what_was_there(path):
    engine = FileEngine(path, max_bytes=100_000)
    engine.put({"key": b"old"}, None)
    engine.put({"key": b"x" * 200_000, "other": b"1"}, None)
    assert engine.get(["key", "other"]) == [None, b"1"]
    assert engine.add("key", b"x" * 200_000, None) is False


def test_what_killed_writers_left_is_tidied(path, engine):
    old, young = path / "new" / "1-0-old", path / "new" / "1-0-young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, time.time() - 7_200))
    FileEngine(path)
    assert [file.name for file in (path / "new").iterdir()] == ["1-0-young"]


def test_a_refused_swap_leaves_nothing_behind(path, engine):
    engine.put({"key": b"1"}, None)
    assert engine.add("key", b"2", None) is False
    assert list((path / "new").iterdir()) == []


@POSIX
def test_a_lock_that_stays_held_is_a_timeout(path):
    import fcntl

    engine = FileEngine(path, timeout=0.05)
    engine.put({"key": b"1"}, None)
    shard, _ = engine._folder.place(b"key")
    with open(path / "locks" / shard) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(EngineTimeoutError, match="locked"):
            engine.put({"key": b"2"}, None)
        assert engine.get(["key"]) == [b"1"], "readers don't wait"
    engine.put({"key": b"3"}, None)
    assert engine.get(["key"]) == [b"3"]


@POSIX
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_while_threads_write_hang_nobody(engine):
    def write(me):
        while not done.is_set():
            engine.put({f"{me}": b"x" * 5_000}, None)

    done = threading.Event()
    writers = [threading.Thread(target=write, args=(me,)) for me in range(3)]
    for writer in writers:
        writer.start()
    codes = []
    for _ in range(10):
        child = os.fork()
        if not child:
            code = 1
            try:
                engine.put({"0": b"child's", "1": b"child's"}, None)
                code = 0
            finally:
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    done.set()
    for writer in writers:
        writer.join()
    assert codes == [0] * 10


@pytest.mark.parametrize("url", ["file:", "file:///", "file://host/path", "file:x?fsync=maybe"])
def test_a_url_that_makes_no_sense_is_refused(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError):
        open_engine(url)

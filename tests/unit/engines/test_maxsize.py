"""The bound on the number of entries, on all engines that have one."""

import subprocess
import sys

import pytest

from twat_cache import ConfigurationError, open_engine
from twat_cache.engines.disk import DiskEngine
from twat_cache.engines.file import FileEngine
from twat_cache.engines.sqlite import SqliteEngine
from twat_cache.testing import EngineSuite, FakeClock

LARGE = b"x" * 40_000
URLS = ["sqlite:///{}/store.db", "disk://{}/disk", "file://{}/files"]


class TestSqlite(EngineSuite):
    def make(self, clock):
        return SqliteEngine(self.folder / "store.db", maxsize=100_000, clock=clock)


class TestDisk(EngineSuite):
    def make(self, clock):
        return DiskEngine(self.folder / "store", maxsize=100_000, clock=clock)


class TestFile(EngineSuite):
    def make(self, clock):
        return FileEngine(self.folder / "store", maxsize=100_000, clock=clock)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(params=URLS)
def url(request, tmp_path):
    return request.param.format(tmp_path)


@pytest.fixture
def opened(url, clock):
    """Opens the one store, as often as it is asked to: each is what another process has."""
    engines = []

    def opened(maxsize=None, **options):
        engines.append(open_engine(url, maxsize=maxsize, clock=clock.seconds, **options))
        return engines[-1]

    yield opened
    for engine in engines:
        engine.close()


def put(engine, clock, *keys, value=b"value"):
    """One after the other, each at a time of its own."""
    for key in keys:
        clock.advance(2)
        engine.put({key: value}, None)


def names(engine):
    return set(engine.scan(""))


@pytest.mark.parametrize("maxsize", [1, 2, 5, 15])
def test_a_small_bound_is_exact(opened, clock, maxsize):
    engine = opened(maxsize)
    keys = [f"key{number}" for number in range(2 * maxsize + 3)]
    for done, key in enumerate(keys, 1):
        put(engine, clock, key)
        assert names(engine) == set(keys[max(0, done - maxsize) : done])


@pytest.mark.parametrize("maxsize", [16, 100, 320])
def test_a_larger_bound_is_exceeded_by_a_sixteenth_at_most(opened, clock, maxsize):
    engine = opened(maxsize)
    keys = [f"key{number}" for number in range(2 * maxsize)]
    for done, key in enumerate(keys, 1):
        put(engine, clock, key)
        if done % 7 == 0 or done >= len(keys) - maxsize // 16:
            there = names(engine)
            assert set(keys[max(0, done - maxsize) : done]) <= there
            assert len(there) <= maxsize + maxsize // 16


def test_the_least_recently_used_leave_first(opened, clock):
    engine = opened(3)
    put(engine, clock, "a", "b", "c")
    clock.advance(2)
    assert engine.get(["a"]) == [b"value"]
    put(engine, clock, "d")
    assert names(engine) == {"a", "c", "d"}
    clock.advance(2)
    assert engine.get(["c", "a"]) == [b"value"] * 2
    put(engine, clock, "e")
    assert names(engine) == {"a", "c", "e"}


def test_nothing_leaves_when_what_is_there_is_written_anew(opened, clock):
    engine = opened(3)
    put(engine, clock, "a", "b", "c")
    for _ in range(3):
        put(engine, clock, "c", "a")
        (value,) = engine.get(["b"])
        assert engine.swap("b", value, b"other", None)
        assert not engine.add("b", b"none", None)
    assert names(engine) == {"a", "b", "c"}


def test_add_and_swap_keep_the_bound(opened, clock):
    engine = opened(2)
    for key in "abcd":
        clock.advance(2)
        assert engine.add(key, b"added", None)
    assert names(engine) == {"c", "d"}
    for key in "efgh":
        clock.advance(2)
        assert engine.swap(key, None, b"swapped", None)
    assert names(engine) == {"g", "h"}


def test_a_batch_keeps_the_bound(opened, clock):
    engine = opened(10)
    put(engine, clock, "old")
    clock.advance(2)
    keys = {f"key{number}" for number in range(50)}
    engine.put(dict.fromkeys(keys, b"value"), None)
    assert len(names(engine)) == 10
    assert names(engine) < keys


def test_what_expired_leaves_before_what_lives(opened, clock):
    engine = opened(20)
    engine.put({f"old{number}": b"value" for number in range(20)}, 10)
    clock.advance(11)
    keys = [f"key{number}" for number in range(20)]
    put(engine, clock, *keys)
    assert names(engine) == set(keys)


def test_those_who_write_little_and_end_keep_the_bound(opened, clock):
    for number in range(40):
        engine = opened(160)
        put(engine, clock, *(f"key{number}-{n}" for n in range(8)))
        engine.close()
    assert 160 <= len(names(opened())) <= 160 + 7


@pytest.mark.parametrize("others", [[], ["none"]], ids=["alone", "in a batch"])
def test_what_another_process_uses_stays(opened, clock, others):
    writer, reader = opened(4), opened(4)
    put(writer, clock, "favourite")
    assert reader.get(["favourite"]) == [b"value"]
    for number in range(12):
        clock.advance(2)
        assert reader.get(["favourite", *others])[0] == b"value"
        put(writer, clock, f"key{number}")
    assert names(writer) == {"favourite", "key9", "key10", "key11"}


def test_a_store_that_has_more_when_it_is_opened_shrinks(opened, clock):
    engine = opened(10_000)
    engine.put({f"key{number}": b"value" for number in range(2_500)}, None)
    bounded = opened(10)
    put(bounded, clock, "a", "b", "c", "d")
    assert len(names(bounded)) == 10
    assert {"a", "b", "c", "d"} <= names(bounded)


def test_both_bounds_hold(opened, clock):
    engine = opened(5, max_bytes=1_000_000)
    keys = [f"key{number}" for number in range(30)]
    put(engine, clock, *keys)
    assert names(engine) == set(keys[-5:])
    put(engine, clock, *keys, value=b"x" * 300_000)
    assert 0 < len(names(engine)) < 4
    engine.put({"too large": b"x" * 1_500_000}, None)
    assert engine.get(["too large"]) == [None]


def test_the_files_of_what_left_are_deleted(tmp_path, clock):
    engine = DiskEngine(tmp_path / "store", maxsize=3, clock=clock.seconds)
    put(engine, clock, *(f"key{number}" for number in range(20)), value=LARGE)
    files = [path for path in (tmp_path / "store" / "values").rglob("*") if path.is_file()]
    assert len(files) == 3
    engine.close()


def test_a_bound_beyond_all_measure_is_none(opened, clock):
    engine = opened(10**30)
    put(engine, clock, "a", "b")
    assert names(engine) == {"a", "b"}


def test_a_database_in_memory_has_the_bound(clock):
    engine = open_engine("sqlite:///:memory:?maxsize=2", clock=clock.seconds)
    put(engine, clock, "a", "b", "c")
    assert names(engine) == {"b", "c"}
    engine.close()


def test_the_bound_stands_in_the_url(url):
    engine = open_engine(f"{url}?maxsize=7")
    assert engine.maxsize == 7
    engine.close()
    engine = open_engine(f"{url}?maxsize=7", maxsize=8)
    assert engine.maxsize == 8
    engine.close()
    engine = open_engine(url)
    assert engine.maxsize is None
    engine.close()


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "many", "", True, "1.5"])
def test_a_bound_that_makes_no_sense_is_refused(url, wrong):
    with pytest.raises(ConfigurationError, match=r"maxsize=.*an int from 1 on"):
        open_engine(url, maxsize=wrong)


@pytest.mark.parametrize("other", ["mapping:", "null:"])
def test_an_engine_that_has_no_such_bound_refuses_it(other):
    with pytest.raises(ConfigurationError, match="maxsize"):
        open_engine(other, maxsize=5)


WORK = """
import sys
from twat_cache import open_engine

url, me = sys.argv[1:]
engine = open_engine(url, maxsize=160)
for number in range(400):
    engine.put({f"{me}-{number}": b"value"}, None)
engine.close()
"""


def test_two_processes_keep_the_bound_together(url, opened):
    running = [
        subprocess.Popen([sys.executable, "-c", WORK, url, name]) for name in ("one", "other")
    ]
    assert [process.wait(120) for process in running] == [0, 0]
    there = names(opened())
    assert 160 <= len(there) <= 160 + 2 * 10
    last = max(int(name.partition("-")[2]) for name in there)
    assert last == 399

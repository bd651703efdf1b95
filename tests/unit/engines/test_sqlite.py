"""The engine on an SQLite file."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from twat_cache import ConfigurationError, EngineError, EngineTimeoutError, PathError, open_engine
from twat_cache.engines import forks
from twat_cache.engines.sqlite import SqliteEngine, holding, log, session, sessions
from twat_cache.testing import EngineSuite, FakeClock

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and forks are POSIX's")
FORKS = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class TestFile(EngineSuite):
    def make(self, clock):
        return SqliteEngine(self.folder / "store.db", clock=clock)


class TestBounded(EngineSuite):
    def make(self, clock):
        return SqliteEngine(self.folder / "store.db", max_bytes="1GB", clock=clock)


class TestMemory(EngineSuite):
    def make(self, clock):
        return SqliteEngine.from_url("sqlite:///:memory:", clock=clock)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "store.db"


@pytest.fixture
def engine(path):
    engine = SqliteEngine(path)
    yield engine
    engine.close()


@pytest.fixture
def clock():
    return FakeClock()


def rows(path):
    with closing(raw(path)) as db:
        return db.execute("SELECT count(*) FROM entries").fetchone()[0]


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def raw(path):
    return sqlite3.connect(path, isolation_level=None)


def test_what_was_put_outlives_the_engine(path):
    first = SqliteEngine(path)
    first.put({"key": b"value"}, None)
    first.close()
    second = SqliteEngine(path)
    assert second.get(["key"]) == [b"value"]
    second.close()


def test_two_engines_on_one_file_see_each_other(path, engine):
    other = SqliteEngine(path)
    engine.put({"key": b"1"}, None)
    assert other.add("key", b"2", None) is False
    other.put({"key": b"2"}, None)
    assert engine.get(["key"]) == [b"2"]
    other.close()


@POSIX
def test_files_are_private(path, engine):
    engine.put({"key": b"value"}, None)
    assert mode(path.parent) == 0o700
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert (path.parent / "store.db-wal").exists()


def test_a_folder_that_is_a_file_is_a_path_error(tmp_path):
    (tmp_path / "folder").write_text("mine")
    with pytest.raises(PathError):
        SqliteEngine(tmp_path / "folder" / "store.db")


@pytest.mark.parametrize("content", [b"a letter to my aunt", b"SQLite format 3\0" + b"x" * 200])
def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path, content):
    file = tmp_path / "store.db"
    file.write_bytes(content)
    with pytest.raises(EngineError, match="not a store of twat-cache"):
        SqliteEngine(file)
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_a_foreign_database_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "store.db"
    db = raw(file)
    db.execute("CREATE TABLE entries (mine)")
    db.close()
    before = file.read_bytes()
    with pytest.raises(EngineError, match="choose another path"):
        SqliteEngine(file)
    assert file.read_bytes() == before


def test_a_database_that_was_begun_and_has_nothing_in_it_is_taken(tmp_path):
    file = tmp_path / "store.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA page_size = 8192")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # the header is written, without our id
    assert file.stat().st_size > 0
    engine = SqliteEngine(file)
    engine.put({"key": b"1"}, None)
    assert engine.get(["key"]) == [b"1"]
    engine.close()


def test_a_foreign_database_that_is_all_in_its_log_is_refused(tmp_path):
    file = tmp_path / "store.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE theirs (x)")
        with pytest.raises(EngineError, match="not a store of twat-cache"):
            SqliteEngine(file)
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_another_format_is_refused(path, engine):
    engine.close()
    db = raw(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(EngineError, match="format 99"):
        SqliteEngine(path)


def damage(path, where):
    with open(path, "r+b") as file:
        file.seek(where)
        file.write(b"\xff" * 30_000)


@pytest.mark.parametrize("where", [100, 8192, 30_000])
def test_a_damaged_file_is_set_aside_when_it_is_opened(path, engine, where):
    engine.put({f"key{n}": b"x" * 1_000 for n in range(200)}, None)
    engine.close()
    damage(path, where)
    again = SqliteEngine(path)
    values = again.get([f"key{n}" for n in range(200)])
    assert set(values) <= {None, b"x" * 1_000}
    again.put({f"key{n}": b"new" for n in range(200)}, None)
    assert again.get(["key7"]) == [b"new"]
    again.close()
    assert (path.parent / "store.db.damaged").exists()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET key = CAST(x'ff' AS TEXT) WHERE key = 'bad'",
        "UPDATE entries SET value = 7 WHERE key = 'bad'",
        "UPDATE entries SET value = CAST(x'ff' AS TEXT) WHERE key = 'bad'",
        "UPDATE entries SET expires = 'soon' WHERE key = 'bad'",
    ],
)
@pytest.mark.parametrize("url", ["sqlite:///{}/index.db", "disk://{}"])
def test_a_row_that_is_not_as_it_was_written_is_no_trouble(url, damage, tmp_path):
    engine = open_engine(url.format(tmp_path))
    engine.put({"good": b"1", "bad": b"2"}, None)
    db = raw(tmp_path / "index.db")
    db.execute(damage)
    db.close()
    (found,) = engine.get(["bad"])
    assert found is None or bytes(found) == b"\xff"
    assert engine.get(["good", "bad"]) == [b"1", found]
    assert engine.left(["good"]) == [float("inf")]
    assert set(engine.scan("")) <= {"good", "bad"}
    engine.put({"bad": b"3"}, None)
    assert engine.get(["bad"]) == [b"3"]
    engine.close()


def test_a_file_that_is_damaged_while_open_is_set_aside(path, engine):
    engine.put({f"key{n}": b"x" * 1_000 for n in range(2_000)}, None)
    other = SqliteEngine(path)
    db = raw(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    with open(path, "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (os.path.getsize(path) - 8192))
    other.put({"new": b"1"}, None)
    assert other.get(["new"]) == [b"1"]
    other.close()


def test_a_deleted_file_is_begun_anew(path, engine):
    engine.put({"key": b"old"}, None)
    for file in path.parent.iterdir():
        file.unlink()
    engine.ping()
    assert engine.get(["key"]) == [None]
    engine.put({"key": b"new"}, None)
    other = SqliteEngine(path)
    assert other.get(["key"]) == [b"new"]
    other.close()


def test_a_locked_file_is_waited_for(path, engine):
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    threading.Timer(0.1, db.execute, ["COMMIT"]).start()
    engine.put({"key": b"1"}, None)
    assert engine.get(["key"]) == [b"1"]
    db.close()


def test_a_file_that_stays_locked_is_a_timeout(path):
    engine = SqliteEngine(path, timeout=0.05)
    engine.put({"key": b"1"}, None)
    db = raw(path)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(EngineTimeoutError, match="locked") as told:
        engine.put({"key": b"2"}, None)
    assert isinstance(told.value.__cause__, sqlite3.OperationalError)
    with pytest.raises(EngineTimeoutError):
        engine.put({"key": b"2", "other": b"2"}, None)
    assert engine.get(["key"]) == [b"1"], "readers don't wait for writers"
    db.execute("COMMIT")
    db.close()
    engine.put({"key": b"3"}, None)
    assert engine.get(["key"]) == [b"3"]
    engine.close()


def test_a_full_disk_is_an_engine_error_that_undoes_the_batch(path, engine):
    def limit(pages):
        engine._runner.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchone())

    limit(20)
    with pytest.raises(EngineError, match="full"):
        engine.put({f"key{n}": b"x" * 10_000 for n in range(100)}, None)
    assert engine.get([f"key{n}" for n in range(100)]) == [None] * 100
    limit(1_000_000)
    engine.put({"key": b"1"}, None)
    assert engine.get(["key"]) == [b"1"]


def test_keys_of_one_hash_are_told_apart(path, engine, monkeypatch):
    from twat_cache.engines.sqlite import statements

    monkeypatch.setattr(statements, "row_of", lambda key: (7, key.encode()))
    monkeypatch.setattr(statements, "bound", lambda key: (7, key))
    engine.put({"a": b"1"}, None)
    assert engine.get(["b"]) == [None]
    assert engine.drop(["b"]) == 0
    assert engine.add("b", b"2", None) is True
    assert engine.get(["a", "b"]) == [None, b"2"]


def test_expired_rows_leave_the_file(path, clock):
    engine = SqliteEngine(path, clock=clock.seconds)
    engine.put({f"old{n}": b"x" * 100 for n in range(200)}, 10)
    clock.advance(11)
    for number in range(300):
        engine.put({f"new{number}": b"x"}, None)
    engine.close()
    assert rows(path) == 300


def test_expired_rows_leave_also_where_each_process_writes_little(path, clock):
    for number in range(20):
        engine = SqliteEngine(path, clock=clock.seconds)
        engine.put({f"key{number}": b"x"}, 10)
        engine.close()
        clock.advance(3)
    assert rows(path) == 4


@pytest.mark.parametrize("size", [100, 3_000, 100_000])
def test_the_size_stays_within_its_bound(path, size):
    bound = 4_000_000
    engine = SqliteEngine(path, max_bytes=bound)
    for number in range(3 * bound // (size + 100) // 20):
        engine.put({f"key{number}-{n}": b"x" * size for n in range(20)}, None)
    kept = len(list(engine.scan("")))
    engine.close()
    assert os.path.getsize(path) < bound * 1.1
    assert kept * size > bound * (0.7 if size == 100_000 else 0.4)


def test_the_least_recently_used_leave_first(path, clock):
    engine = SqliteEngine(path, max_bytes="1MB", clock=clock.seconds)
    keys = [f"key{n}" for n in range(40)]
    for key in keys:
        clock.advance(1)
        engine.put({key: b"x" * 20_000}, None)
    clock.advance(1)
    favourites = keys[:5]
    assert None not in engine.get(favourites)
    for number in range(20):
        clock.advance(1)
        engine.put({f"new{number}": b"x" * 20_000}, None)
    assert None not in engine.get(favourites)
    there = [value is not None for value in engine.get(keys[5:])]
    assert there == sorted(there)
    assert not there[0]
    assert None not in engine.get([f"new{n}" for n in range(20)])
    engine.close()


def test_a_value_above_the_bound_is_left_out_with_what_was_there(path):
    engine = SqliteEngine(path, max_bytes=100_000)
    engine.put({"key": b"old"}, None)
    engine.put({"key": b"x" * 200_000, "other": b"1"}, None)
    assert engine.get(["key", "other"]) == [None, b"1"]
    assert engine.add("key", b"x" * 200_000, None) is False
    assert engine.swap("key", None, b"x" * 200_000, None) is False
    engine.close()


def test_dropping_gives_space_back(path):
    engine = SqliteEngine(path)
    engine.put({f"key{n}": b"x" * 50_000 for n in range(200)}, None)
    engine.drop([f"key{n}" for n in range(200)])
    for number in range(3_000):
        engine.put({"key": b"x"}, None)
    engine.close()
    assert os.path.getsize(path) < 5_000_000


def test_options_stand_in_the_url(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/a%20b.db?max_bytes=1MB&timeout=0.5")
    engine.put({"key": b"x" * 2_000_000}, None)
    assert engine.get(["key"]) == [None]
    assert (tmp_path / "a b.db").exists()
    engine.close()


@pytest.mark.parametrize(
    "url",
    ["sqlite:", "sqlite://store.db", "sqlite:///", "sqlite:///a.db?colour=red",
     "sqlite:///a.db?timeout=soon", "sqlite:///a.db?max_bytes=0"],
)  # fmt: skip
def test_a_url_that_makes_no_sense_is_refused(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError):
        open_engine(url)


def test_the_connection_of_a_thread_that_ended_is_closed(engine):
    threading.Thread(target=engine.get, args=(["key"],)).start()
    deadline = time.monotonic() + 10
    while len(engine._runner._sessions._all) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(engine._runner._sessions._all) == 1


BURST = 30
"""Calls in a row, after which snapshots are held."""

PUTTER = """
import sys
from twat_cache import open_engine
engine = open_engine(sys.argv[1])
for line in sys.stdin:
    engine.put({"key": line.strip().encode()}, None)
    for _ in range(int(line) % 3 * 15):
        engine.put({"other": line.encode()}, None)
    print("done", flush=True)
"""


def read_often(engine, expected):
    for _ in range(BURST):
        assert engine.get(["key"]) == [expected]


def soon(condition):
    """Whether it becomes true, within seconds."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


@pytest.mark.parametrize("url", ["sqlite:///{}/store.db", "disk://{}/store"])
def test_a_put_of_another_process_is_seen_by_the_next_get(url, tmp_path):
    url = url.format(tmp_path)
    engine = open_engine(url)
    engine.put({"key": b"0"}, None)
    command = [sys.executable, "-c", PUTTER, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        for number in range(1, 100):
            read_often(engine, b"%d" % (number - 1))
            if number % 4 == 0:
                for _ in range(BURST):
                    engine.put({"mine": b"%d" % number}, None)
            other.stdin.write(f"{number}\n")
            other.stdin.flush()
            assert other.stdout.readline() == "done\n"
            assert engine.get(["key"]) == [b"%d" % number]
    engine.close()


def test_a_put_of_another_thread_is_seen_by_the_next_get(engine):
    def put(number):
        engine.put({"key": b"%d" % number}, None)

    engine.put({"key": b"0"}, None)
    for number in range(1, 50):
        read_often(engine, b"%d" % (number - 1))
        other = threading.Thread(target=put, args=(number,))
        other.start()
        other.join()
        assert engine.get(["key"]) == [b"%d" % number]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda engine: engine.put({"key": b"2", "other": b"2"}, None), b"2"),
        (lambda engine: engine.put({"key": b"2"}, 10), b"2"),
        (lambda engine: engine.put({"key": b"2"}, 0), None),
        (lambda engine: engine.drop(["key"]), None),
        (lambda engine: engine.drop(["key"]) and engine.add("key", b"2", None), b"2"),
        (lambda engine: engine.swap("key", b"1", b"2", None), b"2"),
        (lambda engine: engine.touch(["key"], 0), None),
    ],
)
def test_whatever_another_engine_changes_is_seen_by_the_next_get(path, engine, change, expected):
    other = SqliteEngine(path)
    engine.put({"key": b"1"}, None)
    read_often(engine, b"1")
    change(other)
    assert engine.get(["key"]) == [expected]
    other.close()


def test_puts_in_a_row_survive_those_of_another_engine(path, engine):
    other = SqliteEngine(path)
    for number in range(BURST):
        engine.put({f"a{number}": b"1"}, None)
    other.put({"b": b"1"}, None)
    engine.put({"a": b"1"}, None)
    for number in range(BURST):
        other.put({f"b{number}": b"1"}, None)
    engine.put({"c": b"1"}, None)
    assert len(list(engine.scan(""))) == 2 * BURST + 3
    other.close()


def test_a_look_at_the_file_keeps_no_old_snapshot(path, engine, monkeypatch):
    monkeypatch.setattr(session, "_SURE", 0.000_5)
    other = SqliteEngine(path)
    for number in range(100):
        engine.put({"key": b"%d" % number}, None)
        read_often(other, b"%d" % number)
    other.close()


def test_a_put_between_ours_and_its_number_is_seen(path, engine, monkeypatch):
    other = SqliteEngine(path)
    for number in range(BURST):
        engine.put({"key": b"%d" % number}, None)
    mine = engine._runner._sessions.here.session
    number = mine._new_number

    def late():
        other.put({"key": b"other's"}, None)
        return number()

    monkeypatch.setattr(mine, "_new_number", late)
    engine.put({"key": b"mine"}, None)
    assert engine.get(["key"]) == [b"other's"]
    other.close()


def test_a_program_of_another_kind_is_seen_soon(path, engine):
    engine.put({"key": b"1"}, None)
    read_often(engine, b"1")
    db = raw(path)
    db.execute("UPDATE entries SET value = ?", (b"2",))
    db.close()
    assert soon(lambda: engine.get(["key"]) == [b"2"])


def test_an_engine_at_rest_keeps_no_log_from_being_begun_anew(path, engine):
    def is_begun_anew():
        return db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    engine.put({"key": b"1"}, None)
    db = raw(path)
    for _ in range(3):
        read_often(engine, b"1")
        db.execute("UPDATE entries SET used = used + 1")
        assert soon(is_begun_anew)
    db.close()


def test_a_log_that_grew_long_behind_a_reader_is_cut_off(path, engine, monkeypatch):
    def length():
        return os.path.getsize(f"{path}-wal")

    monkeypatch.setattr(log, "_REST", 0)
    engine.put({"key": b"1"}, None)
    db = raw(path)
    db.execute("BEGIN")
    db.execute("SELECT 1 FROM entries").fetchall()
    numbers = iter(range(1_000))
    while length() < 2.1 * log.BYTES:
        engine.put({f"key{next(numbers) % 10}": os.urandom(2_000_000)}, None)
    db.execute("COMMIT")
    engine.put({"key": bytes(2_000_000)}, None)
    assert length() < log.BYTES
    db.close()


def test_a_get_that_was_interrupted_leaves_nothing_behind(path, engine):
    other = SqliteEngine(path)
    engine.put({"key": b"1", "more": b"1"}, None)
    mine = engine._runner._sessions.here.session
    for look in (lambda: engine.get(["key", "more"])[0], lambda: engine.get(["key"])[0]):
        mine.execute("SELECT key FROM entries")  # its rows were never fetched
        other.put({"key": b"2"}, None)
        assert look() == b"2"
        engine.put({"key": b"1"}, None)
    mine.execute("SELECT key FROM entries")
    other.put({"key": b"3"}, None)
    engine.put({"more": b"3"}, None)
    read_often(engine, b"3")
    other.close()


def test_without_the_shared_word_or_a_thread_all_is_the_same(path, monkeypatch):
    path.parent.mkdir()
    (path.parent / "store.db-gen").mkdir()
    first, second = SqliteEngine(path), SqliteEngine(path)
    for number in range(3):
        second.put({"key": b"%d" % number}, None)
        read_often(first, b"%d" % number)
    (path.parent / "store.db-gen").rmdir()

    def refuse(self):
        raise RuntimeError("can't start new thread")

    holding.holders.end_thread()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    third = SqliteEngine(path)
    for number in range(3):
        second.put({"key": b"%d" % number}, None)
        read_often(third, b"%d" % number)
    for engine in (first, second, third):
        engine.close()


def in_child(work):
    """Runs the work in a fork; gives its exit code."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@POSIX
@FORKS
def test_parent_and_child_of_a_fork_both_go_on(engine):
    def work():
        read_often(engine, b"parent's")
        engine.put({"key": b"child's"}, None)
        engine.close()

    engine.put({"key": b"parent's"}, None)
    read_often(engine, b"parent's")
    assert in_child(work) == 0
    read_often(engine, b"child's")
    engine.put({"key": b"parent's again"}, None)
    assert engine.get(["key"]) == [b"parent's again"]


@POSIX
@FORKS
def test_a_fork_inherits_no_open_file(path, engine):
    def ours():
        links = []
        for number in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{number}"))
            except FileNotFoundError:
                pass  # that of the listing itself
        return [link for link in links if link.startswith(str(path))]

    def work():
        assert ours() == []

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    engine.get(["key"])
    assert ours() != []
    assert in_child(work) == 0


@POSIX
@FORKS
def test_forks_while_threads_write_hang_nobody(engine):
    def write(me):
        number = 0
        while not done.is_set():
            number += 1
            engine.put({f"{me}-{number % 20}": b"x" * 5_000}, None)
            engine.get([f"{me}-{n}" for n in range(20)])

    def work():
        engine.put({"child": b"1"}, None)
        assert engine.get(["child"]) == [b"1"]

    done = threading.Event()
    writers = [threading.Thread(target=write, args=(me,)) for me in range(3)]
    for writer in writers:
        writer.start()
    try:
        assert [in_child(work) for _ in range(10)] == [0] * 10
    finally:
        done.set()
        for writer in writers:
            writer.join()


@POSIX
@FORKS
def test_a_connection_in_use_at_a_fork_is_kept_by_the_child_untouched(engine, monkeypatch):
    def work():
        assert engine.get(["key"]) == [b"1"]
        assert mine in forks._leaked
        assert mine.db.execute("SELECT 1")  # not closed

    monkeypatch.setattr(sessions, "_AT_REST", 0.01)
    engine.put({"key": b"1"}, None)
    mine = engine._runner._sessions.mine()
    with mine.lock:
        assert in_child(work) == 0
    assert engine.get(["key"]) == [b"1"]
    assert engine._runner._sessions.mine() is mine


@POSIX
@FORKS
def test_a_database_in_memory_is_copied_by_a_fork():
    def work():
        assert engine.get(["key"]) == [b"1"]
        engine.put({"key": b"child's"}, None)

    engine = SqliteEngine(":memory:")
    engine.put({"key": b"1"}, None)
    assert in_child(work) == 0
    assert engine.get(["key"]) == [b"1"]
    engine.close()

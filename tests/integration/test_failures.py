"""Stores in trouble: deleted, read-only, full, locked, damaged. Engines say so, functions answer.

Whatever happens to the files of a store, an engine gives what was put there, or nothing, or an
`EngineError`; and it serves again when the trouble is over. A decorated function gives what it
gives without a store, and its counters tell.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing, contextmanager
from random import Random

import pytest

from tests.fixtures.small_disk import small_disk  # noqa: F401
from twat_cache import Cache, EngineError, EngineTimeoutError, events, open_engine, ucache
from twat_cache.engines.mapping import MappingEngine
from twat_cache.testing import FakeClock

fcntl = pytest.importorskip("fcntl")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
STORES = {
    "sqlite": ("sqlite:///{}/store/store.db", "store.db"),
    "disk": ("disk://{}/store", "index.db"),
    "file": ("file://{}/store", None),
    "diskcache": ("diskcache://{}/store", "cache.db"),
}
SMALL, LARGE = b"s" * 100, b"l" * 60_000
VALUES = {f"key{n}": bytes([n]) + (SMALL if n % 2 else LARGE) for n in range(8)}


def in_thread(work):
    """What the work gives, done in another thread."""
    told = []

    def run():
        try:
            told.append((work(), None))
        except BaseException as error:
            told.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    ((result, error),) = told
    if error is not None:
        raise error
    return result


def without_open_files():
    """Has engines close their files: none may be open when a disk becomes read-only."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


@pytest.fixture(params=STORES)
def store(request):
    """The name of each kind of store."""
    if request.param == "diskcache":
        pytest.importorskip("diskcache")
    return request.param


def opened(store, place, **options):
    return open_engine(STORES[store][0].format(place), **options)


def are_right_or_missing(engine, values=VALUES):
    """Tells how many values are there; each of them is the right one."""
    found = dict(zip(values, engine.get(list(values)), strict=True))
    wrong = [key for key, one in found.items() if one is not None and one != values[key]]
    assert wrong == []
    return sum(one is not None for one in found.values())


def serves(engine):
    """It stores a small value and a large one, and has them."""
    engine.put({"small": SMALL, "large": LARGE}, None)
    return engine.get(["small", "large"]) == [SMALL, LARGE]


CHANGES = {
    "put": lambda engine: engine.put({"new": SMALL}, None),
    "put large": lambda engine: engine.put({"new": LARGE}, None),
    "add": lambda engine: engine.add("new", SMALL, None),
    "swap": lambda engine: engine.swap("key1", VALUES["key1"], SMALL, None),
    "touch": lambda engine: engine.touch(["key1"], 60),
    "drop": lambda engine: engine.drop(["key1"]),
}


# -- engines ---------------------------------------------------------------------------------------


def test_a_deleted_store_is_begun_anew(store, tmp_path):
    engine = opened(store, tmp_path)
    engine.put(VALUES, None)
    shutil.rmtree(tmp_path / "store")
    engine.ping()
    assert are_right_or_missing(engine) == 0
    assert serves(engine)
    other = opened(store, tmp_path)
    assert other.get(["small", "large"]) == [SMALL, LARGE]
    other.close()
    engine.close()


def test_a_deleted_store_gives_nothing_wrong_before_that_is_noticed(store, tmp_path):
    engine = opened(store, tmp_path)
    engine.put(VALUES, None)
    shutil.rmtree(tmp_path / "store")
    for change in CHANGES.values():
        try:
            are_right_or_missing(engine)
            change(engine)
            engine.drop(["new"])
            engine.put({"key1": VALUES["key1"]}, None)
        except EngineError:
            pass
    engine.close()


def test_a_read_only_store_refuses_every_change(store, small_disk):  # noqa: F811
    engine = opened(store, small_disk.path, timeout=0.2)
    engine.put(VALUES, None)
    without_open_files()
    small_disk.read_only(True)
    for change in CHANGES.values():
        with pytest.raises(EngineError):
            change(engine)
        with pytest.raises(EngineError):
            in_thread(lambda: change(engine))
    try:
        there = are_right_or_missing(engine)
    except EngineError:
        there = 0
    without_open_files()
    small_disk.read_only(False)
    assert there in {0, len(VALUES)}
    assert are_right_or_missing(engine) == len(VALUES)
    assert serves(engine)
    engine.close()


def test_a_full_disk_is_an_engine_error_and_loses_nothing(store, small_disk):  # noqa: F811
    engine = opened(store, small_disk.path)
    engine.put(VALUES, None)
    small_disk.fill()
    for name in ("put", "put large", "add"):
        with pytest.raises(EngineError):
            for number in range(1_000):  # there may be a little room left within the files
                CHANGES[name](engine)
                engine.put({f"{name} {number}": bytes(4_000)}, None)
    assert are_right_or_missing(engine) == len(VALUES)
    small_disk.empty()
    assert are_right_or_missing(engine) == len(VALUES)
    assert serves(engine)
    engine.close()


@pytest.mark.parametrize("room", [3_000, 10_000, 40_000, 70_000])
def test_a_disk_that_becomes_full_within_a_put_stores_all_or_nothing(store, room, small_disk):  # noqa: F811
    engine = opened(store, small_disk.path)
    engine.put(VALUES, None)
    small_disk.fill(room)
    stored = {}
    for number in range(50):
        try:
            engine.put({f"more{number}": LARGE}, None)
            stored[f"more{number}"] = LARGE
        except EngineError:
            break
    else:
        pytest.fail("the disk was never full")
    assert are_right_or_missing(engine, VALUES | stored) == len(VALUES) + len(stored)
    assert engine.get([f"more{number}"])[0] in {None, LARGE}
    small_disk.empty()
    assert serves(engine)
    engine.close()


@contextmanager
def locked(store, place, engine):
    """Another holds the lock of all writers."""
    database = STORES[store][1]
    if database is not None:
        with closing(sqlite3.connect(place / "store" / database, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            yield
            db.execute("ROLLBACK")
        return
    names = [place / "store" / "locks" / f"{number:02x}" for number in range(256)]
    files = [name.open("ab") for name in names]
    for file in files:
        fcntl.flock(file, fcntl.LOCK_EX)
    yield
    for file in files:
        file.close()


def test_a_locked_store_is_a_timeout_and_reads_go_on(store, tmp_path):
    engine = opened(store, tmp_path, timeout=0.05)
    engine.put(VALUES, None)
    with locked(store, tmp_path, engine):
        for change in (lambda: engine.put({"key1": SMALL}, None), lambda: engine.drop(["key1"])):
            with pytest.raises(EngineTimeoutError):
                change()
        assert are_right_or_missing(engine) == len(VALUES)
    assert are_right_or_missing(engine) == len(VALUES)
    assert serves(engine)
    engine.close()


# -- damaged files, seen through a cache, whose records tell what is right -------------------------


def damaged(chance, data):
    """The data with one to three other bytes, or cut short, or with something after it."""
    kind = chance.random()
    if kind < 0.7:
        wrong = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            wrong[chance.randrange(len(wrong))] ^= chance.randint(1, 255)
        return bytes(wrong)
    return data[: chance.randrange(len(data))] if kind < 0.9 else data + chance.randbytes(100)


def files_of(place):
    return sorted(file for file in place.rglob("*") if file.is_file() and file.stat().st_size)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_give_right_values_or_none(store, seed, tmp_path):
    chance = Random(f"{store} {seed}")
    url = STORES[store][0].format(tmp_path)
    values = {
        f"key{n}": chance.randbytes(chance.choice([0, 100, 3_000, 50_000])) for n in range(12)
    }
    sound = tmp_path / "sound"
    with Cache(url, checksum=True) as cache:
        cache.set_many(values, tags=["some"])
        if seed % 2:  # as a machine that stops leaves it, with what is in the log
            shutil.copytree(tmp_path / "store", sound)
    if not seed % 2:
        shutil.copytree(tmp_path / "store", sound)
    refused = 0
    for _ in range(30):
        shutil.rmtree(tmp_path / "store")
        shutil.copytree(sound, tmp_path / "store")
        file = chance.choice(files_of(tmp_path / "store"))
        data = file.read_bytes()
        file.write_bytes(damaged(chance, data))
        try:
            with Cache(url, checksum=True) as cache:
                found = cache.get_many(values)
                assert [key for key in found if found[key] != values[key]] == [], file
                cache.set_many(values)
                assert [key for key in values if cache.get(key) not in {values[key], None}] == []
        except EngineError:
            refused += 1
    assert refused < 30


def test_a_store_that_is_damaged_while_it_is_open_goes_on(store, tmp_path):
    chance = Random(store)
    url = STORES[store][0].format(tmp_path)
    values = {f"key{n}": chance.randbytes(3_000) for n in range(12)}
    with Cache(url) as cache:
        for _ in range(20):
            cache.set_many(values)
            for file in files_of(tmp_path / "store"):
                if file.suffix != ".db-shm" and not file.name.endswith("-shm"):
                    data = file.read_bytes()
                    with file.open("r+b") as opened_file:
                        at = chance.randrange(len(data))
                        opened_file.seek(at)
                        opened_file.write(bytes([data[at] ^ 0xFF]))
            try:
                found = cache.get_many(values)
                assert [key for key in found if found[key] != values[key]] == []
            except EngineError:
                pass
        cache.set_many(values)
        assert cache.get_many(values) == values


# -- decorated functions ---------------------------------------------------------------------------


@pytest.fixture
def told():
    """The events, as they happen."""
    happened = []
    stop = events.subscribe(happened.append)
    yield happened
    stop()


def doubling(engine, **options):
    """A decorated function, which counts its calls."""

    @ucache(engine, checksum=True, name="double", **options)
    def double(text, times=300):
        calls.append(text)
        return text * 2 * times

    calls = double.calls = []
    return double


def answers(double):
    """It gives what it would give without a store, small and large."""
    return [double(t, n) for t in "abc" for n in (3, 40_000)] == [
        t * 2 * n for t in "abc" for n in (3, 40_000)
    ]


def failed_operations(told):
    return {event.operation for event in told if type(event) is events.EngineFailed}


def test_a_function_whose_store_is_deleted_answers(store, tmp_path):
    engine = opened(store, tmp_path)
    double = doubling(engine)
    assert answers(double)
    shutil.rmtree(tmp_path / "store")
    assert answers(double)
    engine.ping()
    assert answers(double)
    calls = len(double.calls)
    assert answers(double)
    assert len(double.calls) == calls  # it is kept again
    engine.close()


def test_a_function_whose_store_is_read_only_answers(store, small_disk, told):  # noqa: F811
    engine = opened(store, small_disk.path, timeout=0.2)
    double = doubling(engine)
    without_open_files()
    small_disk.read_only(True)
    assert answers(double)
    assert len(double.calls) == 6
    assert double.stats().engine_errors >= 6
    assert "put" in failed_operations(told)
    without_open_files()
    small_disk.read_only(False)
    assert answers(double)
    assert answers(double)
    assert len(double.calls) == 12
    engine.close()


def test_a_function_whose_disk_is_full_answers(store, small_disk, told):  # noqa: F811
    engine = opened(store, small_disk.path)
    double = doubling(engine)
    assert double("kept") == "kept" * 600
    small_disk.fill()
    assert answers(double)
    assert double("kept") == "kept" * 600
    assert double.calls.count("kept") == 1
    assert double.stats().engine_errors >= 3  # the large ones; there may be room for a small one
    assert failed_operations(told) == {"put"}
    small_disk.empty()
    assert answers(double)
    calls = len(double.calls)
    assert answers(double)
    assert len(double.calls) == calls
    engine.close()


def test_a_function_whose_store_is_locked_answers(store, tmp_path, told):
    engine = opened(store, tmp_path, timeout=0.05)
    double = doubling(engine)
    assert answers(double)
    calls = len(double.calls)
    with locked(store, tmp_path, engine):
        assert answers(double)
        assert len(double.calls) == calls  # reads go on
        assert double("new") == "new" * 600
    assert double.stats().engine_errors == 1
    assert failed_operations(told) == {"put"}
    engine.close()


def test_a_coroutine_function_whose_store_is_in_trouble_answers(store, small_disk, told):  # noqa: F811
    engine = opened(store, small_disk.path, timeout=0.05)
    calls = []

    @ucache(engine, name="double")
    async def double(text):
        calls.append(text)
        return text * 20_000

    async def answers():
        found = await asyncio.gather(*(double(text) for text in "abcab"))
        return found == [text * 20_000 for text in "abcab"]

    with locked(store, small_disk.path, engine):
        assert asyncio.run(answers())
    assert sorted(calls) == ["a", "b", "c"]
    small_disk.fill()
    assert asyncio.run(answers())
    small_disk.empty()
    assert asyncio.run(answers())
    count = len(calls)
    assert asyncio.run(answers())
    assert len(calls) == count
    assert failed_operations(told) == {"put"}
    assert double.stats().engine_errors == 6
    engine.close()


def test_a_function_whose_store_can_not_be_opened_answers(store, small_disk, monkeypatch):  # noqa: F811
    monkeypatch.setattr("twat_cache._tiers._AGAIN", 0.0)
    small_disk.read_only(True)
    double = doubling(STORES[store][0].format(small_disk.path))
    assert answers(double)
    assert double.stats().engine_errors > 0
    without_open_files()
    small_disk.read_only(False)
    assert answers(double)
    calls = len(double.calls)
    assert answers(double)
    assert len(double.calls) == calls
    double.close()


@pytest.mark.parametrize("seed", range(2))
def test_a_function_whose_store_is_damaged_answers(store, seed, tmp_path, told):
    chance = Random(f"{store} {seed}")
    with closing(opened(store, tmp_path)) as engine:
        assert answers(doubling(engine))
    shutil.copytree(tmp_path / "store", tmp_path / "sound")
    for _ in range(20):
        shutil.rmtree(tmp_path / "store")
        shutil.copytree(tmp_path / "sound", tmp_path / "store")
        file = chance.choice(files_of(tmp_path / "store"))
        file.write_bytes(damaged(chance, file.read_bytes()))
        try:
            engine = opened(store, tmp_path)
        except EngineError:
            continue  # it isn't what it says it is any more, so it was left as it is
        double = doubling(engine)
        assert answers(double), file
        assert answers(double), file
        engine.close()


@pytest.mark.parametrize("times", [300, 2_200])
def test_a_damaged_byte_anywhere_in_a_record_is_a_miss_that_is_told(times, told):
    kept = {}
    engine = MappingEngine(kept)
    double = doubling(engine)
    right = "a" * 2 * times
    assert double("a", times) == right
    ((place, record),) = kept.items()
    head = 8  # the engine's own deadline; what is done to that ends the entry or prolongs it
    for offset in range(head, len(record)):
        wrong = bytearray(record)
        wrong[offset] ^= 1 << offset % 8
        kept[place] = bytes(wrong)
        told.clear()
        assert double("a", times) == right
        assert [type(event) for event in told].count(events.RecordRefused) == 1, offset
    assert double.stats().refused_records == len(record) - head
    assert len(double.calls) == 1 + len(record) - head


class Sulking(MappingEngine):
    """Fails when it is told to."""

    sulks = False

    def _held(self):
        if self.sulks:
            raise EngineError("not now")
        return super()._held()


def test_with_stale_the_old_value_answers_while_the_function_fails(told):
    clock = FakeClock()
    engine = Sulking(clock=clock.seconds)
    works = True

    @ucache(engine, ttl=10, stale="1h", clock=clock, name="rate")
    def rate(currency):
        if not works:
            raise ConnectionError("the bank is closed")
        return clock.now

    first = rate("NOK")
    clock.advance(11)
    works = False
    for _ in range(3):
        assert rate("NOK") == first
    assert rate.stats().stale_hits == 3
    assert events.StaleServed in map(type, told)
    clock.advance(3_700)
    with pytest.raises(ConnectionError):
        rate("NOK")


def test_an_engine_that_fails_and_a_function_that_works_give_what_is_right(told):
    clock = FakeClock()
    engine = Sulking(clock=clock.seconds)
    double = doubling(engine, ttl=10, stale="1h", clock=clock)
    assert double("a") == "a" * 600
    engine.sulks = True
    assert double("a") == "a" * 600
    assert double.calls == ["a", "a"]
    assert failed_operations(told) == {"get", "put"}
    engine.sulks = False
    assert double("a") == "a" * 600
    assert double.calls == ["a", "a"]

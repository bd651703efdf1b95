"""What is opened for decorators and stores: shared while anybody uses it, closed after the last."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import threading
from importlib import import_module

import pytest


@pytest.fixture
def opened(tc, monkeypatch):
    """The engines that are opened by a URL `spy:`, and whether they are closed."""
    kind = type(tc.open_engine("mapping:"))
    made = []

    class Spy(kind):
        is_closed = False
        options = None

        @classmethod
        def from_url(cls, url, **options):
            engine = cls()
            engine.options = (url, options)
            made.append(engine)
            return engine

        def close(self):
            self.is_closed = True
            super().close()

    class Entry:
        name = "spy"
        value = "spy"

        def load(self):
            return Spy

    monkeypatch.setattr(import_module(f"{tc.__name__}._open"), "_entry_points", lambda: [Entry()])
    return made


def states(opened):
    return [engine.is_closed for engine in opened]


def test_one_engine_serves_all_who_name_it_alike(tc, opened):
    first, second = tc.Cache("spy:a"), tc.Cache("spy:a")
    f = tc.ucache("spy:a")(lambda: 1)
    assert len(opened) == 1
    other, bounded = tc.Cache("spy:b"), tc.Cache("spy:a", max_bytes="1MB")
    assert [engine.options for engine in opened] == [
        ("spy:a", {}),
        ("spy:b", {}),
        ("spy:a", {"max_bytes": "1MB"}),
    ]
    first.close()
    f.close()
    assert states(opened) == [False] * 3
    second.set("a", 1)
    second.close()
    second.close()
    assert states(opened) == [True, False, False]
    other.close(), bounded.close()
    assert states(opened) == [True] * 3
    with tc.Cache("spy:a"):
        assert len(opened) == 4
    assert states(opened) == [True] * 4


def test_what_is_dropped_unclosed_gives_its_engine_back(tc, opened):
    tc.Cache("spy:a").set("a", 1)
    f = tc.ucache(["memory", "spy:a"], ttl=5, tags=["t"])(lambda: 1)
    f()
    gc.collect()
    assert states(opened) == [False]
    del f
    gc.collect()
    assert states(opened) == [True]


def test_a_decoration_that_is_refused_gives_its_engine_back(tc, opened):
    for make in (
        lambda: tc.ucache("spy:a", policy="lfu")(lambda: 1),
        lambda: tc.ucache("spy:a", codec="nope")(lambda: 1),
        lambda: tc.ucache("spy:a")(lambda: (yield)),
        lambda: tc.Cache("spy:a", codec="nope"),
        lambda: tc.Cache("spy:a", on_removal=print),
        lambda: tc.Cache(["spy:a", "nope:"]),
        lambda: tc.Cache(["spy:a", "memory"]),
    ):
        with pytest.raises(tc.ConfigurationError):
            make()
        assert all(states(opened))


def test_options_are_judged_before_an_engine_is_opened(tc, opened):
    for make in (
        lambda: tc.ucache("spy:a", ttl=-1),
        lambda: tc.Cache("spy:a", ttl=-1),
        lambda: tc.ucache("spy:a", colour="red"),
    ):
        with pytest.raises(tc.ConfigurationError):
            make()
    assert opened == []


def test_engines_one_before_the_other_are_shared_and_given_back(tc, opened):
    tiers = ["spy:near", "spy:far"]
    one, other = tc.Cache(tiers), tc.Cache(["memory", *tiers])
    alone = tc.Cache("spy:near")
    assert len(opened) == 2
    one.set("a", 1)
    assert other.get("a") == alone.get("a") == 1
    one.close()
    other.close()
    assert states(opened) == [False, True]
    alone.close()
    assert states(opened) == [True, True]


def test_an_engine_that_was_open_stays_open(tc, opened):
    engine = tc.open_engine("spy:mine")
    for tiers in (engine, ["memory", engine], ["spy:near", engine], [engine, "spy:far"]):
        with tc.Cache(tiers) as cache:
            cache.set("a", 1)
            assert cache.get("a") == 1
    mine, *others = states(opened)
    assert not mine
    assert all(others)
    engine.close()


@pytest.mark.parametrize("kind", ["store", "function"])
def test_bounds_are_for_the_furthest_engine(tc, opened, kind):
    bounds = {"max_bytes": 1000, "maxsize": 50}
    for tiers in (["memory", "spy:near", "spy:far"], ["spy:near", "spy:far"], "spy:far"):
        if kind == "store":
            made = tc.Cache(tiers, **bounds)
        else:
            made = tc.ucache(tiers, **bounds)(lambda: 1)
        if tiers[0] == "memory":
            assert opened[-1].options == ("spy:far", {"max_bytes": 1000})
            assert made.stats().maxsize == 50
        else:
            assert opened[-1].options == ("spy:far", bounds)
        made.close()
    assert all(engine.options[1] == {} for engine in opened if engine.options[0] == "spy:near")


@pytest.mark.parametrize("kind", ["store", "function"])
def test_the_bound_that_an_engine_tells_is_told(tc, tmp_path, kind):
    bounded = tc.open_engine(f"sqlite:///{tmp_path}/c.db", maxsize=7)
    for place, options, told in (
        (f"sqlite:///{tmp_path}/a.db", {}, None),
        (f"sqlite:///{tmp_path}/a.db", {"maxsize": 5}, 5),
        (f"sqlite:///{tmp_path}/b.db?maxsize=6", {}, 6),
        (bounded, {}, 7),
        (["mapping:", bounded], {}, 7),
        (["memory", bounded], {"maxsize": 9}, 9),
        ("mapping:", {}, None),
        ("null:", {}, 0),
    ):
        make = tc.Cache if kind == "store" else lambda *a, **o: tc.ucache(*a, **o)(lambda: 1)
        made = make(place, **options)
        assert (made.stats().maxsize, made.stats().currsize) == (told, 0)
        made.close()
    bounded.close()


def test_a_store_on_an_engine_keeps_the_bound_with_its_functions(tc, tmp_path):
    with tc.Cache(f"sqlite:///{tmp_path}/a.db", maxsize=2) as cache:
        f = cache.cached(lambda x: [x])
        cache.set("a", 1)
        assert f(1) == [1]
        assert f(2) == [2]
        assert "a" not in cache
        assert f.contains(1)
        assert f.cache_info().maxsize == 2
        with pytest.raises(tc.ConfigurationError, match="maxsize="):
            cache.cached(maxsize=5)(lambda: 1)
        f.close()


def test_a_function_that_is_closed_runs_each_time(tc, opened):
    calls = []

    @tc.ucache(["memory", "spy:a"])
    def f(x):
        calls.append(x)
        return [x]

    assert f(1) == f(1) == [1]
    assert len(calls) == 1
    f.close()
    f.close()
    assert states(opened) == [True]
    assert f(1) == f(1) == [1]
    assert len(calls) == 3
    assert not f.contains(1)
    f.cache_clear()
    tc.clear_cache()
    assert f.stats().engine_errors == 0


@pytest.mark.parametrize("way", ["from the beginning", "later"])
def test_where_memory_has_no_room_the_engine_answers(tc, opened, way):
    calls = []

    @tc.ucache(["memory", "spy:a"], maxsize=0 if way == "from the beginning" else 10)
    def f(x):
        calls.append(x)
        return [x]

    f(1)
    f.resize(0)
    assert f(1) == f(1) == [1]
    assert calls == [1]
    with pytest.raises(TypeError, match="missing"):
        f()
    f.close()


def test_a_tier_says_how_long_it_keeps_an_entry_at_most(tc, clock, opened):
    f = tc.ucache(["memory?near_ttl=5s", "spy:far"], ttl=60, clock=clock)(lambda x: [x])
    g = tc.ucache(["memory", "spy:far"], ttl=60, clock=clock, name="g")(lambda x: [x])
    near = f(1)
    assert f(1) is near
    g(1)
    clock.advance(6)
    again = f(1)
    assert again == near, "it is in the engine"
    assert again is not near
    assert f(1) is again
    clock.advance(6)
    assert f(1) is not again, "what came from the engine is near for as long"
    assert f.stats().loads == 1
    g.close()
    f.close()


def test_a_store_keeps_near_for_as_long_as_its_tier_says(tc, clock, opened):
    cache = tc.Cache(["memory?near_ttl=5s", "spy:far"], ttl=60, clock=clock)
    cache.set("a", [1])
    near = cache.get("a")
    assert cache.get("a") is near
    clock.advance(6)
    assert cache.get("a") == near
    assert cache.get("a") is not near
    cache.close()


def test_each_tier_of_bytes_has_its_own_time(tc, opened):
    engine = tc.open_engine(["spy:one?near_ttl=5s", "spy:two", "spy:three"])
    one, two, three = opened
    assert one.options == ("spy:one", {})
    engine.put({"a": b"1"}, None)
    assert one.left(["a"])[0] <= 5 < two.left(["a"])[0] <= 60 < three.left(["a"])[0]
    one.drop(["a"])
    two.drop(["a"])
    assert engine.get(["a"]) == [b"1"]
    assert one.left(["a"])[0] <= 5 < two.left(["a"])[0]
    engine.close()


@pytest.mark.parametrize("wrong", ["near_ttl=soon", "near_ttl=0", "near_ttl=1&near_ttl=2"])
def test_the_time_of_a_tier_is_a_length_of_time(tc, opened, wrong):
    for first in ("memory", "spy:one"):
        with pytest.raises(tc.ConfigurationError, match="near_ttl"):
            tc.ucache([f"{first}?{wrong}", "spy:two"])(lambda x: x)


def test_memory_is_named_first_or_alone(tc):
    with tc.Cache("memory") as one, tc.Cache(["memory"]) as other, tc.Cache() as third:
        assert {repr(one), repr(other), repr(third)} == {"<Cache in memory>"}
    for wrong in (["mapping:", "memory"], ["memory", "memory"], ["memory", None], []):
        with pytest.raises(tc.ConfigurationError, match="where memory comes first"):
            tc.Cache(wrong)


# -- an engine that can't be opened ----------------------------------------------------------------


@pytest.fixture
def broken(tc, monkeypatch, tmp_path):
    """A place where no store can be, until the file that is in the way is gone."""
    tiers = import_module(f"{tc.__name__}._tiers")
    now = [0.0]
    monkeypatch.setattr(tiers, "monotonic", lambda: now[0])
    (tmp_path / "way").write_text("in the way")

    class Broken:
        url = f"disk://{tmp_path}/way/store"

        def mend(self):
            (tmp_path / "way").unlink()
            now[0] += 2

    return Broken()


def test_a_function_whose_engine_can_not_be_opened_answers_and_recovers(tc, broken, caplog):
    calls = []

    @tc.ucache(broken.url, ttl=60, tags=["t"])
    def f(x):
        calls.append(x)
        return [x]

    assert "an engine can't be opened" in caplog.text
    assert f(1) == f(1) == [1]
    assert len(calls) == 2
    assert f.stats().engine_errors > 0
    with pytest.raises(tc.EngineError, match="can't be opened"):
        f.peek(1)
    broken.mend()
    assert f(1) == f(1) == [1]
    assert len(calls) == 3
    assert f.contains(1)
    f.close()


def test_a_store_whose_engine_can_not_be_opened_says_so_and_recovers(tc, broken):
    with tc.Cache(broken.url) as cache:
        with pytest.raises(tc.EngineError, match="can't be opened"):
            cache.set("a", 1)
        assert cache.get_or_load("a", lambda: 1) == 1
        broken.mend()
        cache.set("a", 2)
        assert cache.get("a") == 2
        assert cache.incr("n") == 1
    with pytest.raises(tc.EngineError):
        cache.get("a")


def test_what_was_never_opened_is_not_opened_by_its_end(tc, broken, tmp_path):
    with tc.Cache(broken.url):
        broken.mend()
    assert list(tmp_path.iterdir()) == []


# -- processes -------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.thread_unsafe(reason="it forks")
def test_what_was_decorated_before_a_fork_serves_on_both_sides(tc, tmp_path):
    @tc.ucache(["memory", f"sqlite:///{tmp_path}/a.db"], name="f")
    def f(x):
        return [x, os.getpid()]

    assert f(1) == [1, os.getpid()]
    lock = import_module(f"{tc.__name__}._tiers")._lock
    held, release = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    child = os.fork()
    if not child:
        try:
            told = f(1), f(2)
            g = tc.ucache(f"sqlite:///{tmp_path}/a.db", name="f")(lambda x: [x, "g"])
            right = told == ([1, os.getppid()], [2, os.getpid()]) and g(2) == told[1]
            g.close()
            f.close()
            os._exit(0 if right else 1)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(2)
    release.set()
    thread.join()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert f(1) == [1, os.getpid()]
    assert f(2) == [2, child]
    f.close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()

"""A near table that follows a stream, without a server: what is told when, is decided here."""

from __future__ import annotations

import threading
import time
from importlib import import_module

import pytest


class Stream:
    """Tells what it is told to tell; changes nothing itself."""

    tells_all = False

    def __init__(self):
        self.followers = []
        self.told = []
        self.starts = 0
        self.error = None

    def follow(self, follower):
        self.followers.append(follower)

    def leave(self, follower):
        if follower in self.followers:
            self.followers.remove(follower)

    def start(self):
        self.starts += 1

    is_live = False
    is_refused = False

    def check(self, follower):
        pass

    def hears(self, follower):
        return self.is_live

    def catch_up(self, follower):
        self.while_it_catches_up()
        return Sent() if self.is_live else None

    def while_it_catches_up(self):
        pass

    def put(self, follower, items, ttl, *, by_hand):
        return None

    def add(self, follower, key, value, ttl, *, by_hand):
        return None

    def drop(self, follower, keys):
        return None

    def touch(self, follower, keys, ttl):
        return None

    def tell(self, follower, keys, *, by_hand):
        if self.error is not None:
            raise self.error
        self.told.append((list(keys), by_hand))
        for other in self.followers:
            if other is not follower and keys:
                other.changed(keys, by_hand=by_hand)
            elif other is not follower:
                other.emptied()
        return Sent()

    # -- what a test says ----------------------------------------------------------------------

    def lives(self, seconds=1000.0):
        self.is_live = seconds > 0
        for follower in self.followers:
            follower.emptied()
            follower.alive_until(time.monotonic_ns() + int(seconds * 1e9) if seconds else 0)

    def changed(self, *keys, by_hand=False):
        for follower in list(self.followers):
            follower.changed(keys, by_hand=by_hand)


class Sent:
    def run(self):
        return None


@pytest.fixture
def engine(tc):
    """An engine that tells of changes by the stream `engine.following`."""

    class Telling(import_module(f"{tc.__name__}.engines.mapping").MappingEngine):
        streams = ("tracking",)

        def __init__(self):
            super().__init__()
            self.capabilities = self.capabilities._replace(shared=True)
            self.following = Stream()
            self.gets = 0
            self.after_get = lambda: None
            self.while_it_drops = lambda step: None
            self.while_it_puts = lambda: None
            self.error = None

        def stream(self, way):
            assert way == "tracking"
            return self.following

        def get(self, keys):
            found = super().get(keys)
            if not all(key.startswith("~tag:") for key in keys):
                self.gets += 1
                self.after_get()
            return found

        def put(self, items, ttl):
            self.while_it_puts()
            super().put(items, ttl)

        def ping(self):
            if self.error is not None:
                raise self.error

        def scan(self, prefix):
            self.ping()
            return super().scan(prefix)

        def drop(self, keys):
            self.ping()
            self.while_it_drops("before")
            dropped = super().drop(keys)
            self.while_it_drops("after")
            return dropped

    return Telling()


@pytest.fixture
def stream(engine):
    return engine.following


def decorated(tc, engine, function, **options):
    f = tc.ucache(["memory", engine], coherence="tracking", name="f", **options)(function)
    engine.following.lives()
    return f


def test_until_it_lives_the_table_answers_nothing(tc, engine, stream):
    f = tc.ucache(["memory", engine], coherence="tracking")(lambda i: i)
    assert [f(1) for _ in range(3)] == [1, 1, 1]
    assert engine.gets == 3
    assert stream.starts >= 3
    stream.lives()
    f(1)
    gets = engine.gets
    assert [f(1) for _ in range(3)] == [1, 1, 1]
    assert engine.gets == gets
    stream.lives(0)
    f(1)
    assert engine.gets == gets + 1


def test_a_changed_key_leaves_the_table_and_no_other(tc, engine, stream):
    f = decorated(tc, engine, lambda *args: args)
    for args in [(1,), ("a", 2), ([1],)]:
        f(*args), f(*args)
        gets = engine.gets
        f(*args)
        assert engine.gets == gets
    stream.changed(f.cache_key("a", 2), f.cache_key([1]), "another")
    gets = engine.gets
    f(1)
    assert engine.gets == gets
    f("a", 2), f([1])
    assert engine.gets == gets + 2
    assert f.stats().loads == 3


def test_what_is_read_while_it_changes_does_not_stay_near(tc, engine, stream):
    f = decorated(tc, engine, lambda i: i)
    f(1)
    stream.changed(f.cache_key(1))
    engine.after_get = lambda: stream.changed(f.cache_key(1))
    gets = engine.gets
    assert [f(1) for _ in range(3)] == [1, 1, 1]
    assert engine.gets == gets + 3
    engine.after_get = lambda: None
    f(1), f(1)
    assert engine.gets == gets + 4


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_is_computed_while_it_changes(tc, engine, stream, by_hand):
    def function(i):
        stream.changed(f.cache_key(i), by_hand=by_hand)
        return i

    f = decorated(tc, engine, function)
    f(1)
    loads = f.stats().loads
    f(1)  # near in no case; in the engine unless somebody changed it by hand
    assert f.stats().loads == loads + by_hand


def test_nobody_joins_what_began_before_a_change_by_hand(tc, engine, stream):
    begun, go_on = threading.Event(), threading.Event()
    answers = iter(["old", "new"])

    def function(i):
        answer = next(answers)
        if answer == "old":
            begun.set()
            assert go_on.wait(30)
        return answer

    f = decorated(tc, engine, function)
    first = threading.Thread(target=f, args=(1,))
    first.start()
    assert begun.wait(30)
    stream.changed(f.cache_key(1), by_hand=True)
    assert f(1) == "new"
    go_on.set()
    first.join()
    assert f(1) == f.peek(1) == "new"


def test_a_changed_token_drops_the_entries_of_its_tag(tc, engine, stream):
    f = decorated(tc, engine, lambda i: i, tags=lambda i: [f"t{i % 2}"], tag_ttl=3600)
    for i in (1, 2, 1, 2):
        f(i)
    gets = engine.gets
    f(1), f(2)
    assert engine.gets == gets
    engine.put({"~tag::t1": b"another token 16"}, None)
    stream.changed("~tag::t1")
    f(2)
    assert engine.gets == gets
    f(1)
    assert f.stats().loads == 3


def test_tokens_are_taken_from_memory_only_while_it_lives(tc, engine, stream):
    with tc.Cache(["memory", engine], coherence="tracking", tag_ttl=3600) as cache:
        stream.lives()
        cache.set("a", 1, tags=["t"])
        assert cache.get("a") == 1
        stream.lives(0)
        for _ in range(2):
            assert cache.get("a") == 1
        (key,) = engine.scan("~tag")
        engine.put({key: b"another token 16"}, None)
        assert cache.get("a") is None


def test_what_is_changed_in_one_step_is_changed_by_hand(tc, engine, stream):
    with tc.Cache(["memory", engine], coherence="tracking") as cache:
        stream.lives()
        cache.add("a", 1)
        cache.incr("a")
        cache.touch("a", 60)
        assert stream.told == [(["::a"], True)] * 3
        assert cache.get_or_load("b", lambda: 1, tags=["t"]) == 1
        assert stream.told == [(["::a"], True)] * 3  # neither a tag's token nor what is computed


def test_who_adds_and_does_not_learn_whether_it_did_is_told_so(tc, engine, stream):
    class Lost:
        def run(self):
            raise tc.EngineConnectionError("lost")

    with tc.Cache(["memory", engine], coherence="tracking") as cache:
        stream.lives()
        stream.add = lambda follower, key, value, ttl, *, by_hand: Lost()
        with pytest.raises(tc.EngineConnectionError):
            cache.add("a", 1)
        assert list(engine.scan("")) == []


def test_when_all_may_have_changed_nothing_answers_and_counts_stay(tc, engine, stream):
    f = decorated(tc, engine, lambda i: i)
    for i in range(10):
        f(i), f(i)
    before, gets = f.stats(), engine.gets
    stream.lives()
    for i in range(10):
        f(i)
    assert engine.gets == gets + 10
    after = f.stats()
    assert after.hits == before.hits + 10
    assert (after.loads, after.evictions) == (before.loads, before.evictions)


def test_a_store_follows_by_its_own_keys(tc, engine, stream):
    with tc.Cache(["memory", engine], coherence="tracking", namespace="n") as cache:
        stream.lives()
        cache.set_many({"a": 1, "b": 2}, tags=["t"])
        cache.get_many(["a", "b"])
        gets = engine.gets
        assert cache.get_many(["a", "b"]) == {"a": 1, "b": 2}
        assert engine.gets == gets
        engine.drop(["n::a"])
        stream.changed("n::a")
        assert cache.get_many(["a", "b"]) == {"b": 2}
        assert engine.gets == gets + 1
        engine.after_get = lambda: stream.changed("n::b")
        stream.changed("n::b")
        for _ in range(2):
            assert cache.get("b") == 2
        assert engine.gets == gets + 3
        cache.delete("b")
    assert (["n::b"], True) in stream.told
    assert stream.followers == []


def test_a_decoration_that_is_refused_follows_nothing(tc, engine, stream):
    with pytest.raises(tc.ConfigurationError):
        tc.ucache(["memory", engine], coherence="tracking", codec="nope")(lambda: 1)
    assert stream.followers == []


def test_a_cache_that_is_gone_follows_no_more(tc, engine, stream):
    import gc

    f = decorated(tc, engine, lambda i: i)
    f(1)
    assert len(stream.followers) == 1
    del f
    gc.collect()
    assert stream.followers == []


# -- what nobody knows -----------------------------------------------------------------------------


CASES = {
    "lost": (True, [False]),
    "lost and back": (True, [False, True]),
    "there before it is put": (False, [True]),
    "never there": (False, []),
}


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_what_is_computed_while_nobody_is_told_is_not_kept(tc, engine, stream, case, many):
    is_live, then = CASES[case]

    def load(keys):
        for is_so in then:
            stream.lives(1000.0 if is_so else 0)
        return dict.fromkeys(keys, 1)

    with tc.Cache(["memory", engine], coherence="tracking") as cache:
        stream.lives(1000.0 if is_live else 0)
        if many:
            assert cache.get_many_or_load(["a"], load) == {"a": 1}
        else:
            assert cache.get_or_load("a", lambda: load(["a"])["a"]) == 1
        assert list(engine.scan("")) == []
        stream.lives()
        assert cache.get_or_load("a", lambda: 2) == 2
        assert list(engine.scan("")) == ["::a"]


def test_where_it_is_refused_for_good_it_is_as_without(tc, engine, stream):
    stream.is_refused = True
    f = tc.ucache(["memory", engine], coherence="tracking")(lambda i: i)
    assert [f(1) for _ in range(3)] == [1, 1, 1]
    assert f.stats().loads == 1
    assert engine.gets == 3


@pytest.mark.parametrize("options", [{}, {"single_flight": "process"}])
def test_what_is_put_waits_until_it_is_known_what_was_changed_before(tc, engine, stream, options):
    f = decorated(tc, engine, lambda i: f.stats().loads, **options)
    changes = iter([True, False])

    def catch_up():
        if next(changes):
            stream.changed(f.cache_key(1), by_hand=True)

    stream.while_it_catches_up = catch_up
    f(1)
    assert list(engine.scan(f.cache_key(1))) == []
    f(1)
    assert list(engine.scan(f.cache_key(1))) == [f.cache_key(1)]
    assert list(changes) == []


# -- what is told later ----------------------------------------------------------------------------


class Outage:
    """Nothing reaches the engine or others until it ends; what is due then comes in order."""

    def __init__(self, tc, engine):
        self.engine, self.stream = engine, engine.following
        self.error = tc.EngineConnectionError("nobody is there")
        self.behind = tc.resilient(engine, probe=0.02)

    def begin(self):
        self.engine.error = self.stream.error = self.error

    def end(self, word_fails_by=None):
        self.stream.error = word_fails_by
        self.engine.error = None
        end = time.monotonic() + 20
        while self.behind.circuit.is_open:
            assert time.monotonic() < end
            time.sleep(0.001)


@pytest.fixture
def outage(tc, engine):
    outage = Outage(tc, engine)
    yield outage
    outage.behind.close()


CHANGES = {
    "delete": lambda cache: cache.delete("a"),
    "clear": lambda cache: cache.clear(),
}


def in_spite_of(tc, change):
    try:
        change()
    except tc.EngineError:
        pass


@pytest.mark.parametrize("change", CHANGES)
def test_what_began_before_a_change_in_an_outage_does_not_come_after_it(
    tc, engine, stream, outage, change
):
    begun, go_on = threading.Event(), threading.Event()

    def old():
        begun.set()
        assert go_on.wait(30)
        return "old"

    with (
        tc.Cache(["memory", engine], coherence="tracking") as here,
        tc.Cache(["memory", outage.behind], coherence="tracking") as there,
    ):
        stream.lives()
        there.set("b", 1)
        thread = threading.Thread(target=here.get_or_load, args=("a", old))
        thread.start()
        assert begun.wait(30)
        outage.begin()
        in_spite_of(tc, lambda: CHANGES[change](there))

        def while_it_drops(step):
            if step == "after":
                go_on.set()
                thread.join(30)

        engine.while_it_drops = while_it_drops
        outage.end()
        assert go_on.is_set()
        engine.while_it_drops = lambda step: None
        assert here.get_or_load("a", lambda: "new") == "new"
        assert there.get("a") == "new"


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_read_before_a_late_change_does_not_stay_near(tc, engine, stream, outage, change):
    with (
        tc.Cache(["memory", engine], coherence="tracking") as here,
        tc.Cache(["memory", outage.behind], coherence="tracking") as there,
    ):
        stream.lives()
        here.set("a", "old")
        outage.begin()
        in_spite_of(tc, lambda: CHANGES[change](there))
        engine.while_it_drops = lambda step: step == "before" and here.get("a")
        outage.end()
        assert here.get("a") is None


def test_each_of_two_learns_what_the_other_could_not_tell(tc, engine, stream, outage):
    with (
        tc.Cache(["memory", outage.behind], coherence="tracking") as one,
        tc.Cache(["memory", outage.behind], coherence="tracking") as other,
    ):
        stream.lives()
        for cache, key in ((one, "a"), (other, "b")):
            cache.set_many({"a": 1, "b": 2})
            cache.get(key)
        one.set("a", 1), other.set("b", 2)
        assert (one.get("b"), other.get("a")) == (2, 1)
        outage.begin()
        one.delete("a"), other.delete("b")
        outage.end()
        assert (one.get("b"), other.get("a")) == (None, None)


def test_word_that_nobody_takes_keeps_nobody_from_reading(tc, engine, stream, outage):
    with tc.Cache(["memory", outage.behind], coherence="tracking") as cache:
        stream.lives()
        cache.set("b", 1)
        outage.begin()
        cache.delete("a")
        outage.end(word_fails_by=tc.EngineError("no permission"))
        assert cache.get("b") == 1


def test_a_change_of_which_others_could_not_be_told_is_not_acknowledged(tc, engine, stream, outage):
    stream.tells_all = True
    with (
        tc.Cache(["memory", engine], coherence="tracking") as here,
        tc.Cache(["memory", outage.behind], coherence="tracking") as there,
    ):
        stream.lives()
        here.set("a", "old")

        def while_it_is_put():
            here.get("a")  # after the word before
            outage.begin()

        engine.while_it_puts = while_it_is_put
        with pytest.raises(tc.EngineConnectionError):
            there.set("a", "new")
        engine.while_it_puts = lambda: None
        assert here.get("a") == "old"
        outage.end()
        assert here.get("a") == "new"

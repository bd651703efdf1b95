"""Groups of values, on an engine that can't list its keys: hits, and what is dropped."""

from __future__ import annotations

import pytest


@pytest.fixture
def engine(tc):
    """An engine that can't list its keys, and notes what it is asked for."""
    kind = type(tc.open_engine("mapping:"))

    class Blind(kind):
        capabilities = kind.capabilities._replace(scan=False)

        def __init__(self):
            super().__init__()
            self.asked = []

        def get(self, keys):
            self.asked.append(list(keys))
            return super().get(keys)

        def tokens(self):
            return [key for key in super().scan("") if key.startswith("~tag:")]

    return Blind()


@pytest.fixture(params=["plain", "signed", "compressed", "tags", "tag_ttl"])
def options(request):
    """Options with which records are read in other ways."""
    return {
        "plain": {},
        "signed": {"secret": "a secret"},
        "compressed": {"compress": "zlib"},
        "tags": {"tags": lambda *_: []},
        "tag_ttl": {"tags": lambda *_: [], "tag_ttl": 60},
    }[request.param]


@pytest.fixture
def runs():
    return []


@pytest.fixture
def f(tc, engine, options, runs):
    @tc.ucache(engine, name="f", namespace="n", **options)
    def f(x):
        runs.append(x)
        return [x] * 5000

    return f


def test_a_hit_is_one_trip(engine, f, runs):
    f(1)
    engine.asked.clear()
    assert f(1) == [1] * 5000
    assert (runs, len(engine.asked)) == ([1], 1)


def test_a_miss_asks_for_no_token_twice(engine, f):
    f(1)
    engine.asked.clear()
    f(2)
    asked = [key for keys in engine.asked for key in keys if key.startswith("~tag:")]
    assert len(asked) == len(set(asked))


def test_values_by_hand_are_one_trip_too(tc, engine):
    cache = tc.Cache(engine)
    cache.set_many({"a": 1, "b": 2})
    cache.set("c", 3, tags=["t"])
    engine.asked.clear()
    assert cache.get("a") == 1
    assert cache.get("missing") is None
    assert cache.get_many(["a", "b", "missing"]) == {"a": 1, "b": 2}
    assert len(engine.asked) == 3
    assert cache.get("c") == 3
    cache.invalidate_tags("t")
    assert cache.get("c") is None
    assert cache.get("a") == 1


@pytest.mark.parametrize("options", [{}, {"secret": "s"}, {"compress": "zlib"}], ids=str)
def test_many_values_are_one_trip_and_one_for_tags_of_their_own(tc, engine, options):
    cache = tc.Cache(engine, **options)
    cache.set_many({"a": "a" * 5000, "b": 2})
    cache.set("c", 3, tags=["t"])
    engine.asked.clear()
    assert cache.get_many(["b", "a"]) == {"b": 2, "a": "a" * 5000}
    assert len(engine.asked) == 1
    assert cache.get_many(["a", "b", "c"]) == {"a": "a" * 5000, "b": 2, "c": 3}
    assert len(engine.asked) == 3
    cache.invalidate_tags("t")
    assert cache.get_many(["a", "b", "c"]) == {"a": "a" * 5000, "b": 2}
    for token in engine.tokens():
        engine.put({token: b"another"}, None)
        assert cache.get_many(["a", "b", "c"]) == {}


def test_each_token_that_is_lost_loses_the_values(engine, f, runs):
    f(1)
    for token in engine.tokens():
        f(1)
        f(1)
        runs.clear()
        engine.drop([token])
        assert f(1) == f(1) == [1] * 5000
        assert runs == [1]
    assert len(engine.tokens()) == 2


def test_each_token_that_another_machine_replaces_drops_the_values(engine, f, runs):
    f(1)
    for token in engine.tokens():
        f(1)
        f(1)
        runs.clear()
        engine.put({token: b"0123456789abcdef"}, None)
        assert f(1) == f(1) == [1] * 5000
        assert runs == [1]


def test_tokens_of_any_length_are_compared_whole(engine, f, runs):
    f(1)
    for token in (b"", b"short", b"longer than any token of ours"):
        engine.put(dict.fromkeys(engine.tokens(), token), None)
        f(1)
    assert runs == [1] * 4
    engine.put(dict.fromkeys(engine.tokens(), b"longer than any token of our"), None)
    f(1)
    assert runs == [1] * 5


def test_a_value_that_was_computed_over_a_clear_is_not_kept(tc, engine, options):
    runs = []

    @tc.ucache(engine, name="f", namespace="n", **options)
    def f(x):
        runs.append(x)
        if len(runs) == 1:
            f.cache_clear()
        return len(runs)

    assert [f(1), f(1), f(1)] == [1, 2, 2]

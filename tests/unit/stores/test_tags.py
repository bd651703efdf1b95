"""Tags: groups of values that are dropped together, of stores and of functions, near and far."""

from __future__ import annotations

import gc

import pytest


def test_values_are_dropped_by_any_of_their_tags(store):
    store.set("a", 1, tags=["x", "y"])
    store.set_many({"b": 2, "c": 3}, tags=["y"])
    store.add("d", 4, tags={"z"})
    store.get_or_load("e", lambda: 5, tags=("x",))
    store.get_many_or_load(["f", "g"], lambda keys: dict.fromkeys(keys, 6), tags="z")
    store.set("h", 7)
    store.invalidate_tags("x")
    assert sorted(store.get_many("abcdefgh"[i] for i in range(8))) == list("bcdfgh")
    store.invalidate_tags("y", "z")
    assert sorted(store.get_many("abcdefgh"[i] for i in range(8))) == ["h"]
    store.set("a", 8, tags=["x"])
    assert store.get("a") == 8


def test_a_value_that_is_set_anew_has_its_new_tags_only(store):
    store.set("a", 1, tags=["x"])
    store.get("a")
    store.set("a", 2, tags=["y"])
    store.get("a")
    store.invalidate_tags("x")
    assert store.get("a") == 2
    store.invalidate_tags("y")
    assert store.get("a") is None


@pytest.mark.parametrize("tags", [[""], [1], [None], [b"x"]])
def test_a_tag_is_a_text(tc, store, tags):
    for use in (
        lambda: store.set("a", 1, tags=tags),
        lambda: store.get_or_load("a", lambda: 1, tags=tags),
        lambda: store.get_many_or_load(["a"], lambda keys: {}, tags=tags),
        lambda: store.invalidate_tags(*tags),
        lambda: tc.invalidate_tags(*tags),
    ):
        with pytest.raises(tc.ConfigurationError, match="tags="):
            use()


def test_no_tag_drops_nothing(tc, store):
    store.set("a", 1, tags=["x"])
    store.invalidate_tags()
    tc.invalidate_tags()
    assert store.get("a") == 1


def test_a_tag_that_is_dropped_while_a_value_is_computed_drops_it(stores):
    if stores.colour == "AsyncCache":
        pytest.skip("tested with the changes of stores")
    cache = stores()

    def load():
        cache.invalidate_tags("x")
        return 1

    assert cache.get_or_load("a", load, tags=["x"]) == 1
    assert cache.get("a") is None
    assert cache.get_many_or_load(["b"], lambda keys: {"b": load()}, tags=["x"]) == {"b": 1}
    assert cache.get("b") is None


def test_tags_of_a_value_hold_for_who_reads_it_without_them(stores):
    cache = stores()
    cache.set("a", 1, tags=["x"])
    assert cache.get_or_load("a", lambda: 2) == 1
    assert cache.get_or_load("a", lambda: 2, tags=["y"]) == 1
    cache.invalidate_tags("y")
    assert cache.get("a") == 1
    cache.invalidate_tags("x")
    assert cache.get_or_load("a", lambda: 3) == 3


def test_one_store_drops_what_another_one_has_near(stores):
    if stores.place == "memory":
        pytest.skip("each store in memory has its own values")
    engine = stores.engine()
    one, other = stores(stores.tiers(engine)), stores(stores.tiers(engine), tag_ttl=60)
    elsewhere = stores(stores.tiers(engine), namespace="elsewhere")
    one.set("a", 1, tags=["x"])
    elsewhere.set("a", 1, tags=["x"])
    assert [cache.get("a") for cache in (one, other, elsewhere)] == [1, 1, 1]
    one.invalidate_tags("x")
    assert [cache.get("a") for cache in (one, other, elsewhere)] == [None, None, 1]


def test_an_engine_that_was_closed_is_no_reason_to_fail(tc):
    engine, other = tc.open_engine("mapping:"), tc.open_engine("mapping:")
    kept = [tc.Cache(engine), tc.Cache(other), tc.Cache(engine, namespace="n")]
    kept[1].set("a", 1, tags=["only here"])
    engine.close()
    tc.invalidate_tags("only here")
    assert kept[1].get("a") is None


def test_the_function_of_the_package_drops_a_tag_everywhere(tc, stores):
    if stores.place == "async":
        pytest.skip("it is no coroutine function")
    gc.collect()  # functions of other tests, whose engines are closed by now
    caches = [stores(), stores(namespace="n"), stores(tc.open_engine("mapping:"))]

    @tc.ucache(stores.tiers(), tags=["x"], clock=stores.clock)
    def f(n):
        return [n]

    @tc.mcache(tags=lambda n: [f"n{n}", "x"])
    def g(n):
        return [n]

    before = f(1), g(1)
    for cache in caches:
        cache.set("a", 1, tags=["x"])
        cache.get("a")
    tc.invalidate_tags("other")
    assert (f(1), g(1)) == before
    assert f.contains(1)
    assert g(1) is before[1]
    assert [cache.get("a") for cache in caches] == [1, 1, 1]
    tc.invalidate_tags("x", "y")
    assert [cache.get("a") for cache in caches] == [None] * 3
    assert not f.contains(1)
    assert not g.contains(1)
    f.close()


def test_tokens_in_memory_spare_the_engine_and_are_forgotten_here_at_once(stores):
    if stores.place != "mapping":
        pytest.skip("it is a matter of engines")
    asked = []

    class Watched(type(stores.engine())):
        def get(self, keys):
            asked.append(list(keys))
            return super().get(keys)

    cache = stores(Watched(), tag_ttl=60)
    cache.get_or_load("a", lambda: 1, tags=["x"])
    cache.get_or_load("a", lambda: 2, tags=["x"])
    asked.clear()
    assert cache.get_or_load("a", lambda: 2, tags=["x"]) == 1
    assert asked == [["::a"]]
    cache.invalidate_tags("x")
    assert cache.get_or_load("a", lambda: 2, tags=["x"]) == 2

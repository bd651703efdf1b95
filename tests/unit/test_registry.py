"""Every cache is known: `caches`, `get_stats`, `clear_cache`."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from tests.fixtures import worlds


def own(tc, name, function=lambda x: x, **options):
    """A cache with a name that no other test uses."""
    return tc.mcache(name=name, **options)(function)


def test_a_cache_of_any_decorator_is_known(tc):
    async def coroutine_function(x):
        return x

    class Shop:
        @tc.mcache
        def price(self):
            return 1

    made = [
        Shop.__dict__["price"],
        tc.mcache(lambda x: x),
        tc.mcache(ttl=5)(lambda x: x),
        tc.acache(coroutine_function),
        tc.lru_cache(lambda x: x),
        tc.cache(lambda x: x),
    ]
    known = tc.caches()
    assert [cache for cache in known if any(cache is one for one in made)] == made


def test_a_table_alone_is_no_cache(tc):
    gate = tc._core.Gate(len, tc._core.Table(5))
    assert all(cache is not gate for cache in tc.caches())
    assert type(gate) not in set(map(type, tc.caches()))
    assert all(callable(cache.cache_info) for cache in tc.caches())


async def awaited():
    return 1


def test_a_cache_that_could_not_be_made_is_none(tc):
    with pytest.raises(tc.ConfigurationError) as caught:
        tc.mcache(ignore="nothing")(lambda x: x)
    tc.caches(), tc.get_stats(), tc.clear_cache()
    assert caught.traceback, "whose frames still hold it"


def test_nothing_is_kept_alive(tc):
    f = own(tc, "short-lived")
    assert "short-lived" in tc.get_stats()
    del f
    gc.collect()
    assert "short-lived" not in tc.get_stats()


def test_statistics_are_told_by_name(tc):
    f = own(tc, "prices", maxsize=5)
    f(1), f(1), f(2)
    assert tc.get_stats("prices") == tc.get_stats()["prices"] == f.stats()
    assert tc.get_stats("prices").hits == 1


def local(x):
    return x


def test_the_name_is_that_of_module_and_function(tc):
    f, g = tc.mcache(local), tc.lru_cache(len)
    f(1), g("ab"), g("ab")
    assert tc.get_stats(f"{__name__}.local") == f.stats()
    assert tc.get_stats("builtins.len").hits == 1
    assert tc.get_stats("builtins.len").maxsize == 128


def test_caches_of_one_name_are_added_up(tc):
    f = own(tc, "shards", maxsize=5)
    g = own(tc, "shards", max_weight=7, weigher=lambda *_: 3)
    f(1), f(1), g(1), g(2)
    both = tc.get_stats("shards")
    assert (both.hits, both.misses, both.currsize, both.weight) == (1, 3, 3, 6)
    assert (both.maxsize, both.max_weight) == (None, 7), "of the one made last"
    assert tc.clear_cache("shards") == 2
    assert f.cache_info().currsize == g.cache_info().currsize == 0


def test_the_caches_of_all_objects_are_added_up(tc):
    class Shop:
        @tc.mcache(per_instance=True, name="prices of objects")
        def price(self, item):
            return item

    one, two = Shop(), Shop()
    one.price(1), two.price(1), two.price(2)
    assert tc.get_stats("prices of objects").currsize == 3
    assert tc.clear_cache("prices of objects") == 2
    assert Shop.price.cache_info().currsize == 0


def test_one_can_be_emptied_by_name(tc):
    f, g = own(tc, "to be emptied"), own(tc, "to be left")
    f(1), g(1)
    assert tc.clear_cache("to be emptied") == 1
    assert f.stats()[:9] == (0,) * 9
    assert g.cache_info().currsize == 1


def test_all_can_be_emptied(tc):
    f, g = own(tc, "one of all"), tc.lru_cache(lambda x: x)
    f(1), g(1)
    assert tc.clear_cache() >= 2
    assert f.cache_info().currsize == g.cache_info().currsize == 0


@pytest.mark.parametrize("ask", ["get_stats", "clear_cache"])
def test_a_name_that_nobody_has_is_refused_with_a_guess(tc, ask):
    f = own(tc, "the name of a cache")
    with pytest.raises(tc.ConfigurationError, match=r"did you mean 'the name of a cache'\?"):
        getattr(tc, ask)("the name of a cash")
    del f


def test_a_callable_without_a_name_is_known_by_its_repr(tc):
    class Callable:
        def __call__(self, x):
            return x

        def __repr__(self):
            return "<a callable of its own>"

    f = tc.mcache(Callable())
    assert any("<a callable of its own>" in name for name in tc.get_stats())
    del f


def test_a_cache_whose_engine_was_closed_stands_in_nobodys_way(tc):
    engine = tc.open_engine("mapping:")
    f = tc.ucache(engine, name="on a closed engine")(lambda x: x)
    f(1)
    engine.close()
    assert tc.clear_cache("on a closed engine") == 1
    tc.clear_cache()
    f.close()


def test_asking_loads_what_decorating_does_not(core):
    code = (
        "import sys; import twat_cache; f = twat_cache.mcache(lambda x: x); f(1)\n"
        "assert 'twat_cache._registry' not in sys.modules\n"
        "assert twat_cache.caches() == [f]"
    )
    subprocess.run([sys.executable, "-c", code], env=worlds.environment(core), check=True)

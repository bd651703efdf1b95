"""What a cache counts, as tuples with names."""

import inspect
import pickle

import pytest

from twat_cache.stats import CacheInfo, Stats, Warmed


def test_cache_info_looks_like_that_of_functools():
    info = CacheInfo(3, 2, 128, 1)
    assert info == (3, 2, 128, 1)
    assert repr(info) == "CacheInfo(hits=3, misses=2, maxsize=128, currsize=1)"


@pytest.mark.parametrize(("hits", "misses", "ratio"), [(0, 0, 0.0), (3, 1, 0.75), (5, 0, 1.0)])
def test_the_hit_ratio_is_a_share_of_the_look_ups(hits, misses, ratio):
    assert Stats(hits, misses, 0, 0, 0, 0, 0, 9, 0, None).hit_ratio == ratio


@pytest.mark.parametrize(
    "counts", [CacheInfo(1, 2, None, 4), Stats(*range(10)), Stats(*range(14)), Warmed(1, 2, 3, 4)]
)
def test_counts_survive_pickling(counts):
    again = pickle.loads(pickle.dumps(counts))
    assert (type(again), again) == (type(counts), counts)


@pytest.mark.parametrize("kind", [CacheInfo, Stats, Warmed])
def test_every_field_is_documented(kind):
    documented = inspect.cleandoc(kind.__doc__)  # 3.13 takes the indentation off by itself
    assert [name for name in kind._fields if f"\n    {name}: " not in documented] == []

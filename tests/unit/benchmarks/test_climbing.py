"""The plain hill climber that `tinylfu` is measured against."""

from __future__ import annotations

from random import Random

from benchmarks.climbing import Climbing, hit_ratio


def held(cache):
    return [*cache.window, *cache.probation, *cache.protected]


def test_it_holds_no_more_than_its_size_and_each_key_once():
    cache, chance = Climbing(20), Random(1)
    for _ in range(5_000):
        key = int(chance.paretovariate(0.7))
        assert (key in held(cache)) is cache.request(key)
        assert len(held(cache)) == len(set(held(cache))) <= 20


def test_a_loop_larger_than_the_cache_hits_by_the_part_that_fits():
    assert 40 < hit_ratio(list(range(100)) * 60, 50) < 50


def test_the_window_follows_what_pays():
    scans, sliding, chance = Climbing(100), Climbing(100), Random(2)
    for n in range(60_000):
        scans.request(n % 50 if n % 2 else -n)
        sliding.request(n // 2 - chance.randrange(60))
    assert scans.room < 20 < 50 < sliding.room

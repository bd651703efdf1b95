"""Hits of each shape beside functools: ``pytest tests/performance --benchmark-enable``.

In the ordinary suite each case runs once and proves only that what should hit does.
"""

from functools import lru_cache, partial

import pytest

from benchmarks import cases
from benchmarks.measure import KEYS

OPTIONS = {"no ttl": {}, "ttl": {"ttl": 3600}}


@pytest.fixture(params=sorted(cases.CASES))
def call(request):
    return request.param


def run(benchmark, contender):
    benchmark(partial(contender.run, contender.fresh()))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.benchmark(group="hit")
def test_hit(benchmark, tc, call, options):
    run(benchmark, cases.hits(call, tc.mcache(maxsize=KEYS, **options)))


@pytest.mark.benchmark(group="hit")
def test_hit_of_our_lru_cache(benchmark, tc, call):
    run(benchmark, cases.hits(call, tc.lru_cache(KEYS)))


@pytest.mark.benchmark(group="hit")
def test_hit_of_functools(benchmark, call):
    run(benchmark, cases.hits(call, lru_cache(KEYS)))


@pytest.mark.benchmark(group="method")
def test_method_hit(benchmark, tc):
    run(benchmark, cases.method_hits(tc.mcache(maxsize=KEYS)))


@pytest.mark.benchmark(group="method")
def test_method_hit_of_functools(benchmark):
    run(benchmark, cases.method_hits(lru_cache(KEYS)))


@pytest.mark.benchmark(group="miss")
def test_miss_with_eviction(benchmark, tc):
    run(benchmark, cases.misses(tc.mcache(maxsize=KEYS)))


@pytest.mark.benchmark(group="miss")
def test_miss_with_eviction_of_functools(benchmark):
    run(benchmark, cases.misses(lru_cache(KEYS)))

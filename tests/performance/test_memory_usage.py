"""What entries weigh, counted by tracemalloc: no clock, no resident set, the same on every run."""

import gc
import tracemalloc
from contextlib import contextmanager

import pytest

ENTRIES = 10_000
MEGABYTE = 1 << 20


@contextmanager
def traced():
    """Gives a function that tells how many traced bytes have come since the block began."""
    gc.collect()
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        yield lambda: tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()


@pytest.fixture(params=["mcache", "mcache with ttl", "lru_cache"])
def decorate(tc, request):
    if request.param == "lru_cache":
        return tc.lru_cache(ENTRIES)
    return tc.mcache(maxsize=ENTRIES, ttl=3600 if "ttl" in request.param else None)


@pytest.fixture
def double(decorate):
    """A cached function that makes a kilobyte for each call."""

    @decorate
    def double(n, unit=b"x"):
        return unit * 1000 + n.to_bytes(24, "big")

    double(0)
    double.cache_clear()
    return double


def test_ten_thousand_entries_weigh_little_more_than_their_values(double):
    keys = list(range(1000, 1000 + ENTRIES))
    with traced() as grown:
        for key in keys:
            double(key)
        assert ENTRIES == double.cache_info().currsize
        assert 10 * MEGABYTE < grown() < 20 * MEGABYTE  # 10 MB are the values


def test_a_full_cache_does_not_grow(double):
    for key in range(2 * ENTRIES):
        double(key)
    with traced() as grown:
        for key in range(2 * ENTRIES, 5 * ENTRIES):
            double(key)
        # Only what was replaced counts as new: no more than the values, the keys and one table.
        assert grown() < 20 * MEGABYTE
        assert ENTRIES == double.cache_info().currsize


def test_clearing_gives_the_memory_back(double):
    with traced() as grown:
        for key in range(ENTRIES):
            double(key)
        double.cache_clear()
        gc.collect()
        assert grown() < MEGABYTE

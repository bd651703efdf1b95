"""A server that goes away costs callers next to nothing, and nothing stale comes back with it.

The figures are those of `python -m tests.soak.outage`, for ten seconds on a quiet machine; here it
is seen that nothing is raised, nobody waits for a dead server again and again, and it comes back.
"""

from __future__ import annotations

import pytest

from tests.soak.outage import PACE, WAYS, outage

SECONDS = 1.5


def check(server, how, awaited):
    told = outage(server, how, SECONDS, awaited=awaited)
    assert told.raised == 0
    assert told.stale == 0
    assert told.calls > 0.2 * SECONDS / PACE, "callers wait for what is dead"
    assert told.recovery < 10


@pytest.mark.xdist_group("redis")
@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("how", WAYS)
def test_redis_goes_away(redis_server, how, awaited):
    check(redis_server, how, awaited)


@pytest.mark.xdist_group("postgresql")
@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("how", WAYS)
def test_postgresql_goes_away(postgresql_server, how, awaited):
    check(postgresql_server, how, awaited)


@pytest.mark.xdist_group("memcached")
@pytest.mark.parametrize("how", WAYS)
def test_memcached_goes_away(memcached_server, how):
    check(memcached_server, how, False)

"""The servers that the tests start: each answers its own client, and can be ended and frozen."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("redis")
def test_redis(redis_server):
    redis = pytest.importorskip("redis")
    with redis.Redis.from_url(redis_server.url, socket_timeout=0.3) as client:
        assert client.ping()

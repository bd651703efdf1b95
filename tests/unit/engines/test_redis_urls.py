"""Where a Redis is: what URLs and options say, before anything is connected."""

from __future__ import annotations

import pytest

from twat_cache import ConfigurationError, open_engine

pytest.importorskip("redis")
from twat_cache.engines.network import TIMEOUT, Node
from twat_cache.engines.redis import AsyncRedisEngine, RedisEngine
from twat_cache.engines.redis.place import place_at


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host", "host:6379/0"),
        ("redis://:word@host:7/3", "host:7/3"),
        ("redis://", "localhost:6379/0"),
        ("rediss://user:word@[::1]:7/3", "[::1]:7/3"),
        ("valkey://host", "host:6379/0"),
        ("valkeys://host", "host:6379/0"),
        ("redis+cluster://one,two:7", "one:6379,two:7"),
        ("redis+cluster://one/0", "one:6379"),
        ("redis+sentinel://u:word@one,two:7/main", "one:26379,two:7/main/0"),
        ("rediss+sentinel://one/main/2", "one:26379/main/2"),
        ("redis+unix:///run/redis.sock?db=4", "/run/redis.sock, database 4"),
    ],
)
def test_an_engine_shows_where_it_is_and_not_who(url, shown):
    for engine in (RedisEngine.from_url(url), AsyncRedisEngine.from_url(url)):
        assert repr(engine) == f"<{type(engine).__name__} at {shown}>"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://one,two", r"redis\+cluster://"),
        ("redis://host/x", "db="),
        ("redis://host/-1", "db="),
        ("redis+cluster://host/1", "only one"),
        ("redis+sentinel://host", "names no service"),
        ("redis://host?ssl_ca_certs=x", "no option 'ssl_ca_certs'"),
        ("rediss://host?ssl_cert_reqs=maybe", "ssl_cert_reqs="),
        ("rediss://host?ssl_check_hostname=maybe", "ssl_check_hostname="),
        ("rediss://host?ssl_cert_reqs=none&ssl_check_hostname=1", "ssl_check_hostname="),
        ("redis://host?timeout=0", "timeout="),
        ("redis://host?pool_size=0", "pool_size="),
        ("redis:host", "scheme://host"),
    ],
)
@pytest.mark.parametrize("kind", [RedisEngine, AsyncRedisEngine])
def test_what_cannot_be_is_refused_before_anything_is_connected(kind, url, told):
    with pytest.raises(ConfigurationError, match=told):
        kind.from_url(url)


def test_an_option_in_the_call_goes_before_that_in_the_url():
    place = place_at("redis://host?timeout=1&pool_size=2", timeout=3)
    assert (place.timeout, place.pool_size) == (3, 2)
    with pytest.raises(ConfigurationError, match="no option 'colour'"):
        RedisEngine.from_url("redis://host", colour="red")


def test_credentials_are_for_the_server_and_others_for_sentinels():
    place = place_at("rediss+sentinel://u:w@one:7/main?sentinel_password=x&ssl_ca_certs=f")
    server, sentinel = place.settings, place.sentinel_settings
    assert (server["username"], server["password"]) == ("u", "w")
    assert ("username" in sentinel, sentinel["password"]) == (False, "x")
    assert server["ssl_ca_certs"] == sentinel["ssl_ca_certs"] == "f"
    assert (place.nodes, place.service) == ((Node("one", 7),), "main")


@pytest.mark.parametrize("awaited", [False, True])
def test_nothing_is_left_to_the_defaults_of_the_library(awaited):
    connection = place_at("redis://host").connection(Node("host", 1), awaited=awaited)
    assert connection.protocol == 2
    assert connection.socket_timeout == connection.socket_connect_timeout
    assert connection.socket_timeout == (None if awaited else TIMEOUT)
    assert connection.retry_on_error == []
    assert connection.retry._retries == 0


def test_schemes_open_the_engine_of_either_colour():
    for scheme in ("redis", "rediss", "valkey", "valkeys", "redis+cluster", "rediss+cluster"):
        engine = open_engine(f"{scheme}://localhost:1")
        assert engine.capabilities.remote
        engine.close()
    assert open_engine("redis://localhost:1", async_=True).capabilities.async_

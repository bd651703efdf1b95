"""The servers that the tests start: each answers its own client, and can be ended and frozen.

Whatever a test does to them, `mended_servers` has them serve again for the next.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures.servers import wait_until
from tests.fixtures.servers.redis_cluster import SLOTS
from tests.fixtures.servers.watchdog import is_running

# Below the time-outs of the clients' own retries, above what a busy machine takes to answer.
SECONDS = 2
NO_ANSWER = 0.2


def redis_ping(server, seconds=SECONDS, **options):
    redis = pytest.importorskip("redis")
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    url = server.url.replace("valkey:", "redis:")
    with redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=SECONDS, retry=retry, **options
    ) as client:
        assert client.ping()


def secure_ping(server, seconds=SECONDS):
    redis_ping(server, seconds, ssl_ca_certs=str(server.certificate))


def memcached_ping(server, seconds=SECONDS):
    pymemcache = pytest.importorskip("pymemcache")
    address = (server.host, server.port)
    with closing(pymemcache.Client(address, timeout=seconds, connect_timeout=SECONDS)) as client:
        assert client.version()


def postgresql_ping(server, seconds=SECONDS):
    psycopg = pytest.importorskip("psycopg")

    async def ping():
        async with await psycopg.AsyncConnection.connect(server.url) as connection:
            cursor = await connection.execute("SELECT 1")
            assert await cursor.fetchone() == (1,)

    # Awaited because the client's own time-out is 2 s at least.
    asyncio.run(asyncio.wait_for(ping(), seconds))


def object_store_ping(server, seconds=SECONDS):
    obstore = pytest.importorskip("obstore")
    from datetime import timedelta

    from obstore.store import S3Store

    store = S3Store(
        server.bucket,
        endpoint=server.endpoint,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": timedelta(seconds=seconds)},
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=seconds)},
    )
    obstore.put(store, "greeting", b"hello")
    assert bytes(obstore.get(store, "greeting").bytes()) == b"hello"


PINGS = {
    "redis_server": redis_ping,
    "valkey_server": redis_ping,
    "redis_secure": secure_ping,
    "memcached_server": memcached_ping,
    "postgresql_server": postgresql_ping,
    "moto_server": object_store_ping,
    "rclone_server": object_store_ping,
}
GROUPS = {  # those of the engines' tests
    object_store_ping: "s3",
    memcached_ping: "memcached",
    postgresql_ping: "postgresql",
}
IN_REDIS_GROUP = pytest.mark.xdist_group("redis")
EACH = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xdist_group(GROUPS.get(ping, "redis")))
        for name, ping in PINGS.items()
    ],
)


@EACH
def test_a_server_answers_its_client_until_it_is_stopped_and_again_when_it_is_started(
    request, name
):
    server, ping = request.getfixturevalue(name), PINGS[name]
    ping(server)
    port = server.port
    server.stop()
    with pytest.raises(Exception) as caught:  # each client has errors of its own
        ping(server)
    assert not isinstance(caught.value, AssertionError)
    server.start()
    assert server.port == port
    ping(server)


@EACH
def test_a_paused_server_takes_connections_and_answers_nothing_until_it_is_resumed(request, name):
    server, ping = request.getfixturevalue(name), PINGS[name]
    server.pause()
    with pytest.raises(Exception) as caught:
        ping(server, NO_ANSWER)
    assert not isinstance(caught.value, AssertionError)
    server.resume()
    ping(server)


@IN_REDIS_GROUP
def test_a_killed_server_starts_again_on_its_port(redis_server):
    redis_server.kill()
    assert not redis_server.pid
    redis_server.start()
    redis_ping(redis_server)


@IN_REDIS_GROUP
def test_a_server_is_mended_whatever_was_done_to_it(redis_server):
    for harm in (redis_server.pause, redis_server.stop, redis_server.kill):
        harm()
        redis_server.mend()
        redis_ping(redis_server)


@IN_REDIS_GROUP
def test_the_nodes_of_a_cluster_share_the_slots(redis_cluster):
    cluster = pytest.importorskip("redis.cluster")
    startup = [cluster.ClusterNode(node.host, node.port) for node in redis_cluster.nodes]
    with closing(cluster.RedisCluster(startup_nodes=startup, socket_timeout=SECONDS)) as client:
        names = [f"key {n}" for n in range(30)]
        for name in names:
            client.set(name, name)
        assert [client.get(name) for name in names] == [name.encode() for name in names]
        assert len({client.keyslot(name) * 3 // SLOTS for name in names}) == 3
    assert all(node.call("DBSIZE") for node in redis_cluster.nodes)


@IN_REDIS_GROUP
def test_a_node_of_a_cluster_comes_back(redis_cluster):
    node = redis_cluster.nodes[1]
    node.kill()
    redis_cluster.mend()
    assert "cluster_state:ok" in node.call("CLUSTER", "INFO")


@IN_REDIS_GROUP
@pytest.mark.parametrize("kill", [False, True], ids=["by order", "by death"])
def test_a_sentinel_makes_the_replica_the_primary(redis_sentinel, kill):
    sentinel = pytest.importorskip("redis.sentinel")
    before = redis_sentinel.primary.port
    redis_sentinel.fail_over(kill=kill)
    watched = sentinel.Sentinel(
        [(redis_sentinel.host, redis_sentinel.port)], socket_timeout=SECONDS
    )
    _, after = watched.discover_master("mymaster")
    assert after == redis_sentinel.primary.port != before
    with closing(watched.master_for("mymaster")) as client:
        assert client.set("key", "value")
    for client in watched.sentinels:
        client.close()
    redis_sentinel.mend()
    assert redis_sentinel.replica.port == before


@pytest.mark.xdist_group("s3")
def test_rclone_takes_no_wrong_signature(rclone_server, monkeypatch):
    pytest.importorskip("obstore")
    from obstore.exceptions import PermissionDeniedError

    monkeypatch.setattr(rclone_server, "secret_key", "not the key")
    with pytest.raises(PermissionDeniedError):
        object_store_ping(rclone_server)


@IN_REDIS_GROUP
def test_the_secure_redis_takes_no_wrong_password_and_speaks_to_none_without_tls(redis_secure):
    redis = pytest.importorskip("redis")
    url = redis_secure.url.replace(redis_secure.password, "wrong")
    with redis.Redis.from_url(url, ssl_ca_certs=str(redis_secure.certificate)) as client:
        with pytest.raises(redis.AuthenticationError):
            client.ping()
    plain = redis_secure.url.replace("rediss:", "redis:")
    with redis.Redis.from_url(plain, socket_timeout=NO_ANSWER) as client:
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            client.ping()


@IN_REDIS_GROUP
def test_no_server_outlives_tests_that_are_killed(redis_server):
    """The redis_server is asked for only so that this is skipped where there is none."""
    program = textwrap.dedent("""
        import time
        from tests.fixtures.servers.redis import Redis

        first, second = Redis.launch(), Redis.launch()
        second.pause()
        print(first.pid, first.folder, second.pid, second.folder, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as tests:  # fmt: skip
        first, its_folder, second, another_folder = tests.stdout.readline().split()
        tests.send_signal(signal.SIGKILL)
    wait_until(
        lambda: not (
            is_running(int(first)) or is_running(int(second))
            or Path(its_folder).exists() or Path(another_folder).exists()
        ),
        20, lambda: "a server or its folder stayed behind",
    )  # fmt: skip

"""The engines on Redis and Valkey, on real servers."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import time
import traceback
from collections import Counter
from contextlib import closing, contextmanager, suppress
from math import inf, nan
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.servers import wait_until
from tests.fixtures.turns import all_get_their_turn
from twat_cache import (
    ConfigurationError,
    EngineClosedError,
    EngineConnectionError,
    EngineError,
    EngineTimeoutError,
)
from twat_cache.testing import AsyncEngineSuite, EngineSuite
from twat_cache.testing.engine_suite import KEYS, at_once

redis = pytest.importorskip("redis")
from twat_cache.engines.redis import AsyncRedisEngine, RedisEngine  # noqa: E402

if TYPE_CHECKING:
    from tests.fixtures.servers import Server

pytestmark = pytest.mark.xdist_group("redis")

PATIENT = 5.0  # seconds; a busy machine isn't what is tested
SECRET = "s3cr3t!"
VERSION = int(redis.__version__.partition(".")[0])

can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
forks = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


class OnServer:
    """What the suites need on a real server: an empty one, and time that passes in earnest."""

    kind = RedisEngine
    server: Server
    second = 0.3

    def elapse(self, clock, seconds):
        time.sleep(seconds)

    def make(self, clock):
        return self.kind.from_url(self.server.url, timeout=PATIENT)


class Quick(OnServer):
    """Of the tests that wait for the end of a time, one: the others have been with another."""

    test_what_is_past_its_time_is_not_there = None
    test_an_added_value_ends_with_its_time = None
    test_a_later_put_brings_its_own_time = None
    test_swap_knows_what_is_past_its_time = None
    test_left_tells_how_long_entries_have = None
    test_touch_gives_a_new_time = None


class TestRedis(OnServer, EngineSuite):
    @pytest.fixture(autouse=True)
    def on(self, redis_server):
        redis_server.call("FLUSHDB")
        self.server = redis_server


class TestAsyncRedis(OnServer, AsyncEngineSuite):
    kind = AsyncRedisEngine

    @pytest.fixture(autouse=True)
    def on(self, redis_server):
        redis_server.call("FLUSHDB")
        self.server = redis_server


class TestValkey(Quick, EngineSuite):
    @pytest.fixture(autouse=True)
    def on(self, valkey_server):
        valkey_server.call("FLUSHDB")
        self.server = valkey_server


class OnCluster(Quick):
    @pytest.fixture(autouse=True)
    def on(self, redis_cluster):
        for node in redis_cluster.nodes:
            node.call("FLUSHDB")
        self.server = redis_cluster


class TestRedisCluster(OnCluster, EngineSuite):
    pass


class TestAsyncRedisCluster(OnCluster, AsyncEngineSuite):
    kind = AsyncRedisEngine


class TestRedisSentinel(Quick, EngineSuite):
    @pytest.fixture(autouse=True)
    def on(self, redis_sentinel):
        redis_sentinel.primary.call("FLUSHDB")
        self.server = redis_sentinel


# What both colours promise, asked in the same words.


@pytest.fixture(params=["blocking", "awaited"])
def call(request):
    """Calls a method of a new engine at a URL."""

    def blocking(url, method, *args, **options):
        with closing(RedisEngine.from_url(url, **options)) as engine:
            return getattr(engine, method)(*args)

    async def awaited(url, method, *args, **options):
        engine = AsyncRedisEngine.from_url(url, **options)
        try:
            return await getattr(engine, method)(*args)
        finally:
            await engine.close()

    if request.param == "blocking":
        return blocking
    return lambda *args, **options: asyncio.run(awaited(*args, **options))


@contextmanager
def answering(*answers, then_closing=True):
    """The port of a server that answers one after the other of what it gets so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            try:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        for answer in answers:
                            if not connection.recv(65536):
                                break
                            connection.sendall(answer)
                        else:
                            if not then_closing:
                                while connection.recv(65536):
                                    pass
            except OSError:
                pass  # closed

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.fixture
def setting(redis_server):
    """Changes settings of the server for one test."""
    before = {}

    def change(name, value):
        before.setdefault(name, redis_server.call("CONFIG", "GET", name)[1])
        redis_server.call("CONFIG", "SET", name, value)

    yield change
    for name, value in before.items():
        redis_server.call("CONFIG", "SET", name, value)


def test_a_user_or_password_that_is_wrong_is_told(call, redis_server):
    for who in (f":{SECRET}", f"joe:{SECRET}"):
        with pytest.raises(EngineError, match="user or the password") as caught:
            call(f"redis://{who}@{redis_server.address}/0", "ping", timeout=PATIENT)
        assert type(caught.value) is EngineError
        assert isinstance(caught.value.__cause__, redis.AuthenticationError)


def test_a_database_that_is_not_there_is_told(call, redis_server):
    with pytest.raises(EngineError, match="no database 99") as caught:
        call(f"redis://{redis_server.address}/99", "get", ["key"], timeout=PATIENT)
    assert type(caught.value) is EngineError


def test_a_port_where_nobody_listens_refuses(call):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(EngineConnectionError, match=f"127.0.0.1:{port}/0 refused"):
        call(f"redis://127.0.0.1:{port}", "ping", timeout=PATIENT)


def test_another_kind_of_server_is_told_from_a_redis(call, memcached_server):
    value = b"1\r\nset injected 0 0 1\r\n1\r\n"
    with pytest.raises(EngineError, match="doesn't answer as a Redis") as caught:
        call(f"redis://{memcached_server.address}", "put", {"key": value}, None, timeout=PATIENT)
    assert type(caught.value) is EngineError
    with socket.create_connection((memcached_server.host, memcached_server.port), 2) as peer:
        peer.sendall(b"get injected\r\n")
        assert peer.recv(100) == b"END\r\n"


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_server_that_hangs_up_is_told_with_what_may_be_wrong(call, postgresql_server, scheme):
    with pytest.raises(EngineConnectionError, match="TLS"):
        call(f"{scheme}://127.0.0.1:{postgresql_server.port}", "ping", timeout=PATIENT)


def test_tls_without_and_with_trust(call, redis_secure):
    where = {"ssl_ca_certs": str(redis_secure.certificate), "timeout": PATIENT}
    call(redis_secure.url, "put", {"key": b"value"}, None, **where)
    query = f"?ssl_ca_certs={redis_secure.certificate}"
    assert call(redis_secure.url + query, "get", ["key"], timeout=PATIENT) == [b"value"]
    assert call(redis_secure.url + "?ssl_cert_reqs=none", "get", ["key"], timeout=PATIENT)
    with pytest.raises(EngineError, match=r"isn't trusted.*ssl_ca_certs=") as caught:
        call(redis_secure.url, "ping", timeout=PATIENT)
    assert type(caught.value) is EngineError
    with pytest.raises(EngineError, match="user or the password"):
        call(f"rediss://:{SECRET}@{redis_secure.address}", "ping", **where)
    with pytest.raises(EngineConnectionError, match="rediss://"):
        call(f"redis://{redis_secure.address}", "ping", timeout=PATIENT)


def test_certificates_that_cannot_be_read_are_told(call, redis_secure, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    for names in (["ssl_ca_certs"], ["ssl_certfile", "ssl_keyfile"]):
        for file in ("empty.pem", "no.pem"):
            options = dict.fromkeys(names, str(tmp_path / file))
            with pytest.raises(EngineError, match=f"{names[0]}=.* can't be read") as caught:
                call(redis_secure.url, "ping", timeout=PATIENT, **options)
            assert type(caught.value) is EngineError


def test_tls_against_a_port_without_it(call, redis_server):
    with answering(b"-ERR unknown command\r\n") as port:
        with pytest.raises(EngineError, match="doesn't speak TLS") as caught:
            call(f"rediss://127.0.0.1:{port}", "ping", timeout=PATIENT)
        assert type(caught.value) is EngineError
    with pytest.raises(EngineError, match="TLS"):  # a Redis waits for the end of a line
        call(f"rediss://{redis_server.address}", "ping")


def test_what_accepts_and_never_answers_takes_no_longer_than_the_timeout(call):
    with socket.create_server(("127.0.0.1", 0)) as server:
        hole = f"127.0.0.1:{server.getsockname()[1]}"
        for url in (
            f"redis://:{SECRET}@{hole}/0",
            f"rediss://{hole}/0",
            f"redis+sentinel://{hole},{hole}/service",
            f"redis+cluster://{hole},{hole}",
        ):
            start = time.monotonic()
            with pytest.raises(EngineTimeoutError, match=f"{hole}.*timeout=0.05"):
                call(url, "get", ["key"], timeout=0.05)
            assert time.monotonic() - start < 0.05 + PATIENT


def test_a_name_that_is_not_looked_up_in_time_is_not_waited_for(redis_server, monkeypatch):
    look_up, may_end = socket.getaddrinfo, Event()

    def slowly(host, *args, **options):
        may_end.wait(PATIENT)
        return look_up("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    for scheme in ("redis", "rediss"):
        url = f"{scheme}://cache.example:{redis_server.port}?timeout=0.05"
        with closing(RedisEngine.from_url(url)) as engine, pytest.raises(EngineTimeoutError):
            engine.ping()
    may_end.set()


def test_a_host_is_found_by_its_name(call, redis_server):
    call(f"redis://localhost:{redis_server.port}", "ping", timeout=PATIENT)


def test_a_server_that_falls_silent_and_comes_back(redis_server):
    with closing(RedisEngine.from_url(redis_server.url, timeout=0.1)) as engine:
        engine.ping()
        redis_server.pause()
        with pytest.raises(EngineTimeoutError):
            engine.get(["key"])
        redis_server.resume()
        wait_until(lambda: serves(engine), PATIENT, lambda: "it doesn't come back")


def test_an_answer_that_breaks_off_is_an_error_and_no_value(call):
    with answering(b"+PONG\r\n", b"$100\r\nabc") as port:
        with pytest.raises(EngineConnectionError, match="connection broke"):
            call(f"redis://127.0.0.1:{port}", "get", ["key"], timeout=PATIENT)


def test_connections_that_the_server_closed_are_not_used_again(redis_server):
    with closing(RedisEngine.from_url(redis_server.url, timeout=PATIENT)) as engine:
        at_once(lambda me: engine.put({f"key{me}": b"value"}, None))
        redis_server.call("CLIENT", "KILL", "TYPE", "normal")
        with pytest.raises(EngineConnectionError):
            engine.get(["key0"])
        assert engine.get(["key0"]) == [b"value"]  # the others are gone, too: no second error


@pytest.mark.parametrize(
    "said",
    [
        b"-LOADING Redis is loading the dataset in memory",
        b"-CLUSTERDOWN The cluster is down",
        b"-MASTERDOWN Link with MASTER is down",
        b"-ERR max number of clients reached",
        b"-BUSY Redis is busy running a script",
        b"-MISCONF Redis is configured to save RDB snapshots, but it's unable to",
    ],
)
def test_what_may_pass_is_an_error_of_the_connection(call, said):
    with answering(said + b"\r\n", then_closing=False) as port:
        with pytest.raises(EngineConnectionError, match=f"127.0.0.1:{port}"):
            call(f"redis://127.0.0.1:{port}", "get", ["key"], timeout=PATIENT)


def test_a_replica_refuses_to_store_for_the_moment(call, redis_server):
    redis_server.call("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(EngineConnectionError, match="READONLY"):
            call(redis_server.url, "put", {"key": b"value"}, None, timeout=PATIENT)
    finally:
        redis_server.call("REPLICAOF", "NO", "ONE")


def test_a_full_server_refuses_to_store(call, redis_server, setting):
    setting("maxmemory", "1")
    with pytest.raises(EngineError, match="maxmemory") as caught:
        call(redis_server.url, "put", {"key": b"value"}, None, timeout=PATIENT)
    assert type(caught.value) is EngineError


def test_a_node_of_a_cluster_and_a_single_server_are_told_apart(call, redis_cluster, redis_server):
    with pytest.raises(EngineError, match=r"redis\+cluster://"):
        for key in "abcdef":
            call(f"redis://{redis_cluster.nodes[0].address}", "get", [key], timeout=PATIENT)
    with pytest.raises(EngineError, match="no node of a cluster"):
        call(f"redis+cluster://{redis_server.address}", "get", ["key"], timeout=PATIENT)


def test_sentinels_that_know_no_such_service(call, redis_sentinel):
    url = f"redis+sentinel://{redis_sentinel.sentinel.address}/other"
    with pytest.raises(EngineError, match="no such service"):
        call(url, "ping", timeout=PATIENT)


def test_secrets_are_told_nowhere(call, redis_server, caplog):
    caplog.set_level(logging.DEBUG)
    echo = b"-ERR unknown command 'AUTH', with args beginning with: '%b'\r\n" % SECRET.encode()
    with answering(echo) as port, socket.create_server(("127.0.0.1", 0)) as hole:
        who = f"joe:{SECRET}@127.0.0.1"
        for url in (
            f"redis://{who}:{redis_server.port}/0",
            f"redis://{who}:{port}/0",
            f"redis://{who}:1/0",
            f"rediss://{who}:{redis_server.port}/0",
            f"redis://{who}:{hole.getsockname()[1]}/0",
            f"redis+cluster://{who}:{port},127.0.0.1:{port}",
            f"redis+sentinel://{who}:1/name?sentinel_password={SECRET}",
            f"redis+sentinel://127.0.0.1:{port}/name?sentinel_password={SECRET}",
        ):
            with pytest.raises(EngineError) as caught:
                call(url, "ping", timeout=0.1)
            error = caught.value
            told = [repr(RedisEngine.from_url(url)), repr(AsyncRedisEngine.from_url(url))]
            while error is not None:
                told += [str(error), repr(error), repr(error.args)]
                error = error.__cause__ or error.__context__
            told += [caplog.text, *traceback.format_exception(caught.value)]
            assert not [text for text in told if SECRET in text or "joe" in text.replace(url, "")]


def test_commands_are_not_more_than_they_have_to_be(redis_server):
    redis_server.call("FLUSHDB")

    def sent():
        stats = redis_server.info("commandstats")
        calls = {name[8:]: int(told.split(",")[0][6:]) for name, told in stats.items()}
        return Counter(calls) - Counter({"info": 1_000_000, "config|resetstat": 1_000_000})

    with closing(RedisEngine.from_url(redis_server.url, timeout=PATIENT)) as engine:
        engine.ping()
        keys = [f"key{number}" for number in range(500)]
        redis_server.call("CONFIG", "RESETSTAT")
        engine.put(dict.fromkeys(keys, b"1"), None)
        engine.get(keys)
        engine.get(["key1"])
        engine.drop(keys)
        assert list(engine.scan("key")) == []
        assert sent() == {"mset": 1, "mget": 1, "get": 1, "unlink": 1, "scan": 1}


def test_times_are_told_in_milliseconds(call, redis_server):
    call(redis_server.url, "put", {"key": b"value", "other": b"value"}, 12.3456, timeout=PATIENT)
    assert 7_000 < redis_server.call("PTTL", "key") <= 12_346
    for ttl in (inf, 1e300):
        call(redis_server.url, "put", {"key": b"value"}, ttl, timeout=PATIENT)
        assert redis_server.call("PTTL", "key") == -1
    assert call(redis_server.url, "touch", ["key"], nan, timeout=PATIENT) == 1
    assert call(redis_server.url, "get", ["key"], timeout=PATIENT) == [None]


def test_what_others_keep_under_a_key_is_no_value_and_can_be_replaced(call, redis_server):
    redis_server.call("FLUSHDB")
    redis_server.call("LPUSH", "list", "value")
    for keys in (["list"], ["list", "no"]):
        assert call(redis_server.url, "get", keys, timeout=PATIENT) == [None] * len(keys)
    call(redis_server.url, "put", {"list": b"value"}, None, timeout=PATIENT)
    assert call(redis_server.url, "get", ["list"], timeout=PATIENT) == [b"value"]


def test_a_script_that_the_server_forgot_is_sent_again(call, redis_server):
    redis_server.call("SET", "key", "1")
    for number in range(1, 4):
        args = ("key", b"%d" % number, b"%d" % (number + 1), None)
        assert call(redis_server.url, "swap", *args, timeout=PATIENT) is True
        if number == 2:
            redis_server.call("SCRIPT", "FLUSH")


def test_more_threads_than_connections_take_turns(redis_server):
    url = f"{redis_server.url}?pool_size=2&timeout={PATIENT}"
    with closing(RedisEngine.from_url(url)) as engine:
        before = int(redis_server.info("stats")["total_connections_received"])
        at_once(lambda me: [engine.put({f"key{me}": b"1"}, 60) for _ in range(50)], 16)
        after = int(redis_server.info("stats")["total_connections_received"])
        assert after - before <= 3  # one asked for the figure


def test_more_tasks_than_connections_take_turns(redis_server):
    async def work():
        url = f"{redis_server.url}?pool_size=2&timeout={PATIENT}"
        engine = AsyncRedisEngine.from_url(url)
        before = int(redis_server.info("stats")["total_connections_received"])
        await asyncio.gather(*(engine.put({f"key{n}": b"1"}, 60) for n in range(100)))
        after = int(redis_server.info("stats")["total_connections_received"])
        await engine.close()
        assert after - before <= 3

    asyncio.run(work())


def test_no_thread_keeps_a_connection_from_those_that_wait(redis_server):
    with closing(RedisEngine.from_url(redis_server.url, timeout=PATIENT, pool_size=1)) as engine:
        all_get_their_turn(lambda: engine.get(["key"]))


def test_who_finds_no_connection_free_is_told_so_in_time(redis_server):
    with closing(RedisEngine.from_url(redis_server.url, pool_size=1, timeout=0.3)) as engine:
        engine.ping()
        redis_server.pause()
        told = at_once(lambda me: caught(engine.ping), 2)
        assert [type(error) for error in told] == [EngineTimeoutError] * 2


def test_nothing_is_connected_before_the_first_call():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        where = f"127.0.0.1:{server.getsockname()[1]}"
        for url in (f"redis://{where}", f"redis+cluster://{where}", f"redis+sentinel://{where}/s"):
            RedisEngine.from_url(url).close()
            AsyncRedisEngine.from_url(url)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_client_lends_its_address_and_stays_open(redis_server, redis_cluster, redis_sentinel):
    single = redis.Redis(port=redis_server.port, db=1)
    cluster = redis.RedisCluster(host=redis_cluster.host, port=redis_cluster.port)
    sentinels = redis.Sentinel([(redis_sentinel.host, redis_sentinel.port)])
    for client in (single, cluster, sentinels.master_for("mymaster")):
        with closing(RedisEngine(client, timeout=PATIENT)) as engine:
            engine.put({"key": b"value", "other": b"value"}, 60)
            assert engine.get(["key", "other", "no"]) == [b"value", b"value", None]
            assert client.get("key") == b"value"
        assert client.get("key") == b"value"
        client.close()
    for sentinel in sentinels.sentinels:
        sentinel.close()


def test_an_async_client_lends_its_address_and_stays_open(redis_server, redis_cluster):
    async def work():
        for client in (
            redis.asyncio.Redis(port=redis_server.port, db=1),
            redis.asyncio.RedisCluster(host=redis_cluster.host, port=redis_cluster.port),
        ):
            engine = AsyncRedisEngine(client, timeout=PATIENT)
            await engine.put({"key": b"value", "other": b"value"}, 60)
            assert await engine.get(["key", "other", "no"]) == [b"value", b"value", None]
            assert await client.get("key") == b"value"
            await engine.close()
            assert await client.get("key") == b"value"
            await client.aclose()

    asyncio.run(work())


def test_a_client_whose_sentinels_speak_no_tls_but_whose_primary_does(redis_secure):
    where = f"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n{redis_secure.port:05}\r\n".encode()
    with answering(b"+PONG\r\n", where, where, then_closing=False) as port:
        client = redis.Sentinel([("127.0.0.1", port)]).master_for(
            "service",
            ssl=True,
            ssl_ca_certs=str(redis_secure.certificate),
            password=redis_secure.password,
        )
        with closing(RedisEngine(client, timeout=PATIENT)) as engine:
            engine.ping()


def test_a_client_whose_credentials_cannot_be_had(redis_server):
    class Provider(redis.CredentialProvider):
        def get_credentials(self):
            raise ValueError(SECRET)

        async def get_credentials_async(self):
            raise ValueError(SECRET)

    provider = Provider()
    told = "credential_provider raised a ValueError"
    blocking = RedisEngine(redis.Redis(port=redis_server.port, credential_provider=provider))
    with closing(blocking), pytest.raises(EngineConnectionError, match=told):
        blocking.get(["key"])

    async def work():
        client = redis.asyncio.Redis(port=redis_server.port, credential_provider=provider)
        awaited = AsyncRedisEngine(client)
        with pytest.raises(EngineConnectionError, match=told):
            await awaited.get(["key"])
        await awaited.close()

    asyncio.run(work())


def test_what_is_no_client_is_refused():
    with pytest.raises(ConfigurationError, match="dict is no client"):
        RedisEngine({})


def test_a_client_behind_tls_lends_its_certificate_and_password(redis_secure):
    client = redis.Redis.from_url(redis_secure.url, ssl_ca_certs=str(redis_secure.certificate))
    with closing(client), closing(RedisEngine(client, timeout=PATIENT)) as engine:
        engine.ping()
        assert redis_secure.password not in repr(engine)


def test_a_socket_in_the_file_system(call, tmp_path):
    from tests.fixtures.servers.redis import Redis

    path = os.path.join(os.path.dirname(tmp_path), "r.sock")
    server = Redis.launch("--unixsocket", path)
    try:
        url = f"redis+unix://{path}?db=3"
        call(url, "put", {"key": b"value"}, None, timeout=PATIENT)
        assert call(url, "get", ["key"], timeout=PATIENT) == [b"value"]
    finally:
        server.close()


@pytest.mark.skipif(VERSION < 8, reason="older ones leave a socket open here")
def test_a_socket_that_is_not_there(call, tmp_path):
    with pytest.raises(EngineConnectionError, match="no such socket"):
        call(f"redis+unix://{tmp_path}/r.sock", "get", ["key"], timeout=PATIENT)


# Event loops and processes.


def test_event_loops_one_after_the_other(redis_server):
    engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT)

    async def work(number):
        await engine.put({"key": b"%d" % number}, None)
        return await engine.get(["key"])

    for number in range(3):
        assert asyncio.run(work(number)) == [b"%d" % number]
        gc.collect()  # nothing is left that would complain of not being closed
    asyncio.run(engine.close())


def test_event_loops_at_once(redis_server):
    engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT)

    async def work(me):
        for number in range(50):
            await engine.put({f"key{me}": b"%d" % number}, None)
            assert await engine.get([f"key{me}"]) == [b"%d" % number]

    at_once(lambda me: asyncio.run(work(me)), 4)
    asyncio.run(engine.close())


def test_a_closed_engine_closes_its_blocking_twin(redis_server):
    async def work():
        engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT)
        await engine.put({"key": b"value"}, None)
        twin = engine.blocking
        assert engine.blocking is twin
        assert twin.get(["key"]) == [b"value"]
        await engine.close()
        with pytest.raises(EngineClosedError):
            twin.get(["key"])
        with pytest.raises(EngineClosedError):
            _ = engine.blocking

    asyncio.run(work())


def test_a_call_that_is_cancelled_leaves_no_answer_behind(redis_server):
    async def work():
        engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT, pool_size=2)
        await engine.put({"a": b"a" * 300_000, "b": b"b"}, None)
        for steps in range(30):
            task = asyncio.ensure_future(engine.get(["a"]))
            for _ in range(steps % 10):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await engine.get(["b"]) == [b"b"]
        await engine.close()

    asyncio.run(work())


def test_a_call_that_is_cancelled_before_it_asks_costs_no_connection(redis_server, monkeypatch):
    monkeypatch.setattr("twat_cache.engines.redis.async_lines._RESTED", -1.0)  # all look first

    async def work():
        engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT, pool_size=1)
        await engine.put({"a": b"a"}, None)
        for steps in range(4):
            task = asyncio.ensure_future(engine.get(["a"]))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await engine.get(["a"]) == [b"a"]
        await engine.close()

    asyncio.run(work())


def test_a_call_that_is_cancelled_costs_no_connection(redis_server):
    async def work():
        engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT, pool_size=2)
        await engine.put({"a": b"a" * 300_000}, None)
        before = int(redis_server.info("stats")["total_connections_received"])
        for _ in range(30):
            task = asyncio.ensure_future(engine.get(["a"]))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await engine.get(["a"]) == [b"a" * 300_000]
        after = int(redis_server.info("stats")["total_connections_received"])
        await engine.close()
        assert after - before <= 2  # one asked for the figure, one is for who came meanwhile

    asyncio.run(work())


def test_what_nobody_asked_for_is_no_answer():
    async def work(port):
        engine = AsyncRedisEngine.from_url(f"redis://127.0.0.1:{port}", timeout=PATIENT)
        assert await engine.get(["a"]) == [b"a"]
        for _ in range(3):
            with pytest.raises(EngineError):
                while True:  # what is too much may come later than what was asked for
                    assert await engine.get(["b"]) == [b"a"]
        await engine.close()

    with answering(b"+PONG\r\n", b"$1\r\na\r\n", b"$1\r\na\r\n$1\r\nc\r\n") as port:
        asyncio.run(work(port))


def test_each_awaited_call_is_bounded_whatever_was_asked_before(redis_server):
    async def work():
        engine = AsyncRedisEngine.from_url(redis_server.url, timeout=0.1)
        answered = 0
        while answered < 3:
            with suppress(EngineTimeoutError):  # of a machine that is busy
                await engine.get(["a"])
                answered += 1
        redis_server.pause()
        for _ in range(2):
            with pytest.raises(EngineTimeoutError):
                await engine.get(["a"])
        redis_server.resume()
        await engine.close()

    asyncio.run(work())


def test_calls_on_their_way_are_answered_when_the_engine_is_closed(redis_server):
    async def work():
        engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT)
        await engine.put({"a": b"a" * 300_000}, None)
        task = asyncio.ensure_future(engine.get(["a"]))
        await asyncio.sleep(0)
        await engine.close()
        assert await task == [b"a" * 300_000]
        with pytest.raises(EngineClosedError):
            await engine.get(["a"])

    asyncio.run(work())


@can_fork
@forks
def test_a_child_uses_no_connection_of_its_parent(redis_server):
    with closing(RedisEngine.from_url(redis_server.url, timeout=PATIENT)) as engine:
        engine.put({"key": b"parent"}, None)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                for number in range(200):
                    engine.put({"child": b"%d" % number}, None)
                    assert engine.get(["child", "key"]) == [b"%d" % number, b"parent"]
                status = 0
            finally:
                os._exit(status)
        for _ in range(200):
            assert engine.get(["key"]) == [b"parent"]
        assert os.waitpid(pid, 0)[1] == 0
        assert engine.get(["key"]) == [b"parent"]


@can_fork
@forks
def test_a_child_may_await_with_an_event_loop_of_its_own(redis_server):
    engine = AsyncRedisEngine.from_url(redis_server.url, timeout=PATIENT)

    async def work():
        await engine.put({"key": b"parent"}, None)
        pid = os.fork()
        if not pid:
            status = 1
            try:
                asyncio.events._set_running_loop(None)
                asyncio.run(child())
                status = 0
            finally:
                os._exit(status)
        for _ in range(200):
            assert await engine.get(["key"]) == [b"parent"]
        await asyncio.to_thread(os.waitpid, pid, 0)
        assert await engine.get(["key", "child"]) == [b"parent", b"1"]
        await engine.close()

    async def child():
        await engine.put({"child": b"1"}, None)
        assert await engine.get(["key", "child"]) == [b"parent", b"1"]
        await engine.close()

    asyncio.run(work())


# Clusters and sentinels.


def test_slots_that_move_are_followed(redis_cluster):
    first, second, _ = redis_cluster.nodes
    with closing(RedisEngine.from_url(redis_cluster.url, timeout=PATIENT)) as engine:
        keys = [f"key{number}" for number in range(60)]
        engine.put(dict.fromkeys(keys, b"value"), None)
        key = next(k for k in keys if first.call("CLUSTER", "KEYSLOT", k) < 5461)
        slot = first.call("CLUSTER", "KEYSLOT", key)
        one, other = (node.call("CLUSTER", "MYID") for node in (first, second))
        try:
            second.call("CLUSTER", "SETSLOT", slot, "IMPORTING", one)
            first.call("CLUSTER", "SETSLOT", slot, "MIGRATING", other)
            engine.drop([key])
            assert engine.get([key, "no"]) == [None, None]  # asks the one, and then the other
            engine.put({key: b"moved", "other": b"stays"}, None)
            assert second.call("CLUSTER", "COUNTKEYSINSLOT", slot) == 1
            for node in (second, first, redis_cluster.nodes[2]):
                node.call("CLUSTER", "SETSLOT", slot, "NODE", other)
            assert engine.get([key, "other"]) == [b"moved", b"stays"]
            assert engine.get([key, "other"]) == [b"moved", b"stays"]
            assert Counter(engine.scan("key"))[key] == 1
        finally:
            engine.drop([key])
            for node in (first, second, redis_cluster.nodes[2]):
                node.call("CLUSTER", "SETSLOT", slot, "NODE", one)


def test_a_node_that_knows_of_no_slots_is_not_relied_on(call, redis_cluster):
    with answering(b"+PONG\r\n", b"*0\r\n", then_closing=False) as port:
        url = redis_cluster.url.replace("//", f"//127.0.0.1:{port},")
        assert call(url, "get", ["no"], timeout=PATIENT) == [None]
        with pytest.raises(EngineConnectionError, match="none of the nodes knows"):
            call(f"redis+cluster://127.0.0.1:{port}", "get", ["no"], timeout=PATIENT)


def test_threads_do_not_wait_for_each_other_in_a_circle(redis_cluster):
    there = [f"key{number}" for number in range(60)]
    orders = there, there[::-1]
    with closing(RedisEngine.from_url(redis_cluster.url, timeout=PATIENT, pool_size=1)) as engine:
        at_once(lambda me: [engine.get(orders[me % 2]) for _ in range(100)], 4)


def test_a_node_that_is_away_is_told_and_found_again(redis_cluster):
    with closing(RedisEngine.from_url(redis_cluster.url, timeout=PATIENT)) as engine:
        engine.put(dict.fromkeys(KEYS, b"value"), None)
        redis_cluster.nodes[1].stop()
        with pytest.raises(EngineConnectionError):
            engine.get(KEYS)
        redis_cluster.mend()
        wait_until(lambda: serves(engine), PATIENT, lambda: "it doesn't come back")
        engine.put(dict.fromkeys(KEYS, b"value"), None)
        assert engine.get(KEYS) == [b"value"] * len(KEYS)


def test_sentinels_that_fall_silent_hold_up_nobody(redis_sentinel, monkeypatch):
    for room in ("lines", "async_lines"):
        monkeypatch.setattr(f"twat_cache.engines.redis.{room}.FOLLOWING", 0.0)
        monkeypatch.setattr(f"twat_cache.engines.redis.{room}.GLANCE", 0.01)
    url = f"{redis_sentinel.url}?timeout={PATIENT}"

    async def work():
        awaited = AsyncRedisEngine.from_url(url)
        await awaited.ping()
        redis_sentinel.sentinel.pause()
        for _ in range(10):
            await awaited.get(["key"])
        await awaited.close()

    asyncio.run(work())
    redis_sentinel.sentinel.resume()
    with closing(RedisEngine.from_url(url)) as blocking:
        blocking.ping()
        redis_sentinel.sentinel.pause()
        for _ in range(10):
            blocking.get(["key"])
        redis_sentinel.sentinel.resume()


@pytest.mark.parametrize("kill", [False, True])
def test_after_a_failover_the_new_primary_serves(redis_sentinel, kill):
    with closing(RedisEngine.from_url(redis_sentinel.url, timeout=1)) as engine:
        engine.put({"key": b"value"}, None)
        redis_sentinel.fail_over(kill=kill)
        wait_until(  # until the old one has heard of it, it goes on taking what is put
            lambda: stores(engine) and redis_sentinel.primary.call("GET", "after") == "value",
            PATIENT,
            lambda: "the new one gets nothing",
        )
        assert engine.get(["after"]) == [b"value"]


def test_after_a_failover_awaited_calls_go_to_the_new_primary(redis_sentinel):
    async def work():
        engine = AsyncRedisEngine.from_url(redis_sentinel.url, timeout=1)
        await engine.put({"key": b"value"}, None)
        await asyncio.to_thread(redis_sentinel.fail_over)
        limit = time.monotonic() + PATIENT
        while redis_sentinel.primary.call("GET", "awaited") != "value":
            assert time.monotonic() < limit
            with suppress(EngineError):
                await engine.put({"awaited": b"value"}, None)
            await asyncio.sleep(0.05)
        assert await engine.get(["awaited"]) == [b"value"]
        await engine.close()

    redis_sentinel.primary.call("DEL", "awaited")
    asyncio.run(work())


def caught(call):
    try:
        call()
    except EngineError as error:
        return error
    return None


def serves(engine):
    try:
        engine.ping()
        engine.get(["key"])
    except EngineError:
        return False
    return True


def stores(engine):
    try:
        engine.put({"after": b"value"}, None)
    except EngineError:
        return False
    return True

"""The engine on memcached, on real servers."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import subprocess
import time
from contextlib import closing
from threading import Event, Thread

import pytest

from tests.fixtures.servers.memcached import Memcached
from tests.fixtures.servers.redis_secure import make_certificate
from tests.fixtures.servers.server import Missing, ask, served, wait_until
from tests.fixtures.turns import all_get_their_turn
from twat_cache import (
    Cache,
    ConfigurationError,
    EngineClosedError,
    EngineConnectionError,
    EngineError,
    EngineTimeoutError,
    open_engine,
    ucache,
)
from twat_cache.testing import EngineSuite
from twat_cache.testing.engine_suite import KEYS, VALUES, at_once

pytest.importorskip("pymemcache")
from twat_cache.engines.memcached import MemcachedEngine

pytestmark = pytest.mark.xdist_group("memcached")

PATIENT = 5.0  # seconds; a busy machine isn't what is tested


@pytest.fixture(scope="module")
def second_server():
    yield from served(Memcached.launch)


@pytest.fixture
def servers(memcached_server, second_server):
    """Two that are empty."""
    for server in (memcached_server, second_server):
        server.start()
        ask(server.port, b"flush_all\r\n", b"OK\r\n")
    return [memcached_server, second_server]


@pytest.fixture
def engine(servers):
    with closing(MemcachedEngine(servers[0].address, timeout=PATIENT)) as engine:
        yield engine


@pytest.fixture
def both(servers):
    """An engine on two servers, and for each of these a key that it has."""
    with closing(MemcachedEngine([s.address for s in servers], timeout=PATIENT)) as engine:
        yield engine


def keys_of(servers, count=100):
    """The keys that each server has, of those that were put."""
    keys = [f"key{number}" for number in range(count)]
    shares = []
    for server in servers:
        with closing(MemcachedEngine(server.address, timeout=PATIENT)) as alone:
            found = alone.get(keys)
        shares.append([key for key, value in zip(keys, found, strict=True) if value is not None])
    return shares


def its_time(server):
    """The seconds that the server counts."""
    for line in ask(server.port, b"stats\r\n", b"END\r\n").split(b"\r\n"):
        if line.startswith(b"STAT time "):
            return int(line.split()[2])
    raise AssertionError


class OnServers(EngineSuite):
    """Times are whole seconds of the server's clock."""

    count = 1

    @pytest.fixture(autouse=True)
    def _servers(self, servers):
        self.servers = servers[: self.count]

    def make(self, clock):
        return MemcachedEngine([server.address for server in self.servers], timeout=PATIENT)

    def elapse(self, clock, seconds):
        """What was to live a second less is over as soon as the servers have counted so many."""
        ends = [its_time(server) + seconds - 1 for server in self.servers]
        while any(its_time(server) < end for server, end in zip(self.servers, ends, strict=True)):
            time.sleep(0.02)

    @pytest.mark.parametrize("number", range(len(VALUES) - 1))  # the last is over the limit
    def test_a_value_comes_back_byte_for_byte(self, engine, number):
        super().test_a_value_comes_back_byte_for_byte(engine, number)


class TestOneServer(OnServers):
    pass


class TestTwoServers(OnServers):
    count = 2

    # Time is each server's own affair, and was waited for above.
    test_what_is_past_its_time_is_not_there = None
    test_an_added_value_ends_with_its_time = None
    test_a_later_put_brings_its_own_time = None
    test_swap_knows_what_is_past_its_time = None
    test_touch_gives_a_new_time = None


def test_it_is_opened_by_its_url(servers):
    for scheme in ("memcached", "memcache"):
        url = f"{scheme}://{servers[0].address},{servers[1].address}/?timeout=5&pool_size=2"
        with closing(open_engine(url)) as engine:
            engine.put({"a": b"1", "b": b"2"}, None)
            assert engine.get(["b", "a"]) == [b"2", b"1"]


@pytest.mark.parametrize(
    "url",
    [
        "memcached:",
        "memcached://host:port",
        "memcached://host:0",
        "memcached://host:70000",
        "memcached://host/0",
        "memcached://one,one",
        "memcached://host?timeout=0",
        "memcached://host?timeout=soon",
        "memcached://host?pool_size=0",
        "memcached://host?tls=perhaps",
        "memcached://host?compress=1",
        "memcached://user@host",
        "memcached://hunter2:hunter3@host:port",
    ],
)
def test_what_an_url_cannot_mean_is_refused(url):
    with pytest.raises(ConfigurationError) as caught:
        MemcachedEngine.from_url(url)
    assert "hunter" not in str(caught.value)


def test_making_one_connects_to_nobody():
    MemcachedEngine("no.such.host.invalid:1").close()


def test_keys_that_it_refuses_are_kept_by_their_digest(engine, servers):
    engine.put({key: b"%d" % number for number, key in enumerate(KEYS)}, None)
    listed = ask(servers[0].port, b"lru_crawler metadump all\r\n", b"END\r\n")
    names = [line.split()[0] for line in listed.split(b"\n") if line.startswith(b"key=")]
    assert len(names) >= len(KEYS)
    plain = [key for key in KEYS if key.isascii() and key.isprintable() and " " not in key]
    digested = [name for name in names if name.startswith(b"key=%23")]
    assert len(digested) > len(KEYS) - len(plain)
    assert b"key=plain" in names


def test_no_key_is_taken_for_the_digest_of_another(engine):
    from hashlib import blake2b

    odd = "with space"
    digest = "#" + blake2b(odd.encode(), digest_size=32).hexdigest()
    engine.put({odd: b"1"}, None)
    assert engine.get([digest, odd]) == [None, b"1"]
    engine.put({digest: b"2"}, None)
    assert engine.get([digest, odd]) == [b"2", b"1"]


def test_it_can_not_be_listed(engine):
    assert not engine.capabilities.scan
    with pytest.raises(EngineError, match="list"):
        engine.scan("")


def test_a_value_that_is_too_large_is_left_out_and_what_was_there_is_forgotten(engine, caplog):
    nearly = bytes((1 << 20) - 20)  # which the server itself refuses, since it counts more
    with caplog.at_level(logging.WARNING, "twat_cache"):
        for large in (bytes(1 << 20), nearly, bytes(5 << 20)):
            engine.put({"large": b"old", "other": b"1"}, None)
            engine.put({"before": b"2", "large": large, "other": b"3"}, None)
            assert engine.get(["before", "large", "other"]) == [b"2", None, b"3"]
    assert engine.skipped == 3
    (record,) = caplog.records
    assert "-I" in record.getMessage()


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) - 20])
def test_what_is_too_large_is_not_added_and_not_swapped_in(engine, size):
    assert engine.add("key", bytes(size), None) is False
    assert engine.swap("key", None, bytes(size), None) is False
    assert engine.get(["key"]) == [None]
    engine.put({"key": b"old"}, None)
    assert engine.add("key", bytes(size), None) is False
    assert engine.get(["key"]) == [b"old"]
    assert engine.swap("key", b"other", bytes(size), None) is False
    assert engine.get(["key"]) == [b"old"]
    assert engine.swap("key", b"old", bytes(size), None) is False
    assert engine.get(["key"]) == [None]


@pytest.mark.parametrize("ttl", [86_400 * 30, 86_400 * 31, 1e9, 1e12, float("inf")])
def test_a_time_to_live_may_be_long(engine, ttl):
    engine.put({"put": b"1"}, ttl)
    assert engine.add("added", b"2", ttl)
    engine.put({"touched": b"3"}, None)
    assert engine.touch(["touched"], ttl) == 1
    assert engine.get(["put", "added", "touched"]) == [b"1", b"2", b"3"]


def test_a_long_time_is_a_date_of_our_clock(servers):
    month = 86_400 * 31
    engine = MemcachedEngine(
        servers[0].address, timeout=PATIENT, clock=lambda: time.time() - month - 10
    )
    with closing(engine):
        engine.put({"over": b"1"}, month)
        assert engine.get(["over"]) == [None]


def test_less_than_a_second_is_not_for_ever(engine, servers):
    engine.put({"key": b"1"}, 0.001)
    end = its_time(servers[0]) + 1
    wait_until(lambda: its_time(servers[0]) >= end, 20, lambda: "its clock stands still")
    assert engine.get(["key"]) == [None]


def test_values_are_those_of_any_client(engine, servers):
    ask(servers[0].port, b"set theirs 0 0 3\r\na\r\n\r\n", b"STORED\r\n")
    assert engine.get(["theirs"]) == [b"a\r\n"]
    engine.put({"ours": b"\x00\r\nEND\r\n"}, None)
    answer = ask(servers[0].port, b"get ours\r\n", b"END\r\n\r\nEND\r\n")
    assert answer == b"VALUE ours 0 8\r\n\x00\r\nEND\r\n\r\nEND\r\n"


def test_each_key_has_its_server(both, servers):
    both.put({f"key{number}": b"1" for number in range(100)}, None)
    first, second = keys_of(servers)
    assert min(len(first), len(second)) > 20
    assert len(first) + len(second) == 100
    assert both.drop(first + second) == 100


def test_a_server_that_is_added_takes_only_its_share(both, servers):
    keys = [f"key{number}" for number in range(100)]
    with closing(MemcachedEngine(servers[0].address, timeout=PATIENT)) as alone:
        alone.put(dict.fromkeys(keys, b"1"), None)
    stayed = [key for key, value in zip(keys, both.get(keys), strict=True) if value is not None]
    both.put(dict.fromkeys(keys, b"2"), None)
    assert sorted(stayed) == sorted(set(keys) - set(keys_of(servers)[1]))


def test_the_order_of_the_servers_does_not_matter(both, servers):
    keys = [f"key{number}" for number in range(100)]
    both.put(dict.fromkeys(keys, b"1"), None)
    turned = MemcachedEngine([s.address for s in reversed(servers)], timeout=PATIENT)
    with closing(turned):
        assert turned.get(keys) == [b"1"] * 100


def test_a_dead_server_takes_no_others_down(both, servers):
    keys = [f"key{number}" for number in range(100)]
    both.put(dict.fromkeys(keys, b"old"), None)
    first, second = keys_of(servers)
    servers[1].kill()
    assert both.get(keys) == [b"old" if key in first else None for key in keys]
    assert both.get(second[:1]) == [None]
    both.put(dict.fromkeys(keys, b"new"), None)
    assert both.get(keys) == [b"new" if key in first else None for key in keys]
    assert both.drop([*first[:2], *second[:2]]) == 2
    assert both.ping() is None
    for action in (
        lambda: both.add(second[0], b"new", None),
        lambda: both.swap(second[0], None, b"new", None),
        lambda: both.touch(second[:2], 60),
    ):
        with pytest.raises(EngineConnectionError, match=servers[1].address):
            action()


def test_what_changed_while_a_server_was_away_is_forgotten_before_it_is_asked(servers, caplog):
    keys = [f"key{number}" for number in range(100)]
    engine = MemcachedEngine([server.address for server in servers], timeout=0.5)
    with closing(engine), caplog.at_level(logging.WARNING, "twat_cache"):
        engine.put(dict.fromkeys(keys, b"old"), None)
        _, second = keys_of(servers)
        put, dropped, kept = second[0], second[1], second[2]
        servers[1].pause()
        engine.put({put: b"new"}, None)
        assert engine.drop([dropped]) == 0
        assert engine.get([kept]) == [None]
        servers[1].resume()
        wait_until(lambda: engine.get([kept]) != [None], 20, lambda: "it isn't asked again")
        assert engine.get([put, dropped, kept]) == [None, None, b"old"]
    assert len(caplog.records) == 1
    assert servers[1].address in caplog.records[0].getMessage()


def test_if_all_are_away_that_is_an_error(both, servers):
    for server in servers:
        server.kill()
    for action in (
        lambda: both.get([f"key{number}" for number in range(100)]),
        lambda: both.put({f"key{number}": b"1" for number in range(100)}, None),
        lambda: both.drop(["key"]),
        both.ping,
    ):
        with pytest.raises(EngineConnectionError):
            action()


def test_a_silent_server_is_not_waited_for_each_time(servers):
    keys = [f"key{number}" for number in range(100)]
    engine = MemcachedEngine([server.address for server in servers], timeout=0.1)
    said = []

    def is_refused():
        try:
            engine.touch(keys, 60)
        except EngineError as error:
            said.append(str(error))
        return "a moment ago" in said[-1]

    with closing(engine):
        engine.ping()
        servers[1].pause()
        wait_until(is_refused, 20, lambda: f"it is asked each time: {said}")


def answers(engine, key):
    try:
        engine.get([key])
    except EngineError:
        return False
    return True


def test_no_server_is_a_connection_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        engine = MemcachedEngine.from_url(f"memcached://u:hunter2@127.0.0.1:{port}")
        with closing(engine), pytest.raises(EngineConnectionError) as caught:
            engine.ping()
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert "hunter2" not in repr(engine) + str(caught.value) + repr(vars(engine))


def test_a_name_that_nobody_has_is_a_connection_error():
    engine = MemcachedEngine("no-such-host.invalid:11211", timeout=PATIENT)
    with closing(engine), pytest.raises(EngineConnectionError, match="no-such-host"):
        engine.get(["key"])


def test_a_server_that_never_answers_is_not_waited_for(servers):
    engine = MemcachedEngine(servers[0].address, timeout=0.1)
    with closing(engine):
        engine.ping()
        servers[0].pause()
        for call in (engine.ping, lambda: engine.get(["key"]), lambda: engine.drop(["key"])):
            with pytest.raises(EngineTimeoutError, match=r"0\.1 s"):
                call()


def test_after_a_time_out_no_answer_is_taken_for_another(servers):
    engine = MemcachedEngine(servers[0].address, timeout=0.1)
    with closing(engine):
        engine.put({"a": b"1", "b": b"2"}, None)
        servers[0].pause()
        with pytest.raises(EngineTimeoutError):
            engine.get(["a"])
        servers[0].resume()
        wait_until(lambda: answers(engine, "b"), 20, lambda: "it doesn't come back")
        assert engine.get(["b"]) == [b"2"]


def test_one_that_is_started_again_is_found_again(engine, servers):
    at_once(lambda me: engine.put({f"key{me}": b"1"}, None))  # several connections
    servers[0].kill()
    with pytest.raises(EngineConnectionError):
        engine.get(["key0"])
    servers[0].start()
    assert engine.get(["key0"]) == [None]
    assert engine.add("key0", b"2", None)


class Babbler:
    """Accepts one connection after the other, and answers whatever is said with one line."""

    def __init__(self, line):
        self.line = line
        self.heard = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.socket.getsockname())
        Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    while said := connection.recv(4096):
                        self.heard += said
                        connection.sendall(self.line)
                except OSError:
                    pass

    def close(self):
        self.socket.close()


@pytest.mark.parametrize(
    "line",
    [
        b"-ERR unknown command 'version'\r\n",  # a Redis
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"ERROR\r\n",
    ],
)
def test_another_kind_of_server_is_told_apart_before_it_is_sent_a_value(line):
    with closing(Babbler(line)) as other:
        engine = MemcachedEngine(other.address, timeout=PATIENT)
        with closing(engine), pytest.raises(EngineError, match="no memcached") as caught:
            engine.put({"key": b"FLUSHALL\r\n"}, None)
        assert not isinstance(caught.value, (EngineConnectionError, EngineTimeoutError))
        assert b"FLUSHALL" not in other.heard


def test_tls_with_a_server_that_has_none_is_an_error():
    with closing(Babbler(b"ERROR\r\n")) as plain:
        engine = MemcachedEngine(plain.address, tls=True, timeout=PATIENT)
        with closing(engine), pytest.raises(EngineError, match="TLS") as caught:
            engine.ping()
        assert not isinstance(caught.value, (EngineConnectionError, EngineTimeoutError))


class Encrypted(Memcached):
    """One that speaks TLS only."""

    def prepare(self):
        if b"enable-ssl" not in subprocess.run(["memcached", "-h"], capture_output=True).stdout:
            raise Missing("this memcached was built without TLS")
        make_certificate(self.folder)
        self.certificate = self.folder / "certificate.pem"

    def command(self):
        files = f"ssl_chain_cert={self.certificate},ssl_key={self.folder / 'key.pem'}"
        return [*super().command(), "-Z", "-o", files]

    def serves(self):
        context = ssl.create_default_context(cafile=str(self.certificate))
        with socket.create_connection((self.host, self.port), timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname=self.host) as connection:
                connection.sendall(b"version\r\n")
                return connection.recv(100).startswith(b"VERSION")


@pytest.fixture(scope="module")
def encrypted_server():
    yield from served(Encrypted.launch)


def test_it_may_speak_tls(encrypted_server):
    trusting = ssl.create_default_context(cafile=str(encrypted_server.certificate))
    engine = MemcachedEngine(encrypted_server.address, tls=trusting, timeout=PATIENT)
    with closing(engine):
        engine.put({"key": b"x" * 100_000, "other": b"1"}, None)
        assert engine.get(["key", "other"]) == [b"x" * 100_000, b"1"]


def test_a_certificate_that_nobody_vouches_for_is_an_error(encrypted_server):
    engine = MemcachedEngine.from_url(f"memcached://{encrypted_server.address}?tls=1&timeout=5")
    with closing(engine), pytest.raises(EngineError, match="certificate") as caught:
        engine.ping()
    assert not isinstance(caught.value, (EngineConnectionError, EngineTimeoutError))


class Secret(Memcached):
    """One that wants a user and a password."""

    def command(self):
        (self.folder / "users").write_text("reader:open sesame\nwriter:hunter2\n")
        return [*super().command(), "-Y", str(self.folder / "users")]

    def serves(self):
        return b"unauthenticated" in ask(self.port, b"version\r\n", b"\r\n")


@pytest.fixture(scope="module")
def secret_server():
    yield from served(Secret.launch)


def test_it_may_have_a_user_and_a_password(secret_server):
    url = f"memcached://writer:hunter2@{secret_server.address}?timeout=5"
    with closing(MemcachedEngine.from_url(url)) as engine:
        engine.put({"key": b"1"}, None)
        assert engine.get(["key"]) == [b"1"]


def test_a_name_that_is_not_looked_up_in_time_is_not_waited_for(servers, monkeypatch):
    look_up, may_end = socket.getaddrinfo, Event()

    def slowly(host, *args, **options):
        may_end.wait(PATIENT)
        return look_up("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    url = f"memcached://cache.example:{servers[0].port}?timeout=0.05"
    with closing(MemcachedEngine.from_url(url)) as engine, pytest.raises(EngineTimeoutError):
        engine.ping()
    may_end.set()


def test_a_server_that_wants_no_password_is_not_told_it(engine, servers):
    engine.put({"login": b"a value"}, None)
    url = f"memcached://writer:hunter2@{servers[0].address}?timeout=5"
    with closing(MemcachedEngine.from_url(url)) as other:
        assert other.get(["login"]) == [b"a value"]  # which is where it would have been kept


@pytest.mark.parametrize("login", ["", "writer:hunter3@", "hunter:hunter2@"])
def test_a_wrong_password_is_an_error_that_does_not_show_it(secret_server, login):
    url = f"memcached://{login}{secret_server.address}?timeout=5"
    engine = MemcachedEngine.from_url(url)
    with closing(engine), pytest.raises(EngineError, match="password") as caught:
        engine.ping()
    assert not isinstance(caught.value, (EngineConnectionError, EngineTimeoutError))
    assert "hunter" not in repr([caught.value, caught.value.__cause__, engine])


def test_no_thread_keeps_a_connection_from_those_that_wait(servers):
    with closing(MemcachedEngine(servers[0].address, pool_size=1, timeout=PATIENT)) as engine:
        all_get_their_turn(lambda: engine.get(["key"]))


def test_who_finds_no_connection_free_waits_for_one(servers):
    with closing(MemcachedEngine(servers[0].address, pool_size=1, timeout=PATIENT)) as engine:
        engine.put({"key": b"x" * 1000}, None)
        assert at_once(lambda me: [engine.get(["key"]) for _ in range(50)])[0][0] == [b"x" * 1000]
        listed = ask(servers[0].port, b"stats conns\r\n", b"END\r\n")
    assert listed.count(b":addr tcp:127.0.0.1") <= 3  # it listens, this one asks, and the engine


def test_closing_waits_for_nobody_and_ends_all_connections(servers):
    engine = MemcachedEngine(servers[0].address, timeout=PATIENT)
    engine.ping()
    engine.close()
    with pytest.raises(EngineClosedError):
        engine.get(["key"])
    with pytest.raises(EngineClosedError):
        engine.get(["key", "other"])


def test_what_another_machine_has_dropped_is_gone_for_who_asks_afterwards(servers):
    url, runs = f"memcached://{servers[0].address}?timeout=5", []

    def machine():
        cache = Cache(url, namespace="n")

        @ucache(url, namespace="n", name="f")
        def f(x):
            runs.append(x)
            return len(runs)

        return cache, f

    (here, f), (there, g) = machine(), machine()
    with closing(here), closing(there), closing(f), closing(g):
        for drop in (
            lambda: f.invalidate(1),
            f.cache_clear,
            here.clear,
            lambda: ask(servers[0].port, b"flush_all\r\n", b"OK\r\n"),
        ):
            before = g(1)
            there.set("a", before)
            assert [f(1), g(1), here.get("a")] == [before] * 3
            drop()
            assert g(1) == before + 1
            assert f(1) == before + 1
        assert there.get("a") is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_uses_no_connection_of_its_parent(engine):
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

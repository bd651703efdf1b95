"""The engines on object stores: moto's server enforces conditional puts, rclone's signatures."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import weakref
from contextlib import closing, suppress
from threading import Thread

import pytest

from tests.fixtures.servers.object_stores import Moto
from tests.fixtures.servers.server import served
from twat_cache import (
    ConfigurationError,
    EngineClosedError,
    EngineConnectionError,
    EngineError,
    EngineTimeoutError,
    open_engine,
    resilient,
)
from twat_cache.testing import AsyncEngineSuite, EngineSuite
from twat_cache.testing.engine_suite import at_once

pytest.importorskip("obstore")
import obstore
import obstore.store

from twat_cache.engines.objects import AsyncObjectStoreEngine, ObjectStoreEngine
from twat_cache.engines.objects.envelope import name_of, sealed

pytestmark = pytest.mark.xdist_group("s3")

PATIENT = 30.0  # seconds; a busy machine isn't what is tested


def options_for(server, **options):
    given = {
        "endpoint": server.endpoint,
        "region": "us-east-1",
        "access_key_id": server.access_key,
        "secret_access_key": server.secret_key,
        "timeout": PATIENT,
    }
    return {**given, **options}


SERIAL = """
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple(sys.argv[1], int(sys.argv[2]), DomainDispatcherApplication(create_backend_app))
"""


class SerialMoto(Moto):
    """One request after the other: moto compares and stores in two steps, and forgets in between
    what it does when it is asked from several threads."""

    def command(self):
        return [sys.executable, "-c", SERIAL, self.host, str(self.port)]


@pytest.fixture(scope="session")
def moto():
    yield from served(SerialMoto.launch)


class Prefixes:
    """A prefix of its own for each test, which is as good as an empty bucket."""

    number = 0

    @classmethod
    def new(cls):
        cls.number += 1
        return f"s3://cache/tests/{cls.number}"


@pytest.fixture
def url():
    return Prefixes.new()


def held(engine):
    """The engine, with somebody else's object under its prefix.

    rclone takes a prefix for a folder, and fails while it makes or removes that for several
    requests at once.
    """
    obstore.put(engine._place.store, "theirs", b"theirs")
    return engine


class OnMoto:
    """Conditional puts, tried out. What takes many requests is tested on the quicker server."""

    @pytest.fixture(autouse=True)
    def _server(self, moto):
        self.server = moto

    def options(self, clock):
        return options_for(self.server, clock=clock)

    test_a_batch_of_keys_may_be_large = None
    test_scan_gives_every_key_once = None
    test_scan_takes_every_character_for_itself = None
    test_entries_may_go_and_come_while_they_are_scanned = None

    def test_threads_that_drop_at_once_count_each_key_once(self, engine):
        keys = [f"key{n}" for n in range(20)]
        engine.put(dict.fromkeys(keys, b"value"), None)
        assert sum(at_once(lambda me: sum(engine.drop([key]) for key in keys))) == len(keys)


class OnRclone:
    """No conditional puts, which it ignores.

    It breaks reads off of what is replaced or dropped meanwhile, and now and then of what was just
    before: an `EngineConnectionError`, so that reads are tried again, as they are behind every URL.
    What is done to the same keys at once is tested on the other.
    """

    @pytest.fixture(autouse=True)
    def _server(self, rclone_server):
        self.server = rclone_server

    def options(self, clock):
        return options_for(self.server, clock=clock, conditional=False)

    test_threads_never_see_torn_or_strange_values = None
    test_threads_that_drop_at_once_count_each_key_once = None
    test_a_cancelled_put_stores_all_of_a_value_or_nothing = None


class TestOnMoto(OnMoto, EngineSuite):
    def make(self, clock):
        return ObjectStoreEngine.from_url(Prefixes.new(), **self.options(clock))


class TestOnRclone(OnRclone, EngineSuite):
    def make(self, clock):
        engine = held(ObjectStoreEngine.from_url(Prefixes.new(), **self.options(clock)))
        return resilient(engine, attempts=5)


class TestAsyncOnMoto(OnMoto, AsyncEngineSuite):
    def make(self, clock):
        return AsyncObjectStoreEngine.from_url(Prefixes.new(), **self.options(clock))

    test_threads_never_see_torn_or_strange_values = None
    test_of_threads_that_add_at_once_one_succeeds = None
    test_threads_that_swap_lose_no_step = None


class TestAsyncOnRclone(OnRclone, AsyncEngineSuite):
    def make(self, clock):
        engine = held(AsyncObjectStoreEngine.from_url(Prefixes.new(), **self.options(clock)))
        return resilient(engine, attempts=5)

    test_a_batch_of_keys_may_be_large = None
    test_scan_gives_every_key_once = None


@pytest.fixture
def engine(rclone_server, url):
    with closing(ObjectStoreEngine.from_url(url, **options_for(rclone_server))) as engine:
        yield held(engine)


def test_it_is_opened_by_its_url(rclone_server, url):
    options = options_for(rclone_server)
    query = f"?endpoint={options.pop('endpoint')}&region=us-east-1&timeout={PATIENT}"
    with closing(open_engine(url + query, **{**options, "pool_size": 2})) as engine:
        engine.put({"a": b"1"}, None)  # so that the folder is there
        engine.put({"a": b"1", "b": b"2"}, None)
        assert engine.get(["b", "a"]) == [b"2", b"1"]


def test_keys_come_from_the_environment(rclone_server, url, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", rclone_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", rclone_server.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", rclone_server.endpoint)
    with closing(ObjectStoreEngine.from_url(url, timeout=PATIENT)) as engine:
        engine.put({"a": b"1"}, None)
        assert engine.get(["a"]) == [b"1"]


@pytest.mark.parametrize(
    "url",
    [
        "s3:",
        "s3://",
        "s3:bucket",
        "s3:///prefix",
        "s3://key:hunter2@bucket",
        "s3://bucket?compress=1",
        "s3://bucket?account_key=hunter2",
        "s3://bucket?timeout=0",
        "s3://bucket?pool_size=none",
        "s3://bucket?conditional=perhaps",
        "s3://bucket?skip_signature=perhaps",
        "az://container",
        "az://container?account_name=me&account_key=hunter2",
        "gs://bucket?service_account=/no/such/hunter2.json",
    ],
)
def test_what_an_url_cannot_mean_is_refused(url, monkeypatch):
    for name in list(os.environ):
        if name.startswith(("AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError) as caught:
        ObjectStoreEngine.from_url(url)
    if "service_account" not in url:  # which is a path, and may be shown
        assert "hunter2" not in repr([caught.value, caught.value.__cause__])


@pytest.mark.parametrize(
    "options",
    [
        {"access_key_id": "me", "secret_access_key": "hunter2", "config": {"no_such": "hunter2"}},
        {"access_key_id": "me", "secret_access_key": ["hunter2"]},
        {"config": {"checksum_algorithm": "none"}},
    ],
)
def test_what_the_library_does_not_take_is_refused(options):
    with pytest.raises(ConfigurationError) as caught:
        ObjectStoreEngine.from_url("s3://bucket", **options)
    assert "hunter2" not in repr([caught.value, caught.value.__cause__])


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://bucket/a/b/", {}),
        ("gs://bucket", {"skip_signature": True}),
        ("az://container/a", {"account_name": "me", "account_key": "aHVudGVyMg=="}),
    ],
)
def test_making_one_connects_to_nobody(url, options):
    engine = ObjectStoreEngine.from_url(url, **options)
    assert url.strip("/") in repr(engine)
    assert "aHVudGVyMg" not in repr([engine, vars(engine)])
    assert engine.capabilities.swap
    engine.close()


def test_values_of_longer_keys_are_found_and_listed(engine):
    keys = ["k" * length for length in (149, 150, 151, 4_000, 5_000)]
    engine.put({key: key.encode() for key in keys}, None)
    assert sorted(engine.scan("k" * 150)) == keys[1:]
    assert engine.get(keys) == [key.encode() for key in keys]


def test_other_objects_in_the_bucket_are_left_alone(rclone_server, url, engine):
    engine.put({"a": b"1"}, None)
    store = engine._place.store
    for name in ("readme.txt", "below/readme.txt", "0" * 64, "0123456789abcdef.YQ"):
        obstore.put(store, name, b"theirs")
    options = options_for(rclone_server)
    with closing(ObjectStoreEngine.from_url(f"{url}/below", **options)) as below:
        below.put({"b": b"2"}, None)
        assert list(below.scan("")) == ["b"]
        assert list(engine.scan("")) == ["a"]


def test_an_object_of_somebody_else_under_our_name_is_no_value(engine):
    for content in (b"", b"theirs", b"twc1" + bytes(12), bytes(100)):
        obstore.put(engine._place.store, name_of("a"), content)
        assert engine.get(["a"]) == [None]
        assert engine.drop(["a"]) == 0
        assert engine.add("a", b"1", None) is True
        assert engine.get(["a"]) == [b"1"]
        engine.drop(["a"])


def test_where_conditions_are_ignored_swap_is_an_error_and_add_is_not(engine, caplog):
    assert engine.capabilities.swap  # which nobody knows before it was tried
    with caplog.at_level(logging.WARNING, "twat_cache"):
        assert engine.add("a", b"1", None) is True
        assert engine.add("a", b"2", None) is False
        with pytest.raises(EngineError, match="conditional=False"):
            engine.swap("a", b"1", b"2", None)
    assert len(caplog.records) == 1
    assert list(engine.scan("")) == ["a"]


def test_what_was_said_of_conditions_is_not_tried(rclone_server, url):
    options = options_for(rclone_server, conditional=False)
    with closing(ObjectStoreEngine.from_url(url, **options)) as engine:
        assert not engine.capabilities.swap
        assert engine.add("a", b"1", None) is True
        assert engine.add("a", b"2", None) is False


def test_two_engines_swap_in_one_step(moto, url):
    options = options_for(moto)
    one, other = (ObjectStoreEngine.from_url(url, **options) for _ in range(2))
    with closing(one), closing(other):
        assert one.add("a", b"1", None) is True
        assert other.add("a", b"2", None) is False
        assert other.swap("a", b"1", b"3", None) is True
        assert one.swap("a", b"1", b"4", None) is False
        assert one.swap("a", b"3", None, None) is True
        assert other.get(["a"]) == [None]
        assert other.add("a", b"5", None) is True
        assert one.get(["a"]) == [b"5"]


def result(done):
    """What a call came to, awaited if need be."""
    return asyncio.run(done) if asyncio.iscoroutine(done) else done


def failing(engine, kind, match):
    """That all methods fail so, and tell no secret."""
    with closing(engine):
        for call in (
            engine.ping,
            lambda: engine.get(["a"]),
            lambda: engine.get(["a", "b"]),
            lambda: engine.put({"a": b"1"}, None),
            lambda: engine.drop(["a", "b"]),
            lambda: engine.add("a", b"1", None),
            lambda: list(engine.scan("")),
        ):
            with pytest.raises(EngineError, match=match) as caught:
                call()
            assert type(caught.value) is kind
            assert caught.value.__cause__ is not None
            told = repr([caught.value, str(caught.value.__cause__), engine, vars(engine)])
            assert "hunter2" not in told
            assert "a2V5" not in str(caught.value)


def test_a_bucket_that_is_not_there(rclone_server):
    engine = ObjectStoreEngine.from_url("s3://no-such-bucket", **options_for(rclone_server))
    failing(engine, EngineError, "no such bucket")


def test_a_wrong_key(rclone_server, url):
    options = options_for(rclone_server, secret_access_key="hunter2")
    failing(ObjectStoreEngine.from_url(url, **options), EngineError, "refused the keys")


def test_no_server(moto, url):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        options = options_for(moto, endpoint=endpoint, secret_access_key="hunter2")
        failing(ObjectStoreEngine.from_url(url, **options), EngineConnectionError, endpoint)


def test_a_name_is_not_taken_for_a_reason(moto):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        options = options_for(moto, endpoint=endpoint)
        engine = ObjectStoreEngine.from_url("s3://certificate/TimedOut/Parse(", **options)
        failing(engine, EngineConnectionError, endpoint)


def test_a_server_that_never_answers(moto, url):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        endpoint = "http://{}:{}".format(*silent.getsockname())
        options = options_for(moto, endpoint=endpoint, timeout=0.1)
        failing(ObjectStoreEngine.from_url(url, **options), EngineTimeoutError, r"0\.1 s")


def test_tls_with_a_server_that_has_none(rclone_server, url):
    endpoint = rclone_server.endpoint.replace("http", "https")
    options = options_for(rclone_server, endpoint=endpoint)
    failing(ObjectStoreEngine.from_url(url, **options), EngineError, "TLS")


def answering(answer):
    """A server that says the same to all."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    Thread(target=serve, daemon=True).start()
    return listening


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", EngineConnectionError),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", EngineConnectionError),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", EngineConnectionError),
        (
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 27\r\n\r\n<Code>RequestTimeout</Code>",
            EngineConnectionError,
        ),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", EngineError),
        (b"-ERR unknown command\r\n", EngineError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", EngineConnectionError),
    ],
)
def test_what_else_may_answer(moto, url, answer, kind):
    with answering(answer) as listening:
        endpoint = "http://{}:{}".format(*listening.getsockname())
        options = options_for(moto, endpoint=endpoint)
        with closing(ObjectStoreEngine.from_url(url, **options)) as engine:
            with pytest.raises(EngineError) as caught:
                engine.get(["a"])
            assert type(caught.value) is kind


def test_a_token_whose_time_is_over_is_a_matter_of_the_keys(moto, url):
    said = b"<Code>ExpiredToken</Code>"
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
    with answering(answer) as listening:
        endpoint = "http://{}:{}".format(*listening.getsockname())
        options = options_for(moto, endpoint=endpoint)
        with closing(ObjectStoreEngine.from_url(url, **options)) as engine:
            with pytest.raises(EngineError, match="refused the keys"):
                engine.get(["a"])


@pytest.mark.parametrize("kind", [ObjectStoreEngine, AsyncObjectStoreEngine])
def test_a_web_server_is_no_object_store_because_it_has_no_object(moto, url, kind):
    with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nOh!\n") as listening:
        endpoint = "http://{}:{}".format(*listening.getsockname())
        engine = kind.from_url(url, **options_for(moto, endpoint=endpoint))
        with pytest.raises(EngineError, match="is no object store"):
            result(engine.ping())


@pytest.mark.parametrize("kind", [ObjectStoreEngine, AsyncObjectStoreEngine])
def test_of_a_batch_no_more_is_asked_when_there_was_no_answer(moto, url, kind):
    with socket.create_server(("127.0.0.1", 0), backlog=200) as silent:
        endpoint = "http://{}:{}".format(*silent.getsockname())
        options = options_for(moto, endpoint=endpoint, timeout=0.1, pool_size=2)
        engine = kind.from_url(url, **options)
        keys = [f"key{number}" for number in range(40)]
        with pytest.raises(EngineTimeoutError):
            result(engine.get(keys))
        silent.settimeout(0)
        asked = []
        with suppress(BlockingIOError):
            while True:
                asked.append(silent.accept()[0])
        assert 2 <= len(asked) <= 4
        for connection in asked:
            connection.close()


@pytest.mark.parametrize("kind", [ObjectStoreEngine, AsyncObjectStoreEngine])
def test_what_another_drops_meanwhile_keeps_nothing_else_from_going(tmp_path, kind):
    """Of stores that call it an error to delete what isn't there, as Google's and Azure's."""
    gone = (tmp_path / name_of(key) for key in "abcdef")

    def clock():  # which is asked between looking and deleting
        next(gone).unlink()
        return 0.0

    engine = kind.from_url("gs://bucket", skip_signature=True, clock=lambda: 0.0)
    engine._place.store = obstore.store.LocalStore(tmp_path)
    keys = [f"key{number}" for number in range(30)]
    for key in (*"abcdef", *keys):
        (tmp_path / name_of(key)).write_bytes(sealed(key, b"value", 60.0))
    engine._steps._clock = clock
    assert result(engine.drop(["a", *keys[:5]])) == 6
    assert {name_of(key) for key in keys[5:]} == {path.name for path in tmp_path.iterdir()}


def test_an_async_engine_serves_one_loop_after_the_other_and_threads(rclone_server, url):
    engine = AsyncObjectStoreEngine.from_url(url, **options_for(rclone_server))

    async def work(number):
        await engine.put({f"key{number}": b"%d" % number}, None)
        return await engine.get(["key0", "key1"])

    assert asyncio.run(work(0)) == [b"0", None]
    assert asyncio.run(work(1)) == [b"0", b"1"]
    twin = engine.blocking
    assert twin.get(["key0"]) == [b"0"]
    assert engine.blocking is twin
    asyncio.run(engine.close())
    with pytest.raises(EngineClosedError):
        twin.get(["key0"])


def test_an_async_engine_keeps_no_closed_loops(rclone_server, url):
    engine = AsyncObjectStoreEngine.from_url(url, **options_for(rclone_server, pool_size=1))
    loops = []

    async def work():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        assert await engine.get(["a", "b", "c"]) == [None, None, None]

    for _ in range(8):
        asyncio.run(work())
    gc.collect()
    assert len([loop for loop in loops if loop() is not None]) < 4  # the library may keep some


def test_the_awaited_engine_is_opened_by_the_url(rclone_server, url):
    async def work():
        engine = open_engine(url, async_=True, **options_for(rclone_server))
        assert engine.capabilities.async_
        await engine.put({"a": b"1"}, 60)
        found = await engine.get(["a"])
        await engine.close()
        return found

    assert asyncio.run(work()) == [b"1"]


@pytest.mark.parametrize("url", ["s3://bucket/a", "gs://bucket/a", "az://bucket/a"])
def test_a_rule_for_the_bucket_is_what_its_tools_take(url):
    options = {"account_name": "me"} if url.startswith("az") else {"skip_signature": True}
    with closing(ObjectStoreEngine.from_url(url, **options)) as engine:
        rule = engine.lifecycle_rule(7)
        assert "7" in json.dumps(rule)
        assert "a/" in json.dumps(rule)
        for days in (0, -1, 1.5, None):
            with pytest.raises(ConfigurationError):
                engine.lifecycle_rule(days)


AT_EXIT = """
import atexit, sys
from twat_cache import open_engine
url, endpoint, key, secret = sys.argv[1:]
engine = open_engine(
    url, endpoint=endpoint, access_key_id=key, secret_access_key=secret, region="x", timeout=30
)
engine.put({"a": b"1", "b": b"2"}, None)
atexit.register(lambda: print(engine.drop(["a", "b"]), engine.get(["a", "b"])))
"""


def test_it_serves_while_the_interpreter_ends(rclone_server, engine, url):
    server = rclone_server
    arguments = [url, server.endpoint, server.access_key, server.secret_key]
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT, *arguments], capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.stderr) == ("2 [None, None]\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_the_child_of_a_process_that_used_one_is_told_so(engine):
    engine.ping()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            engine.get(["a"])
        except EngineError as error:
            status = 0 if "fork" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0

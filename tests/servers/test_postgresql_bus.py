"""What processes tell one another by PostgreSQL, on a real server."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from contextlib import closing, suppress
from time import monotonic_ns

import pytest

from tests.fixtures.servers import wait_until
from twat_cache import ConfigurationError, EngineConnectionError, EngineError, EngineTimeoutError

psycopg = pytest.importorskip("psycopg")
from twat_cache.engines.postgresql import AsyncPostgresqlEngine, PostgresqlEngine  # noqa: E402
from twat_cache.engines.postgresql.bus import LONGEST, PostgresqlBus  # noqa: E402
from twat_cache.engines.postgresql.place import Place  # noqa: E402

pytestmark = pytest.mark.xdist_group("postgresql")

PATIENT = 10.0  # seconds
numbers = itertools.count()


@pytest.fixture
def bus(postgresql_server):
    place = Place(postgresql_server.url, user=None, password=None, timeout=PATIENT)
    with closing(PostgresqlBus(place, PATIENT)) as bus:
        bus.connect()
        yield bus


@pytest.fixture
def channel():
    return f"channel{next(numbers)}"


@pytest.fixture
def ear():
    bell, ear = socket.socketpair()
    with bell, ear:
        bell.send(b".")  # so that nobody waits
        yield ear


def test_what_was_told_before_a_beat_has_come_with_it(bus, channel):
    bus.listen([channel], PATIENT)
    assert bus.beat(PATIENT) == []
    bus.notify(channel, ["one", "two"])
    bus.notify("another", ["three"])
    assert bus.beat(PATIENT) == [(channel, "one"), (channel, "two")]
    assert bus.beat(PATIENT) == []


def test_what_is_told_ends_the_waiting(bus, channel):
    bus.listen([channel], PATIENT)
    bus.notify(channel, ["one"])
    bell, ear = socket.socketpair()
    with bell, ear:
        assert bus.wait(PATIENT, ear) == [(channel, "one")]


def test_a_ring_ends_the_waiting(bus, ear):
    assert bus.wait(PATIENT, ear) == []


@pytest.mark.parametrize("name", ["", "quo\"te'; --", "nul\0", "\ud800", "long" * 100, "é"])
def test_a_channel_is_data(bus, name):
    bus.listen([name], PATIENT)
    bus.notify(name, ["it's", "é\\"])
    assert bus.beat(PATIENT) == [(name, "it's"), (name, "é\\")]


def test_a_payload_has_a_limit(bus, channel):
    bus.listen([channel], PATIENT)
    bus.notify(channel, ["x" * LONGEST])
    assert bus.beat(PATIENT) == [(channel, "x" * LONGEST)]
    for payload in ("x" * (LONGEST + 1), "nul\0"):
        with pytest.raises(ConfigurationError, match="payload"):
            bus.notify(channel, [payload])


def test_a_lost_connection_is_told(bus, channel, ear, postgresql_server):
    bus.listen([channel], PATIENT)
    postgresql_server.stop()
    with pytest.raises(EngineConnectionError):
        bus.beat(PATIENT)
    postgresql_server.start()
    bus.connect()
    bus.listen([channel], PATIENT)
    bus.notify(channel, ["again"])
    assert bus.beat(PATIENT) == [(channel, "again")]


def test_a_server_that_never_answers_is_not_waited_for(bus, channel, postgresql_server):
    postgresql_server.pause()
    with pytest.raises(EngineTimeoutError):
        bus.beat(0.1)


class Follower:
    """Remembers what it was told; without a lock, which a fork might find taken."""

    def __init__(self, channel, bound=20.0):
        self.channel = channel
        self.bound = bound
        self.prefixes = [""]
        self.told = []
        self.until = 0

    def changed(self, keys, *, by_hand):
        self.told.append((list(keys), by_hand))

    def emptied(self):
        self.told.append("emptied")

    def alive_until(self, moment):
        self.until = moment

    def wait(self, is_so):
        wait_until(lambda: is_so(self), PATIENT, lambda: f"{self.told}, {self.until}")

    @property
    def lives(self):
        return self.until > monotonic_ns()


@pytest.fixture
def streams(postgresql_server):
    """Two on one server, as two processes have them."""
    engines = [PostgresqlEngine(postgresql_server.url, timeout=PATIENT) for _ in range(2)]
    yield [engine.stream("pubsub") for engine in engines]
    for engine in engines:
        engine.close()


@pytest.fixture
def follow():
    """Has a follower follow a stream; leaves at the end."""
    followed = []

    def follow(stream, channel, **options):
        follower = Follower(channel, **options)
        stream.follow(follower)
        followed.append((stream, follower))
        stream.start()
        stream.check()
        follower.wait(lambda it: it.lives)
        return follower

    yield follow
    for stream, follower in followed:
        stream.leave(follower)


def tell(stream, follower, keys, **options):
    stream.tell(follower, keys, **options).run()


def test_others_are_told_and_not_who_tells(streams, follow, channel):
    one, two = (follow(stream, channel) for stream in streams)
    beside = follow(streams[0], channel)
    tell(streams[0], one, ["key", "\ud800"], by_hand=True)
    for other in (two, beside):
        other.wait(lambda it: len(it.told) > 1)
        assert other.told == ["emptied", (["key", "\ud800"], True)]
    tell(streams[1], two, ["more"], by_hand=False)
    one.wait(lambda it: len(it.told) > 1)
    assert one.told == ["emptied", (["more"], False)]


def test_who_catches_up_knows_what_was_told_before(streams, follow, channel):
    one, two = (follow(stream, channel) for stream in streams)
    for number in range(1, 20):
        tell(streams[0], one, [f"{number}"], by_hand=True)
        streams[1].catch_up(two).run()
        assert len(two.told) == 1 + number
    streams[1].leave(two)
    assert streams[1].catch_up(two) is None


def test_anything_may_have_changed_is_told_in_the_channel(streams, follow, channel):
    one, two = (follow(stream, channel) for stream in streams)
    other = follow(streams[1], f"{channel}.other")
    tell(streams[0], one, [], by_hand=True)
    two.wait(lambda it: it.told == ["emptied", "emptied"])
    tell(streams[0], one, ["last"], by_hand=True)
    other.wait(lambda it: len(it.told) > 1)
    assert other.told == ["emptied", (["last"], True)]


def test_many_keys_are_told_in_several_notes_or_as_anything(streams, follow, channel):
    one, two = (follow(stream, channel) for stream in streams)
    keys = [f"{number:0100}" for number in range(200)]
    tell(streams[0], one, keys, by_hand=True)
    two.wait(lambda it: sum(len(told[0]) for told in it.told[1:]) == 200)
    assert [key for told in two.told[1:] for key in told[0]] == keys
    for too_many in (keys * 10, ["x" * 7_000]):
        two.told.clear()
        tell(streams[0], one, too_many, by_hand=True)
        two.wait(lambda it: it.told == ["emptied"])


def test_followers_that_lost_the_server_know_nothing_until_it_is_back(
    streams, follow, channel, postgresql_server
):
    one = follow(streams[0], channel, bound=0.4)
    postgresql_server.stop()
    one.wait(lambda it: not it.until)
    with pytest.raises(EngineConnectionError):
        tell(streams[0], one, ["key"], by_hand=True)
    with pytest.raises(EngineError):
        streams[0].check()
    assert streams[0].catch_up(one) is None
    one.told.clear()
    postgresql_server.start()
    one.wait(lambda it: it.lives)
    assert one.told == ["emptied"]


def test_followers_of_a_server_that_never_answers_know_nothing(
    streams, follow, channel, postgresql_server
):
    one = follow(streams[0], channel, bound=0.2)
    postgresql_server.pause()
    one.wait(lambda it: not it.until)
    one.told.clear()
    postgresql_server.resume()
    one.wait(lambda it: it.lives)
    assert one.told[0] == "emptied"


def test_a_stream_that_cannot_begin_says_why(postgresql_server, channel):
    place = f"postgresql://cache:wrong-secret@{postgresql_server.address}/cache"
    with closing(PostgresqlEngine(place, timeout=PATIENT)) as engine:
        stream = engine.stream("pubsub")
        follower = Follower(channel)
        stream.follow(follower)
        with pytest.raises(EngineError, match="refuses the user or the password"):
            stream.check()
        stream.leave(follower)
        assert not follower.lives


class Deaf:
    """A proxy that passes on all but what the server says unasked, as a pool of transactions."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets = []
        self.threads = []
        self._begin(self._accept)

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def _begin(self, function, *args):
        thread = threading.Thread(target=function, args=args)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            self.sockets += [client, server]
            self._begin(self._pass_on, client, server)
            self._begin(self._tell, server, client)

    def _pass_on(self, client, server):
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _tell(self, server, client):
        with suppress(OSError), server.makefile("rb") as said:
            while head := said.read(5):
                data = said.read(int.from_bytes(head[1:], "big") - 4)
                if head[:1] != b"A":  # a notification
                    client.sendall(head + data)
            client.shutdown(socket.SHUT_RDWR)

    def close(self):
        for one in (self.listener, *self.sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self.threads:
            thread.join()


def test_a_pool_that_passes_on_no_word_is_refused(postgresql_server, channel):
    host, _, port = postgresql_server.address.rpartition(":")
    with closing(Deaf((host, int(port)))) as pool:
        url = postgresql_server.url.replace(postgresql_server.address, f"127.0.0.1:{pool.port}")
        with closing(PostgresqlEngine(f"{url}?sslmode=disable", timeout=0.5)) as engine:
            stream = engine.stream("pubsub")
            follower = Follower(channel)
            stream.follow(follower)

            def is_refused():
                with pytest.raises(EngineError) as caught:
                    stream.check()
                return "session mode" in str(caught.value)

            wait_until(is_refused, PATIENT, lambda: str(stream.refusal))
            assert stream.is_refused
            assert not follower.lives
            stream.leave(follower)


def test_who_left_is_told_nothing_and_may_come_back(streams, follow, channel):
    one, two = (follow(stream, channel) for stream in streams)
    streams[1].leave(two)
    again = follow(streams[1], channel)
    tell(streams[0], one, ["key"], by_hand=True)
    again.wait(lambda it: len(it.told) > 1)
    assert two.told == ["emptied"]


def test_an_engine_says_how_it_tells(postgresql_server):
    for kind in (PostgresqlEngine, AsyncPostgresqlEngine):
        engine = kind(postgresql_server.url)
        assert engine.streams == ("pubsub",)
        with pytest.raises(ConfigurationError, match="accepted: pubsub"):
            engine.stream("tracking")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_begins_anew_and_the_parent_goes_on(streams, follow, channel):
    one, two = (follow(stream, channel) for stream in streams)
    child = os.fork()
    if not child:
        status = 1
        try:
            ended = one.until == 0
            one.told.clear()
            streams[0].start()
            one.wait(lambda it: it.lives)
            tell(streams[0], one, ["child's"], by_hand=True)
            status = 0 if ended and one.told == ["emptied"] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for follower in (one, two):
        follower.wait(lambda it: len(it.told) > 1)
        assert follower.told == ["emptied", (["child's"], True)]


def test_a_stream_ends_with_its_last_follower(postgresql_server, channel):
    url = f"{postgresql_server.url}?application_name={channel}"
    with closing(PostgresqlEngine(url, timeout=PATIENT)) as engine:
        stream = engine.stream("pubsub")
        follower = Follower(channel)
        stream.follow(follower)
        stream.check()
        with psycopg.connect(postgresql_server.admin_url, autocommit=True) as admin:

            def connections():
                return admin.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (channel,)
                ).fetchone()[0]

            assert connections() == 1
            stream.leave(follower)
            wait_until(lambda: not connections(), PATIENT, lambda: "it goes on")


def test_a_stream_that_is_begun_anew_keeps_the_connection_by_which_it_tells(
    postgresql_server, channel
):
    url = f"{postgresql_server.url}?application_name={channel}"
    with (
        closing(PostgresqlEngine(url, timeout=PATIENT)) as engine,
        psycopg.connect(postgresql_server.admin_url, autocommit=True) as admin,
    ):
        stream = engine.stream("pubsub")

        def connections():
            rows = admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (channel,)
            )
            return {pid for (pid,) in rows}

        for follower in (Follower(channel), Follower(channel)):
            stream.follow(follower)
            tellers = set()
            for _ in range(3):
                tell(stream, follower, ["key"], by_hand=True)
                tellers |= connections()
            assert len(tellers) == 1
            stream.leave(follower)
            wait_until(lambda: not connections(), PATIENT, lambda: "the connection rests on")

"""The proxy does what it is told to each connection and nothing else, and leaves nothing over."""

from __future__ import annotations

import asyncio
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time

import pytest

from twat_cache.testing import ChaosProxy, chaos
from twat_cache.testing.fixtures import chaos_proxy  # noqa: F401

pytestmark = pytest.mark.thread_unsafe(reason="counts threads and connections")

PATIENCE = 10
SILENCE = 0.1  # for so long nothing comes
MUCH = bytes(20_000_000)  # so much that it can be sent only if it is read
LONG = 60  # a delay that no test waits for


class _Echo(socketserver.BaseRequestHandler):
    """Answers what it is told; a client that says `!` is told a lot."""

    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(bytes(4_000_000) if data == b"!" else data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request, client_address):
        """Connections are cut here on purpose."""


@pytest.fixture
def echo():
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo):
    with ChaosProxy(*echo) as proxy:
        yield proxy


class Client:
    def __init__(self, proxy):
        self.socket = socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, data):
        self.socket.sendall(data)

    def hear(self, size):
        heard = b""
        while len(heard) < size:
            chunk = self.socket.recv(size - len(heard))
            if not chunk:
                break
            heard += chunk
        return heard

    def ask(self, data):
        self.say(data)
        return self.hear(len(data))

    def hears_nothing(self):
        self.socket.settimeout(SILENCE)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False

    def is_reset(self):
        try:
            return self.socket.recv(1) == b"?"
        except ConnectionResetError:
            return True


def until(is_so):
    limit = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_it_passes_on_what_both_sides_say(proxy):
    with Client(proxy) as one, Client(proxy) as other:
        assert one.ask(b"hello") == b"hello"
        assert other.ask(b"world" * 100_000) == b"world" * 100_000
        assert one.ask(b"again") == b"again"


def test_it_passes_on_an_end_after_all_that_was_said(proxy):
    with Client(proxy) as client:
        client.say(b"goodbye")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.hear(100) == b"goodbye"


def test_a_slow_client_slows_the_server_and_loses_nothing(proxy):
    with Client(proxy) as client:
        client.say(b"!")
        assert client.hear(1) == bytes(1)
        assert len(client.hear(3_999_999)) == 3_999_999


def test_it_counts_connections(proxy):
    assert (proxy.connections, proxy.accepted) == (0, 0)
    with Client(proxy) as one, Client(proxy) as other:
        one.ask(b"1")
        other.ask(b"2")
        assert (proxy.connections, proxy.accepted) == (2, 2)
    until(lambda: proxy.connections == 0)
    assert proxy.accepted == 2


@pytest.mark.parametrize("turns", range(4))
def test_what_is_held_back_can_be_cut_as_it_is_healed(turns):
    async def main():
        event = asyncio.Event()
        held = asyncio.ensure_future(chaos._until(event, LONG))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        event.set()
        for _ in range(turns):  # of the loop, in which it goes on
            await asyncio.sleep(0)
        return not held.cancel() or (await asyncio.wait([held]) and held.cancelled())

    assert asyncio.run(main())


def test_who_connects_while_no_server_listens_is_reset(proxy):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, but not listening
        with ChaosProxy(*nobody.getsockname()) as lonely:
            with pytest.raises(ConnectionResetError):  # while it connects or afterwards
                with Client(lonely) as client:
                    client.hear(1)


def test_cut_connections_are_reset_and_new_ones_are_taken(proxy):
    with Client(proxy) as one, Client(proxy) as other:
        one.ask(b"1")
        other.ask(b"2")
        proxy.cut()
        assert proxy.connections == 0
        assert one.is_reset()
        assert other.is_reset()
    with Client(proxy) as client:
        assert client.ask(b"3") == b"3"


def test_the_server_sees_a_cut_as_well(echo):
    told = []
    over = threading.Event()

    class Telling(_Echo):
        def handle(self):
            try:
                super().handle()
            except ConnectionResetError:
                told.append("reset")
            over.set()

    with _Server(("127.0.0.1", 0), Telling) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with ChaosProxy(*server.server_address) as proxy, Client(proxy) as client:
            client.ask(b"hello")
            proxy.cut()
            assert over.wait(PATIENCE)
        server.shutdown()
        thread.join()
    assert told == ["reset"]


def test_a_delay_holds_back_each_chunk_until_it_is_healed(proxy):
    with Client(proxy) as client:
        assert client.ask(b"quick") == b"quick"
        proxy.delay(LONG)
        for part in (b"one ", b"two ", b"three"):
            client.say(part)
        assert client.hears_nothing()
        proxy.heal()
        assert client.hear(13) == b"one two three"
        assert client.ask(b"quick") == b"quick"


def test_a_delay_is_paid_on_the_way_there_and_back(proxy):
    proxy.delay(0.05)
    with Client(proxy) as client:
        begin = time.monotonic()
        assert client.ask(b"slow") == b"slow"
        assert time.monotonic() - begin >= 0.0999


def test_a_delayed_connection_can_be_cut(proxy):
    proxy.delay(LONG)
    with Client(proxy) as client:
        client.say(b"hello")
        until(lambda: proxy.connections == 1)
        proxy.cut()
        assert client.is_reset()


def test_new_connections_are_refused_and_old_ones_go_on(proxy):
    with Client(proxy) as old:
        old.ask(b"1")
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            Client(proxy)
        assert old.ask(b"2") == b"2"
        port = proxy.port
        proxy.heal()
        assert proxy.port == port
        with Client(proxy) as new:
            assert new.ask(b"3") == b"3"
        assert old.ask(b"4") == b"4"


def test_a_port_that_refuses_is_not_given_to_anybody_else(proxy):
    proxy.refuse()
    with socket.socket() as other, pytest.raises(OSError):
        other.bind((proxy.host, proxy.port))


def test_a_black_hole_takes_connections_and_bytes_and_answers_nothing(proxy):
    with Client(proxy) as old:
        old.ask(b"1")
        proxy.stall()
        with Client(proxy) as new:
            for client in (old, new):
                client.say(MUCH)
                assert client.hears_nothing()


def test_who_lost_something_in_the_black_hole_is_reset_when_it_is_healed(proxy):
    with Client(proxy) as losing, Client(proxy) as quiet:
        losing.ask(b"1")
        quiet.ask(b"2")
        proxy.stall()
        losing.say(MUCH)
        with Client(proxy) as new:
            until(lambda: proxy.connections == 3)
            proxy.heal()
            assert new.is_reset()
        assert losing.is_reset()
        assert quiet.ask(b"3") == b"3"
    with Client(proxy) as client:
        assert client.ask(b"4") == b"4"


def test_who_leaves_a_black_hole_is_not_counted_any_more(proxy):
    with Client(proxy) as old:
        old.ask(b"1")
        proxy.stall()
        with Client(proxy) as new:
            new.say(b"2")
            until(lambda: proxy.connections == 2)
    until(lambda: proxy.connections == 0)


def test_a_black_hole_can_be_cut(proxy):
    proxy.stall()
    with Client(proxy) as client:
        until(lambda: proxy.connections == 1)
        proxy.cut()
        assert client.is_reset()


def test_corruption_changes_every_byte_at_a_rate_of_1(proxy):
    proxy.corrupt(1)
    data = bytes(range(256)) * 10
    with Client(proxy) as client:
        heard = client.ask(data)
    assert len(heard) == len(data)
    assert all(a != b for a, b in zip(heard, data))


def test_corruption_keeps_to_its_rate_and_its_seed(proxy):
    data = bytes(100_000)

    def corrupted(seed):
        with ChaosProxy("127.0.0.1", proxy.port) as second:
            second.corrupt(0.01, seed)
            with Client(second) as client:
                # In pieces that differ, which must not matter.
                return b"".join(
                    client.ask(data[:size]) for size in (1, 20_000 + seed, 79_999 - seed)
                )

    once, again, otherwise = corrupted(1), corrupted(1), corrupted(2)
    assert once == again != otherwise
    assert 700 < sum(map(bool, once)) < 1_300


def test_corruption_spares_what_the_client_says_and_ends_when_it_is_healed(proxy):
    heard = []

    class Noting(_Echo):
        def handle(self):
            while data := self.request.recv(65536):
                heard.append(data)
                self.request.sendall(data)

    with _Server(("127.0.0.1", 0), Noting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with ChaosProxy(*server.server_address) as proxy, Client(proxy) as client:
            proxy.corrupt(1)
            assert client.ask(b"hello") != b"hello"
            proxy.heal()
            assert client.ask(b"world") == b"world"
        server.shutdown()
        thread.join()
    assert b"".join(heard) == b"helloworld"


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, float("nan")])
def test_a_rate_of_corruption_is_a_chance(proxy, rate):
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        proxy.corrupt(rate)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_delay_is_a_time(proxy, seconds):
    with pytest.raises(ValueError, match="0 seconds or more"):
        proxy.delay(seconds)


def test_a_closed_proxy_leaves_no_thread_and_no_connection(echo):
    proxy = ChaosProxy(*echo)
    with Client(proxy) as client:
        client.ask(b"hello")
        proxy.close()
        proxy.close()
        assert client.is_reset()
    assert not any(str(proxy.port) in thread.name for thread in threading.enumerate())
    with pytest.raises(OSError):
        Client(proxy)
    with pytest.raises(RuntimeError, match="is closed"):
        proxy.cut()


@pytest.mark.parametrize("trouble", ["refuse", "stall", "delay"])
def test_a_proxy_can_be_closed_in_any_trouble(echo, trouble):
    with ChaosProxy(*echo) as proxy, Client(proxy) as client:
        getattr(proxy, trouble)(*[LONG] * (trouble == "delay"))
        client.say(b"hello")
    with pytest.raises(OSError):
        Client(proxy)


def test_threads_may_tell_it_different_things_at_once(proxy):
    def trouble():
        for _ in range(20):
            proxy.cut()
            proxy.refuse()
            proxy.stall()
            proxy.heal()

    threads = [threading.Thread(target=trouble) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        try:
            with Client(proxy) as client:
                client.ask(b"hello")
        except OSError:
            pass
    for thread in threads:
        thread.join()
    with Client(proxy) as client:
        assert client.ask(b"hello") == b"hello"


def test_the_fixture_makes_any_number_and_ends_them(echo, chaos_proxy):  # noqa: F811
    first = chaos_proxy(*echo)
    second = chaos_proxy(first.host, first.port)
    with Client(second) as client:
        assert client.ask(b"hello") == b"hello"


def test_its_repr_and_its_address_tell_where_it_is(proxy, echo):
    assert proxy.address == f"127.0.0.1:{proxy.port}"
    assert repr(proxy) == f"<ChaosProxy 127.0.0.1:{proxy.port} before 127.0.0.1:{echo[1]}>"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_keeps_no_connection_of_it_open():
    """In a process of its own, since a process with threads should not fork."""
    program = f"""if True:
        import os, socket, sys, warnings
        sys.path[:0] = {sys.path!r}
        warnings.simplefilter("ignore")
        from twat_cache.testing import ChaosProxy, chaos

        with socket.create_server(("127.0.0.1", 0)) as server:
            proxy = ChaosProxy(*server.getsockname())
            client = socket.create_connection((proxy.host, proxy.port), timeout={PATIENCE})
            peer, _ = server.accept()
            come, go = os.pipe()
            child = os.fork()
            if not child:
                os.close(go)
                proxy.close()  # which is none of the child's business
                os.read(come, 1)
                os._exit(0)
            proxy.cut()
            try:
                client.recv(1)
            except ConnectionResetError:
                print("reset")
            proxy.refuse()
            try:
                socket.create_connection((proxy.host, proxy.port), timeout={PATIENCE})
            except ConnectionRefusedError:
                print("refused")
            os.close(go)
            os.waitpid(child, 0)
            peer.close()
            client.close()
            proxy.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["reset", "refused"], "")


def test_the_class_needs_no_pytest():
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}; from twat_cache.testing import ChaosProxy; "
        "assert 'pytest' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

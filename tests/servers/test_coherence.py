"""Near tables before one Redis: what one cache changes, the others' tables don't answer with."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from typing import NamedTuple

import pytest

pytest.importorskip("redis")
from tests.fixtures import worlds
from tests.fixtures.servers import Server, redis_server
from tests.fixtures.servers.redis import Redis
from twat_cache.testing.chaos import ChaosProxy

pytestmark = pytest.mark.xdist_group("redis")

_ = redis_server  # a fixture
PATIENT = 5  # seconds; a busy machine isn't what is tested
WAYS = ["tracking", "pubsub"]
LONG = {"by": "tracking", "bound": 30}  # so that a slow machine doesn't lose it


def until(condition, seconds=20.0):
    """Waits until something is so, and fails if it isn't in that time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.002)


class Site(NamedTuple):
    """A package and a server, on which each cache is like one of another machine."""

    tc: object
    server: Server

    def url(self, number):
        """One for each machine: engines of other URLs share nothing."""
        return f"{self.server.url}?timeout={PATIENT + number / 1000}"

    def store(self, number, way, **options):
        cache = self.tc.Cache(["memory", self.url(number)], coherence=way, **options)
        cache.ping()
        return cache

    def function(self, number, way, function, **options):
        decorate = self.tc.ucache(["memory", self.url(number)], coherence=way, name="f", **options)
        made = decorate(function)
        made.contains(0)
        until(lambda: made.table.valid_until)
        return made

    def gets(self):
        """How many commands have asked the server for values."""
        lines = str(self.server.call("INFO", "commandstats")).splitlines()
        found = [line for line in lines if line.startswith(("cmdstat_get:", "cmdstat_mget:"))]
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in found)

    def is_near(self, read):
        """Whether a read is answered without the server."""
        before = self.gets()
        read()
        return self.gets() == before


@pytest.fixture
def site(tc, redis_server):
    redis_server.call("FLUSHALL")
    yield Site(tc, redis_server)
    gc.collect()


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


# -- what others change ----------------------------------------------------------------------------


def test_a_change_elsewhere_is_seen_in_the_near_table(site, way):
    with site.store(1, way) as here, site.store(2, way) as there:
        here.set("a", 1)
        until(lambda: site.is_near(lambda: here.get("a")))
        there.set("a", 2)
        until(lambda: here.get("a") == 2)
        until(lambda: site.is_near(lambda: here.get("a")))
        there.delete("a")
        until(lambda: here.get("a") is None)
        there.set("a", 3)
        assert here.get("a") == 3  # what was missing is never near
        there.incr("a")
        until(lambda: here.get("a") == 4)
        there.clear()
        until(lambda: here.get("a") is None)


def test_a_tag_that_is_dropped_elsewhere_is_dropped_here(site, way):
    with site.store(1, way, tag_ttl=3600) as here, site.store(2, way, tag_ttl=3600) as there:
        here.set("a", 1, tags=["t", "u"])
        here.set("b", 2, tags=["u"])
        until(lambda: site.is_near(lambda: here.get_many(["a", "b"])))
        there.invalidate_tags("t")
        until(lambda: here.get("a") is None)
        assert here.get("b") == 2


def test_a_call_is_forgotten_wherever_it_is_invalidated(site, way):
    state = {"n": 1}
    options = {"tags": lambda i: [f"even:{i % 2 == 0}"], "invalidate_by": ["i"]}
    here = site.function(1, way, lambda i: state["n"], **options)
    there = site.function(2, way, lambda i: state["n"], **options)
    for number, drop in enumerate(
        [
            lambda: there.invalidate(4),
            lambda: there.put(number, 4),
            lambda: there.invalidate_by(i=4),
            lambda: site.tc.invalidate_tags("even:True"),
            there.cache_clear,
            lambda: there.refresh(4),
        ],
        2,
    ):
        until(lambda: site.is_near(lambda: here(4)))
        assert here(4) == number - 1
        state["n"] = number
        drop()
        until(lambda number=number: here(4) == number)
    here.close(), there.close()


def test_what_anybody_changes_on_the_server_is_seen_by_tracking(site):
    with site.store(1, LONG) as here:
        for drop in (
            lambda: site.server.call("DEL", "::a"),
            lambda: site.server.call("FLUSHALL"),
            lambda: site.server.call("PEXPIRE", "::a", 1),
        ):
            here.set("a", 1)
            until(lambda: site.is_near(lambda: here.get("a")))
            drop()
            until(lambda: here.get("a") is None)


def test_arguments_of_any_kind_are_found(site):
    here = site.function(1, LONG, lambda *args: len(args))
    there = site.function(2, LONG, lambda *args: len(args))
    for args in [(), (1, "a"), ([1, 2],), ({"k": (1,)}, None)]:
        until(lambda args=args: site.is_near(lambda: here(*args)))
        there.put(99, *args)
        until(lambda args=args: here(*args) == 99)
    here.close(), there.close()


def test_caches_of_one_engine_tell_each_other(site, way):
    here = site.function(1, way, lambda i: 1)
    also = site.function(1, way, lambda i: 1)
    until(lambda: here(1) == 1 and site.is_near(lambda: here(1)))
    until(lambda: site.is_near(lambda: also(1)))
    also.put(2, 1)
    until(lambda: here(1) == 2)
    assert also(1) == 2
    here.close(), also.close()


# -- one's own -------------------------------------------------------------------------------------


@pytest.mark.parametrize("single_flight", [True, "process"])
def test_what_is_computed_here_is_not_read_again(site, single_flight):
    loads = []
    options = {"tags": lambda i: [f"item:{i}"], "ttl": 3600, "single_flight": single_flight}
    here = site.function(1, LONG, lambda i: loads.append(i), **options)
    there = site.function(2, LONG, lambda i: None, **options)
    for item in range(1, 20):
        here(item)
    there.put("news", 1)  # comes after all that the server may have said of the others
    until(lambda: here(1) == "news")
    assert all(site.is_near(lambda item=item: here(item)) for item in range(2, 20))
    assert loads == list(range(1, 20))
    stats = here.stats()
    assert (stats.loads, stats.engine_errors) == (19, 0)
    here.close(), there.close()


def test_hits_near_are_counted_by_the_table(site):
    here = site.function(1, LONG, lambda i: i)
    until(lambda: site.is_near(lambda: here(1)))
    before, asked = here.stats(), site.gets()
    for _ in range(100):
        here(1)
    after = here.stats()
    assert after.hits - before.hits == 100
    assert after.misses == before.misses
    assert site.gets() == asked
    here.close()


def test_a_computation_that_began_before_is_not_kept(site, way):
    """Also where there was nothing to be dropped, so that the server has nothing to tell."""
    begun, go_on = threading.Event(), threading.Event()

    def old(i):
        begun.set()
        assert go_on.wait(30)
        return "old"

    here = site.function(1, way, old)
    there = site.function(2, way, lambda i: "new")
    other = site.function(1, way, lambda i: "new")
    mark = site.function(1, way, lambda i: i)
    for drop in (lambda: there.invalidate(1), lambda: there.put("new", 1), there.cache_clear):
        begun.clear(), go_on.clear()
        there.invalidate(1)
        thread = threading.Thread(target=here, args=(1,))
        thread.start()
        assert begun.wait(30)
        drop()
        until(lambda: site.is_near(lambda: mark(2)))  # time for word of it to come
        go_on.set()
        thread.join()
        assert there(1) == "new"
        assert other(1) == "new"
    for one in (here, there, other, mark):
        one.close()


class Slow:
    """One who is told by the stream before all others, and holds it up."""

    bound = 30.0

    def __init__(self, function):
        self.prefixes = function._coherence.prefixes
        self.channel = function._coherence.channel
        self.is_held, self.go_on = threading.Event(), threading.Event()
        self.stream = function._coherence._stream
        self.stream.follow(self)
        self.stream.check(self)

    def changed(self, keys, *, by_hand):
        self.is_held.set()
        assert self.go_on.wait(30)

    def emptied(self):
        pass

    def alive_until(self, moment):
        pass


@pytest.mark.parametrize("case", ["lease", "large"])
def test_word_of_a_change_that_comes_after_the_put_is_waited_for(site, way, case):
    terms = {"by": way, "bound": 30}
    options = {"single_flight": "process"} if case == "lease" else {}
    pad = "x" * (1 << 20) if case == "large" else ""
    begun, go_on = threading.Event(), threading.Event()

    def old(i):
        if not begun.is_set():
            begun.set()
            assert go_on.wait(30)
            return f"old{pad}"
        return f"new{pad}"

    first = site.function(1, terms, lambda i: i)
    slow = Slow(first)
    here = site.function(1, terms, old, **options)
    there = site.function(2, terms, lambda i: f"new{pad}")
    thread = threading.Thread(target=here, args=(1,))
    thread.start()
    assert begun.wait(30)
    there.invalidate(1)
    go_on.set()
    until(lambda: site.server.call("EXISTS", here.cache_key(1)))
    slow.go_on.set()
    thread.join()
    assert there(1) == f"new{pad}"
    assert here(1) == f"new{pad}"
    slow.stream.leave(slow)
    for one in (first, here, there):
        one.close()


def test_who_is_told_late_is_not_waited_for_again(site, way):
    place = ["memory", f"{site.server.url}?timeout=0.3"]
    here = site.tc.ucache(place, coherence={"by": way, "bound": 30}, name="f")(lambda i: i)
    there = site.function(2, way, lambda i: i)
    here.contains(0)
    until(lambda: here.table.valid_until)
    slow, follower = Slow(here), here._coherence
    there.put(2, 1)
    assert slow.is_held.wait(30)

    def is_late():
        sent = slow.stream.catch_up(follower)
        if sent is not None:
            with pytest.raises(site.tc.EngineTimeoutError):
                sent.run()
        return not slow.stream.hears(follower)

    until(is_late)
    assert slow.stream.catch_up(follower) is None
    assert [here(3) for _ in range(2)] == [3, 3]
    assert here.stats().loads == 2
    slow.go_on.set()
    until(lambda: slow.stream.hears(follower))
    slow.stream.leave(slow)
    here.close(), there.close()


# -- connections -----------------------------------------------------------------------------------


def streams(site):
    """The numbers of the connections that follow changes."""
    lines = str(site.server.call("CLIENT", "LIST")).splitlines()
    fields = [dict(part.split("=", 1) for part in line.split()) for line in lines]
    return [one["id"] for one in fields if int(one["sub"])]


def test_after_a_cut_nothing_old_answers_and_the_table_comes_back(site, way):
    with site.store(1, way) as here, site.store(2, way) as there:
        for number in range(3):
            there.set("a", number)
            until(lambda number=number: here.get("a") == number)
            until(lambda: site.is_near(lambda: here.get("a")))
            for one in streams(site):
                site.server.call("CLIENT", "KILL", "ID", one)
            site.server.call("DEL", "::a")
            until(lambda: here.get("a") is None)
        assert here.stats().engine_errors == 0


def test_what_is_computed_while_the_stream_is_cut_is_not_kept(site, way):
    begun, go_on = threading.Event(), threading.Event()

    def old(i):
        if begun.is_set():
            return "new"
        begun.set()
        assert go_on.wait(30)
        return "old"

    here = site.function(1, way, old)
    there = site.function(2, way, lambda i: "new")
    thread = threading.Thread(target=here, args=(1,))
    thread.start()
    assert begun.wait(30)
    for one in streams(site):
        site.server.call("CLIENT", "KILL", "ID", one)
    there.invalidate(1)
    go_on.set()
    thread.join()
    until(lambda: here.table.valid_until and there.table.valid_until)
    assert there(1) == "new"
    assert here(1) == "new"
    here.close(), there.close()


def test_a_stream_that_stalls_is_not_believed_beyond_its_bound(site):
    loads = []
    with ChaosProxy(site.server.host, site.server.port) as proxy:
        url = f"redis://{proxy.address}/0?timeout=0.2"
        decorate = site.tc.ucache(["memory", url], coherence={"by": "tracking", "bound": 0.3})

        @decorate
        def f(i):
            loads.append(i)
            return len(loads)

        f(1)
        until(lambda: f.table.valid_until)
        until(lambda: site.is_near(lambda: f(1)))
        assert loads == [1]
        proxy.stall()
        until(lambda: f(1) > 1)  # neither the table nor the server answers
        proxy.heal()
        until(lambda: site.is_near(lambda: f(1)))
        f.close()


def test_a_long_bound_does_not_keep_a_short_one_from_another_connection(site):
    with ChaosProxy(site.server.host, site.server.port) as proxy:
        place = ["memory", site.tc.open_engine(f"redis://{proxy.address}/0?timeout=0.2")]
        short, long = (
            site.tc.ucache(place, coherence={"by": "tracking", "bound": bound})(lambda i: i)
            for bound in (0.3, 300)
        )
        for f in (short, long):
            until(lambda f=f: f(1) == 1 and f.table.valid_until)
        proxy.stall()
        until(lambda: not long.table.valid_until)  # the connection is given up
        proxy.heal()
        short.close(), long.close()
        place[1].close()


def test_when_an_engine_is_closed_caches_on_it_change_nothing(site, way):
    engine = site.tc.open_engine(site.url(1))
    cache = site.tc.Cache(["memory", engine], coherence=way)
    cache.ping()
    cache.set("a", 1)
    engine.close()
    for change in (
        lambda: cache.set("a", 2),
        lambda: cache.delete("a"),
        lambda: cache.add("b", 2),
        lambda: cache.invalidate_tags("t"),
        cache.ping,
    ):
        with pytest.raises(site.tc.EngineClosedError):
            change()
    assert site.server.call("EXISTS", "::a", "::b") == 1
    until(lambda: not following())
    assert cache.get_or_load("a", lambda: 3) == 3
    cache.close()


def test_what_a_forgotten_cache_had_near_is_let_go_though_others_follow(site, way):
    bound = {"by": way, "bound": 0.4}  # beats are a quarter of it

    def near_of_a_cache():
        cache = site.store(1, bound, namespace="forgotten")
        cache.set("a", {1, 2})
        until(lambda: cache.get("a") is cache.get("a"))
        return weakref.ref(cache.get("a"))

    def is_gone():
        gc.collect()
        return value() is None

    with site.store(1, bound):
        value = near_of_a_cache()
        until(is_gone)


def test_a_change_whose_maker_gave_up_waiting_is_told_when_the_server_is_back(site, way):
    with (
        site.store(1, {"by": way, "bound": 30}) as there,
        ChaosProxy(site.server.host, site.server.port) as proxy,
        site.tc.Cache(["memory", f"redis://{proxy.address}/0"], coherence=way) as here,
    ):
        until(lambda: is_served(site.tc, here))
        there.set("a", 1)
        until(lambda: site.is_near(lambda: there.get("a")))
        proxy.stall()
        here.delete("a")
        proxy.cut()
        proxy.heal()
        until(lambda: there.get("a") is None)


def test_what_began_before_a_change_by_hand_in_an_outage_is_not_kept(site, way):
    begun, go_on = threading.Event(), threading.Event()

    def old(i):
        if begun.is_set():
            return "new"
        begun.set()
        assert go_on.wait(30)
        return "old"

    with ChaosProxy(site.server.host, site.server.port) as proxy:
        terms = {"by": way, "bound": 30}
        place = ["memory", f"redis://{proxy.address}/0"]
        there = site.tc.ucache(place, coherence=way, name="f")(lambda i: "new")
        there.contains(0)
        until(lambda: there.table.valid_until)
        here = site.function(1, terms, old)
        mark = site.function(1, terms, lambda i: i)
        thread = threading.Thread(target=here, args=(1,))
        thread.start()
        assert begun.wait(30)
        until(lambda: site.is_near(lambda: mark(2)))
        proxy.refuse()
        proxy.cut()
        there.invalidate(1)
        proxy.heal()
        until(lambda: not site.is_near(lambda: mark(2)))  # word of it has come
        go_on.set()
        thread.join()
        assert here(1) == "new"
        for one in (there, here, mark):
            one.close()


def test_a_server_that_is_away_is_waited_for(site, tc):
    with ChaosProxy(site.server.host, site.server.port) as proxy:
        proxy.refuse()
        cache = tc.Cache(["memory", f"redis://{proxy.address}/0"], coherence="tracking")
        with pytest.raises(tc.EngineError):
            cache.ping()
        proxy.heal()
        until(lambda: is_served(tc, cache))
        cache.set("a", 1)
        until(lambda: site.is_near(lambda: cache.get("a")))
        cache.close()


def is_served(tc, cache):
    try:
        cache.ping()
    except tc.EngineError:
        return False
    return True


def test_without_the_right_to_track_nothing_is_near(site, tc, caplog):
    name = "weak"
    site.server.call("ACL", "SETUSER", name, "on", ">secret", "~*", "&*", "+@all", "-client")
    try:
        url = f"redis://{name}:secret@{site.server.address}/0?timeout={PATIENT}"
        cache = tc.Cache(["memory", url], coherence="tracking")
        for _ in range(2):
            with pytest.raises(tc.EngineError, match="follow changes") as caught:
                cache.ping()
        cache.set("a", 1)
        assert cache.get("a") == 1
        assert not any(site.is_near(lambda: cache.get("a")) for _ in range(5))
        told = [record.getMessage() for record in caplog.records if record.name == "twat_cache"]
        assert len(told) == 1
        assert "secret" not in f"{told} {caught.value!r} {cache!r}"
        site.server.call("ACL", "SETUSER", name, "+client|tracking")
        cache.ping()  # which tries it again at once
        until(lambda: site.is_near(lambda: cache.get("a")))
        cache.close()
    finally:
        site.server.call("ACL", "DELUSER", name)


def test_a_server_that_is_too_old_is_refused_clearly(tc):
    server = Redis.launch("--rename-command", "HELLO", "")
    try:
        cache = tc.Cache(["memory", f"{server.url}?timeout={PATIENT}"], coherence="tracking")
        with pytest.raises(tc.EngineError, match="Redis 6"):
            cache.ping()
        cache.set("a", 1)
        assert cache.get("a") == 1
        cache.close()
    finally:
        server.close()


def following():
    """The threads that follow changes."""
    return [thread for thread in threading.enumerate() if "coherence" in thread.name]


def test_the_stream_ends_with_the_last_cache(site, way):
    until(lambda: not following())
    one, other = site.store(1, way), site.store(1, way)
    assert len(following()) == 1
    one.close()
    assert len(following()) == 1
    other.close()
    until(lambda: not following())
    dropped = site.store(1, way)
    assert len(following()) == 1
    del dropped
    gc.collect()
    until(lambda: not following())


# -- other servers ---------------------------------------------------------------------------------


def check_that_changes_are_seen(tc, url, mark="?"):
    """On two caches, as of two machines."""
    where = [f"{url}{mark}timeout={PATIENT + number / 1000}" for number in range(2)]
    with (
        tc.Cache(["memory", where[0]], coherence=LONG) as here,
        tc.Cache(["memory", where[1]], coherence=LONG) as there,
    ):
        until(lambda: is_served(tc, here) and is_served(tc, there))
        for number in range(3):
            there.set("a", f"{number}" * 30_000)
            until(lambda number=number: here.get("a") == f"{number}" * 30_000)
            here.delete("a")
            until(lambda: there.get("a") is None)


def test_changes_are_seen_through_tls(tc, redis_secure):
    check_that_changes_are_seen(
        tc, f"{redis_secure.url}?ssl_ca_certs={redis_secure.certificate}", "&"
    )


def test_changes_are_seen_on_valkey(tc, valkey_server):
    check_that_changes_are_seen(tc, valkey_server.url)


def test_changes_are_seen_after_a_failover(tc, redis_sentinel):
    check_that_changes_are_seen(tc, redis_sentinel.url)
    with tc.Cache(["memory", redis_sentinel.url], coherence="tracking") as here:
        until(lambda: is_served(tc, here))
        here.set("a", 1)
        until(lambda: here.get("a") == 1)
        redis_sentinel.fail_over()
        until(lambda: changed(tc, redis_sentinel.url + "?timeout=1", 2))
        until(lambda: is_served(tc, here) and here.get("a") == 2)


def test_sentinels_that_are_silent_hold_up_nothing(tc, redis_sentinel):
    sentinel = redis_sentinel.sentinel
    with ChaosProxy(sentinel.host, sentinel.port) as proxy:
        url = redis_sentinel.url.replace(sentinel.address, proxy.address)
        assert proxy.address in url
        terms = {"by": "tracking", "bound": 3}
        cache = tc.Cache(["memory", f"{url}?timeout=30"], coherence=terms)
        cache.ping()
        table = cache._near.table
        proxy.stall()
        for _ in range(4):  # which takes long enough for sentinels to be asked
            seen = table.valid_until
            until(lambda seen=seen: table.valid_until > seen, 15)
        proxy.heal()
        cache.close()


def changed(tc, url, value):
    try:
        with tc.Cache(url) as cache:
            cache.set("a", value)
    except tc.EngineError:
        return False
    return True


# -- processes -------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_follows_by_itself(site, way):
    with site.store(1, way) as here:
        here.set("a", 1)
        until(lambda: site.is_near(lambda: here.get("a")))
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            code = 1
            try:
                os.read(reader, 1)
                is_right = here.get("a") == 2  # nothing that was inherited
                until(lambda: site.is_near(lambda: here.get("a")))
                here.set("a", 3)
                until(lambda: here.get("a") == 4)
                code = 0 if is_right else 2
            finally:
                os._exit(code)
        here.set("a", 2)
        os.write(writer, b".")
        until(lambda: here.get("a") == 3)
        until(lambda: site.is_near(lambda: here.get("a")))
        here.set("a", 4)
        assert os.waitpid(pid, 0)[1] == 0
        assert here.get("a") == 4
        os.close(reader), os.close(writer)


def test_the_end_of_a_process_waits_for_nothing_and_says_nothing(core, redis_server):
    code = f"""
        from twat_cache import Cache, ucache
        place = ["memory", "{redis_server.url}?timeout={PATIENT}"]
        cache = Cache(place, coherence="tracking")
        cache.ping()
        cache.set("a", 1)
        f = ucache(place, coherence="pubsub")(lambda: cache.get("a"))
        assert f() == 1
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env=worlds.environment(core),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# -- coroutines ------------------------------------------------------------------------------------


def test_coroutines_are_told_likewise(site, way):
    tc, state = site.tc, {}

    async def main():
        state["n"] = 1
        site.server.call("FLUSHALL")
        here = tc.AsyncCache(["memory", site.url(1)], coherence=way)
        there = tc.AsyncCache(["memory", site.url(2)], coherence=way)
        await here.ping()
        await there.ping()

        @here.cached
        async def f(i):
            return state["n"]

        await here.set("a", 1, tags=["t"])
        assert await here.get("a") == 1
        await there.set("a", 2, tags=["t"])
        await meanwhile(lambda: here.get("a"), 2)
        await there.invalidate_tags("t")
        await meanwhile(lambda: here.get("a"), None)
        assert await f(1) == 1
        state["n"] = 2
        await there.clear()
        await meanwhile(lambda: f(1), 2)
        await here.close()
        await there.close()

    async def meanwhile(read, value):
        end = time.monotonic() + 20
        while await read() != value:
            assert time.monotonic() < end
            await asyncio.sleep(0.002)

    asyncio.run(main())
    asyncio.run(main())  # in another loop


# -- options ---------------------------------------------------------------------------------------


def test_it_takes_a_near_table_and_an_engine_that_tells(tc, tmp_path):
    for engine in ("memory", "redis://localhost", ["mapping:", "redis://localhost"]):
        with pytest.raises(tc.ConfigurationError, match="coherence"):
            tc.Cache(engine, coherence="tracking")
        with pytest.raises(tc.ConfigurationError, match="coherence"):
            tc.ucache(engine, coherence="tracking")(lambda: 1)
    for engine in (
        f"sqlite:///{tmp_path}/store.db",
        "redis+cluster://localhost",
        ["mapping:", "redis://localhost"],
    ):
        several = engine if isinstance(engine, list) else [engine]
        with pytest.raises(tc.ConfigurationError, match="coherence"):
            tc.ucache(["memory", *several], coherence="pubsub")(lambda: 1)
    with pytest.raises(tc.ConfigurationError, match="clock"):
        tc.Cache(["memory", "redis://localhost"], coherence="tracking", clock=time.monotonic_ns)
    for wrong in ("trackin", 1, {"by": "tracking", "bounds": 1}, {"by": "pubsub", "bound": 0.001}):
        with pytest.raises(tc.ConfigurationError, match="coherence"):
            tc.ucache(["memory", "redis://localhost"], coherence=wrong)
    with pytest.raises(tc.ConfigurationError, match="coherence"):
        tc.mcache(coherence="tracking")


def test_ttl_is_the_default_and_asks_nothing_of_an_engine(tc):
    with tc.Cache(["memory", "mapping:"], coherence="ttl") as cache:
        cache.set("a", 1)
        assert cache.get("a") == 1
    assert tc.ucache("mapping:", coherence={"by": "ttl"})(lambda: 1)() == 1

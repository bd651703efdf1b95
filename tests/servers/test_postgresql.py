"""The engine on PostgreSQL, on a real server."""

from __future__ import annotations

import asyncio
import itertools
import mmap
import os
import shutil
import socket
import time
from contextlib import closing, contextmanager
from threading import Event, Thread

import pytest

from tests.fixtures.servers import wait_until
from tests.fixtures.servers.redis_secure import make_certificate
from tests.fixtures.turns import all_get_their_turn
from twat_cache import (
    ConfigurationError,
    EngineClosedError,
    EngineConnectionError,
    EngineError,
    EngineTimeoutError,
    open_engine,
)
from twat_cache.testing import AsyncEngineSuite, EngineSuite
from twat_cache.testing.engine_suite import KEYS, at_once

psycopg = pytest.importorskip("psycopg")
from twat_cache.engines.postgresql import AsyncPostgresqlEngine, PostgresqlEngine  # noqa: E402

pytestmark = pytest.mark.xdist_group("postgresql")

PATIENT = 10.0  # seconds; a busy machine isn't what is tested
tables = (f"cache_{number}" for number in itertools.count())


@pytest.fixture
def url(postgresql_server, table):
    """The server tells the test's connections by the name of its table."""
    return f"{postgresql_server.url}?application_name={table}"


@pytest.fixture
def admin(postgresql_server):
    with psycopg.connect(postgresql_server.admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(url):
    """A connection of the user's own."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def table():
    return next(tables)


@pytest.fixture
def engine(url, table):
    with closing(PostgresqlEngine(url, table=table, timeout=PATIENT)) as engine:
        yield engine


class TestSuite(EngineSuite):
    second = 0.3

    @pytest.fixture(autouse=True)
    def _server(self, postgresql_server):
        self.url = postgresql_server.url

    def make(self, clock):
        return PostgresqlEngine(self.url, table=next(tables), timeout=PATIENT)

    def elapse(self, clock, seconds):
        time.sleep(seconds)


class TestAsyncSuite(AsyncEngineSuite):
    second = 0.3

    @pytest.fixture(autouse=True)
    def _server(self, postgresql_server):
        self.url = postgresql_server.url

    def make(self, clock):
        return AsyncPostgresqlEngine(self.url, table=next(tables), timeout=PATIENT)

    def elapse(self, clock, seconds):
        time.sleep(seconds)


# How it is opened.


def test_it_is_opened_by_its_url(postgresql_server, table):
    for scheme in ("postgresql", "postgres"):
        url = f"{scheme}{postgresql_server.url.removeprefix('postgresql')}?table={table}"
        with closing(open_engine(url, timeout=PATIENT)) as engine:
            engine.put({"key": scheme.encode()}, None)
            assert engine.get(["key"]) == [scheme.encode()]


def test_options_may_stand_in_the_url_and_libpqs_too(url, owner, table):
    owner.execute("CREATE SCHEMA IF NOT EXISTS other")
    given = f"{url}&table={table}&schema=other&timeout=10&pool_size=2&prepare=0&sslmode=disable"
    with closing(PostgresqlEngine.from_url(given)) as engine:
        engine.put({"key": b"value"}, None)
        assert engine.get(["key"]) == [b"value"]
    assert owner.execute(f"SELECT value FROM other.{table}").fetchall() == [(b"value",)]


def test_options_of_ours_leave_libpqs_as_they_are(url, table):
    query = f"table={table}&attempts=3&options=-c%20geqo%3Doff"
    with closing(open_engine(f"{url}&{query}", timeout=PATIENT)) as engine:
        engine.ping()  # which a server refuses if it is told "-c+geqo=off"


def test_an_option_of_the_call_goes_before_that_in_the_url(url, table):
    with closing(PostgresqlEngine.from_url(f"{url}&table=a-b&timeout=10", table=table)) as engine:
        engine.ping()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("tabel=x", "no option 'tabel'"),
        ("table=x&table=y", "more than once"),
        ("table=a-b", "table='a-b'"),
        ("table=" + "x" * 64, "up to 63 letters"),
        ("schema=a%22b", "schema='a\"b'"),
        ("timeout=0", "timeout='0'"),
        ("pool_size=0", "pool_size='0'"),
        ("prepare=2", "prepare='2'"),
    ],
)
def test_an_option_that_is_no_good_is_refused(query, said):
    with pytest.raises(ConfigurationError, match=said):
        PostgresqlEngine.from_url(f"postgresql://somebody:secret@localhost/db?{query}")


@pytest.mark.parametrize(
    "place",
    [
        "somebody:sec@ret@localhost/db",
        "somebody:sec/ret@localhost/db",
        "somebody:sec?ret@localhost/db",
        "somebody:sec#ret@localhost/db",
        "somebody:sec%zzret@localhost/db",
        "somebody:secret",
        "somebody:secret@one,two:1,three:2,/db?hostaddr=127.0.0.1,127.0.0.1",
    ],
)
def test_a_url_that_cannot_be_read_is_not_shown(place):
    with pytest.raises(ConfigurationError) as caught:
        PostgresqlEngine.from_url(f"postgresql://{place}")
    told = everything_told_by(caught.value)
    assert "sec" not in told
    assert "somebody" not in told


def test_to_make_one_connects_to_nothing(free_port):
    engine = PostgresqlEngine(f"postgresql://somebody:secret@127.0.0.1:{free_port}/db")
    assert repr(engine) == f"<PostgresqlEngine 127.0.0.1:{free_port}/db>"
    engine.close()
    engine = AsyncPostgresqlEngine(f"postgresql://somebody:secret@127.0.0.1:{free_port}/db")
    assert repr(engine) == f"<AsyncPostgresqlEngine 127.0.0.1:{free_port}/db>"
    asyncio.run(engine.close())


def test_user_and_password_may_be_given_apart(postgresql_server, table):
    asked = []

    def password():
        asked.append(1)
        return postgresql_server.password

    place = f"postgresql://nobody@{postgresql_server.address}/{postgresql_server.database}"
    with closing(
        PostgresqlEngine(place, table=table, user="cache", password=password, timeout=PATIENT)
    ) as engine:
        engine.ping()
        engine.ping()
    assert asked == [1]


def test_a_function_for_the_password_that_fails_is_told(postgresql_server, table):
    def password():
        raise KeyError("token")

    engine = PostgresqlEngine(postgresql_server.url, password=password, timeout=PATIENT)
    told = r"gives the password.*KeyError"
    with closing(engine), pytest.raises(EngineConnectionError, match=told):  # it may pass
        engine.ping()


def test_no_variable_of_an_error_that_is_reported_holds_the_password(reach):
    error = reach(password="wrong-secret")
    steps = error.__cause__.__traceback__
    while steps is not None:
        if "twat_cache" in steps.tb_frame.f_code.co_filename:
            assert "wrong-secret" not in repr(steps.tb_frame.f_locals)
        steps = steps.tb_next


def test_a_host_is_looked_up_and_its_next_address_tried(postgresql_server, free_port, table):
    for hosts in (
        f"localhost:{postgresql_server.port}",
        f"127.0.0.1:{free_port},127.0.0.1:{postgresql_server.port}",
    ):
        url = f"postgresql://cache:{postgresql_server.password}@{hosts}/cache"
        with closing(PostgresqlEngine(url, table=table, timeout=PATIENT)) as engine:
            engine.ping()


def test_what_libpq_finds_elsewhere_holds(postgresql_server, table, tmp_path, monkeypatch):
    services = tmp_path / "services"
    services.write_text(
        f"[cache]\nhost=127.0.0.1\nport={postgresql_server.port}\nuser=cache\ndbname=cache\n"
    )
    monkeypatch.setenv("PGPASSWORD", postgresql_server.password)
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    engine = PostgresqlEngine("service=cache", table=table, timeout=PATIENT)
    with closing(engine):
        engine.ping()
    monkeypatch.setenv("PGHOST", "localhost")
    monkeypatch.setenv("PGPORT", str(postgresql_server.port))
    with closing(PostgresqlEngine("postgresql:///cache", user="cache", timeout=PATIENT)) as engine:
        engine.ping()


# What it keeps.


def test_statements_need_not_be_prepared(url, table):
    with closing(PostgresqlEngine(url, table=table, timeout=PATIENT, prepare=False)) as engine:
        engine.put(dict.fromkeys(KEYS, b"1"), 60)
        assert engine.get(KEYS) == [b"1"] * len(KEYS)
        assert engine.get(["plain"]) == [b"1"]
        assert engine.swap("plain", b"1", b"2", None)
        assert engine.touch(KEYS, None) == len(KEYS)
        assert sorted(engine.scan("")) == sorted(KEYS)
        assert engine.drop(KEYS) == len(KEYS)


def test_the_table_is_unlogged_and_its_values_are_not_compressed(engine, owner, table):
    engine.ping()
    (kind,) = owner.execute(
        f"SELECT relpersistence FROM pg_class WHERE relname='{table}'"
    ).fetchone()
    assert kind == "u"
    (storage,) = owner.execute(
        f"SELECT attstorage FROM pg_attribute WHERE attrelid = '{table}'::regclass"
        " AND attname = 'value'"
    ).fetchone()
    assert storage == "e"


def test_long_keys_that_begin_alike_are_told_apart_and_scanned(engine):
    start = "é" * 600  # more bytes than a row's key has
    keys = [start + str(number) for number in range(10)]
    engine.put({key: key.encode() for key in keys}, None)
    engine.put({"other": b"1", start[:511]: b"2"}, None)
    assert engine.get(keys) == [key.encode() for key in keys]
    assert sorted(engine.scan(start)) == keys
    assert list(engine.scan(start + "7")) == [keys[7]]
    assert len(list(engine.scan("é"))) == 11


@pytest.mark.parametrize("ttl", [1e11 + 1, 1e300, float("inf")])
def test_a_very_long_time_is_for_ever(engine, ttl):
    engine.put({"key": b"1"}, ttl)
    assert engine.left(["key"]) == [float("inf")]


def test_a_long_time_is_kept_to(engine):
    engine.put({"key": b"1"}, 9e10)
    (left,) = engine.left(["key"])
    assert 8.9e10 < left <= 9e10


def test_not_a_number_of_seconds_stores_nothing(engine):
    engine.put({"key": b"1"}, None)
    engine.put({"key": b"2"}, float("nan"))
    assert engine.add("key", b"3", float("nan")) is False
    assert engine.get(["key"]) == [None]


def test_what_is_too_large_is_left_out_and_what_was_there_forgotten(engine):
    with mmap.mmap(-1, (256 << 20) + 1) as pages, memoryview(pages) as large:  # none is touched
        engine.put({"key": b"1", "other": b"1"}, None)
        engine.put({"key": large}, None)
        assert engine.get(["key"]) == [None]
        engine.put({"key": b"2", "other": large, "more": b"2"}, 60)
        assert engine.get(["key", "other", "more"]) == [b"2", None, b"2"]
        assert engine.add("other", large, None) is False
        assert engine.swap("key", b"2", large, None) is False


def test_a_batch_may_be_larger_than_a_statement(engine):
    items = {f"key{number}": bytes([number]) * (9 << 20) for number in range(3)}
    engine.put(items, None)
    assert engine.get(list(items)) == list(items.values())


def test_a_swap_for_no_time_forgets(engine):
    engine.put({"key": b"1"}, None)
    assert engine.swap("key", b"1", b"2", 0) is True
    assert engine.get(["key"]) == [None]
    assert engine.swap("key", None, None, None) is True
    assert engine.swap("key", None, b"1", 0) is True
    assert engine.get(["key"]) == [None]


def test_batches_that_overlap_do_not_wait_in_a_circle(engine):
    keys = [f"key{number}" for number in range(200)]

    def work(me):
        for turn in range(10):
            step = (1, -1, 7, -7)[(me + turn) % 4]
            batch = keys[::step]
            engine.put(dict.fromkeys(batch, b"%d" % me), 60)
            engine.touch(batch, 30)
            engine.drop(batch)

    at_once(work)


def test_a_write_is_not_refused_for_one_that_came_between(url, owner, admin, table):
    admin.execute("ALTER ROLE cache SET default_transaction_isolation = 'serializable'")
    try:
        with closing(PostgresqlEngine(url, table=table, timeout=PATIENT)) as engine:
            engine.put({"key": b"0"}, None)
            with owner.transaction():
                owner.execute(f"UPDATE {table} SET value = '1'")
                told = []
                other = Thread(target=lambda: told.append(error_of(lambda: engine.drop(["key"]))))
                other.start()
                wait_until(
                    lambda: sessions(admin, table, "wait_event_type = 'Lock'"),
                    PATIENT,
                    lambda: "nobody waits for the row",
                )
            other.join()
            assert told == [None]
            assert engine.get(["key"]) == [None]
    finally:
        admin.execute("ALTER ROLE cache RESET default_transaction_isolation")


def test_a_table_that_is_gone_is_made_again(engine, owner, table):
    engine.put({"key": b"1"}, None)
    assert engine.get(["key"]) == [b"1"]
    owner.execute(f"DROP TABLE {table}")
    assert engine.get(["key"]) == [None]
    engine.put({"key": b"2"}, None)
    assert engine.get(["key"]) == [b"2"]


def test_engines_that_begin_at_once_make_one_table(url, table):
    def work(me):
        with closing(PostgresqlEngine(url, table=table, timeout=PATIENT)) as engine:
            engine.put({f"key{me}": b"%d" % me}, None)

    at_once(work)
    with closing(PostgresqlEngine(url, table=table, timeout=PATIENT)) as engine:
        assert engine.get([f"key{me}" for me in range(8)]) == [b"%d" % me for me in range(8)]


# Sweeping.


def rows_of(owner, table):
    return owner.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_what_is_past_its_time_leaves_as_others_are_put(engine, owner, table):
    engine.put({f"old{number}": b"1" for number in range(1_000)}, 0.01)
    engine.put({"late": b"1"}, 3600)
    time.sleep(0.05)
    for number in range(4):
        engine.put({f"new{number}.{n}": b"2" for n in range(100)}, None)
    assert rows_of(owner, table) == 401
    assert len(list(engine.scan(""))) == 401


def test_what_is_past_its_time_leaves_as_others_are_added(engine, owner, table):
    engine.put({f"old{number}": b"1" for number in range(200)}, 0.01)
    time.sleep(0.05)
    for number in range(60):
        engine.add(f"new{number}", b"2", None)
    assert rows_of(owner, table) == 60


def test_tasks_sweep_too(url, owner, table):
    async def work():
        engine = AsyncPostgresqlEngine(url, table=table, timeout=PATIENT)
        await engine.put({f"old{number}": b"1" for number in range(100)}, 0.01)
        await asyncio.sleep(0.05)
        await engine.put({f"new{number}": b"2" for number in range(300)}, None)
        await engine.close()

    asyncio.run(work())
    assert rows_of(owner, table) == 300


def test_rows_that_take_long_to_delete_leave_a_few_at_a_time(engine, owner, table):
    engine.put({f"old{number}": b"1" for number in range(40)}, 0.01)
    owner.execute(
        f"CREATE FUNCTION {table}_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT count(*) FROM gone) > 5 THEN"
        " RAISE 'no time for so many' USING ERRCODE = 'query_canceled'; END IF;"
        " RETURN NULL; END $$"
    )
    owner.execute(
        f"CREATE TRIGGER slow AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_slow()"
    )
    time.sleep(0.05)
    for _ in range(40):
        engine.put({f"new{number}": b"2" for number in range(300)}, None)
        if rows_of(owner, table) == 300:
            break
    assert rows_of(owner, table) == 300


def test_a_sweep_does_not_wait_for_a_row_that_another_holds(engine, owner, table):
    engine.put({f"old{number}": b"1" for number in range(100)}, 0.01)  # too few for a sweep
    time.sleep(0.05)
    with owner.transaction():
        owner.execute(f"SELECT 1 FROM {table} WHERE key = %s FOR UPDATE", (b"old7",))
        engine.put({f"new{number}": b"2" for number in range(300)}, None)
        assert rows_of(owner, table) == 301


# What goes wrong.


def everything_told_by(error):
    """The texts of an error and of all that led to it."""
    told, waiting, seen = [], [error], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        told += [str(one), repr(one), *map(repr, one.args)]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(told)


@contextmanager
def listening(answer):
    """The port of a server of another kind, which says this to whoever calls."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.fixture
def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and doesn't listen
        yield taken.getsockname()[1]


@pytest.fixture
def reach(postgresql_server):
    """Pings by a URL; gives the error, which tells neither the user nor the password."""

    def reach(
        *, user="cache", password=None, host="127.0.0.1", port=None, database="cache", query=""
    ):
        password = password or postgresql_server.password
        port = port or postgresql_server.port
        url = f"postgresql://{user}:{password}@{host}:{port}/{database}?timeout=10{query}"
        with (
            closing(PostgresqlEngine.from_url(url)) as engine,
            pytest.raises(EngineError) as caught,
        ):
            engine.ping()

        async def areach():
            engine = AsyncPostgresqlEngine.from_url(url)
            try:
                await engine.ping()
            finally:
                await engine.close()

        with pytest.raises(type(caught.value)):
            asyncio.run(areach())
        told = everything_told_by(caught.value)
        assert password not in told
        assert f'"{user}"' not in told
        assert f"{host}:{port}/{database}" in str(caught.value)
        assert caught.value.__cause__ is not None
        return caught.value

    return reach


def test_a_wrong_password_is_told(reach):
    error = reach(password="wrong-secret")
    assert type(error) is EngineError
    assert "refuses the user or the password" in str(error)


def test_an_unknown_user_is_told(reach):
    error = reach(user="stranger")
    assert type(error) is EngineError
    assert "refuses the user or the password" in str(error)


def test_a_database_that_is_not_there_is_told(reach):
    error = reach(database="nowhere")
    assert type(error) is EngineError
    assert "has no such database" in str(error)


def test_a_port_where_nobody_listens_is_told(reach, free_port):
    error = reach(port=free_port)
    assert type(error) is EngineConnectionError
    assert "can't be reached" in str(error)


def test_a_host_without_an_address_is_told():
    url = "postgresql://somebody:secret@no-such-host.invalid/db"
    with (
        closing(PostgresqlEngine(url, timeout=PATIENT)) as engine,
        pytest.raises(EngineConnectionError, match="no address"),
    ):
        engine.ping()


def test_a_server_of_another_kind_is_told(reach):
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        error = reach(port=port)
    assert type(error) is EngineError
    assert "is no PostgreSQL server" in str(error)


def test_a_server_without_tls_is_told(reach):
    error = reach(query="&sslmode=require")
    assert type(error) is EngineError
    assert "speaks no TLS" in str(error)


@pytest.fixture
def certificate(postgresql_server, admin):
    """Of the server, which speaks TLS while the test lasts."""
    pytest.importorskip("cryptography")
    make_certificate(postgresql_server.folder)
    files = [postgresql_server.folder / name for name in ("certificate.pem", "key.pem")]
    files[1].chmod(0o600)
    for file in files:
        shutil.chown(file, *os.stat(postgresql_server.folder / "data")[4:6])
    for option, value in zip(("ssl_cert_file", "ssl_key_file", "ssl"), (*files, "on")):
        admin.execute(f"ALTER SYSTEM SET {option} = '{value}'")
    admin.execute("SELECT pg_reload_conf()")
    secure = f"{postgresql_server.url}?sslmode=require"
    wait_until(lambda: can_be_reached(secure), PATIENT, lambda: "it speaks no TLS")
    yield files[0]
    admin.execute("ALTER SYSTEM RESET ALL")
    admin.execute("SELECT pg_reload_conf()")
    wait_until(lambda: not can_be_reached(secure), PATIENT, lambda: "it speaks TLS")


def test_a_server_is_trusted_by_its_certificate(reach, postgresql_server, certificate, table):
    given = f"{postgresql_server.url}?sslmode=verify-full&sslrootcert={certificate}"
    value = bytes(range(256)) * 4_096
    with closing(PostgresqlEngine.from_url(given, table=table, timeout=PATIENT)) as engine:
        engine.put({"key": value}, None)
        assert [engine.get(["key"]) for _ in range(3)] == [[value]] * 3

    async def work():
        engine = AsyncPostgresqlEngine.from_url(given, table=table, timeout=PATIENT)
        assert await engine.get(["key"]) == [value]
        await engine.close()

    asyncio.run(work())
    for root in ("/no/such/file", certificate):
        error = reach(host="localhost", query=f"&sslmode=verify-full&sslrootcert={root}")
        assert type(error) is EngineError
        assert "can't be trusted by TLS" in str(error)


def test_a_server_that_wants_tls_is_told(reach, postgresql_server, admin):
    rules = postgresql_server.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    try:
        rules.write_text(f"hostnossl all cache 127.0.0.1/32 reject\n{before}")
        admin.execute("SELECT pg_reload_conf()")
        wait_until(lambda: not can_be_reached(postgresql_server.url), PATIENT, lambda: "it goes on")
        error = reach()
    finally:
        rules.write_text(before)
        admin.execute("SELECT pg_reload_conf()")
    assert type(error) is EngineError
    assert "refuses a connection without TLS" in str(error)
    wait_until(lambda: can_be_reached(postgresql_server.url), PATIENT, lambda: "it doesn't")


@pytest.fixture
def stranger(postgresql_server, admin):
    """The URL of a user who may read and write what he is let, and make nothing."""
    admin.execute(f"CREATE ROLE stranger LOGIN PASSWORD '{postgresql_server.password}'")
    admin.execute("GRANT CONNECT ON DATABASE cache TO stranger")
    yield postgresql_server.url.replace("//cache:", "//stranger:", 1)
    with psycopg.connect(
        postgresql_server.admin_url.removesuffix("postgres") + "cache", autocommit=True
    ) as connection:
        connection.execute("DROP OWNED BY stranger")
    admin.execute("DROP ROLE stranger")


def test_who_may_not_make_the_table_is_told_how(stranger, table):
    with (
        closing(PostgresqlEngine(stranger, table=table, timeout=PATIENT)) as engine,
        pytest.raises(EngineError, match=f"may not make it.*CREATE UNLOGGED TABLE.*{table}"),
    ):
        engine.ping()


def test_who_may_not_make_the_table_uses_the_one_that_is_there(stranger, table, engine, owner):
    engine.ping()
    with closing(PostgresqlEngine(stranger, table=table, timeout=PATIENT)) as theirs:
        with pytest.raises(EngineError, match="denies the right to it"):
            theirs.ping()
        owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO stranger")
        theirs.put({"key": b"1"}, 60)
        assert theirs.get(["key"]) == [b"1"]


def test_a_schema_that_is_not_there_is_told(url, table):
    with (
        closing(PostgresqlEngine(url, table=table, schema="nowhere", timeout=PATIENT)) as engine,
        pytest.raises(EngineError, match="has no such schema"),
    ):
        engine.ping()


def test_a_table_of_somebody_elses_is_told(engine, owner, table):
    owner.execute(f"CREATE TABLE {table} (name text)")
    with pytest.raises(EngineError, match="isn't one of twat-cache's"):
        engine.put({"key": b"1"}, None)


def test_a_server_that_is_read_only_is_told(engine, url, table, admin):
    engine.put({"key": b"1"}, None)
    admin.execute("ALTER ROLE cache SET default_transaction_read_only = on")
    try:
        with closing(PostgresqlEngine(url, table=table, timeout=PATIENT)) as reader:
            assert reader.get(["key"]) == [b"1"]
            for work in (reader.ping, lambda: reader.put({"key": b"2"}, None)):
                with pytest.raises(EngineError, match="is read-only") as caught:
                    work()
                assert type(caught.value) is EngineError
    finally:
        admin.execute("ALTER ROLE cache RESET default_transaction_read_only")


def test_too_many_connections_may_pass(url, table, admin):
    admin.execute("ALTER ROLE cache CONNECTION LIMIT 0")
    try:
        with closing(PostgresqlEngine(url, table=table, timeout=PATIENT)) as engine:
            with pytest.raises(EngineConnectionError, match="too many connections"):
                engine.ping()
            admin.execute("ALTER ROLE cache CONNECTION LIMIT -1")
            engine.ping()
    finally:
        admin.execute("ALTER ROLE cache CONNECTION LIMIT -1")


# Connections that break, and servers that don't answer.


def sessions(admin, table, more="true"):
    """What the server has of the test's connections."""
    found = admin.execute(
        f"SELECT pid FROM pg_stat_activity WHERE application_name = %s AND {more}", (table,)
    )
    return {pid for (pid,) in found}


def test_connections_that_broke_while_they_rested_are_not_used(engine, admin, table):
    engine.put({"key": b"1"}, None)
    at_once(lambda me: engine.get(["key"]))
    before = sessions(admin, table)
    admin.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS p (pid)", (list(before),))
    wait_until(lambda: not before & sessions(admin, table), PATIENT, lambda: "they go on")
    for _ in range(8):
        assert engine.get(["key"]) == [b"1"]


def test_a_server_that_was_started_again_is_used_again(engine, postgresql_server):
    engine.put({"key": b"1"}, None)
    postgresql_server.stop()
    with pytest.raises(EngineConnectionError):
        engine.get(["key"])
    postgresql_server.start()
    assert engine.get(["key"]) == [b"1"]  # it was stopped in good order


def test_tasks_are_served_by_a_server_that_was_started_again(postgresql_server, url, table):
    async def work():
        engine = AsyncPostgresqlEngine(url, table=table, timeout=PATIENT)
        await engine.put({"key": b"1"}, None)
        postgresql_server.stop()
        with pytest.raises(EngineConnectionError):
            await engine.get(["key"])
        postgresql_server.start()
        assert await engine.get(["key"]) == [b"1"]
        await engine.close()

    asyncio.run(work())


def test_a_server_that_never_answers_is_not_waited_for(postgresql_server, url, table):
    engine = PostgresqlEngine(url, table=table, timeout=0.2)
    wait_until_served(engine)
    postgresql_server.pause()
    with pytest.raises(EngineTimeoutError, match="didn't answer"):
        engine.get(["key"])
    with pytest.raises(EngineTimeoutError, match="no connection could be made"):
        engine.get(["key"])
    with pytest.raises(EngineTimeoutError):
        engine.put({"key": b"1"}, None)
    with closing(PostgresqlEngine(url, table=table, timeout=0.2)) as other:
        errors = at_once(lambda me: error_of(other.ping))
        assert {type(error) for error in errors} == {EngineTimeoutError}
    postgresql_server.resume()
    wait_until_served(engine)
    engine.close()


def test_tasks_do_not_wait_for_a_server_that_never_answers(postgresql_server, url, table):
    async def work():
        engine = AsyncPostgresqlEngine(url, table=table, timeout=0.2)
        wait_until_served(engine.blocking)
        await engine.get(["key"])
        postgresql_server.pause()
        results = await asyncio.gather(
            *(engine.get(["key"]) for _ in range(8)), return_exceptions=True
        )
        assert {type(result) for result in results} == {EngineTimeoutError}
        hanging = [asyncio.ensure_future(engine.get(["key"])) for _ in range(8)]
        await asyncio.sleep(0.01)
        for task in hanging:
            task.cancel()
        results = await asyncio.gather(*hanging, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
        postgresql_server.resume()
        wait_until_served(engine.blocking)
        assert await engine.get(["key"]) == [None]
        await engine.close()

    asyncio.run(work())


@contextmanager
def locked(url, table):
    """The table in the hands of somebody who lets nobody read it."""
    with psycopg.connect(url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def test_a_statement_that_was_given_up_ends_on_the_server(url, table, admin):
    with closing(PostgresqlEngine(url, table=table, timeout=0.3)) as engine:
        wait_until_served(engine)
        with locked(url, table):
            with pytest.raises(EngineTimeoutError):
                engine.get(["key"])
            wait_until(
                lambda: not sessions(admin, table, "state = 'active'"),
                PATIENT,
                lambda: "it goes on",
            )


def test_who_finds_no_connection_free_waits(url, table):
    with closing(PostgresqlEngine(url, table=table, timeout=PATIENT, pool_size=1)) as engine:
        keys = [f"key{number}" for number in range(8)]
        at_once(lambda me: [engine.put({keys[me]: b"1"}, None) for _ in range(10)])
        assert engine.get(keys) == [b"1"] * 8


def test_no_thread_keeps_a_connection_from_those_that_wait(url, table):
    with closing(PostgresqlEngine(url, table=table, timeout=PATIENT, pool_size=1)) as engine:
        all_get_their_turn(lambda: engine.get(["key"]))


def test_no_task_keeps_a_connection_from_those_that_wait(url, table):
    async def work():
        engine = AsyncPostgresqlEngine(url, table=table, timeout=PATIENT, pool_size=1)
        done = [0] * 4

        async def ask(me):
            while min(done) < 20:
                await engine.get(["key"])
                done[me] += 1

        await asyncio.gather(*map(ask, range(4)))
        await engine.close()

    asyncio.run(work())


def test_who_waits_for_a_connection_in_vain_is_told(postgresql_server, url):
    is_asked, may_answer = Event(), Event()

    def password():
        is_asked.set()
        may_answer.wait(PATIENT)
        return postgresql_server.password

    with closing(PostgresqlEngine(url, password=password, timeout=0.2, pool_size=1)) as engine:
        other = Thread(target=lambda: error_of(engine.ping))
        other.start()
        is_asked.wait(PATIENT)
        with pytest.raises(EngineTimeoutError, match="raise pool_size="):
            engine.ping()
        may_answer.set()
        other.join()


def test_no_more_connections_than_may_be(url, table, admin):
    with closing(PostgresqlEngine(url, table=table, timeout=PATIENT, pool_size=3)) as engine:
        at_once(lambda me: [engine.get(["key"]) for _ in range(20)], threads=12)
        assert 1 <= len(sessions(admin, table)) <= 3


# Loops, forks, the end.


def test_event_loops_one_after_the_other(url, table):
    engine = AsyncPostgresqlEngine(url, table=table, timeout=PATIENT)

    async def work():
        await engine.put({"key": b"1"}, None)
        return await asyncio.gather(*(engine.get(["key"]) for _ in range(8)))

    for _ in range(3):
        assert asyncio.run(work()) == [[b"1"]] * 8
    asyncio.run(engine.close())


def test_event_loops_at_once(url, table):
    engine = AsyncPostgresqlEngine(url, table=table, timeout=PATIENT)

    async def work(me):
        keys = [f"{me}.{number}" for number in range(20)]
        await asyncio.gather(*(engine.put({key: key.encode()}, None) for key in keys))
        return await asyncio.gather(*(engine.get([key]) for key in keys))

    results = at_once(lambda me: asyncio.run(work(me)), threads=4)
    assert results == [[[f"{me}.{n}".encode()] for n in range(20)] for me in range(4)]
    asyncio.run(engine.close())


def test_a_twin_serves_those_who_cannot_await(url, table):
    engine = AsyncPostgresqlEngine(url, table=table, timeout=PATIENT)
    twin = engine.blocking
    assert twin is engine.blocking
    twin.put({"key": b"1"}, None)

    async def work():
        assert await engine.get(["key"]) == [b"1"]
        await engine.close()

    asyncio.run(work())
    with pytest.raises(EngineClosedError):
        twin.get(["key"])
    with pytest.raises(EngineClosedError):
        _ = engine.blocking


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_has_connections_of_its_own(engine, url, table, admin):
    engine.put({"key": b"1"}, None)
    awaited = AsyncPostgresqlEngine(url, table=table, timeout=PATIENT)

    async def work():
        await awaited.get(["key"])
        before = sessions(admin, table)
        assert len(before) == 2
        assert forked(lambda: child_of(engine, awaited)) == 0
        assert await awaited.get(["key"]) == [b"2"]
        assert engine.get(["key"]) == [b"2"]
        assert before <= sessions(admin, table)  # the child's end isn't the end of its parent's
        await awaited.close()

    asyncio.run(work())


def forked(work):
    """What a child ends with."""
    child = os.fork()
    if not child:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def child_of(engine, awaited):
    async def work():
        return await awaited.get(["key"])

    if engine.get(["key"]) != [b"1"]:
        return 1
    engine.put({"key": b"2"}, None)
    asyncio._set_running_loop(None)
    if asyncio.run(work()) != [b"2"]:
        return 2
    return 0


def test_to_close_ends_the_connections(url, table, admin):
    engine = PostgresqlEngine(url, table=table, timeout=PATIENT)
    at_once(lambda me: engine.ping())
    assert sessions(admin, table)
    engine.close()
    wait_until(lambda: not sessions(admin, table), PATIENT, lambda: "they go on")


def wait_until_served(engine):
    wait_until(lambda: not fails(engine), 20, lambda: "it isn't served")


def can_be_reached(url):
    with closing(PostgresqlEngine(url, timeout=PATIENT)) as engine:
        return not fails(engine)


def fails(engine):
    return error_of(engine.ping) is not None


def error_of(work):
    try:
        work()
    except EngineError as error:
        return error
    return None

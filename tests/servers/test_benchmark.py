"""The benchmark of engines: who is raced gives what it was given, and promises are judged."""

from __future__ import annotations

import json

import pytest

for library in ("redis", "psycopg", "pymemcache"):
    pytest.importorskip(library)
engines = pytest.importorskip("benchmarks.engines")
contestants = pytest.importorskip("benchmarks.engine_contestants")

pytestmark = pytest.mark.xdist_group("redis")


def test_each_row_of_a_redis_is_raced(redis_server, capsys, monkeypatch):
    for peer in ("cashews", "aiocache", "dogpile.cache", "django_redis"):
        pytest.importorskip(peer)
    monkeypatch.setattr(engines, "SIZES", {"500 B": 500})
    monkeypatch.setattr(engines, "launched", lambda _: redis_server)
    monkeypatch.setattr(type(redis_server), "close", lambda _: None)
    assert 0 == engines.main(["--rounds", "1", "--only", "redis", "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row.race for row in engines.rows_for("redis", "500 B")} == {r["race"] for r in rows}
    assert all(row["median"] > 0 for row in rows)


@pytest.mark.parametrize("server", ["postgresql", "memcached"])
def test_the_raw_client_reads_the_bytes_of_ours(server, request):
    with contestants.FIELDS[server](request.getfixturevalue(f"{server}_server").url, 500) as field:
        assert {"ucache", "Cache", engines.RAW[server]} == set(field.race("get", 0))
        assert {"engine", engines.RAW[server]} == set(field.race("bytes", 0))


@pytest.mark.parametrize(("ours", "status"), [(0.5, 0), (2.0, 1)])
def test_a_broken_promise_is_told_by_the_status_and_who_is_not_there_by_name(
    ours, status, redis_server, monkeypatch, capsys
):
    monkeypatch.setattr(engines, "launched", lambda _: redis_server)
    monkeypatch.setattr(type(redis_server), "close", lambda _: None)
    times = {("get", "ucache"): [[ours]], ("get", "redis-py"): [[1.0]]}
    monkeypatch.setattr(engines, "measure", lambda *_, **options: times)
    assert status == engines.main(["--only", "redis", "--check"])
    assert "not there: AsyncCache, 10 KB, 64 tasks : redis.asyncio" in capsys.readouterr().err

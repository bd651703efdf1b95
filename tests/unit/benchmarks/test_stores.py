"""The benchmark of stores: all contestants read what they wrote, and promises are judged."""

import json

import pytest

pytest.importorskip("diskcache")
from benchmarks import stores
from benchmarks.store_contestants import NAMES, open_store


@pytest.mark.parametrize("name", NAMES)
def test_each_contestant_keeps_what_it_is_given(name, tmp_path):
    items = [(f"results:f:v1:{number:02x}", bytes([number]) * 50_000) for number in range(5)]
    store = open_store(name, str(tmp_path), [key for key, _ in items])
    store.write(items)
    store.write_all(items[::-1])
    store.read([key for key, _ in items])
    store.close()


def test_each_row_is_raced_alone_and_beside_a_second_process(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stores, "SIZES", {"5 KB": 5_000})
    monkeypatch.setattr("benchmarks.store_races.FILL", 0)
    assert stores.main(["--rounds", "2", "--folder", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["store"] for row in rows} == {"sqlite", "disk"}
    assert {row["race"] for row in rows} == set(stores.RACES)
    assert all(row["median"] > 0 for row in rows)
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(("ours", "status"), [(0.5, 0), (0.9, 1)])
def test_a_broken_promise_is_told_by_the_status(ours, status, monkeypatch, capsys):
    times = {
        (race, name): [[ours if name in {"sqlite", "disk"} else 1.0] * 5]
        for race in stores.RACES
        for name in NAMES
    }
    monkeypatch.setattr(stores, "measure", lambda *_: times)
    row = stores.Row("sqlite", "100 B", "get", "diskcache", 0.75)
    monkeypatch.setattr(stores, "rows_for", lambda *_: [row])
    assert stores.main(["--check"]) == status
    assert stores.main([]) == 0
    assert "0.75" in capsys.readouterr().out

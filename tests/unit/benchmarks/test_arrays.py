"""The benchmark of arrays: it reads what it wrote, and puts its figures beside what is promised."""

import json

import pytest

pytest.importorskip("numpy")
from benchmarks import arrays
from benchmarks.measure import Spread


def test_each_row_is_raced_with_numpy(tmp_path, capsys):
    arrays.main(["--megabytes", "1", "--rounds", "2", "--folder", str(tmp_path), "--json"])
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert {*arrays.PROMISES, "write"} == {one["name"] for one in figures}
    assert all(one["ours"] > 0 and one["numpy"] > 0 for one in figures)
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(("ratio", "status"), [(1.1, 0), (1.3, 1)])
def test_a_broken_promise_is_told_by_the_status(monkeypatch, capsys, ratio, status):
    one = arrays.Figure("decorated", 1.0, 1.0, Spread(ratio, ratio, ratio))
    free = arrays.Figure("write", 9.0, 1.0, Spread(9.0, 9.0, 9.0))
    monkeypatch.setattr(arrays, "measure", lambda *_: [one, free])
    assert status == arrays.main(["--check"])
    assert 0 == arrays.main([])
    assert "1.2" in capsys.readouterr().out

"""The benchmark of decorated functions: all give what the function gives, promises are judged."""

import json

import pytest

pytest.importorskip("diskcache")
pytest.importorskip("joblib")
from benchmarks import decorated

answers = iter(range(1_000))


def test_each_function_is_raced_under_each_decorator(tmp_path, capsys):
    assert decorated.main(["--rounds", "2", "--folder", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["size"] for row in rows} == set(decorated.CASES)
    assert {row["peer"] for row in rows} == set(decorated.PROMISES)
    assert all(row["median"] > 0 for row in rows)
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(("ours", "status"), [(0.1, 0), (0.5, 1)])
def test_a_broken_promise_is_told_by_the_status(ours, status, monkeypatch, capsys):
    names = {"bcache": ours, "ucache": 1.0, "memoize": 1.0, "Memory": 1.0}
    times = {("hit", name): [[took]] * 5 for name, took in names.items()}
    monkeypatch.setattr(decorated, "measure", lambda *_: times)
    assert decorated.main(["--check"]) == status
    assert decorated.main([]) == 0
    assert "0.3" in capsys.readouterr().out


def unsteady(_):
    return next(answers)


def test_a_decorator_that_gives_something_else_is_no_contestant(tmp_path):
    with pytest.raises(SystemExit, match="bcache"):
        decorated.measure(decorated.Case(unsteady, range(3)), 1, str(tmp_path))

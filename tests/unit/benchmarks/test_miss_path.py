"""The benchmark of misses: every row is measured in both colours, and promises are judged."""

import json

import pytest

pytest.importorskip("stamina")
from benchmarks import miss_path
from tests.fixtures import worlds

CORE = ["--core", worlds.CORES[0]]


def test_every_row_is_measured_in_both_colours(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.measure.ROUND_NS", 1)
    options = {row: miss_path.OPTIONS[row] for row in ("no step", "all steps off", "single_flight")}
    monkeypatch.setattr(miss_path, "OPTIONS", options)
    assert miss_path.main(["--rounds", "2", "--json", *CORE]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {colour: set(rows) for colour, rows in report["table"].items()} == {
        "def": set(options),
        "async def": set(options),
    }
    assert len(report["promises"]) == len(miss_path.PROMISES)


@pytest.mark.parametrize(("nanoseconds", "status"), [(2_900, 0), (3_300, 1)])
def test_a_broken_promise_is_told_by_the_status(nanoseconds, status, monkeypatch, capsys):
    times = dict.fromkeys(miss_path.OPTIONS, [200.0] * 3)
    times |= {miss_path.BARE: [100.0] * 3, "single_flight": [100.0 + nanoseconds] * 3}
    monkeypatch.setattr(miss_path, "measure", lambda *_: times)
    assert miss_path.main(["--check", *CORE]) == status
    assert ("FAIL" in capsys.readouterr().out) == bool(status)
    assert miss_path.main(CORE) == 0

"""Hit ratios on recorded traces: those that are known, and those that are promised."""

import json
from functools import cache

import pytest

from benchmarks import hit_ratio
from benchmarks.traces import Trace, read
from benchmarks.workloads import DATA, Workload, recorded, reference, sizes_for

# `loop` is half a million requests: too long for the pure core, and told by `multi1` as well.
ROWS = [row for row in reference().values() if row["trace"] not in ("loop", "oltp")]
EXACT = ["lru", "fifo", "lfu", "sieve", "s3fifo", "tinylfu"]


@cache
def keys_of(trace):
    return read(DATA / f"{trace}.trace.gz").keys


@pytest.fixture(params=ROWS, ids=lambda row: f"{row['trace']}-{row['size']}")
def row(request):
    return request.param


def reached(tc, policy, row):
    return hit_ratio.hit_ratio(tc, policy, row["size"], keys_of(row["trace"]))


def test_lru_is_exact(tc, row):
    assert row["lru"] == round(reached(tc, "lru", row), 2)


def test_tinylfu_keeps_up_with_the_best_known(tc, row):
    assert reached(tc, "tinylfu", row) >= row["wanted"] - hit_ratio.SLACK


@pytest.mark.parametrize("policy", EXACT)
@pytest.mark.parametrize(("trace", "size"), [("cpp", 50), ("multi1", 1000)])
def test_both_cores_hit_alike(both, policy, trace, size):
    ratios = [hit_ratio.hit_ratio(tc, policy, size, keys_of(trace)) for tc in both]
    assert ratios[0] == ratios[1]


@pytest.mark.parametrize("policy", [*EXACT, "random"])
def test_nothing_beats_the_optimum(tc, policy):
    row = reference()["cpp", 100]
    assert 0 < reached(tc, policy, row) < row["optimum"]


def test_the_traces_that_come_along_are_all_in_the_reference():
    assert {trace for trace, _ in reference()} == {"oltp"} | {w.trace.name for w in recorded()}


def test_sizes_are_the_reference_s_or_fractions_of_the_keys():
    assert (50, 100, 400) == sizes_for(Trace("cpp", [1]))
    assert (10, 50, 200) == sizes_for(Trace("mine", list(range(1000))))
    assert (1,) == sizes_for(Trace("mine", [1, 2]))


def test_other_folders_add_traces_by_name(tmp_path):
    (tmp_path / "mine.csv").write_text("key\na\nb\n")
    (tmp_path / "cpp.trace").write_text("1\n2\n")
    names = [workload.trace.name for workload in recorded([tmp_path])]
    assert ["cpp", "loop", "multi1", "multi2", "sprite", "mine"] == names


def test_a_row_too_low_and_a_mean_too_low_are_told():
    rows = [{"trace": "a", "size": 1, "tinylfu": of, "wanted": 50.0} for of in (48.9, 49.1)]
    assert 2 == len(hit_ratio.shortfalls(rows))
    rows[0]["tinylfu"] = 51.0
    assert [] == hit_ratio.shortfalls(rows)
    assert hit_ratio.shortfalls([])


def test_a_curve_stays_within_the_keys():
    curve = hit_ratio.curve_of(Workload(Trace("a", list(range(1000))), (100, 200)))
    assert (25, 800) == (curve.sizes[0], curve.sizes[-1])
    assert hit_ratio.POINTS == len(curve.sizes)


def test_the_command_measures_and_prints(tc, core, tmp_path, capsys):
    out = tmp_path / "figures.json"
    asked = ["--core", core, "--no-made-up", "--only", "cpp", "--policies", "lru,fifo"]
    assert 0 == hit_ratio.main([*asked, "--json", str(out)])
    rows = json.loads(out.read_text())["rows"]
    assert [9.26, 69.71, 84.4] == [row["lru"] for row in rows]
    assert "57.10" in capsys.readouterr().out


def test_curves_are_drawn_as_png_and_svg(tmp_path):
    plots = pytest.importorskip("benchmarks.plots", exc_type=ImportError)
    rows = [{"size": size, "lru": size / 2, "optimum": size} for size in (10, 30, 90)]
    plots.hit_ratios({"some": rows}, ["lru"], tmp_path / "made" / "curves")
    assert (tmp_path / "made/curves.png").read_bytes().startswith(b"\x89PNG")
    assert "functools" not in (tmp_path / "made/curves.svg").read_text()

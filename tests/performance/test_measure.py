"""The measuring code: what it feeds its contenders, and what it refuses to time."""

import json
import subprocess
import sys
from collections import Counter
from functools import lru_cache, partial

import pytest

from benchmarks import cases
from benchmarks.machine import build_kind, machine
from benchmarks.measure import INTS, KEYS, Spread, contender, duel, race, shuffled
from benchmarks.peers import text


def test_spread_is_the_median_and_the_tenths():
    assert Spread(50, 10, 90) == Spread.of(list(range(101))[::-1])
    assert Spread(7, 7, 7) == Spread.of([7])


def test_shuffled_meets_every_key_equally_often_in_a_moving_order():
    keys = range(100)
    sequence = shuffled(keys, times=5)
    assert Counter(dict.fromkeys(keys, 5)) == Counter(sequence)
    assert sequence[:100] != sequence[100:200]
    assert sequence == shuffled(keys, times=5)


def test_a_loop_calls_with_each_of_its_arguments():
    seen = []
    made = contender(INTS, lambda a, b: seen.append((a, b)), [(1, 2), (3, 4)])
    made.empty(made.fresh())
    assert [] == seen
    made.run(made.fresh())
    assert [(1, 2), (3, 4)] == seen


def test_what_does_not_hit_is_not_timed_as_a_hit():
    with pytest.raises(cases.NotAllHits):
        cases.hits("int", lambda f: f)
    with pytest.raises(cases.NotAllHits):
        cases.hits("str", lru_cache(KEYS - 1))


def test_copies_are_equal_and_are_others():
    for name in ("int_copy", "str", "tuple_copy"):
        case = cases.CASES[name]
        assert list(case.stored) == list(case.looked_up)
        assert not any(a is b for a, b in zip(case.stored, case.looked_up, strict=True))


def test_a_race_gives_one_figure_a_round():
    make = partial(cases.hits, "none", lru_cache(1))
    figures = race({"a": make, "b": make}, rounds=6, round_ns=1)
    assert {"a": 6, "b": 6} == {name: len(of) for name, of in figures.items()}
    assert all(ns > 0 for of in figures.values() for ns in of)


def test_a_duel_gives_ratio_and_nanoseconds():
    make = partial(cases.hits, "none", lru_cache(1))
    spread, ours, theirs = duel(make, make, rounds=1)
    assert pytest.approx(spread.median) == ours / theirs


def test_the_machine_is_named():
    assert build_kind() in {"plain", "PGO"}
    assert {"cpu", "python", "build", "system"} == set(machine())


def test_peers_table_shows_ratios_dashes_and_misses():
    row = {"f(int)": {"ratio": 0.444, "ns": 17.2}, "miss": {"why": "x", "misses": True}}
    columns = ["f(int)", "f(int, int)", "f(str, int, kw=int)", "f(int) TTL", "obj.m(int)", "await"]
    row |= {name: {"why": "not offered"} for name in columns if name not in row}
    line = text({"ours": row}, "ratio", markdown=True).splitlines()[-1]
    assert "| ours | 0.44 | – | – | – | – | miss! | – |" == line


def test_the_table_of_promises_runs_and_writes_json(tmp_path):
    out = tmp_path / "table.json"
    command = [sys.executable, "-m", "benchmarks.hit_table", "--core", "pure", "--rounds", "1"]
    subprocess.run([*command, "--only", "f(str", "--json", out], check=True, timeout=120)
    rows = json.loads(out.read_text())["rows"]
    assert [] == [row["row"] for row in rows if "error" in row]
    assert len(rows) > 2
    assert all(row["median"] > 0 for row in rows)

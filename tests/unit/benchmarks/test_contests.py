"""The contests of whole caches: what they ask, and how their figures are put."""

import json
from functools import lru_cache
from itertools import pairwise

import pytest

from benchmarks import policy_cost, policy_peers, scale, threads
from benchmarks.child import options_of
from benchmarks.tables import render, write_into


def test_a_name_says_the_options():
    assert {"maxsize": 9} == options_of("ours", 9)
    assert {"maxsize": 9, "ttl": 3600, "policy": "sieve"} == options_of("ours-sieve-ttl", 9)
    weighted = options_of("ours-weight", 9)
    assert (None, 9) == (weighted["maxsize"], weighted["max_weight"])
    assert 1 == weighted["weigher"]("result", 1, kw=2)


@pytest.mark.parametrize("kind", scale.TIMED)
def test_a_contest_asks_both_for_the_same(kind):
    contest = scale.Contest(100, [kind])
    took = contest.rounds(kind, lru_cache(100), rounds=2)
    assert {"own": 2, "base": 2} == {who: len(of) for who, of in took.items()}


def test_a_hit_that_is_none_is_not_timed():
    with pytest.raises(scale.NotAllHits):
        scale.Contest(100, ["hit"]).rounds("hit", lru_cache(90), rounds=1)


def test_scattered_keys_are_far_apart_and_never_come_twice():
    keys = [key for _, key in zip(range(1000), scale.scattered(1), strict=False)]
    assert 1000 == len(set(keys))
    assert min(abs(a - b) for a, b in pairwise(keys)) > 2**48


def test_figures_become_a_table_and_a_verdict():
    figures = [
        scale.Figure("hit", "lru", 10**6, 100.0, 0.5),
        scale.Figure("hit", "lru", 10**7, 200.0, 0.7),
        scale.Figure("memory", "lru-ttl", 10**7, 70.0, 0.5),
    ]
    hits, memory = scale.texts(figures, markdown=True)
    assert "| lru | 100 (0.50) | 200 (0.70) |" == hits.splitlines()[-1]
    assert "| lru-ttl | 70 (0.50) |" == memory.splitlines()[-1]
    kept = scale.verdicts(figures, {"lru": {"clock": 1.5, "cpu": 1.0}})
    assert ["FAIL", "pass", "pass"] == [line[:4] for line in kept]


def test_the_growing_cache_is_measured_in_a_process_of_its_own(core):
    took = scale.pauses(core, ["lru"], 2_000)["lru"]
    assert 0 < took["cpu"]
    assert 0 < took["clock"]


def test_every_contender_meets_the_whole_stream():
    seen = []
    one = policy_peers.Contender(policy_peers.decorated(lambda f: lru_cache(2)(f)))
    other = policy_peers.Contender(lambda function: seen.extend)
    figures = policy_peers.contest({"one": one, "other": other}, [1, 2, 1, 3, 1, 4])
    assert [1, 2, 1, 3, 1, 4] == seen
    assert round(100 * 2 / 6, 6) == round(figures["one"].hits, 6)
    assert "33.33" in policy_peers.text(figures)


def test_two_threads_ask_for_keys_of_their_own():
    asked = set()
    threads.throughput(lambda a: asked.add(a), 2)
    assert 2 * threads.KEYS == len(asked)
    assert "0.50" in threads.text({"some": threads.Apart(2e6, 1e6)})


def test_every_policy_s_cost_stands_beside_both_baselines(tc, core, tmp_path):
    out = tmp_path / "cost.json"
    asked = ["--core", core, "--policies", "lru", "--rounds", "1", "--json", str(out)]
    assert 0 == policy_cost.main(asked)
    for column in json.loads(out.read_text())["table"].values():
        assert {"lru", "lru_cache"} == set(column)
        assert 1.0 == column["lru_cache"]["lru_cache"]


def test_a_table_is_put_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- measured:one -->\nold\n<!-- measured:one-end -->\nz\n")
    for _ in range(2):
        write_into(page, "one", render([["x", "y"], ["1", "2"]], markdown=True))
    table = "| x | y |\n| --- | ---: |\n| 1 | 2 |"
    assert (
        f"a\n<!-- measured:one -->\n\n{table}\n\n<!-- measured:one-end -->\nz\n" == page.read_text()
    )
    with pytest.raises(SystemExit):
        write_into(page, "two", "")

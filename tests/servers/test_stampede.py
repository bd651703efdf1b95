"""Processes that miss one key of a shared server at once share one run of the function."""

from __future__ import annotations

import subprocess
import sys

import pytest

from twat_cache import open_engine

pytestmark = [
    pytest.mark.xdist_group("redis"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no fork"),
]


def stampede(server, folder, *options):
    url = f"{server.url}?timeout=5"
    engine = open_engine(url)
    engine.drop(list(engine.scan("")))
    engine.close()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fixtures.stampede", url, str(folder), *options],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    runs = (folder / "runs").read_text().splitlines()
    answers = (folder / "answers").read_text().splitlines()
    return runs, answers


@pytest.mark.parametrize("awaited", [[], ["--awaited"]])
def test_eight_processes_of_sixteen_calls_one_computes(redis_server, tmp_path, awaited):
    runs, answers = stampede(redis_server, tmp_path, "--calls", "16", *awaited)
    assert len(runs) == 1
    assert len(answers) == 8 * 16
    assert len(set(answers)) == 1


def test_after_a_holder_was_killed_one_more_computes(redis_server, tmp_path):
    runs, answers = stampede(redis_server, tmp_path, "--calls", "16", "--killed", "--limit", "1")
    assert len(runs) == 2
    assert len(answers) == 7 * 16
    assert len(set(answers)) == 1

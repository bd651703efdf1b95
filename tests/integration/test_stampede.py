"""Processes that miss one key at once: one of them computes, and a killed one is made up for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

STORES = {
    "sqlite": "sqlite:///{}/store.db",
    "disk": "disk://{}/disk",
    "file": "file://{}/files",
    "diskcache": "diskcache://{}/library",
}


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    if request.param == "diskcache":
        pytest.importorskip("diskcache")
    return STORES[request.param].format(tmp_path)


@pytest.fixture
def stampede(url, tmp_path):
    """Runs processes; gives how often the function ran, and all answers."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "tests.fixtures.stampede", url, str(tmp_path), *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = {name: (tmp_path / name).read_text().split("\n")[:-1] for name in FILES}
        return len(lines["runs"]), lines["answers"]

    return run


FILES = ("runs", "answers")


@pytest.mark.parametrize("colour", ["def", "async def"])
def test_of_eight_processes_one_computes(stampede, colour):
    awaited = ["--awaited"] if colour == "async def" else []
    runs, answers = stampede("--processes", "8", "--calls", "4", *awaited)
    assert runs == 1
    assert answers == ["[1]"] * 32


def test_when_the_one_that_computes_is_killed_one_other_does(stampede):
    runs, answers = stampede("--processes", "4", "--killed", "--limit", "1", "--takes", "0.05")
    assert runs == 2
    assert answers == ["[1]"] * 3

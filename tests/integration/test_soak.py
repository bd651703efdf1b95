"""Two processes that do anything to one store read nothing wrong; the check finds what is planted.

A minute of each store is `python -m tests.soak --seconds 60 --engine sqlite`, or disk, or file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.history import DELETE, GET, INVALIDATE, SET, Operation, wrong_reads

ROOT = Path(__file__).resolve().parents[2]


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.soak", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "disk", "file"])
def test_what_two_processes_read_is_right(engine):
    done = soak("--engine", engine, "--seconds", "2.5")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("engine", "error"), [("file", "drop"), ("disk", "tags"), ("sqlite", "put")]
)
def test_the_check_finds_what_is_planted(engine, error):
    done = soak("--engine", engine, "--seconds", "1.5", "--plant", error)
    assert done.returncode == 1
    assert "\nwrong: Operation(" in done.stdout, done.stdout + done.stderr


def history(*operations):
    return [Operation(kind, 0, number, begin, end) for kind, number, begin, end in operations]


RIGHT = {
    "what was written": history((SET, 1, 0, 1), (GET, 1, 2, 3)),
    "nothing at first": history((GET, 0, 0, 1)),
    "what is being written": history((SET, 1, 0, 9), (GET, 1, 2, 3)),
    "the value before what is being written": history(
        (SET, 1, 0, 1), (SET, 2, 2, 9), (GET, 1, 3, 4), (GET, 2, 5, 6)
    ),
    "nothing while it is being written": history((SET, 1, 0, 9), (GET, 0, 2, 3)),
    "nothing after a delete": history((SET, 1, 0, 1), (DELETE, 0, 2, 3), (GET, 0, 4, 5)),
    "nothing while it is deleted": history((SET, 1, 0, 1), (DELETE, 0, 2, 9), (GET, 0, 4, 5)),
    "the value while it is deleted": history((SET, 1, 0, 1), (DELETE, 0, 2, 9), (GET, 1, 4, 5)),
    "either of two that were written at once": history(
        (SET, 1, 0, 9), (SET, 2, 1, 8), (GET, 1, 10, 11)
    ),
    "nothing, as a tag was dropped while it was written": history(
        (SET, 1, 0, 9), (INVALIDATE, 0, 2, 3), (SET, 2, 4, 5), (GET, 0, 10, 11)
    ),
}
WRONG = {
    "what nobody wrote": history((SET, 1, 0, 1), (GET, 7, 2, 3)),
    "what is written later": history((GET, 1, 0, 1), (SET, 1, 2, 3)),
    "the value before": history((SET, 1, 0, 1), (SET, 2, 2, 3), (GET, 1, 4, 5)),
    "what was deleted": history((SET, 1, 0, 1), (DELETE, 0, 2, 3), (GET, 1, 4, 5)),
    "what had a tag": history((SET, 1, 0, 1), (INVALIDATE, 0, 2, 3), (GET, 1, 4, 5)),
    "nothing, though it was written": history((SET, 1, 0, 1), (GET, 0, 2, 3)),
    "nothing, though it was written anew": history(
        (SET, 1, 0, 1), (DELETE, 0, 2, 3), (SET, 2, 4, 5), (GET, 0, 6, 7)
    ),
    "the value before what another has read": history(
        (SET, 1, 0, 1), (SET, 2, 2, 99), (GET, 2, 3, 4), (GET, 1, 5, 6)
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_may_be_read(case):
    assert wrong_reads(RIGHT[case]) == []


@pytest.mark.parametrize("case", WRONG)
def test_what_must_not_be_read(case):
    assert len(wrong_reads(WRONG[case])) == 1

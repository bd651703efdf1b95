"""Processes with near tables before one Redis read nothing too old; what is planted is found.

A minute is `python -m tests.soak.coherence`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("redis")

pytestmark = pytest.mark.xdist_group("redis")

ROOT = Path(__file__).resolve().parents[2]


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.soak.coherence", "--processes", "3", "--untimed"]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("way", ["tracking", "pubsub"])
def test_what_is_read_near_is_never_older_than_the_bound(way):
    done = soak("--way", way, "--seconds", "4", "--bound", "0.5")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "error", ["deaf", "bold", "stubborn", pytest.param("forgetful", marks=pytest.mark.slow)]
)
def test_the_check_finds_what_is_planted(error):
    done = soak("--seconds", "4", "--bound", "0.2", "--plant", error)
    assert done.returncode == 1
    assert "\nwrong: reads were too late" in done.stdout, done.stdout + done.stderr

"""Writers are killed 200 times in each store: what is read then is right, and nothing stays locked.

Half of the kills happen in a store that nobody else has open, so that the next one finds it as the
dead left it; the other half beside this process, which goes on reading and writing.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.crashes import KEYS, name_of
from tests.fixtures.telling_values import number_of
from twat_cache import open_engine, ucache

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL"),
]

ROOT = Path(__file__).resolve().parents[2]
STORES = ["sqlite:///{}/store.db", "disk://{}/disk", "file://{}/files"]
KILLS = 100


def killing(url: str, kills: int = KILLS) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.fixtures.crashes", url, "--kills", str(kills)]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def counted(running: subprocess.Popen[str]) -> dict[str, int]:
    """What was counted, once it is over; fails with all that was said."""
    said, _ = running.communicate(timeout=120)
    if running.returncode:
        pytest.fail(said, pytrace=False)
    sys.stdout.write(said)  # the seed, for who reads what a failed test said
    return json.loads(said.splitlines()[-1])


def is_enough(counts: dict[str, int]) -> bool:
    """Whether the writers wrote, and enough of them were killed while they did."""
    kills = counts["kills"]
    return counts["changes"] > kills // 2 and counts["within"] > kills // 5 and counts["values"] > 0


@pytest.mark.parametrize("url", STORES)
def test_what_killed_writers_leave_is_right(url, tmp_path):
    counts = counted(killing(url.format(tmp_path)))
    assert is_enough(counts), counts
    assert not list(tmp_path.rglob("*.damaged*"))


@pytest.mark.parametrize("url", STORES)
def test_who_shares_the_store_with_them_is_not_disturbed(url, tmp_path):
    engine = open_engine(url.format(tmp_path), timeout=2)
    names = [name_of(key) for key in range(KEYS)]
    read = turn = 0
    with killing(url.format(tmp_path)) as running:
        while running.poll() is None:
            turn += 1
            for key, value in enumerate(engine.get(names)):
                if value is not None:
                    number_of(key, value)
                    read += 1
            engine.put({"mine": b"%d" % turn}, None)
            assert engine.get(["mine"]) == [b"%d" % turn]
        counts = counted(running)
    engine.close()
    assert is_enough(counts), counts
    assert turn > 10
    assert read > 100
    assert not list(tmp_path.rglob("*.damaged*"))


LEADER = """
import time
from twat_cache import ucache

@ucache({url!r}, name="slow", single_flight="process", hard_timeout=0.5)
def slow(x):
    print("computing", flush=True)
    time.sleep(60)

slow(1)
"""


@pytest.mark.parametrize("url", STORES)
def test_a_killed_leader_hands_over_once_its_lease_runs_out(url, tmp_path):
    url = url.format(tmp_path)
    code = [sys.executable, "-c", LEADER.format(url=url)]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout.readline() == "computing\n"
        leader.kill()

    @ucache(url, name="slow", single_flight="process", hard_timeout=0.5)
    def slow(x):
        return x + 1

    assert slow(1) == 2
    assert slow.peek(1) == 2
    slow.close()


@pytest.mark.parametrize(
    ("engine", "finding"), [("in-place", "WrongValue"), ("later", "right is one of")]
)
def test_the_check_finds_what_is_planted(engine, finding, tmp_path):
    said, _ = killing(f"{engine}:{tmp_path}").communicate(timeout=120)
    assert finding in said

"""Processes that share a store lose no step and never both win."""

import subprocess
import sys

import pytest

from twat_cache import open_engine

PROCESSES = 3
STEPS = 60

WORK = """
from twat_cache import open_engine

engine = open_engine({url!r})
done = 0
while done < {steps}:
    (now,) = engine.get(["count"])
    done += engine.swap("count", now, b"%d" % (int(bytes(now)) + 1), None)
large = b"x" * 40_000
print(sum(engine.add(f"key{{n}}", large, None) for n in range({steps})))
engine.close()
"""


@pytest.mark.parametrize(
    "url", ["sqlite:///{}/store.db", "file://{}/files", "disk://{}/disk", "diskcache://{}/library"]
)
def test_each_swap_and_add_has_one_winner(url, tmp_path):
    url = url.format(tmp_path)
    if url.startswith("diskcache"):
        pytest.importorskip("diskcache")
    engine = open_engine(url)
    engine.put({"count": b"0"}, None)
    code = WORK.format(url=url, steps=STEPS)
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    told = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES
    assert engine.get(["count"]) == [b"%d" % (PROCESSES * STEPS)]
    assert sum(int(text) for text in told) == STEPS
    assert engine.drop([f"key{n}" for n in range(STEPS)]) == STEPS
    engine.close()

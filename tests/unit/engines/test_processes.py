"""Processes that share a store lose no step and never both win; nor do they open it in vain."""

import os
import subprocess
import sys
import time

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    "url", ["sqlite:///{}/{}.db", "file://{}/f{}", "disk://{}/d{}", "diskcache://{}/l{}"]
)
def test_those_who_open_a_new_store_at_once_all_get_it(url, tmp_path):
    if url.startswith("diskcache"):
        pytest.importorskip("diskcache")
    failed = 0
    for number in range(10):
        start = time.monotonic() + 0.01
        children = []
        for name in ("one", "other"):
            child = os.fork()
            if not child:
                code = 1
                try:
                    while time.monotonic() < start:
                        pass
                    engine = open_engine(url.format(tmp_path, number))
                    engine.put({name: b"1"}, None)
                    code = engine.get([name]) != [b"1"]
                finally:
                    os._exit(code)
            children.append(child)
        failed += sum(os.waitpid(child, 0)[1] != 0 for child in children)
        engine = open_engine(url.format(tmp_path, number))
        assert engine.get(["one", "other"]) == [b"1", b"1"]
        engine.close()
    assert failed == 0

"""Large values as views of their files."""

import subprocess
import sys

import pytest

from twat_cache.engines import mapped

pytest.importorskip("resource", reason="here is no bound on open files")

SCRIPT = """
import os, resource, sys
from twat_cache import open_engine

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
value = os.urandom(300_000)
engine = open_engine(sys.argv[1])
engine.put({"key": value}, None)


def opened():
    files = []
    try:
        while True:
            files.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return files


files = opened()
os.close(files.pop())
assert engine.get(["key"]) == [value]  # one descriptor is enough
for file in files:
    os.close(file)

kept = [engine.get(["key"])[0] for _ in range(200)]
assert all(one == value for one in kept)
files = opened()
assert len(files) >= 10, len(files)  # others need some, too
for file in files:
    os.close(file)

first = kept[0]
del kept
assert type(first.obj).__name__ == "mmap"
assert type(engine.get(["key"])[0].obj).__name__ == "mmap"  # as before, once they are gone
engine.close()
assert first == value
"""


@pytest.mark.parametrize("url", ["file://{}/store", "disk://{}/store"])
def test_kept_values_leave_descriptors_to_others(tmp_path, url):
    command = [sys.executable, "-c", SCRIPT, url.format(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr


def test_what_can_not_be_mapped_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    with open(tmp_path / "file", "rb", buffering=0) as file:
        assert mapped.mapped(file.fileno(), 5) == b"12345"
        assert mapped.mapped(file.fileno(), 6) is None
        assert mapped.read_rest(file.fileno(), 2) == b"12"
        assert mapped.read_rest(file.fileno(), 0) == b""
        assert mapped.read_rest(file.fileno(), 3) == b"345"
        assert mapped.read_rest(file.fileno(), 1) is None

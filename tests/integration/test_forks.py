"""A process that forks goes on using its engines on both sides, and so do its children."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures.prefork import STEPS, THREADS, WORKERS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

ROOT = Path(__file__).resolve().parents[2]
OF_PARENT = STEPS * (1 + THREADS)
OF_ALL = OF_PARENT + STEPS * THREADS * WORKERS

SHARED = ["sqlite:///{}/store.db", "disk://{}/disk", "file://{}/files", "diskcache://{}/library"]
UNSHARED = ["mapping:", "sqlite:///:memory:"]


def preforked(url):
    """How many steps were taken, as the parent sees it."""
    if "diskcache" in url:
        pytest.importorskip("diskcache")
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.fixtures.prefork", url],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout)


@pytest.mark.parametrize("url", [*SHARED, *(f"tiered+{url}" for url in SHARED)])
def test_parent_and_workers_share_a_store(url, tmp_path):
    assert preforked(url.format(tmp_path)) == OF_ALL
    assert not list(tmp_path.rglob("*.damaged*"))
    for database in tmp_path.rglob("*.db"):
        with closing(sqlite3.connect(database)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("url", UNSHARED)
def test_of_what_is_in_memory_each_has_its_own(url):
    assert preforked(url) == OF_PARENT

"""The table of what engines promise says what the engines say."""

from __future__ import annotations

from pathlib import Path

import pytest

from twat_cache import open_engine

pytestmark = pytest.mark.checkout

PAGE = Path(__file__).resolve().parents[3] / "src_docs" / "user-guide" / "choosing-an-engine.md"
URLS = {
    "sqlite": "sqlite:///{}/a.db",
    "disk": "disk://{}/disk",
    "file": "file://{}/file",
    "diskcache": "diskcache://{}/diskcache",
    "redis": "redis://127.0.0.1",
    "memcached": "memcached://127.0.0.1",
    "postgresql": "postgresql://127.0.0.1/db",
    "s3": "s3://bucket?region=x&access_key_id=a&secret_access_key=b",
}
LIBRARIES = {
    "diskcache": "diskcache", "memcached": "pymemcache", "postgresql": "psycopg",
    "redis": "redis", "s3": "obstore",
}  # fmt: skip


def rows():
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].partition(",")[0].strip("`"): row for row in cells}


def test_each_engine_has_a_row():
    assert set(rows()) == {*URLS, '"memory"'}


@pytest.mark.parametrize("name", URLS)
def test_a_row_says_what_the_engine_says(name, tmp_path):
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name])
    engine = open_engine(URLS[name].format(tmp_path))
    can, streams = engine.capabilities, getattr(engine, "streams", ())
    engine.close()
    _, seen, _, swaps, touches, lists, follows, _ = rows()[name]
    assert seen == ("all machines" if can.remote else "this machine")
    assert swaps.startswith("yes") is can.swap
    assert (touches == "yes") is can.touch
    assert (lists == "yes") is can.scan
    assert follows == (", ".join(f"`{one}`" for one in streams) or "–")

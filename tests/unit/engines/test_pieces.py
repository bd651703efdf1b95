"""Values in pieces: stored as one, by the engines that say so."""

from __future__ import annotations

import pytest

from twat_cache.engines.disk import DiskEngine
from twat_cache.engines.file import FileEngine
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.tiered import TieredEngine

PIECES = [
    [], [b""], [b"a", b"", bytearray(b"b"), memoryview(b"c")], [b"x" * 5_000, b"y"],
    [b"x" * 20_000, memoryview(b"y" * 20_000)],
    [b"a", b"b" * 300_000, b"c", b"d" * 5_000, b"e"],
]  # fmt: skip


@pytest.fixture(params=[FileEngine, DiskEngine])
def engine(request, tmp_path):
    engine = request.param(tmp_path / "store", max_bytes="2MB")
    yield engine
    engine.close()


@pytest.mark.parametrize("pieces", PIECES, ids=range(len(PIECES)))
def test_a_value_may_come_in_pieces(engine, pieces):
    assert engine.capabilities.pieces
    whole = b"".join(pieces)
    engine.put({"put": pieces}, None)
    assert engine.add("added", pieces, None)
    assert not engine.add("added", [b"other"], None)
    assert engine.swap("put", whole, [b"x", whole], None)
    assert engine.get(["put", "added"]) == [b"x" + whole, whole]
    engine.put({"put": [whole, bytes(2_000_000)]}, None)
    assert engine.get(["put"]) == [None]
    engine.put({"added": pieces}, 0)
    assert engine.get(["added"]) == [None]


def test_pieces_are_no_matter_of_tiers(engine):
    tiers = TieredEngine([MappingEngine(), engine])
    assert not tiers.capabilities.pieces

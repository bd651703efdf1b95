"""Arrow's tables in stores."""

from __future__ import annotations

import pytest

from twat_cache.codecs.msgpack_codec import Msgpack
from twat_cache.errors import SerializationError

pa = pytest.importorskip("pyarrow")


def copied(value):
    codec = Msgpack()
    return codec.decode(b"".join(codec.encode(value)))


def tables():
    plain = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"], "c": [[1], [], [2, 3]]})
    return [
        plain,
        plain.replace_schema_metadata({"key": "value"}),
        pa.concat_tables([plain, plain.slice(1, 1)]),
        plain.slice(0, 0),
        plain.select([]),
        pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()}),
        pa.table({"a": pa.array([1.5] * 100_000)}),
    ]


@pytest.mark.parametrize("place", range(len(tables())))
def test_a_table_comes_back_as_it_was(place):
    table = tables()[place]
    found = copied([table])[0]
    assert type(found) is pa.Table
    assert found.equals(table, check_metadata=True)
    for batch in table.to_batches():
        again = copied(batch)
        assert type(again) is pa.RecordBatch
        assert again.equals(batch, check_metadata=True)


def test_other_types_are_refused():
    for value in (pa.array([1]), pa.scalar(1), pa.schema([]), pa.py_buffer(b"x")):
        with pytest.raises(SerializationError, match="can't be written"):
            copied(value)


def test_damage_is_one_error():
    for table in (tables()[0], tables()[5]):
        message = b"".join(Msgpack().encode(table))
        for offset in range(len(message)):
            for change in (0x01, 0x11, 0x80):
                wrong = bytearray(message)
                wrong[offset] ^= change
                try:
                    Msgpack().decode(bytes(wrong)).to_pylist()  # leads nowhere that isn't there
                except (SerializationError, AttributeError, UnicodeDecodeError):
                    pass


def test_a_library_that_runs_what_it_reads_is_not_used(monkeypatch):
    message = b"".join(Msgpack().encode(tables()[0]))
    monkeypatch.setattr(pa, "__version__", "14.0.0")
    with pytest.raises(SerializationError):
        Msgpack().decode(message)

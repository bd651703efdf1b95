"""Compression: smaller or not at all, and never larger than was said."""

from __future__ import annotations

import sys
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twat_cache.codecs import compression
from twat_cache.codecs.compression import compression_named
from twat_cache.codecs.record import Damage
from twat_cache.errors import ConfigurationError

NAMES = ["zlib", "lz4", "zstd"]


@pytest.fixture(params=NAMES)
def made(request):
    try:
        return compression_named(request.param)
    except ConfigurationError as error:
        pytest.skip(str(error))


def packed(made, payload):
    algorithm, pieces = made.pack(payload)
    return algorithm, b"".join(pieces)


@pytest.mark.parametrize("payload", [b"x" * 1024, bytes(1 << 20), [b"ab" * 999, b"", b"c" * 99]])
def test_what_is_made_smaller_comes_back(made, payload):
    algorithm, small = packed(made, payload)
    whole = payload if isinstance(payload, bytes) else b"".join(payload)
    assert algorithm
    assert len(small) < len(whole) / 2
    assert made.unpack(algorithm, memoryview(small)) == whole


@pytest.mark.parametrize("payload", [b"", b"x" * 1023, bytes(range(256)) * 0, "random"])
def test_what_is_short_or_gets_no_smaller_stays_as_it_is(made, payload):
    import random

    payload = random.Random(1).randbytes(5000) if payload == "random" else payload
    assert packed(made, payload) == (0, payload)
    assert made.unpack(0, payload) is payload


@given(st.data())
@settings(deadline=None)  # the first time it imports a library
def test_any_payload_comes_back(data):
    for name in NAMES:
        try:
            made = compression_named(name, above=1)
        except ConfigurationError:
            continue
        payload = data.draw(st.binary(max_size=300) | st.binary(max_size=3).map(lambda b: b * 99))
        assert made.unpack(*packed(made, payload)) == payload


def test_what_is_longer_than_a_reader_takes_stays_as_it_is(made, monkeypatch):
    monkeypatch.setattr(compression, "LARGEST", 5000)
    assert packed(made, bytes(5000))[0]
    assert packed(made, bytes(5001)) == (0, bytes(5001))


def test_a_bomb_is_damage(made, monkeypatch):
    algorithm, small = packed(made, bytes(1 << 20))
    bare = small[8:]
    for size in (0, 1, 1000, (1 << 20) - 1, (1 << 20) + 1, 1 << 60, 2**64 - 1):
        assert made.unpack(algorithm, size.to_bytes(8, "big") + bare) is Damage.BOMB, size
    monkeypatch.setattr(compression, "LARGEST", (1 << 20) - 1)
    assert made.unpack(algorithm, small) is Damage.BOMB


def test_a_wrong_byte_is_noticed_or_changes_nothing(made):
    whole = bytes(range(200)) * 20
    algorithm, small = packed(made, whole)
    for offset, byte in enumerate(small):
        for change in (1, 128, 255):
            damaged = bytearray(small)
            damaged[offset] = byte ^ change
            assert made.unpack(algorithm, damaged) in (Damage.BOMB, whole)
    for length in range(len(small)):
        assert made.unpack(algorithm, small[:length]) is Damage.BOMB
    assert made.unpack(algorithm, small + b"x") is Damage.BOMB


@given(st.binary(max_size=100))
def test_junk_is_damage(junk):
    made = compression_named("zlib")
    assert made.unpack(1, junk) is Damage.BOMB
    assert made.unpack(1, (100).to_bytes(8, "big") + junk) is Damage.BOMB


def test_the_reader_decides_which_algorithm_it_takes():
    data = (4).to_bytes(8, "big") + zlib.compress(b"text")
    for name, algorithm in (("zlib", 2), ("zlib", 255), (None, 1)):
        assert compression_named(name).unpack(algorithm, data) is Damage.COMPRESSION


@pytest.mark.parametrize("name", ["", "gzip", 5, True])
def test_what_is_no_compression_is_refused(name):
    with pytest.raises(ConfigurationError, match="None, 'zlib', 'lz4', 'zstd'"):
        compression_named(name)


@pytest.mark.parametrize(
    ("name", "module"),
    [("lz4", "lz4"), ("zstd", "compression" if sys.version_info >= (3, 14) else "backports")],
)
def test_a_missing_library_is_named_with_its_extra(monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"{module}.{'frame' if name == 'lz4' else 'zstd'}", False)
    with pytest.raises(ConfigurationError, match=r"pip install 'twat-cache\[fast\]'"):
        compression_named(name)

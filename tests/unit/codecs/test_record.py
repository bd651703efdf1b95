"""The envelope: what was packed is unpacked, and whatever else is noticed."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twat_cache.codecs import record as module
from twat_cache.codecs.record import Damage, Record, pack, unpack
from twat_cache.codecs.seal import UNSEALED, seal_of
from twat_cache.errors import CacheValueError

KEY = "space:module.f:1:0123456789abcdef"
TAGS = {"user:1": b"token", "ø\ud800": b""}
SIZES = [0, 1, 100, 4096]
SEALS = {
    "unsealed": UNSEALED,
    "signed": seal_of("a secret"),
}


def record(payload=b"payload", tags=TAGS, fresh_until=math.inf):
    return Record(payload, 1, 0, 1000.5, fresh_until, math.inf, tags, took=0.25, raised=7)


def test_a_record_comes_back_as_it_was():
    found = unpack(pack(record(), KEY), KEY)
    assert found == record()
    assert type(found.tags) is dict


@given(
    st.lists(st.binary(max_size=50), max_size=3),
    st.text(st.characters(exclude_categories=())),
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
    st.tuples(
        *[st.floats(allow_nan=False, allow_infinity=False, width=32) | st.just(math.inf)] * 4
    ),
    st.dictionaries(st.text(st.characters(exclude_categories=())), st.binary(max_size=20)),
    st.integers(0, 0xFFFF),
    st.sampled_from(sorted(SEALS)),
    st.booleans(),
)
def test_any_record_comes_back_as_it_was(pieces, key, ids, times, tags, raised, seal, checksum):
    *times, took = times
    written = Record(pieces, *ids, *times, tags, took, raised)
    packed = pack(written, key, SEALS[seal], checksum=checksum)
    found = unpack(packed, key, SEALS[seal])
    assert found == written._replace(payload=b"".join(pieces))


@pytest.mark.parametrize("seal", SEALS.values(), ids=list(SEALS))
@pytest.mark.parametrize("size", SIZES)
def test_a_wrong_byte_anywhere_is_noticed(size, seal):
    sound = pack(record(b"x" * size), KEY, seal)
    assert isinstance(unpack(sound, KEY, seal), Record)
    damaged = bytearray(sound)
    for offset, byte in enumerate(sound):
        for change in (1, 128, 255):
            damaged[offset] = byte ^ change
            assert isinstance(unpack(damaged, KEY, seal), Damage), (offset, change)
        damaged[offset] = byte
    assert damaged == sound


@pytest.mark.parametrize("size", [4097, 5000])
def test_above_4_kb_a_wrong_byte_is_noticed_where_it_was_asked_for(size):
    for checksum in (True, False):
        damaged = bytearray(pack(record(b"x" * size), KEY, checksum=checksum))
        damaged[-1] ^= 1
        assert isinstance(unpack(damaged, KEY), Damage) == checksum


@pytest.mark.parametrize("seal", SEALS.values(), ids=list(SEALS))
@pytest.mark.parametrize("size", SIZES)
def test_a_record_cut_anywhere_is_noticed(size, seal):
    sound = pack(record(b"x" * size), KEY, seal)
    for length in range(len(sound)):
        assert isinstance(unpack(sound[:length], KEY, seal), Damage), length
    for more in (b"\0", b"\0" * 16, sound):
        assert unpack(sound + more, KEY, seal) is Damage.BROKEN


@pytest.mark.parametrize("seal", SEALS.values(), ids=list(SEALS))
def test_a_record_under_another_key_is_noticed(seal):
    packed = pack(record(), KEY, seal)
    for other in ("", KEY + "0", KEY[:-1], KEY.replace("f", "g")):
        assert unpack(packed, other, seal) is Damage.BROKEN


@given(st.binary(max_size=200))
def test_junk_is_never_more_than_damage(junk):
    sound = pack(record(), KEY)
    for seal in SEALS.values():
        assert isinstance(unpack(junk, KEY, seal), Damage)
        assert isinstance(unpack(sound[:5] + junk, KEY, seal), Damage)
        assert isinstance(unpack(sound[: module._HEAD.size] + junk, KEY, seal), Damage)


def forged(flags=0, times=(0.0, 1.0, 2.0, 0.5), check=0, tags=b"", tags_size=None, size=0):
    """A header as whoever knows the format can make it, its checksum good."""
    numbers = check, len(tags) if tags_size is None else tags_size, size, 0
    head = module._HEAD.pack(module._MAGIC, 1, flags, 1, 0, *times, *numbers) + tags
    head += bytes(-(len(head) + 4) % 16)
    return head + module._CHECKSUM.pack(module.crc32(head, module.crc32(KEY.encode())))


small = st.integers(0, 60)


@given(
    flags=st.integers(0, 255),
    times=st.tuples(st.floats(), st.floats(), st.floats(), st.floats()),
    check=st.integers(0, 2**32 - 1),
    tags=st.binary(max_size=60),
    tags_size=st.none() | small | st.integers(0, 2**32 - 1),
    size=small | st.integers(0, 2**64 - 1),
    payload=st.binary(max_size=60),
)
def test_a_header_with_a_good_checksum_is_not_trusted_either(payload, **parts):
    found = unpack(forged(**parts) + payload, KEY)
    assert isinstance(found, (Record, Damage))


@pytest.mark.parametrize("tags", [b"\0", b"\0\1", b"\0\1\0", b"\0\1\1a", b"\0\2\0a", b"\0\1\0\xff"])
def test_tags_that_are_none_are_noticed(tags):
    assert isinstance(unpack(forged(tags=b"\0\1\1ab"), KEY), Record)
    assert unpack(forged(tags=tags), KEY) is Damage.BROKEN
    assert unpack(forged(tags=b"\0\1\1ab" + tags), KEY) is Damage.BROKEN


@pytest.mark.parametrize("place", range(4))
def test_a_time_that_is_no_number_is_noticed(place):
    times = [1.0, 2.0, 3.0, 0.5]
    assert isinstance(unpack(forged(times=times), KEY), Record)
    times[place] = math.nan
    assert unpack(forged(times=times), KEY) is Damage.BROKEN


@pytest.mark.parametrize("offset", [44, 48])
def test_a_huge_length_takes_no_memory(offset):
    packed = bytearray(pack(record(), KEY))
    packed[offset] = 0x7F
    tracemalloc.start()
    try:
        assert unpack(packed, KEY) is Damage.BROKEN
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


def test_reasons_tell_what_is_wrong():
    packed = pack(record(), KEY)
    signed = pack(record(), KEY, seal_of("a secret"))
    assert unpack(b"", KEY) is Damage.FOREIGN
    assert unpack(b"\x80\x04." + bytes(100), KEY) is Damage.FOREIGN
    assert unpack(packed[:4] + b"\x02" + packed[5:], KEY) is Damage.VERSION
    assert unpack(packed, KEY, seal_of("a secret")) is Damage.SEAL
    assert unpack(signed, KEY) is Damage.SEAL
    assert unpack(signed, KEY, seal_of("another")) is Damage.TAMPERED


@pytest.mark.parametrize("seal", SEALS.values(), ids=list(SEALS))
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_the_payload_of_a_large_record_is_a_view_of_it(kind, seal):
    data = kind(pack(record(bytes(1 << 20)), KEY, seal))
    payload = unpack(data, KEY, seal).payload
    assert type(payload) is memoryview
    assert payload.obj is (data.obj if kind is memoryview else data)


def test_what_could_change_after_its_seal_was_checked_is_copied():
    data = bytearray(pack(record(), KEY, SEALS["signed"]))
    found = unpack(data, KEY, SEALS["signed"])
    data[:] = bytes(len(data))
    assert found == record()
    assert unpack(bytearray(pack(record(), KEY)), KEY).payload.readonly is False  # nobody's seal


def test_a_payload_begins_at_a_multiple_of_16():
    for tags in ({}, {"a": b"b"}, TAGS, {"x" * 13: b""}):
        packed = pack(record(b"x" * 10, tags), KEY)
        assert (len(packed) - 10) % 16 == 0


def test_tags_that_are_too_long_are_refused():
    for tags in (
        {"x" * 70_000: b""},
        {"x": bytes(256)},
        {f"{i:060000}": b"" for i in range(20)},
    ):
        with pytest.raises(CacheValueError, match="tag"):
            pack(record(tags=tags), KEY)


def test_the_bytes_are_a_format():
    packed = pack(Record(b"\x01", 1, 2, 1.0, 2.0, math.inf, {"t": b"k"}, 0.5, 3), "key")
    assert packed.hex() == GOLDEN


GOLDEN = (
    "89747763010101023ff000000000000040000000000000007ff00000000000003fe0000000000000"
    "a505df1b0000000500000000000000010003000101746b00000000000000000000000000c9435516"
    "01"
)

"""From a value to stored bytes and back, by all codecs, compressions and seals."""

from __future__ import annotations

import itertools
import math
import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twat_cache.codecs.msgpack_codec import Msgpack
from twat_cache.codecs.record import Damage, Record
from twat_cache.codecs.transcoder import Loaded, Transcoder
from twat_cache.errors import ConfigurationError, SerializationError

KEY = "space:f:1:00"
SECRETS = [{}, {"secret": "s"}, {"encrypt": "e"}, {"secret": "s", "encrypt": "e"}]
VALUES = [None, 1, "text", [1, {"a": [2.5]}], {"x": "y" * 5000}, ["z"] * 3000]


def transcoder(**options):
    try:
        return Transcoder(**options)
    except ConfigurationError as error:
        if "pip install" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("sealed", SECRETS, ids=lambda options: "+".join(options) or "bare")
@pytest.mark.parametrize("compress", [None, "zlib", "lz4", "zstd"])
@pytest.mark.parametrize("codec", ["msgpack", "json", "pickle"])
def test_a_value_comes_back_with_its_times_and_tags(codec, compress, sealed):
    made = transcoder(codec=codec, compress=compress, unsafe=True, **sealed)
    for value in VALUES:
        said = {"fresh_until": 2.5, "stale_until": 9.0, "tags": {"t": b"k"}, "took": 0.25}
        data = made.dump(KEY, value, now=1.5, **said)
        assert type(data) is bytes
        assert made.load(KEY, memoryview(data)) == Loaded(value, created=1.5, **said)


def test_what_is_not_said_lasts_for_ever_and_is_never_stale():
    made = Transcoder()
    assert made.load(KEY, made.dump(KEY, 1, now=5.0)) == Loaded(1, 5.0, math.inf, math.inf, {})
    found = made.load(KEY, made.dump(KEY, 1, now=5.0, fresh_until=6.0))
    assert found.stale_until == found.fresh_until == 6.0


def test_a_reader_reads_only_what_it_would_have_written():
    """Codec, compression and seal are the reader's own, whatever the record says."""
    options = [
        {"codec": codec, "compress": compress, "unsafe": True, **sealed}
        for codec in ("msgpack", "json", "pickle")
        for compress in (None, "zlib")
        for sealed in ({}, {"secret": "s"}, {"secret": "other"})
    ]
    value = ["x" * 2000]
    for one, other in itertools.permutations(options, 2):
        found = transcoder(**other).load(KEY, transcoder(**one).dump(KEY, value, now=0.0))
        only_reads_more = {**one, "compress": None} == {**other, "compress": None}
        if only_reads_more and one["compress"] is None:
            assert found.value == value
        else:
            assert isinstance(found, Damage), (one, other)
    for one, other in itertools.permutations(["msgpack", "json", "pickle"], 2):
        data = Transcoder(one, unsafe=True).dump(KEY, 1, now=0.0)
        assert Transcoder(other, unsafe=True).load(KEY, data) is Damage.CODEC


EVIL: list[str] = []


class Evil:
    """What is pickled here runs code of its writer when it is read."""

    def __reduce__(self):
        return (exec, (f"import sys; sys.modules[{__name__!r}].EVIL.append('ran')",))


@pytest.fixture
def evil(monkeypatch):
    """A record with a malicious pickle; that it is one is shown when the test is over."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__, type(sys)(__name__)))
    monkeypatch.setattr(sys.modules[__name__], "EVIL", EVIL, raising=False)
    EVIL.clear()
    careless = Transcoder("pickle", unsafe=True)
    data = careless.dump(KEY, Evil(), now=0.0)
    yield data
    assert EVIL == []
    careless.load(KEY, data)
    assert EVIL == ["ran"]


@pytest.mark.parametrize("options", [{}, {"codec": "json"}, {"codec": "pickle", "secret": "s"}])
def test_a_malicious_pickle_is_never_read(options, evil):
    from twat_cache.codecs import record

    victim = Transcoder(**options)
    assert isinstance(victim.load(KEY, evil), Damage)
    assert isinstance(victim.load(KEY, pickle.dumps(Evil())), Damage)
    data = bytearray(evil)
    for codec in range(256):  # under any other name, with the checksum put right
        data[6] = codec
        data[60:64] = record._CHECKSUM.pack(
            record.crc32(bytes(data[:60]), record.crc32(KEY.encode()))
        )
        assert isinstance(victim.load(KEY, data), Damage)


def test_a_pickle_that_reads_is_one_that_was_signed():
    made = Transcoder("pickle", secret=["new", "old"])
    assert made.load(KEY, Transcoder("pickle", secret="old").dump(KEY, {1: 2}, now=0.0)).value


@pytest.mark.parametrize("sealed", SECRETS, ids=lambda options: "+".join(options) or "bare")
@pytest.mark.parametrize("compress", [None, "zlib"])
def test_a_wrong_byte_anywhere_is_a_miss(compress, sealed):
    made = transcoder(compress=compress, **sealed)
    sound = made.dump(KEY, ["x" * 300, *range(300)], now=0.0, tags={"tag": b"token"})
    damaged = bytearray(sound)
    for offset, byte in enumerate(sound):
        damaged[offset] = byte ^ 16
        assert isinstance(made.load(KEY, damaged), Damage), offset
        damaged[offset] = byte
    assert isinstance(made.load("another", sound), Damage)


@given(st.binary(max_size=200))
@settings(deadline=None)  # the first time it imports a library
def test_junk_is_a_miss(junk):
    for made in (Transcoder(), Transcoder("json", secret="s")):
        assert isinstance(made.load(KEY, junk), Damage)


def test_what_the_codec_can_not_carry_is_told():
    with pytest.raises(SerializationError, match="object can't be written"):
        Transcoder().dump(KEY, object(), now=0.0)


def test_what_a_codec_of_ones_own_raises_is_told_or_is_damage():
    class Broken:
        name, id = "broken", 200

        def encode(self, value):
            return b"data"[: 1 // value]

        def decode(self, data):
            raise RuntimeError

    made = Transcoder(Broken())
    assert made.load(KEY, made.dump(KEY, 1, now=0.0)) is Damage.VALUE
    with pytest.raises(SerializationError, match=r"'broken' raised ZeroDivisionError .* type int"):
        made.dump(KEY, 0, now=0.0)


def test_a_codec_of_ones_own_decodes_by_its_method_decode_whatever_else_it_has():
    class Doubling(Msgpack):
        name, id = "doubling", 200

        def decode(self, data):
            return 2 * super().decode(data)

    class Reading(Doubling):
        reader = "utf-8"

        def decode(self, data):
            return data[0]

    for codec, value in (Doubling(), 14), (Reading(), 7):
        made = Transcoder(codec)
        data = made.dump(KEY, 7, now=0.0)
        assert made.load(KEY, data).value == made.plain(KEY, data, 1.0) == value
        assert made.plain_values(["n"], [KEY], [data], 1.0, b"") == ({"n": value}, [])


def test_a_record_can_be_looked_at_before_its_value_is_made():
    made = Transcoder()
    record = made.open(KEY, made.dump(KEY, "value", now=1.0, tags={"t": b"k"}))
    assert isinstance(record, Record)
    assert (record.created, record.tags) == (1.0, {"t": b"k"})
    assert made.read(record).value == "value"


def test_pickle_needs_a_seal():
    with pytest.raises(ConfigurationError, match="needs secret="):
        Transcoder("pickle")
    transcoder(codec="pickle", encrypt="e")


def test_a_large_array_is_not_copied_when_it_is_read():
    np = pytest.importorskip("numpy")
    for sealed in ({}, {"secret": "s"}):
        made = Transcoder(**sealed)
        data = made.dump(KEY, np.arange(1e5), now=0.0, tags={"odd": b"length"})
        array = made.load(KEY, data).value
        assert np.shares_memory(array, np.frombuffer(data, "u1"))
        assert array.flags.aligned


def test_an_array_in_a_mapped_file_is_not_copied(tmp_path):
    np = pytest.importorskip("numpy")
    import mmap

    made = Transcoder()
    (tmp_path / "x").write_bytes(made.dump(KEY, np.arange(1e5), now=0.0))
    with open(tmp_path / "x", "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    array = made.load(KEY, memoryview(data)).value
    assert np.shares_memory(array, np.frombuffer(data, "u1"))
    assert array[-1] == 99_999

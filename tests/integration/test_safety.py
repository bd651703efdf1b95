"""What a store holds is never trusted: whoever can write to it can cause misses, and no more.

The reader's options alone decide how a record is read. So a record of any other kind (a pickle
that runs code, one sealed otherwise or not at all, one moved from another key) is a miss that is
told, whatever it says about itself. And a store lets nobody in but its owner.
"""

from __future__ import annotations

import os
import pickle
import stat
import sys
import tracemalloc
from importlib import import_module
from math import inf
from pathlib import Path

import pytest

from twat_cache import bcache, events, fcache, get_cache_path, open_engine, ucache
from twat_cache.codecs import record as envelope
from twat_cache.codecs.transcoder import Transcoder
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.tiered import TieredEngine

URLS = {
    "sqlite": "sqlite:///{}/store/store.db",
    "sqlite memory": "sqlite:///:memory:",
    "disk": "disk://{}/store",
    "file": "file://{}/store",
    "diskcache": "diskcache://{}/store",
    "mapping": "mapping:",
    "tiers": "file://{}/store",
}
KEEPING = ["sqlite", "disk", "file", "diskcache"]
ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
POSIX = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def opened(store, place):
    engine = open_engine(URLS[store].format(place))
    return TieredEngine([MappingEngine(), engine]) if store == "tiers" else engine


@pytest.fixture(params=URLS)
def engine(request, tmp_path):
    """Each built-in engine that keeps anything."""
    if request.param == "diskcache":
        pytest.importorskip("diskcache")
    engine = opened(request.param, tmp_path)
    yield engine
    engine.close()


@pytest.fixture
def told():
    """What is wrong with records that were refused, as it happens."""
    happened = []

    def hook(event):
        if type(event) is events.RecordRefused:
            happened.append(event.damage)

    stop = events.subscribe(hook)
    yield happened
    stop()


def cached(engine, **options):
    """A cached function that counts its calls."""

    def function(number):
        f.calls += 1
        return [number, "value"]

    f = ucache(engine, name="function", **options)(function)
    f.calls = 0
    return f


def record_of(engine):
    """The only record in the engine, and its key."""
    (key,) = engine.scan("")
    (data,) = engine.get([key])
    return key, bytes(data)


# -- pickles ---------------------------------------------------------------------------------------

RAN: list[str] = []


def run():
    RAN.append("ran")
    return ["evil"]


class Evil:
    """Reading the pickle of one runs a function of its writer's."""

    def __reduce__(self):
        return run, ()


@pytest.fixture
def ran():
    RAN.clear()
    yield RAN
    assert RAN == []
    assert pickle.loads(pickle.dumps([Evil()])) == [["evil"]]  # it would have
    assert RAN == ["ran"]


def evil_records(key):
    """A malicious pickle in every guise that somebody who knows the format can give it."""
    careless = Transcoder("pickle", unsafe=True)
    data = careless.dump(key, Evil(), now=0.0)
    yield pickle.dumps(Evil())
    yield data
    yield Transcoder("pickle", secret="a guess").dump(key, Evil(), now=0.0)
    yield careless.dump(key, Evil(), now=0.0, raised=1)
    yield Transcoder("pickle", unsafe=True, compress="zlib", above=1).dump(key, Evil(), now=0.0)
    for place, most in ((5, 8), (6, 256), (7, 4)):  # flags, codec, compression
        for value in range(most):
            head = bytearray(data[:64])
            head[place] = value
            check = envelope.crc32(bytes(head[:60]), envelope.crc32(key.encode()))
            yield bytes(head[:60]) + envelope._CHECKSUM.pack(check) + data[64:]


OPTIONS = [
    {}, {"codec": "json"}, {"codec": "pickle", "secret": "s"}, {"secret": "s"},
    {"compress": "zlib"}, {"cache_exceptions": {LookupError: 60}}, {"checksum": True},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(options) or "none")
def test_a_malicious_pickle_is_a_miss_that_is_told(engine, options, told, ran):
    f = cached(engine, **options)
    assert f(1) == [1, "value"]
    key, sound = record_of(engine)
    for count, evil in enumerate(evil_records(key), 1):
        if evil == sound:
            continue
        engine.put({key: evil}, None)
        assert f(1) == [1, "value"]
        assert f.calls == 1 + count
        assert len(told) == count
    assert f(1) == [1, "value"]
    assert f.calls == 1 + count, "and what took its place is found"


@pytest.mark.parametrize(("decorator", "scheme"), [(bcache, "disk"), (fcache, "file")])
def test_the_decorators_of_local_stores_read_no_pickle_either(
    decorator, scheme, tmp_path, told, ran
):
    @decorator(str(tmp_path / "store"))
    def f(number):
        return [number, "value"]

    assert f(1) == [1, "value"]
    engine = open_engine(f"{scheme}://{tmp_path}/store")
    key, _ = record_of(engine)
    for count, evil in enumerate(evil_records(key), 1):
        engine.put({key: evil}, None)
        assert f(1) == [1, "value"]
        assert len(told) == count
    engine.close()
    f.close()


def test_a_codec_named_by_a_record_is_not_looked_for(told):
    """Not even one that this process has and uses for other functions."""
    engine = MappingEngine()
    f = cached(engine)
    careless = ucache(engine, name="function", codec="pickle", unsafe=True)(lambda number: {number})
    assert careless(1) == {1}
    assert f(1) == [1, "value"]
    assert told == ["codec"]


# -- exceptions ------------------------------------------------------------------------------------


class Missing(LookupError):
    def __init__(self, number):
        super().__init__(f"there is no {number}")
        self.number = number


class Other(LookupError):
    pass


def raising(engine, *classes):
    """A function that raises what it is given, of which these classes are kept."""

    def function(error):
        f.calls += 1
        raise error

    kept = dict.fromkeys(classes, 60)
    f = ucache(engine, name="raising", key=lambda _: 1, cache_exceptions=kept)(function)
    f.calls = 0
    return f


def test_a_kept_exception_comes_back_as_it_was(engine):
    f = raising(engine, OSError, Missing)
    for _ in range(3):
        with pytest.raises(Missing, match="there is no 7") as caught:
            f(Missing(7))
        assert caught.value.number == 7
    assert f.calls == 1


def test_a_record_makes_no_exception_but_the_one_that_the_reader_lists_there(engine):
    """Nor one that was listed there once, nor a class that another makes by itself."""
    f = raising(engine, Missing)
    with pytest.raises(Missing):
        f(Missing(7))
    reordered = raising(engine, Other, Missing)
    with pytest.raises(Missing):
        reordered(Missing(8))
    assert reordered.calls == 1
    (key,) = engine.scan("")
    writer = Transcoder()
    parts = [
        ["builtins:OSError", [2, "text"], {}], ["builtins:FileNotFoundError", [2, "text"], {}],
        ["builtins:OSError", [], {"__class__": 1}], ["builtins:OSError", 5, {}], 5, [], None,
    ]  # fmt: skip
    for wrong in parts:
        for index in (1, 2, 65_535):
            engine.put({key: writer.dump(key, wrong, now=0.0, raised=index)}, None)
            f = raising(engine, OSError)
            with pytest.raises(OSError, match="sound"):
                f(OSError("sound"))
            assert f.calls == 1


# -- secrets ---------------------------------------------------------------------------------------

SECRETS = [{"secret": "s"}, {"encrypt": "s"}, {"secret": "s", "encrypt": "e"}]


@pytest.fixture(params=SECRETS, ids=lambda options: "+".join(options))
def secret(request):
    if "encrypt" in request.param:
        pytest.importorskip("cryptography")
    return request.param


def test_a_flipped_bit_anywhere_is_a_miss_that_is_told(secret, told):
    engine = MappingEngine()
    f = cached(engine, **secret)
    assert f(1) == [1, "value"]
    key, sound = record_of(engine)
    for bit in range(8 * len(sound)):
        wrong = bytearray(sound)
        wrong[bit // 8] ^= 1 << bit % 8
        engine.put({key: wrong}, None)
        assert f(1) == [1, "value"]
        assert f.calls == len(told) + 1 == bit + 2, bit


def test_a_flipped_byte_in_any_store_is_a_miss_that_is_told(engine, told):
    f = cached(engine, secret="s")
    assert f(1) == [1, "value"]
    key, sound = record_of(engine)
    for offset, byte in enumerate(sound):
        engine.put({key: sound[:offset] + bytes([byte ^ 0x55]) + sound[offset + 1 :]}, None)
        assert f(1) == [1, "value"]
        assert f.calls == len(told) + 1 == offset + 2, offset


def test_a_record_of_another_key_is_a_miss_that_is_told(engine, secret, told):
    f = cached(engine, **secret)
    assert f(1) == [1, "value"]
    one, sound = record_of(engine)
    assert f(2) == [2, "value"]
    (two,) = {*engine.scan("")} - {one}
    engine.put({two: sound}, None)
    assert f(2) == [2, "value"]
    assert told == ["broken"]
    head, rest = bytearray(sound[:64]), sound[64:]  # and with the header's checksum put right
    head[60:] = envelope._CHECKSUM.pack(
        envelope.crc32(bytes(head[:60]), envelope.crc32(two.encode()))
    )
    engine.put({two: bytes(head) + rest}, None)
    assert f(2) == [2, "value"]
    assert told == ["broken", "tampered"]
    assert f.calls == 4


def test_a_secret_that_was_rotated_out_signs_nothing_any_more(engine, secret, told):
    def with_secrets(*values):
        return cached(engine, **{option: list(values) for option in secret})

    old, both, new = with_secrets("old"), with_secrets("new", "old"), with_secrets("new")
    assert old(1) == both(1) == [1, "value"]
    assert (both.calls, told) == (0, [])
    assert new(1) == [1, "value"]
    assert (new.calls, told) == (1, ["tampered"])
    assert both(1) == [1, "value"]
    assert old(1) == [1, "value"]
    assert (both.calls, old.calls, told) == (0, 2, ["tampered", "tampered"])


def test_an_unsigned_record_is_none_for_who_has_a_secret_nor_the_other_way_round(engine, told):
    plain, signed = cached(engine), cached(engine, secret="s")
    assert plain(1) == signed(1) == plain(1) == [1, "value"]
    assert (plain.calls, signed.calls, told) == (2, 1, ["seal", "seal"])


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "options"), [(0, {}), (300, {}), (4_000, {}), (6_000, {"checksum": True})]
)
def test_a_damaged_byte_anywhere_in_a_record_is_never_a_wrong_value(engine, size, options, told):
    """Within a payload of 4 KB, or of any length with `checksum=True`."""

    def function(number):
        return [number, "x" * size]

    f = ucache(engine, **options)(function)
    expected = f(1)
    key, sound = record_of(engine)
    step = 1 if size < 1_000 or isinstance(engine, MappingEngine) else 97
    offsets = range(0, len(sound), step)
    for offset in offsets:
        wrong = bytearray(sound)
        wrong[offset] ^= 1 << offset % 8
        engine.put({key: wrong}, None)
        assert f(1) == expected, offset
    for length in range(0, len(sound), step):
        engine.put({key: sound[:length]}, None)
        assert f(1) == expected, length
    assert len(told) == 2 * len(offsets)


@pytest.mark.parametrize(("store", "size"), [("file", 100), ("file", 40_000), ("disk", 40_000)])
def test_a_damaged_byte_anywhere_in_a_file_is_never_a_wrong_value(store, size, tmp_path):
    def the_file():
        (file,) = [one for one in (tmp_path / "store").rglob("*") if len(one.name) >= 32]
        return file

    engine = opened(store, tmp_path)
    f = ucache(engine, checksum=True)(lambda number: [number, "x" * size])
    expected = f(1)
    length = the_file().stat().st_size
    for offset in sorted({*range(min(300, length)), *range(300, length, 997), length - 1}):
        file = the_file()
        wrong = bytearray(file.read_bytes())
        wrong[offset] ^= 1 << offset % 8
        file.write_bytes(wrong)
        assert f(1) == expected, offset
    engine.close()


# -- who is let in ---------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
@pytest.mark.parametrize("store", KEEPING)
def test_folders_are_0700_and_files_0600_whatever_the_umask(store, umask, tmp_path):
    if store == "diskcache":
        pytest.importorskip("diskcache")
    before = os.umask(umask)
    try:
        place = tmp_path / "above" / "it"
        engine = opened(store, place)
        engine.put({"small": b"s", "large": bytes(300_000)}, None)
        engine.get(["small", "large"])
        engine.put({"large": bytes(400_000)}, 60)
        engine.drop(["small"])
        modes = modes_of(tmp_path / "above")
        engine.close()
        modes |= modes_of(tmp_path / "above")
    finally:
        os.umask(before)
    assert modes == {("folder", "0o700"), ("file", "0o600")}


@POSIX
@pytest.mark.parametrize("decorator", [bcache, fcache])
def test_the_decorators_folders_are_private_too(decorator, tmp_path, monkeypatch):
    monkeypatch.setenv("TWAT_CACHE_DIR", str(tmp_path / "caches"))
    before = os.umask(0)
    try:

        @decorator("mine")
        def f(number):
            return bytes(number)

        f(10)
        f(100_000)
        assert Path(get_cache_path("mine")) == tmp_path / "caches" / "mine"
        assert modes_of(tmp_path / "caches") == {("folder", "0o700"), ("file", "0o600")}
        f.close()
    finally:
        os.umask(before)


def modes_of(top):
    """The modes of a folder and of all that is in it."""
    return {
        ("folder" if path.is_dir() else "file", oct(stat.S_IMODE(path.stat().st_mode)))
        for path in [top, *top.rglob("*")]
    }


# -- bombs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", ["zlib", "lz4", "zstd"])
def test_a_bomb_takes_little_memory(compress, told):
    """A record of some kilobytes that says it is small, and would be half a gigabyte."""
    pytest.importorskip({"zlib": "zlib", "lz4": "lz4", "zstd": ZSTD}[compress])
    engine = MappingEngine()
    f = cached(engine, compress=compress)
    assert f(1) == [1, "value"]
    key, _ = record_of(engine)
    bomb = bomb_of(compress)
    for said in (100, 1 << 20, (1 << 28) + 1, 1 << 62):
        payload = said.to_bytes(8, "big") + bomb
        algorithm = {"zlib": 1, "lz4": 2, "zstd": 3}[compress]
        made = envelope.Record(payload, 1, algorithm, 0.0, inf, inf, {})
        engine.put({key: envelope.pack(made, key)}, None)
        tracemalloc.start()
        try:
            assert f(1) == [1, "value"]
            assert tracemalloc.get_traced_memory()[1] < 8 * (1 << 20)
        finally:
            tracemalloc.stop()
    assert told == ["bomb"] * 4


def bomb_of(compress):
    """Half a gigabyte of zeros, compressed."""
    piece = bytes(1 << 20)
    if compress == "zlib":
        import zlib

        stream = zlib.compressobj(9)
        return b"".join([*(stream.compress(piece) for _ in range(512)), stream.flush()])
    if compress == "lz4":
        from lz4.frame import LZ4FrameCompressor

        with LZ4FrameCompressor() as frame:
            parts = [frame.begin(), *(frame.compress(piece) for _ in range(512)), frame.flush()]
        return b"".join(parts)
    frame = import_module(ZSTD).ZstdCompressor()
    return b"".join([*(frame.compress(piece) for _ in range(512)), frame.flush()])

"""Seals: who has no secret can neither write nor, where it is encrypted, read."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twat_cache.codecs.record import Damage, Record, pack, unpack
from twat_cache.codecs.seal import UNSEALED, seal_of
from twat_cache.errors import CacheValueError, ConfigurationError

KEY = "space:f:1:00"
KINDS = ["secret", "encrypt", "both"]


def options(kind, value):
    return dict.fromkeys(["secret", "encrypt"] if kind == "both" else [kind], value)


def made(kind, value="first"):
    if kind != "secret":
        pytest.importorskip("cryptography")
    return seal_of(**options(kind, value))


def packed(seal, payload=b"payload", key=KEY):
    return pack(Record(payload, 1, 0, 1.0, 2.0, 3.0, {"tag": b"token"}), key, seal)


def read(seal, data, key=KEY):
    found = unpack(data, key, seal)
    return found if isinstance(found, Damage) else bytes(found.payload)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("payload", [b"", b"x", [b"ab", b"", memoryview(b"cd")], bytes(100_000)])
def test_what_is_sealed_is_opened(kind, payload):
    seal = made(kind)
    whole = b"".join(payload) if isinstance(payload, list) else payload
    assert read(seal, packed(seal, payload)) == whole


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1, 100, 4096])
def test_a_wrong_byte_anywhere_is_noticed(kind, size):
    seal = made(kind)
    sound = packed(seal, b"x" * size)
    damaged = bytearray(sound)
    for offset, byte in enumerate(sound):
        damaged[offset] = byte ^ 1
        assert isinstance(unpack(damaged, KEY, seal), Damage), offset
        damaged[offset] = byte
    for length in range(len(sound)):
        assert isinstance(unpack(sound[:length], KEY, seal), Damage), length


@pytest.mark.parametrize("kind", KINDS)
def test_a_payload_that_was_changed_is_told_from_an_accident(kind):
    seal = made(kind)
    data = bytearray(packed(seal))
    data[-1] ^= 1
    assert read(seal, data) is Damage.TAMPERED


@pytest.mark.parametrize("kind", KINDS)
def test_a_forger_who_makes_the_checksums_match_gains_nothing(kind):
    """Changes whatever a header says, or for which key it is, as whoever knows the format can."""
    from twat_cache.codecs import record as module

    seal = made(kind)
    sound = packed(seal)
    end = len(sound) - seal.growth - len(b"payload")
    checked = end - module._CHECKSUM.size
    said = [*range(6, 40), 56, 57]  # but for lengths and flags, which would be damage as such
    for offset, key in [(None, "space:f:1:01"), *((offset, KEY) for offset in said)]:
        head = bytearray(sound[:end])
        if offset is not None:
            head[offset] ^= 1
        check = module.crc32(bytes(head[:checked]), module.crc32(key.encode()))
        head[checked:] = module._CHECKSUM.pack(check)
        assert read(seal, bytes(head) + sound[end:], key) is Damage.TAMPERED, offset


@pytest.mark.parametrize("kind", KINDS)
@given(st.binary(max_size=100))
@settings(deadline=None)  # the first time it imports a library
def test_junk_is_never_more_than_damage(kind, junk):
    seal = made(kind)
    assert isinstance(unpack(packed(seal)[:80] + junk, KEY, seal), Damage)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_secret_seals_and_all_of_them_open(kind):
    old, new, both = made(kind, "old"), made(kind, "new"), made(kind, ["new", "old"])
    assert read(both, packed(old)) == b"payload"
    assert read(both, packed(new)) == b"payload"
    assert read(new, packed(both)) == b"payload"
    assert read(old, packed(both)) is Damage.TAMPERED
    assert read(new, packed(old)) is Damage.TAMPERED


def test_the_reader_decides_how_a_record_has_to_be_sealed():
    pytest.importorskip("cryptography")
    seals = [UNSEALED, *(made(kind) for kind in KINDS)]
    for writer in seals:
        for reader in seals:
            if writer is not reader:
                assert read(reader, packed(writer)) is Damage.SEAL


def test_what_is_encrypted_can_not_be_read_and_never_looks_the_same():
    seal = made("encrypt")
    one, two = packed(seal, b"the payload"), packed(seal, b"the payload")
    assert b"the payload" not in one
    assert one[-39:] != two[-39:]


def test_one_secret_makes_another_key_for_each_purpose():
    pytest.importorskip("cryptography")
    assert seal_of("same")._keys != seal_of(encrypt="same")._keys


def test_text_and_bytes_are_one_secret():
    assert read(seal_of(b"a"), packed(seal_of("a"))) == b"payload"


@pytest.mark.parametrize("value", ["", b"", [], [b"good", ""], 5, [5], [None], object()])
@pytest.mark.parametrize("option", ["secret", "encrypt"])
def test_what_is_no_secret_is_refused_and_not_shown(option, value):
    with pytest.raises(ConfigurationError, match=rf"^{option}= takes") as caught:
        seal_of(**{option: value})
    assert "good" not in str(caught.value)


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'twat-cache\[crypto\]'"):
        seal_of(encrypt="secret")


def test_what_is_too_large_for_the_cipher_is_refused(monkeypatch):
    seal = made("encrypt")

    class Full:
        def __init__(self, key): ...

        def encrypt(self, *args):
            raise OverflowError

    monkeypatch.setattr(seal, "_cipher", Full)
    with pytest.raises(CacheValueError, match="2 GiB"):
        packed(seal)

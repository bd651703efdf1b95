"""The suite that codecs inherit: the built-in ones pass it in three lines, broken ones don't."""

from __future__ import annotations

import json
import time

import pytest

from tests.fixtures.broken_engines import failed_tests
from twat_cache.codecs.json_codec import Json
from twat_cache.codecs.msgpack_codec import Msgpack
from twat_cache.codecs.record import Damage
from twat_cache.codecs.transcoder import Transcoder
from twat_cache.errors import SerializationError
from twat_cache.testing import CodecSuite


class TestMsgpack(CodecSuite):
    def make(self):
        return Msgpack()


class TestMsgpackWithoutViews(CodecSuite):
    def make(self):
        return Msgpack(views=False)


class TestJson(CodecSuite):
    def make(self):
        return Json()


class AsStored:
    """A codec as it is used: its payload in a record, which the reader's options open."""

    name, id = "stored", 200

    def __init__(self, **options):
        self.transcoder = Transcoder(**options)

    def encode(self, value):
        return self.transcoder.pieces("key", value, now=0.0)

    def decode(self, data):
        found = self.transcoder.load("key", data)
        if isinstance(found, Damage):
            raise SerializationError(found.value)
        return found.value


class TestSignedPickle(CodecSuite):
    def make(self):
        return AsStored(codec="pickle", secret="s")


class TestCompressedMsgpack(CodecSuite):
    def make(self):
        return AsStored(compress="zlib", above=1)


class TestEncryptedJson(CodecSuite):
    def make(self):
        pytest.importorskip("cryptography")
        return AsStored(codec="json", encrypt="s")


# -- and broken ones -------------------------------------------------------------------------------


class ThatHasNoNumber(Json):
    id = 0


class ThatReadsFloats(Json):
    def decode(self, data):
        return json.loads(str(data, "utf-8"), parse_int=float)


class ThatTakesBytesOnly(Json):
    def decode(self, data):
        return super().decode(data if type(data) is bytes else b"null")


class ThatHasOneBuffer(Json):
    buffer = bytearray(1_000_000)

    def encode(self, value):
        data = super().encode(value)
        self.buffer[: len(data)] = data
        return memoryview(self.buffer)[: len(data)]


class ThatSorts(Json):
    def encode(self, value):
        if type(value) is list and {*map(type, value)} == {list}:
            value.reverse()
        return super().encode(value)


class ThatShowsValues(Json):
    def encode(self, value):
        try:
            return super().encode(value)
        except SerializationError:
            raise SerializationError(f"can't write {value!r}") from None


class ThatLeavesErrorsToOthers(Json):
    def decode(self, data):
        return json.loads(str(data, "utf-8"))


class ThatReadsNothing(Json):
    def decode(self, data):
        return super().decode(data or b"null")


class ThatRemembers(Json):
    latest = None

    def encode(self, value):
        self.latest = value
        time.sleep(0.000_1)  # another thread's turn
        return super().encode(self.latest)


BROKEN = {
    ThatHasNoNumber: "test_it_has_a_name_and_a_number",
    ThatReadsFloats: "test_what_is_written_comes_back",
    ThatTakesBytesOnly: "test_what_is_written_comes_back",
    ThatHasOneBuffer: "test_what_was_written_does_not_change_with_what_is_written_next",
    ThatSorts: "test_writing_does_not_change_the_value",
    ThatShowsValues: "test_what_can_not_be_written_is_refused_and_not_shown",
    ThatLeavesErrorsToOthers: "test_junk_is_refused_by_one_error",
    ThatReadsNothing: "test_nothing_at_all_is_refused",
    ThatRemembers: "test_it_is_safe_in_any_thread",
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """What fails where, in a run of the suite on all broken codecs."""
    return failed_tests(__file__, "CodecSuite", BROKEN, tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("broken", BROKEN)
def test_the_suite_finds_what_is_broken(failures, broken):
    assert f"::Test{broken.__name__}::{BROKEN[broken]}" in failures


def test_a_suite_without_a_codec_says_what_to_write():
    with pytest.raises(NotImplementedError, match="make"):
        CodecSuite().make()

"""The codec: what is read is what was written, type by type, and nothing else is ever made."""

from __future__ import annotations

import collections
import enum
import math
import subprocess
import sys
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twat_cache.codecs.msgpack import decode, encoder
from twat_cache.errors import SerializationError

OSLO = "Europe/Oslo"


def has_zones():
    try:
        ZoneInfo(OSLO)
    except Exception:
        return False
    return True


def again(value):
    return decode(encoder()(value))


def same(one, other):
    """Whether two values are alike to the last part and its type."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (set, frozenset)):
        return same(sorted(one, key=repr), sorted(other, key=repr))
    return repr(one) == repr(other)


class Color(enum.Enum):
    RED = 1


class Number(int):
    pass


class Text(str):
    pass


Point = collections.namedtuple("Point", "x y")

VALUES = [
    None, True, False, 0, 1, -1, 127, 128, 2**63, 2**64 - 1, -(2**63), 2**64, -(2**63) - 1,
    10**100, -(10**100), 0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, "", "text", "ø", "\ud800",
    b"", b"bytes", 1j, -0.0 + 1j, [], [1, [2, [3]]], (), (1,), ((), [()], {}), {}, {"a": {"b": 1}},
    {1: 2, 1.5: 3, None: 4, b"k": 5, (1, 2): 6, frozenset({1}): 7}, set(), {1, "a", (1,)},
    frozenset(), frozenset({1, (2, frozenset({3}))}), Decimal("1.00"), Decimal("-0"),
    Decimal("1E+400"), Decimal("NaN"), Decimal("sNaN1"), Decimal("-Infinity"),
    UUID("12345678123456781234567812345678"), date(1, 1, 1), date(9999, 12, 31), time(0),
    time(1, 2, 3, 4), time(1, 2, 3, 4, fold=1), time(1, tzinfo=timezone.utc), datetime(2020, 1, 2),
    datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc, fold=1), timedelta(0), timedelta.min,
    timedelta.max, timezone.utc, timezone(timedelta(hours=-3)), timezone(timedelta(hours=1), "CET"),
    Path("/a/b"), Path(), PurePosixPath("a/b"), PureWindowsPath("c:/a"),
]  # fmt: skip


# Numbered: a set has another repr in each process, and the workers of pytest-xdist compare ids.
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back_as_it_was(value):
    assert same(again(value), value)


def test_the_one_utc_comes_back():
    assert again(timezone.utc) is timezone.utc


@pytest.mark.skipif(not has_zones(), reason="needs a database of time zones")
def test_a_zone_comes_back_by_its_key():
    value = datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo(OSLO), fold=1)
    found = again(value)
    assert same(found, value)
    assert found.tzinfo is value.tzinfo
    assert found.utcoffset() == timedelta(hours=1)


atoms = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.complex_numbers(), st.decimals(), st.uuids(), st.dates(), st.times(), st.datetimes(),
    st.timedeltas(), st.datetimes(timezones=st.just(timezone.utc)),
)  # fmt: skip
keys = st.one_of(st.integers(), st.text(), st.binary(), st.tuples(st.text(), st.integers()))
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.frozensets(keys, max_size=4),
    ),
    max_leaves=20,
)


@given(values)
def test_any_value_comes_back_as_it_was(value):
    assert same(again(value), value)


ARRAYS = [
    "floats", "none", "no dimension", "column order", "every second", "big-endian", "bools",
    "complex", "texts", "bytes", "times", "spans",
]  # fmt: skip


def arrays():
    np = pytest.importorskip("numpy")
    return {
        "floats": np.arange(6.0).reshape(2, 3),
        "none": np.zeros((0, 3)),
        "no dimension": np.array(5),
        "column order": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "every second": np.arange(10)[::2],
        "big-endian": np.array([1, 2], ">i2"),
        "bools": np.array([True, False]),
        "complex": np.array([1j]),
        "texts": np.array(["a", "bcd"]),
        "bytes": np.array([b"a", b"bcd"]),
        "times": np.array(["2020-01-01", "NaT"], "M8[ns]"),
        "spans": np.array([5], "m8[s]"),
    }


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_and_can_be_changed(name):
    array = arrays()[name]
    found = again([array])[0]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable and found.flags.owndata


@pytest.mark.parametrize("make", ["float64", "int8", "bool_", "complex64"])
def test_a_numpy_scalar_comes_back(make):
    np = pytest.importorskip("numpy")
    value = getattr(np, make)(1)
    assert type(again(value)) is type(value)
    assert again(value) == value


def loop():
    value: list[object] = []
    value.append(value)
    return value


def nested(depth, kind):
    value = kind()
    for _ in range(depth):
        value = kind((value,))
    return value


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "object"),
        (Color.RED, "test_msgpack.Color"),
        (Number(5), "test_msgpack.Number"),
        (Text("x"), "test_msgpack.Text"),
        (Point(1, 2), "test_msgpack.Point"),
        (collections.OrderedDict(), "collections.OrderedDict"),
        (collections.deque(), "collections.deque"),
        (bytearray(b"x"), "bytearray"),
        (memoryview(b"x"), "memoryview"),
        (int, "type"),
        (len, "builtin_function_or_method"),
        (lambda: 1, "function"),
        (range(3), "range"),
        (..., "ellipsis"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_type_without_a_word_is_refused_by_name(value, named, inside):
    with pytest.raises(SerializationError, match=rf"{named} can't be written$") as caught:
        encoder()({"key": [1, (value,)]} if inside else value)
    assert "x" not in str(caught.value).replace("test_msgpack.Text", "")


@pytest.mark.parametrize("make", [loop, lambda: nested(5000, list), lambda: nested(5000, tuple)])
def test_what_is_nested_without_end_is_refused(make):
    with pytest.raises(SerializationError, match="nested too deeply"):
        encoder()(make())


def test_what_can_be_written_can_be_read():
    deepest = max(depth for depth in range(100, 600, 10) if is_written(nested(depth, tuple)))
    assert again(nested(deepest, tuple)) == nested(deepest, tuple)


def is_written(value):
    try:
        encoder()(value)
    except SerializationError:
        return False
    return True


@pytest.mark.parametrize("dtype", ["object", "longdouble", [("a", "i4")]])
def test_elements_that_are_more_than_their_bytes_are_refused(dtype):
    np = pytest.importorskip("numpy")
    with pytest.raises(SerializationError, match="dtype"):
        encoder()(np.zeros(3, dtype))


def test_an_encoder_works_on_after_a_refusal():
    encode = encoder()
    for _ in range(3):
        with pytest.raises(SerializationError):
            encode(["x" * 1000, object()])
        assert decode(encode((1, 2))) == (1, 2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x01\x01",
        b"\xd4\x01\x00",
        b"\xd4\x63\x00",
        b"\xc7\x00\x63",
        b"\x91\xc7\x00\x63",
        b"\x91\xc7\x00\x00",
        b"\x91\xc7\x00\x04",
        b"\x92\xc7\x00\x06\xa1x",
        b"\x92\xc7\x00\x07\xc4\x01x",
        b"\x92\xc7\x00\x08\x01",
        b"\x92\xc7\x00\x0d\xa8no/where",
        b"\x94\xc7\x00\x11\xa1O\x91\x01\xc4\x08xxxxxxxx",
        b"\x94\xc7\x00\x11\xa2f8\x91\x05\xc4\x08xxxxxxxx",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x81\x90\x01",
        b"\xa1\xff",
        b"\x91" * 100_000 + b"\x01",
        b"\x92\xc7\x00\x01" * 100_000 + b"\x01",
    ],
    ids=lambda data: data[:16].hex(),
)
def test_bytes_that_nobody_wrote_are_an_error(data):
    with pytest.raises(SerializationError, match="bytes that nobody wrote"):
        decode(data)


def test_a_library_that_is_missing_is_named(monkeypatch):
    np = pytest.importorskip("numpy")
    data = encoder()(np.zeros(3))
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(SerializationError, match="a value needs numpy, which isn't installed"):
        decode(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_are_an_error(data):
    try:
        decode(data)
    except SerializationError:
        pass


def test_the_bytes_are_a_format():
    encode = encoder()
    assert encode((1, "a")).hex() == "93c7000101a161"
    assert encode({1}).hex() == "92c7000201"
    assert encode(frozenset({1})).hex() == "92c7000301"
    assert encode(2**64).hex() == "92c70005c409000000000000000001"
    assert encode(Decimal("1.0")).hex() == "92c70006a3312e30"
    assert encode(date(2020, 1, 2)).hex() == "94c70008cd07e40102"
    assert encode(timedelta(1)).hex() == "94c7000b010000"
    assert encode(PurePosixPath("a")).hex() == "92c7000fa161"


def test_the_codec_in_pure_python_writes_the_same():
    code = (
        "from twat_cache.codecs.msgpack import encoder, decode\n"
        "import msgpack; assert msgpack.Packer.__module__ == 'msgpack.fallback'\n"
        "value = {(1, 2): [2**70, b'x', {3}, None, 1.5, (), bytes(300)]}\n"
        "assert decode(encoder()(value)) == value\n"
        "for wrong in (bytearray(b'x'), object(), type('I', (int,), {})(1)):\n"
        "    try: encoder()([wrong])\n"
        "    except Exception as error: assert 'Serialization' in repr(type(error)), error\n"
        "    else: raise AssertionError(wrong)\n"
        "print(encoder()(value).hex())"
    )
    import os

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MSGPACK_PUREPYTHON": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    value = {(1, 2): [2**70, b"x", {3}, None, 1.5, (), bytes(300)]}
    assert done.stdout.strip() == encoder()(value).hex()

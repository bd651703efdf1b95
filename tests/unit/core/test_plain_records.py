"""What a core reads in one go: records of the simplest kind; `codecs.record` reads the others."""

from __future__ import annotations

import math
from binascii import crc32
from importlib import import_module
from struct import Struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twat_cache.codecs.record import Record, pack, plain_beginnings, unpack, written_tags
from twat_cache.codecs.seal import seal_of

KEY = "space:module.f:1:0123456789abcdef"
PLAIN = plain_beginnings(1)
TAGS = {"user:1": b"token", "ø\ud800": b""}
SIZES = [0, 1, 15, 16, 100, 4032, 4033, 4096]
LONG = [4097, 50_000, 1 << 16, 70_001]
HEAD = Struct(">8s4d2IQH")

unhurried = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(exclude_categories=()))


def packed(payload=b"payload", key=KEY, *, checksum=False, **other):
    """A plain record, but for what is other."""
    record = Record(payload, 1, 0, 1000.5, math.inf, math.inf, {}, took=0.25)
    return pack(record._replace(**other), key, checksum=checksum)


def forged(payload, key, tags, padding, *head):
    """A record as whoever knows the format can make it, its checksum good."""
    start = HEAD.pack(*head) + tags
    start += padding * (-(len(start) + 4) % 16)
    return start + crc32(start, crc32(key.encode())).to_bytes(4, "big") + payload


def of(package):
    return import_module(f"{package.__name__}._core")


@pytest.fixture
def payload_in(tc):
    """The payload that the core reads, as bytes."""

    def read(data, key=KEY, now=2000.0, tags=None):
        found = of(tc).plain_payload(data, key, PLAIN, now, written_tags(tags or {}))
        return found if found is None else bytes(found)

    return read


@pytest.fixture
def values_in(tc):
    """The values that the core reads of many data under the keys k0, k1 …; and what is left."""

    def read(data, decode=bytes, names=None, keys=None, tags=None):
        data = [*data]
        keys = [f"k{at}" for at in range(len(data))] if keys is None else keys
        names = [f"n{at}" for at in range(len(data))] if names is None else names
        tags = written_tags(tags or {})
        return of(tc).plain_values(names, keys, data, PLAIN, 2000.0, tags, decode)

    return read


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("size", [*SIZES, *LONG])
def test_a_plain_record_gives_its_payload_at_once(payload_in, size, checksum):
    data = packed((b"0123456789" * size)[:size], checksum=checksum)
    assert payload_in(data) == (b"0123456789" * size)[:size] == bytes(unpack(data, KEY).payload)


@pytest.mark.parametrize("size", [0, 1, 4097])
@pytest.mark.parametrize("tags", [TAGS, {"t" * long: b"k" * 16 for long in range(20)}], ids=len)
def test_a_record_with_the_tags_that_are_wanted_gives_its_payload_at_once(payload_in, size, tags):
    data = packed(b"x" * size, tags=tags)
    assert payload_in(data, tags=tags) == b"x" * size
    (tag, token), *others = tags.items()
    for unwanted in (
        {},
        dict(others),
        {**tags, "more": b"token"},
        {**tags, tag: token[:-1] + b"\0"},
        {**tags, tag: token[:-1]},
        {tag + "1": token, **dict(others)},
        dict([*others, (tag, token)]),
    ):
        assert payload_in(data, tags=unwanted) is None
        assert payload_in(packed(b"x" * size, tags=unwanted), tags=tags) is None


@pytest.mark.parametrize(("size", "kind"), [(4096 - 64, bytes), (4096 - 63, memoryview)])
def test_a_short_payload_is_copied_and_a_long_one_viewed(tc, size, kind):
    found = of(tc).plain_payload(packed(bytes(size)), KEY, PLAIN, 2000.0)
    assert type(found) is kind


@pytest.mark.parametrize(
    "other",
    [
        {"tags": {"user:1": b"token"}},
        {"tags": {"": b""}},
        {"raised": 1},
        {"codec": 2},
        {"compression": 1},
        {"fresh_until": 2000.0},
        {"fresh_until": math.nan},
        {"created": math.nan},
        {"stale_until": math.nan},
        {"took": math.nan},
        {"created": -math.inf},
    ],
    ids=str,
)
def test_any_other_record_is_left_to_who_takes_a_closer_look(payload_in, other):
    assert payload_in(packed()) == b"payload"
    assert payload_in(packed(**other)) is None


def test_a_record_is_fresh_before_its_end_alone(payload_in):
    data = packed(fresh_until=2000.0)
    assert payload_in(data, now=math.nextafter(2000.0, 0)) == b"payload"
    for now in (2000, math.nextafter(2000.0, math.inf), math.inf, math.nan):
        assert payload_in(data, now=now) is None
    assert payload_in(packed(), now=math.inf) is None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tags", [{}, TAGS], ids=len)
def test_a_plain_record_that_is_damaged_cut_or_anothers_gives_nothing(payload_in, size, tags):
    sound = packed(b"x" * size, tags=tags)
    assert payload_in(sound, tags=tags) == b"x" * size
    damaged = bytearray(sound)
    for offset, byte in enumerate(sound):
        for change in (1, 255):
            damaged[offset] = byte ^ change
            assert payload_in(bytes(damaged), tags=tags) is None, (offset, change)
        damaged[offset] = byte
    for length in [*range(min(len(sound), 200)), *range(0, len(sound), 97), len(sound) - 1]:
        assert payload_in(sound[:length], tags=tags) is None
    assert payload_in(sound + b"\0", tags=tags) is None
    assert payload_in(sound, KEY + "0", tags=tags) is None
    record = Record(b"x" * size, 1, 0, 1000.5, math.inf, math.inf, tags)
    assert payload_in(pack(record, KEY, seal_of("a secret")), tags=tags) is None


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: None, lambda data: str(data)])
def test_nothing_but_bytes_is_looked_at(payload_in, values_in, kind):
    assert payload_in(kind(packed())) is None
    assert values_in([bytearray(packed(key="k0"))]) == ({}, [0])


@pytest.mark.parametrize("beginnings", [(b"", b""), (PLAIN[0][:7], b"\x89"), (b"x" * 99, PLAIN[1])])
def test_no_record_begins_with_anything_but_eight_bytes(tc, beginnings):
    assert of(tc).plain_payload(packed(), KEY, beginnings, 2000.0) is None


@unhurried
@given(st.binary(max_size=200), texts)
def test_any_payload_is_read_under_any_key(tc, payload, key):
    data = packed(payload, key)
    assert of(tc).plain_payload(data, key, PLAIN, 2000.0) == payload
    assert of(tc).plain_payload(data, key + "\ud800", PLAIN, 2000.0) is None


number = st.floats() | st.sampled_from([1000.0, math.inf])
size = st.integers(0, 3)


@unhurried
@given(
    payload=st.binary(max_size=3),
    beginning=st.sampled_from(PLAIN) | st.binary(min_size=8, max_size=8),
    times=st.tuples(number, number, number, number),
    check=st.none() | st.integers(0, 2**32 - 1),
    tags=st.sampled_from([b"", b"tags", b"t" * 70]) | st.binary(max_size=4),
    tags_size=st.none() | st.integers(0, 2**32 - 1),
    length=size | st.integers(0, 2**64 - 1),
    raised=size.map(lambda n: n // 3) | st.integers(0, 0xFFFF),
    padding=st.sampled_from([b"\0", b"x"]),
    now=st.floats(),
    wanted=st.sampled_from([b"", b"tags", b"t" * 70]),
)
def test_a_header_with_a_good_checksum_is_not_trusted_either(
    tc, payload, beginning, times, check, tags, tags_size, length, raised, padding, now, wanted
):
    check = crc32(payload) if check is None else check
    tags_size = len(tags) if tags_size is None else tags_size
    numbers = check, tags_size, length, raised
    data = forged(payload, "k", tags, padding, beginning, *times, *numbers)
    is_sound = beginning == PLAIN[1] or (beginning == PLAIN[0] and check == crc32(payload))
    is_plain = is_sound and length == len(payload) and tags_size == len(wanted) and not raised
    is_fresh = now < times[1] and not math.isnan(times[0] + times[2] + times[3])
    found = of(tc).plain_payload(data, "k", PLAIN, now, wanted)
    assert found == (payload if is_plain and tags == wanted and is_fresh else None)


@unhurried
@given(
    st.lists(st.none() | st.binary(max_size=80), max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 200), st.integers(0, 255)), max_size=4),
)
def test_both_cores_read_the_same_of_many_of_which_some_are_damaged(both, payloads, damages):
    data = [None if one is None else packed(one, f"k{at}") for at, one in enumerate(payloads)]
    for at, offset, byte in damages:
        if at < len(data) and data[at] is not None and offset < len(data[at]):
            data[at] = data[at][:offset] + bytes([byte]) + data[at][offset + 1 :]
    keys = [f"k{at}" for at in range(len(data))]
    one, other = (of(tc).plain_values(keys, keys, data, PLAIN, 2000.0, b"", bytes) for tc in both)
    assert one == other
    assert [*one[0]] == [*other[0]]


# -- many at a time --------------------------------------------------------------------------------


def test_values_come_by_name_in_order_and_what_is_not_there_is_left_out(values_in):
    data = [packed(b"a", "k0"), None, packed(b"c", "k2")]
    found, others = values_in(data)
    assert [*found.items()] == [("n0", b"a"), ("n2", b"c")]
    assert others == []
    assert values_in([]) == ({}, [])


def test_what_is_there_and_is_not_plain_is_told_by_its_index(values_in):
    data = [
        packed(b"a", "another"),
        packed(b"b", "k1"),
        packed(b"c", "k2", tags={"t": b"t"}),
        b"",
        packed(b"e", "k4"),
    ]
    assert values_in(data) == ({"n1": b"b", "n4": b"e"}, [0, 2, 3])


def test_values_with_the_tags_that_are_wanted_are_plain(values_in):
    data = [packed(b"a", "k0"), packed(b"b", "k1", tags=TAGS)]
    assert values_in(data, tags=TAGS) == ({"n1": b"b"}, [0])


def test_what_can_not_be_decoded_is_not_plain(values_in):
    def decode(payload):
        return {b"a": 1}[bytes(payload)]

    assert values_in([packed(b"x", "k0"), packed(b"a", "k1")], decode) == ({"n1": 1}, [0])


def test_an_interrupt_while_decoding_goes_through(values_in):
    def decode(payload):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        values_in([packed(b"x", "k0")], decode)


def test_who_decodes_may_change_what_is_read(values_in):
    data = [packed(b"a", "k0"), packed(b"b", "k1")]
    keys, names = ["k0", "k1"], ["n0", "n1"]

    def decode(payload):
        for one in (data, keys, names):
            one.clear()
        return bytes(payload)

    assert values_in(data, decode, names, keys) == ({"n0": b"a", "n1": b"b"}, [])


def test_names_keys_and_data_of_any_kind_but_equally_many_are_taken(values_in):
    data = [packed(b"a", "k0"), packed(b"b", "k1")]
    assert values_in((one for one in data), keys=("k0", "k1"), names={"n0": 0, "n1": 1}) == (
        {"n0": b"a", "n1": b"b"},
        [],
    )
    for keys, names in [(["k0"], None), (None, ["n0"]), ([], [])]:
        with pytest.raises(ValueError, match="2 data"):
            values_in(data, keys=keys, names=names)

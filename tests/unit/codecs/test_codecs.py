"""The three codecs that are built in, each held against the contract and its own promises."""

from __future__ import annotations

import dataclasses
import enum
import math
import typing
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twat_cache.codecs import own_types
from twat_cache.codecs.json_codec import Json
from twat_cache.codecs.msgpack_codec import Msgpack
from twat_cache.codecs.named import codec_named
from twat_cache.codecs.own_types import register_type
from twat_cache.codecs.pickle_codec import Pickle
from twat_cache.errors import ConfigurationError, SerializationError
from twat_cache.testing import CodecSuite

MORE = [b"", b"bytes", (), (1, (2,)), 1j, {1: 2, (3,): 4}, Decimal("1.0"), math.inf]


class Number(int):
    def __repr__(self):
        return "hunter2"


class Text(str):
    pass


class Secret:
    def __repr__(self):
        return "hunter2"


class TestMsgpack(CodecSuite):
    values = [*CodecSuite.values, *MORE, datetime(2020, 1, 2, tzinfo=timezone.utc)]
    refused = [Secret(), Number(5), Text("hunter2"), bytearray(b"x"), range(3), lambda: 1]

    def make(self):
        return Msgpack()


class TestJson(CodecSuite):
    refused = [
        *MORE[:-1], Secret(), Number(5), Text("hunter2"), {True: 1}, {None: 1}, {1.5: 1},
        {Text("x"): 1}, math.nan, math.inf, -math.inf, "\ud800", "\ud83d\ude00",
    ]  # fmt: skip

    def make(self):
        return Json()


class TestPickle(CodecSuite):
    values = [*CodecSuite.values, *MORE, range(3)]
    refused = [lambda: 1]

    def make(self):
        return Pickle()

    # A damaged pickle may do anything, which is why it has to be signed.
    test_damage_is_refused_by_one_error = test_junk_is_refused_by_one_error = None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(json_values)
def test_any_value_of_json_comes_back(value):
    assert TestJson().same(Json().decode(Json().encode(value)), value)


@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_are_an_error(data):
    try:
        Json().decode(data)
    except SerializationError:
        pass


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def loop():
    value = []
    value += [value, value]
    return value


@pytest.mark.parametrize("make", [loop, lambda: nested(250), lambda: nested(100_000)])
def test_json_refuses_what_is_nested_too_deeply(make):
    value = make()
    with pytest.raises(SerializationError):
        Json().encode(value)
    while value and value[0] is not value:  # so that no deep structure is freed by recursion
        value = value[0]


def test_json_that_nobody_wrote_here_is_refused():
    for data in (b"NaN", b"[Infinity]", b"{1:2}", b'"\xff"', b"1 2", b"[" * 100_000):
        with pytest.raises(SerializationError):
            Json().decode(data)


# -- which codec a name stands for ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["msgpack", "json"])
def test_a_codec_is_found_by_its_name(name):
    assert codec_named(name).name == name


@pytest.mark.parametrize("codec", ["pickle", Pickle()])
def test_pickle_needs_a_secret_or_to_be_called_unsafe(codec):
    with pytest.raises(ConfigurationError, match="needs secret="):
        codec_named(codec)
    assert codec_named(codec, sealed=True).name == "pickle"
    assert codec_named(codec, unsafe=True).name == "pickle"


@pytest.mark.parametrize("wrong", ["", "yaml", "Msgpack", None, 5, object(), Msgpack])
def test_what_is_no_codec_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="'msgpack', 'json', 'pickle'"):
        codec_named(wrong)


def test_a_codec_of_ones_own_has_a_number_of_its_own():
    class Own(CodecSuite):
        name, id = "own", 128
        encode = decode = None

    codec = Own()
    assert codec_named(codec) is codec
    assert codec_named(ours := Msgpack(views=False)) is ours
    for taken in (0, 1, 127, 256, True, "128", None):
        codec.id = taken
        with pytest.raises(ConfigurationError, match="128 to 255"):
            codec_named(codec)


def test_numbers_are_never_reused():
    assert {c.name: c.id for c in (Msgpack, Json, Pickle)} == {"msgpack": 1, "json": 2, "pickle": 3}


# -- types of one's own ---------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1
    ROUGE = 1
    BLUE = 2


class Level(enum.IntEnum):
    ONE = 1


class Word(str, enum.Enum):
    YES = "yes"


class Mode(enum.Flag):
    R = 1
    W = 2


class Point(typing.NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Order:
    item: str
    count: int = dataclasses.field(default=1, compare=False)
    made: list = dataclasses.field(default_factory=list, init=False)

    def __post_init__(self):
        self.item = self.item.upper()


@dataclasses.dataclass(frozen=True)
class Frozen:
    __slots__ = ("inner",)
    inner: object


class Richer(Order):
    pass


class Plain:
    def __init__(self, state):
        self.state = state

    def __eq__(self, other):
        return type(other) is Plain and self.state == other.state

    __hash__ = None


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(own_types, "_writers", {})
    monkeypatch.setattr(own_types, "_readers", {})


def again(value):
    codec = Msgpack()
    return codec.decode(b"".join(codec.encode(value)))


def order():
    made = Order("nut", 5)
    made.made.append((1, 2))
    return made


OWN = [Colour.RED, Colour.BLUE, Level.ONE, Word.YES, Mode.R, Mode.R | Mode.W, Mode(0), Point(1, 2)]


@pytest.mark.parametrize("value", [*OWN, order(), Frozen([Colour.RED]), Frozen(Frozen(None))])
def test_a_value_of_a_registered_type_comes_back(value):
    for cls in (Colour, Level, Word, Mode, Point, Order, Frozen):
        assert register_type(cls) is cls
    for whole in (value, [value, (value,)], {"key": Frozen(value)}):
        found = again(whole)
        assert (type(found), found) == (type(whole), whole)
    if isinstance(value, Order):
        found = again(value)
        assert vars(found) == vars(value)


def test_any_other_type_comes_back_by_its_functions():
    register_type(Plain, lambda value: value.state, Plain, name="plain")
    assert again([Plain((1, Plain({})))]) == [Plain((1, Plain({})))]


@pytest.mark.parametrize("value", [*OWN, order(), Plain(1)])
def test_a_type_that_was_not_registered_is_refused(value):
    with pytest.raises(SerializationError, match="can't be written"):
        again([value])


def test_a_type_that_the_reader_does_not_know_is_not_looked_for():
    codec = Msgpack()
    register_type(Point)
    data = b"".join(codec.encode(Point(1, 2)))
    own_types._readers.clear()
    with pytest.raises(SerializationError, match="nobody wrote"):
        codec.decode(data)


def test_what_is_more_than_its_fields_is_refused():
    register_type(Order)
    register_type(Point)
    richer, poorer = order(), order()
    richer.more = 1
    del poorer.count, poorer.made
    own = Richer("x")
    for value in (richer, poorer, own):
        with pytest.raises(SerializationError, match="can't be written"):
            again(value)


def test_a_dataclass_that_has_changed_since_is_not_guessed_at():
    codec = Msgpack()
    register_type(Order)
    data = b"".join(codec.encode(order()))
    changed = dataclasses.make_dataclass("Order", ["item", "amount", "made"])
    changed.__module__, changed.__qualname__ = Order.__module__, Order.__qualname__
    register_type(changed)
    with pytest.raises(SerializationError):
        codec.decode(data)


@pytest.mark.parametrize("state", [object(), bytearray(b"x"), [memoryview(b"x")]])
def test_a_state_has_to_be_made_of_what_can_be_written(state):
    register_type(Plain, lambda value: value.state, Plain)
    with pytest.raises(SerializationError, match="can't be written"):
        again([Plain(state)])


def test_what_a_function_raises_is_told_by_its_type():
    register_type(Plain, lambda value: 1 / 0, Plain)
    with pytest.raises(SerializationError, match=r"Plain can't be written: .*ZeroDivisionError"):
        again([Plain(1)])


def test_what_is_written_may_write_something_else_meanwhile():
    codec = Msgpack()

    def write(value):
        assert codec.decode(b"".join(codec.encode(["inner"]))) == ["inner"]
        return value.state

    register_type(Plain, write, Plain)
    for _ in range(3):
        value = ["before", Plain(["within"]), "after"]
        assert codec.decode(b"".join(codec.encode(value))) == value


def test_what_makes_another_type_is_refused():
    register_type(Plain, lambda value: value.state, lambda state: state)
    with pytest.raises(SerializationError, match="TypeError"):
        again(Plain(1))


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ((5,), "a class"),
        ((Plain,), "write="),
        ((Richer,), "write="),
        ((int,), "write="),
        ((Plain, str), "together"),
    ],
)
def test_what_can_not_be_registered_is_refused(args, match):
    with pytest.raises(ConfigurationError, match=match):
        register_type(*args)


def test_two_classes_have_two_names():
    register_type(Point, name="point")
    register_type(Point, name="point")
    with pytest.raises(ConfigurationError, match="no other registered class"):
        register_type(Order, name="point")


# -- arrays ---------------------------------------------------------------------------------------


@pytest.fixture
def np():
    return pytest.importorskip("numpy")


def arrays(np):
    large = np.arange(40_000.0)
    return [
        np.arange(3),
        large,
        large.reshape(200, 200),
        np.asfortranarray(large.reshape(200, 200)),
        large[::2],
        large.astype(">f4"),
        np.zeros((0, 5)),
        np.zeros(70_001, "i1"),
        np.zeros(20_000, "M8[ns]"),
        np.full(20_000, "ab"),
        np.zeros(70_000, bool),
    ]


@pytest.mark.parametrize("views", [True, False])
def test_arrays_come_back(np, views):
    codec = Msgpack(views=views)
    made = arrays(np)
    data = b"".join(codec.encode({"all": made, "tuple": (made[1], 5)}))
    found = codec.decode(data)
    for one, other in zip([*found["all"], found["tuple"][0]], [*made, made[1]], strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()
        assert one.flags.writeable is not views
        assert one.flags.aligned


def test_a_large_array_is_read_where_it_lies(np):
    codec = Msgpack()
    pieces = codec.encode([np.arange(1e6)])
    assert any(isinstance(piece, memoryview) for piece in pieces)  # nor copied to be written
    data = b"".join(pieces)
    (found,) = codec.decode(data)
    where = np.frombuffer(data, "u1")
    assert np.shares_memory(found, where)
    (own,) = Msgpack(views=False).decode(data)
    assert not np.shares_memory(own, where)


def test_an_array_that_does_not_lie_even_is_copied(np):
    codec = Msgpack()
    data = b"".join(codec.encode(np.arange(1e5)))
    (found) = codec.decode(memoryview(b"x" + data)[1:])
    assert found.flags.aligned
    assert not found.flags.writeable
    assert found.tolist() == np.arange(1e5).tolist()


def test_an_array_never_reaches_beyond_its_bytes(np):
    codec = Msgpack()
    sound = b"".join(codec.encode([np.zeros(20_000), np.zeros(10_000)]))
    for cut in (8, 9, 100, 50_000, len(sound) - 1):
        with pytest.raises(SerializationError):
            codec.decode(sound[:cut])
    message = int.from_bytes(sound[1:8], "big")
    for offset in range(message + 8):
        for value in (0, 1, 127, 128, 255):
            damaged = bytearray(sound)
            damaged[offset] = value
            try:
                codec.decode(damaged)
            except SerializationError:
                pass


def test_an_encoder_that_failed_forgets_the_arrays_it_took(np):
    codec = Msgpack()
    with pytest.raises(SerializationError):
        codec.encode([np.zeros(100_000), object()])
    assert codec.decode(b"".join(codec.encode([1]))) == [1]
    assert codec.decode(b"".join(codec.encode(np.ones(10_000)))).sum() == 10_000


def test_the_bytes_are_a_format(np):
    codec = Msgpack()
    register_type(Point, name="p")
    register_type(Colour, name="c")
    register_type(Frozen, name="f")
    assert b"".join(codec.encode(Point(1, 2))).hex() == "93c70013a170920102"
    assert b"".join(codec.encode(Colour.RED)).hex() == "93c70013a163a3524544"
    assert b"".join(codec.encode(Frozen(5))).hex() == "93c70013a1669291a5696e6e65729105"
    array = np.full(1 << 16, 7, "i1")
    data = b"".join(codec.encode([array]))
    assert data[:32].hex() == "c1000000000000109194c70014a37c693191ce00010000000000000000000000"
    assert data[32:] == b"\7" * (1 << 16)


def test_small_values_do_not_pay_for_arrays():
    assert len(Msgpack().encode([1, 2])) == 1

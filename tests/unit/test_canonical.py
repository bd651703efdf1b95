"""The canonical encoding: never two values in one, never one value in two."""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import inspect
import itertools
import math
import os
import pathlib
import subprocess
import sys
import typing
import uuid
import zoneinfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twat_cache._keys import canonical
from twat_cache._keys.canonical import digest, encode, register_key
from twat_cache.errors import CacheKeyError, ConfigurationError

PARIS_WINTER = dt.timezone(dt.timedelta(hours=1))


class Colour(enum.Enum):
    RED = 1
    ROUGE = 1
    BLUE = 2


class Level(enum.IntEnum):
    ONE = 1


class Mode(enum.Flag):
    R = 1
    W = 2


class Point(typing.NamedTuple):
    x: int
    y: int


class Place(typing.NamedTuple):
    x: int
    y: int


class Marked(Point):
    """A NamedTuple whose instances can hold more."""


@dataclasses.dataclass
class Order:
    item: str
    count: int = dataclasses.field(default=1, compare=False)


@dataclasses.dataclass
class Other:
    item: str
    count: int = 1


class Richer(Order):
    """A plain subclass of a dataclass, which may hold more."""


@dataclasses.dataclass
class Seeded:
    """Holds more than its fields: what an `InitVar` has left, and what can be told from them."""

    item: str
    seed: dataclasses.InitVar[int] = 0

    def __post_init__(self, seed):
        self._state = [seed]

    @functools.cached_property
    def upper(self):
        return object()


@dataclasses.dataclass
class Rows(list):
    """Holds items beside its fields."""

    name: str = "a"


@dataclasses.dataclass
class Failure(Exception):
    code: int = 1


class Slotted:
    __slots__ = ("__inner", "outer")

    def __init__(self, inner, outer):
        self.__inner = inner
        self.outer = outer


@dataclasses.dataclass
class OnSlots(Slotted):
    item: str = "a"

    def __init__(self, inner=0, outer=0):
        super().__init__(inner, outer)


class Keyed:
    def __init__(self, key):
        self.key = key

    def __cache_key__(self):
        return self.key


class KeyedToo(Keyed):
    pass


class Registered:
    def __init__(self, key):
        self.key = key


class Secret:
    def __repr__(self):
        return "hunter2"


def function():
    """A function at module level."""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(canonical, "_registered", {})
    register_key(Registered, lambda value: value.key)


NESTED = []
for _ in range(190):
    NESTED = [NESTED]

# Each is different from every other, however alike they are under ==.
DISTINCT = [
    None,
    ...,
    NotImplemented,
    False,
    True,
    0,
    1,
    -1,
    -2,
    127,
    128,
    255,
    256,
    -128,
    -129,
    2**64,
    -(2**64),
    0.0,
    -0.0,
    1.0,
    math.inf,
    math.nan,
    -math.nan,
    0j,
    complex(0.0, -0.0),
    1 + 0j,
    "",
    "1",
    "a",
    "ab",
    "é",
    "e\u0301",
    "\ud83d\ude00",
    "\U0001f600",
    "\udcff",
    "\0",
    b"",
    b"a",
    bytearray(b"a"),
    memoryview(b"a"),
    memoryview(b"ab").cast("b"),
    memoryview(b"ab").cast("H"),
    (),
    [],
    {},
    set(),
    frozenset(),
    ("a", "b"),
    ("ab",),
    ("a", ("b",)),
    (("a",), "b"),
    ("a:b", "c"),
    ("a", "b:c"),
    ["a", "b"],
    ["b", "a"],
    {"a": "b"},
    {"a": 1, "b": 2},
    {"a": 2, "b": 1},
    {"a", "b"},
    frozenset({"a", "b"}),
    {1: "x"},
    {1.0: "x"},
    {True: "x"},
    collections.OrderedDict(a=1, b=2),
    collections.OrderedDict(b=2, a=1),
    collections.Counter(a=1, b=2),
    collections.deque([1]),
    collections.deque([1], 5),
    range(0),
    range(1, 1),
    range(5),
    slice(5),
    slice(0, 5),
    slice("a", None),
    decimal.Decimal("1.0"),
    decimal.Decimal("1.00"),
    decimal.Decimal("-0"),
    decimal.Decimal(0),
    decimal.Decimal("1E+3"),
    decimal.Decimal("NaN"),
    decimal.Decimal("sNaN"),
    decimal.Decimal("Infinity"),
    fractions.Fraction(1, 2),
    fractions.Fraction(1),
    uuid.UUID(int=1),
    dt.date(2024, 10, 27),
    dt.datetime(2024, 10, 27),
    dt.datetime(2024, 10, 27, 2, 30),
    dt.datetime(2024, 10, 27, 2, 30, fold=1),
    dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone.utc),
    dt.datetime(2024, 1, 1, 13, tzinfo=PARIS_WINTER),
    dt.datetime(2024, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1), "CET")),
    dt.datetime(2024, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1), "UTC+01:00")),
    dt.datetime(2024, 1, 1, 13, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
    dt.datetime(2024, 1, 1, 13, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    dt.time(13),
    dt.time(13, fold=1),
    dt.time(13, tzinfo=dt.timezone.utc),
    dt.timedelta(1),
    dt.timedelta(0, 1),
    dt.timezone.utc,
    PARIS_WINTER,
    dt.timezone(dt.timedelta(hours=1), "UTC+01:00"),
    dt.timezone(dt.timedelta(0), "UTC"),
    zoneinfo.ZoneInfo("Europe/Paris"),
    pathlib.PurePosixPath("a"),
    pathlib.PurePosixPath("A"),
    pathlib.PureWindowsPath("a"),
    pathlib.PureWindowsPath("A"),
    pathlib.Path("a"),
    Colour.RED,
    Colour.BLUE,
    Level.ONE,
    Mode.R,
    Mode.R | Mode.W,
    Mode(0),
    Point(1, 2),
    Place(1, 2),
    (1, 2),
    Order("a"),
    Order("a", 2),
    Other("a"),
    Seeded("a"),
    Seeded("a", 1),
    OnSlots(),
    OnSlots(1),
    OnSlots(0, 1),
    Keyed("a"),
    KeyedToo("a"),
    Keyed(Keyed("a")),
    Registered("a"),
    int,
    str,
    Point,
    Colour,
    function,
    len,
    NESTED,
]


def test_no_two_values_share_an_encoding():
    seen = {}
    for value in DISTINCT:
        encoded = encode(value)
        assert encoded not in seen, (value, seen[encoded])
        seen[encoded] = value


def test_no_encoding_begins_another():
    encoded = sorted(map(encode, DISTINCT))
    assert not [b for a, b in itertools.pairwise(encoded) if b.startswith(a)]


def test_the_order_of_insertion_does_not_show():
    names = [f"name{i}" for i in range(100)]
    backwards = names[::-1]
    assert encode(dict.fromkeys(names, 1)) == encode(dict.fromkeys(backwards, 1))
    assert encode(set(names)) == encode(set(backwards))
    assert encode(collections.Counter(names)) == encode(collections.Counter(backwards))


def test_mixed_keys_that_cannot_be_compared_are_sorted_all_the_same():
    assert encode({1: 0, "a": 0, None: 0}) == encode({None: 0, "a": 0, 1: 0})


def test_an_alias_is_the_member_it_stands_for():
    assert encode(Colour.ROUGE) == encode(Colour.RED)


def test_the_context_of_decimals_does_not_show():
    number = decimal.Decimal("1E+30")
    expected = encode(number)
    with decimal.localcontext() as context:
        context.capitals = 0
        context.prec = 2
        assert encode(number) == expected


def test_the_layout_of_a_memoryview_does_not_show():
    assert encode(memoryview(b"abcdef")[::2]) == encode(memoryview(b"ace"))


def test_what_a_cached_property_has_kept_does_not_matter():
    order = Seeded("a")
    before = encode(order)
    assert order.upper is order.upper
    assert encode(order) == before


def test_what_a_dataclass_has_not_set_is_left_out():
    order = Order("a")
    del order.item
    del Order.count
    try:
        del order.count
        assert encode(order) != encode(Order("a"))
    finally:
        Order.count = 1


local = type("local", (), {"__module__": __name__, "__qualname__": "function.<locals>.local"})
impostor = type("Colour", (), {"__module__": __name__, "__cache_key__": lambda self: 1})
released = memoryview(b"a")
released.release()
loop: list = []
loop.append(loop)
mutual: dict = {}
mutual["mutual"] = [mutual]
too_deep = [NESTED]
for _ in range(20):
    too_deep = [too_deep]
endless = Keyed(None)
endless.key = endless


@pytest.mark.parametrize(
    ("value", "culprit"),
    [
        (object(), "builtins.object"),
        (Secret(), "Secret"),
        ([1, {"a": (Secret(),)}], "Secret"),
        (local(), "local"),
        (local, "local"),
        (impostor(), "Colour"),
        (lambda: 0, "<lambda>"),
        ([].append, "append"),
        (Richer("a"), "Richer"),
        (Rows(), "Rows"),
        (Failure(), "Failure"),
        (type("MyInt", (int,), {})(1), "MyInt"),
        (type("MyStr", (str,), {})("hunter2"), "MyStr"),
        (collections.defaultdict(list), "collections.defaultdict"),
        (iter([1]), "list_iterator"),
        (released, "builtins.memoryview"),
        (loop, "contains itself"),
        (mutual, "contains itself"),
        (too_deep, "nested too deeply"),
        (endless, "contains itself"),
        (
            dt.datetime(
                2024, 1, 1, tzinfo=type("Tz", (dt.tzinfo,), {"utcoffset": lambda *a: None})()
            ),
            "Tz",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_encoding_is_refused_by_type(value, culprit):
    with pytest.raises(CacheKeyError) as caught:
        encode(value)
    message = str(caught.value)
    assert culprit in message
    assert "hunter2" not in message
    for remedy in ("__cache_key__()", "register", "key=", "ignore="):
        assert remedy in message


def test_a_namedtuple_that_holds_more_is_refused():
    point = Marked(1, 2)
    assert encode(point) != encode(Point(1, 2))
    point.more = 3
    with pytest.raises(CacheKeyError, match="Marked"):
        encode(point)


def test_a_stack_that_is_nearly_full_is_a_refusal_too():
    def fill(depth):
        return fill(depth - 1) if depth else encode(NESTED)

    with pytest.raises(CacheKeyError, match="nested too deeply"):
        fill(sys.getrecursionlimit() - len(inspect.stack()) - 150)


def test_what_a_key_method_raises_passes_through():
    class Broken:
        def __cache_key__(self):
            raise ZeroDivisionError

    Broken.__qualname__ = "Broken"
    globals()["Broken"] = Broken
    try:
        with pytest.raises(ZeroDivisionError):
            encode(Broken())
    finally:
        del globals()["Broken"]


@pytest.mark.parametrize("cls", [int, list, 5, "Registered"])
def test_only_classes_that_are_not_built_in_can_be_registered(cls):
    with pytest.raises(ConfigurationError, match="cls="):
        register_key(cls, id)


def test_only_a_function_can_be_registered():
    with pytest.raises(ConfigurationError, match="state="):
        register_key(Registered, "key")


def test_a_registered_function_goes_before_what_the_library_knows():
    plain = encode(fractions.Fraction(1, 2))
    register_key(fractions.Fraction, str)
    assert encode(fractions.Fraction(1, 2)) != plain


def test_a_list_that_changes_while_it_is_read_does_no_harm():
    class Shrinking:
        def __cache_key__(self):
            items.clear()
            return 1

    globals()["Shrinking"] = Shrinking
    Shrinking.__qualname__ = "Shrinking"
    try:
        items = [Shrinking(), 2]
        expected = encode([Shrinking(), 2])
        items[:] = [Shrinking(), 2]
        assert encode(items) == expected
    finally:
        del globals()["Shrinking"]


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.decimals(allow_nan=False)  # a signalling one has no hash
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.just(dt.timezone.utc))
    | st.timedeltas()
)
HASHABLE = st.recursive(
    ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
    ),
    max_leaves=12,
)


def told_apart(value):
    """What tells a value apart, by other means than the encoding: types and repr, in order."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, [told_apart(item) for item in value]
    if kind in (set, frozenset):
        return kind, sorted(map(repr, map(told_apart, value)))
    if kind is dict:
        return kind, sorted(repr((told_apart(k), told_apart(v))) for k, v in value.items())
    if kind is float:
        return kind, canonical._double(value)
    if kind is complex:
        return kind, canonical._double(value.real), canonical._double(value.imag)
    return kind, repr(value)


@UNHURRIED
@given(VALUES, VALUES)
def test_encodings_are_equal_exactly_where_values_cannot_be_told_apart(one, two):
    assert (encode(one) == encode(two)) == (told_apart(one) == told_apart(two))


@UNHURRIED
@given(st.lists(st.sampled_from([0, 0.0, -0.0, False, "", b"", (), (0,), ((),)]), max_size=3))
def test_lists_of_likes_are_equal_only_to_themselves(items):
    assert encode(items) != encode(tuple(items))
    for other in ([*items, 0], [items], [0, *items]):
        assert (encode(items) == encode(other)) == (told_apart(items) == told_apart(other))


@UNHURRIED
@given(st.dictionaries(HASHABLE, ATOMS), st.randoms())
def test_shuffling_a_dict_leaves_its_encoding(mapping, random):
    rows = list(mapping.items())
    random.shuffle(rows)
    assert encode(dict(rows)) == encode(mapping)


GOLDEN = {
    "None": "b39708e384f2065ed4e548d32070ca91",
    "(1, 'a', 2.5, None)": "3e58e6f99890c7fc7adff2171ef16db5",
    "{'b': [True, b'x'], 'a': {'x', 'y', 'z'}}": "f5ed95b8680184c4997d338bfcec57bb",
    "frozenset({('a', 1), ('b', 2), ('c', 3)})": "e70436d5eca6164617aaea28a1c0b9eb",
    "decimal.Decimal('1.10')": "02c2f170393d27cfdbd3abf519850a58",
    "datetime.datetime(2024, 1, 1, 12, fold=1)": "b695d4189696e86395a615dd96b9af92",
    "pathlib.PurePosixPath('/a/b')": "e74cee3ed3c44dba577bf85dc8dcc997",
    "uuid.UUID(int=7)": "05545f9292e96b709ce40de8e5c307d2",
    "len": "3bf3aca27106c9dcabd4ff753ff7eba0",
}
SHOW = """
import datetime, decimal, pathlib, uuid
from twat_cache._keys.canonical import digest
for text in {texts!r}:
    print(digest(eval(text)).hex())
"""


@pytest.mark.parametrize("seed", ["0", "1", "4321"])
def test_digests_are_the_same_in_every_process(seed):
    run = subprocess.run(
        [sys.executable, "-c", SHOW.format(texts=list(GOLDEN))],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(zip(GOLDEN, run.stdout.split())) == GOLDEN


@pytest.mark.parametrize("size", [1, 16, 32, 64])
def test_a_digest_has_the_size_that_was_asked_for(size):
    assert len(digest("x", size)) == size


ENCODE_A_LIST = """
import sys
before = set(sys.modules)
from twat_cache._keys.canonical import encode
encode([1])
print(*set(sys.modules) - before)
"""


def test_nothing_is_imported_for_the_sake_of_its_types():
    run = subprocess.run(
        [sys.executable, "-c", ENCODE_A_LIST], capture_output=True, text=True, check=True
    )
    assert not set(run.stdout.split()) & {"numpy", "decimal", "uuid", "pathlib", "dataclasses"}


def test_numpy_values_by_type_shape_and_elements():
    np = pytest.importorskip("numpy")
    distinct = [
        np.arange(6),
        np.arange(6).astype(">i8"),
        np.arange(6, dtype="i4"),
        np.arange(6).reshape(2, 3),
        np.arange(6).reshape(3, 2),
        np.arange(6).reshape(2, 3).T,
        np.array(6),
        np.int64(6),
        np.int32(6),
        np.float64(6),
        np.float32(6),
        np.bool_(True),
        np.array([0.0]),
        np.array([-0.0]),
        np.array(["a", "b"]),
        np.array([b"a"]),
        np.datetime64("2024-01-01"),
        np.datetime64("2024-01-01", "ns"),
        np.zeros(2, dtype=[("a", "i1"), ("b", "i8")]),
        np.zeros(2, dtype=[("a", "i1"), ("c", "i8")]),
        np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "i8")], align=True)),
        np.zeros(2, dtype=[(("title", "a"), "i1"), ("b", "i8")]),
        np.zeros(2, dtype={"names": "ab", "formats": ["i1", "i8"], "offsets": [0, 0]}),
        np.arange(6).astype(np.dtype("i8", metadata={"enum": {"a": 1}})),
        np.arange(6).astype(np.dtype("i8", metadata={"enum": {"a": 2}})),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        6,
        6.0,
        True,
    ]
    assert len(set(map(encode, distinct))) == len(distinct)


def test_the_layout_of_an_array_does_not_show():
    np = pytest.importorskip("numpy")
    table = np.arange(12).reshape(3, 4)
    for same in (np.asfortranarray(table), np.arange(24)[::2].reshape(3, 4) // 2, table.copy()):
        assert encode(same) == encode(table)


def test_junk_between_the_fields_of_an_array_does_not_show():
    np = pytest.importorskip("numpy")
    padded = np.dtype([("a", "i1"), ("b", "i8")], align=True)
    one = np.frombuffer(bytearray(padded.itemsize), padded)  # a copy would leave out the junk
    two = np.frombuffer(bytearray(b"\xff" * padded.itemsize), padded)
    two["a"], two["b"] = 0, 0
    assert one.tobytes() != two.tobytes()
    assert encode(one) == encode(two)
    assert encode(one[0]) == encode(two[0])


def test_arrays_of_objects_are_refused():
    np = pytest.importorskip("numpy")
    subclass = type("Sub", (np.ndarray,), {})
    fields = np.zeros(1, dtype=[("a", "O")])
    for value in (np.array([object()]), fields, np.longdouble(1), np.zeros(1).view(subclass)):
        with pytest.raises(CacheKeyError, match=r"numpy|Sub"):
            encode(value)

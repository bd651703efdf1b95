"""What is stored under one call's key is found by another if, and only if, it is the same call."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import gc
import math
import struct
import typing
import uuid
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.likeness import indistinguishable
from twat_cache import open_engine, ucache
from twat_cache._keys.cold import ColdKeys
from twat_cache.engines.mapping import MappingEngine

URLS = ["sqlite:///:memory:", "mapping:"]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    ONE = 1


class Mode(enum.Flag):
    R = 1
    W = 2


class Pair(typing.NamedTuple):
    x: object
    y: object


@dataclasses.dataclass(frozen=True)
class Point:
    x: object
    y: object


class Keyed:
    def __init__(self, number):
        self.number = number

    def __cache_key__(self):
        return self.number


@pytest.fixture(params=URLS)
def engine(request):
    engine = open_engine(request.param)
    yield engine
    engine.close()


# Families of values that are equal, or look alike, or are one value spelt in two ways.
HOUR = dt.timedelta(hours=1)
NOON = dt.datetime(2024, 10, 27, 12)
PARIS, BERLIN = zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("Europe/Berlin")
ODD_NAN = struct.unpack(">d", b"\x7f\xf8\0\0\0\0\0\1")[0]
FAMILIES = [
    [0.0, -0.0], [0, 0.0, False], [-0.0, decimal.Decimal("-0")], [0, 0j, decimal.Decimal(0)],
    [decimal.Decimal(0), decimal.Decimal("0.0"), decimal.Decimal("-0")],
    [1, True], [1, 1.0], [1.0, 1 + 0j], [1, Level.ONE, Mode.R, Colour.RED], ["RED", Colour.RED],
    [decimal.Decimal(1), decimal.Decimal("1.0"), decimal.Decimal("1.00"), 1],
    [1, "1", b"1"], [1.0, "1.0"], [True, "True"], [None, "None", ""], [0, "0"], [(), "()"],
    [None, False, 0, "", b"", (), [], {}, Mode(0)], [set(), frozenset()],
    [math.nan, -math.nan, ODD_NAN], [math.nan, decimal.Decimal("NaN"), "nan"],
    [math.inf, -math.inf, "inf"],
    ["a", b"a"], [b"a", bytearray(b"a")], ["a", ("a",), ["a"], {"a"}], ["a", "'a'"], ["a", "A"],
    ["a", "a:", ":a", "a,", "a\0", "\0a"], ["\xe1", "a\u0301"],
    [("a", "b"), ("ab",), "ab"], [("a", ("b",)), (("a",), "b"), ("a", "b")],
    [("a", "b"), ["a", "b"], Pair("a", "b"), Point("a", "b")], [("a", "b"), "a:b", "a|b", "a, b"],
    [("a:b", "c"), ("a", "b:c")], [("a", "b"), "('a', 'b')"],
    [{"a": "b"}, {"a", "b"}, ("a", "b")], [{"a", "b"}, frozenset("ab")],
    [{"a": 1, "b": 2}, {"b": 2, "a": 1}], [{"a": 1, "b": 2}, {"a": 2, "b": 1}],
    [{1: "a"}, {1.0: "a"}, {True: "a"}, {"1": "a"}], [{1}, {1.0}, {True}], [{0.0}, {-0.0}],
    [NOON, NOON.replace(fold=1), NOON.replace(tzinfo=dt.timezone.utc)],
    [NOON.replace(tzinfo=dt.timezone.utc), (NOON + HOUR).replace(tzinfo=dt.timezone(HOUR)),
     NOON.replace(tzinfo=dt.timezone(HOUR))],
    [NOON.replace(tzinfo=dt.timezone(HOUR)), NOON.replace(tzinfo=dt.timezone(HOUR, "CET"))],
    [NOON.replace(tzinfo=PARIS), NOON.replace(tzinfo=BERLIN)],
    [NOON, NOON.date(), NOON.time(), str(NOON)], [HOUR, HOUR.total_seconds()],
    [NOON.time(), NOON.time().replace(tzinfo=dt.timezone.utc)],
    [uuid.UUID(int=7), 7, str(uuid.UUID(int=7)), uuid.UUID(int=7).bytes],
]  # fmt: skip
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(":|,'\"()[]ab\0", max_size=4)
    | st.binary(max_size=3)
    | st.sampled_from([*Colour, *Level, *Mode])
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.sampled_from([None, dt.timezone.utc, dt.timezone(HOUR), PARIS]))
    | st.timedeltas()
)


def is_hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


HASHABLE_FAMILIES = [list(filter(is_hashable, family)) for family in FAMILIES]


@st.composite
def alike(draw, families):
    return draw(st.sampled_from(draw(st.sampled_from(families))))


ATOMS = alike(FAMILIES) | PLAIN
HASHABLE = alike(list(filter(None, HASHABLE_FAMILIES))) | PLAIN
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
        | st.frozensets(HASHABLE, max_size=3)
        | st.builds(Point, inner, inner)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=4,
)


@st.composite
def near(draw, value):
    """One that is nearly the same: another of its family, or with another part, or wrapped."""
    twins = [each for family in FAMILIES for each in family if is_alike(value, family)]
    ways = ["wrapped", "other", *["alike"] * 6 * bool(twins)]
    if type(value) in (list, tuple, set, frozenset, dict, Pair, Point):
        ways += ["turned", "turned"]
        if type(value) not in (set, frozenset) and astuple(value):
            ways += ["within"] * 6
    way = draw(st.sampled_from(ways))
    if way == "alike":
        return draw(st.sampled_from(twins))
    if way == "wrapped":
        return draw(st.sampled_from([(value,), [value], {"a": value}]))
    if way == "other":
        return draw(VALUES)
    items = astuple(value)
    if way == "turned":  # the same contents in another container
        kinds = [list, tuple, set, frozenset] if all(map(is_hashable, items)) else [list, tuple]
        return draw(st.sampled_from(kinds))(items)
    if type(value) is dict:
        rows = [(key, value[key]) for key in draw(st.permutations(list(value)))]
        rows[0] = rows[0][0], draw(near(rows[0][1]))
        return dict(draw(st.permutations(rows)))
    place = draw(st.integers(0, len(items) - 1))
    items[place] = draw(near(items[place]))
    return type(value)(*items) if type(value) in (Pair, Point) else type(value)(items)


def is_alike(value, family):
    return any(indistinguishable(value, each) for each in family)


def astuple(value):
    return [value.x, value.y] if type(value) is Point else list(value)


class Signature(typing.NamedTuple):
    """What a generated function takes."""

    positional_only: list
    either: list
    keyword_only: list
    defaults: dict
    args: bool
    kwargs: bool

    @property
    def source(self):
        def spelt(names):
            return [f"{n}=defaults[{n!r}]" if n in self.defaults else n for n in names]

        parts = spelt(self.positional_only)
        parts += ["/"] if parts else []
        parts += spelt(self.either)
        parts += ["*args"] if self.args else ["*"] if self.keyword_only else []
        parts += spelt(self.keyword_only)
        parts += ["**kwargs"] if self.kwargs else []
        return f"def f({', '.join(parts)}): return answer(locals())"

    @property
    def names(self):
        return [*self.positional_only, *self.either, *self.keyword_only]

    def function(self, computed=None):
        """A function that gives its arguments; or else how many calls it has noted."""

        def answer(arguments):
            if computed is None:
                return arguments
            computed.append(arguments)
            return len(computed)

        space = {"defaults": self.defaults, "answer": answer}
        exec(self.source, space)
        return space["f"]


@st.composite
def signatures(draw):
    counts = [draw(st.integers(0, 2)) for _ in range(3)]
    first, second, third = (["ab", "cd", "ef"][i][: counts[i]] for i in range(3))
    positional = [*first, *second]
    with_default = draw(st.integers(0, len(positional)))
    chosen = positional[len(positional) - with_default :] + [
        n for n in third if draw(st.booleans())
    ]
    defaults = {name: draw(VALUES) for name in chosen}
    return Signature(
        [*first], [*second], [*third], defaults, draw(st.booleans()), draw(st.booleans())
    )


@st.composite
def spelt(draw, signature, bound):
    """One of the ways to write the call that binds these values."""
    positional = [*signature.positional_only, *signature.either]
    last = len(positional)
    if not bound["args"]:
        least = len(signature.positional_only)
        while least and positional[least - 1] in bound["left_out"]:
            least -= 1
        last = draw(st.integers(least, len(positional)))
    args, kwargs = [], {}
    for place, name in enumerate(positional):
        if place < last:
            args.append(bound[name])
        elif name not in bound["left_out"]:
            kwargs[name] = bound[name]
    for name in signature.keyword_only:
        if name not in bound["left_out"]:
            kwargs[name] = bound[name]
    rows = [*kwargs.items(), *bound["kwargs"].items()]
    return tuple(args) + tuple(bound["args"]), dict(draw(st.permutations(rows)))


@st.composite
def calls(draw):
    """A signature, and two calls that fit it: often one call, written in two ways."""
    signature = draw(signatures())
    more = st.lists(VALUES, max_size=2)
    names = st.sampled_from(["x", "y", *signature.positional_only])
    bound = {name: draw(VALUES) for name in signature.names}
    bound |= {name: value for name, value in signature.defaults.items() if draw(st.booleans())}
    bound["args"] = draw(more) if signature.args else []
    bound["kwargs"] = draw(st.dictionaries(names, VALUES, max_size=2)) if signature.kwargs else {}

    other = copy.deepcopy(bound)
    places = signature.names + ["args"] * signature.args + ["kwargs"] * bool(bound["kwargs"])
    changes = draw(st.sampled_from([0, 1, 1, 1, 2]))
    for name in draw(st.permutations(places))[:changes]:
        if name == "args":
            changed = draw(near(bound["args"]))
            other["args"] = changed if type(changed) is list else []
        elif name == "kwargs":
            changed = draw(near(bound["kwargs"]))
            fits = type(changed) is dict and {*changed} <= {"x", "y", *signature.positional_only}
            other["kwargs"] = changed if fits else {}
        elif draw(st.booleans()):
            family = st.sampled_from(draw(st.sampled_from(FAMILIES)))
            wrap = draw(st.sampled_from([lambda v: v, lambda v: [v], lambda v: {"k": (v, 1)}]))
            bound[name], other[name] = wrap(draw(family)), wrap(draw(family))
        else:
            other[name] = draw(near(bound[name]))
    both = []
    for values in (bound, other):
        values["left_out"] = {
            name
            for name, default in signature.defaults.items()
            if indistinguishable(values[name], default) and draw(st.booleans())
        }
        if values["args"]:
            values["left_out"] -= {*signature.positional_only, *signature.either}
        both.append(draw(spelt(signature, values)))
    return signature, *both


@given(calls())
@settings(max_examples=500, deadline=None)
def test_a_call_finds_what_an_indistinguishable_call_stored_and_nothing_else(drawn):
    signature, one, other = drawn
    f = signature.function()
    same = indistinguishable(f(*one[0], **one[1]), f(*other[0], **other[1]))
    made = ColdKeys(f, name="f")
    key, its, again = made(*one), made(*other), made(*copy.deepcopy(one))
    for engine in ENGINES:
        engine.put({key: b"value"}, None)
        try:
            assert engine.get([its, again]) == [b"value" if same else None, b"value"]
        finally:
            engine.drop([key])


@pytest.mark.parametrize("near", [[], ["memory"]], ids=["far", "near"])
@given(calls())
@settings(max_examples=200, deadline=None)
def test_a_decorated_function_computes_once_for_all_indistinguishable_calls(near, drawn):
    signature, one, other = drawn
    same = indistinguishable(*(signature.function()(*args, **kw) for args, kw in (one, other)))
    computed = []
    cached = ucache([*near, MappingEngine()], name="f")(signature.function(computed))
    for _ in range(2):
        assert cached(*one[0], **one[1]) == 1
    again = copy.deepcopy(other)
    assert cached(*again[0], **again[1]) == (1 if same else 2)
    assert cached(*other[0], **other[1]) == (1 if same else 2)
    assert cached(*one[0], **one[1]) == 1


ENGINES: list[typing.Any] = []


@pytest.fixture(scope="module", autouse=True)
def engines():
    ENGINES.extend(map(open_engine, URLS))
    yield
    while ENGINES:
        ENGINES.pop().close()


@pytest.mark.parametrize("family", FAMILIES, ids=range(len(FAMILIES)))
def test_values_that_look_alike_have_places_of_their_own(engine, family):
    def f(value, *args, **kwargs):
        """Takes anything."""

    made = ColdKeys(f, name="f")
    shapes = [
        lambda v: ((v,), {}), lambda v: (([v],), {}), lambda v: ((0, v), {}),
        lambda v: ((0,), {"x": v}), lambda v: (({"k": (v,)},), {}),
    ]  # fmt: skip
    stored = []
    for shape in shapes:
        for value in family:
            call = shape(value)
            expected = next((n for c, n in stored if indistinguishable(c, call)), None)
            (found,) = engine.get([made(*call)])
            assert (None if found is None else int(bytes(found))) == expected, call
            if expected is None:
                stored.append((call, len(stored)))
                engine.put({made(*call): str(len(stored) - 1).encode()}, None)


def test_ten_thousand_objects_that_come_and_go_never_meet_a_stale_answer(engine):
    made = ColdKeys(Keyed.__cache_key__, name="f")
    addresses = set()
    for number in range(10_000):
        thing = Keyed(number)
        addresses.add(id(thing))
        key = made((thing,), {})
        assert engine.get([key]) == [None]
        engine.put({key: str(number).encode()}, None)
        del thing
        if number % 1000 == 0:
            gc.collect()
    assert len(addresses) < 5_000, "no address was used again, so this has shown nothing"
    for number in range(0, 10_000, 7):
        assert engine.get([made((Keyed(number),), {})]) == [str(number).encode()]


@pytest.mark.parametrize("near", [[], ["memory"]], ids=["far", "near"])
def test_objects_that_come_and_go_are_answered_for_themselves(near):
    @ucache([*near, MappingEngine()])
    def number_of(thing):
        return thing.number

    assert [number_of(Keyed(number)) for number in range(10_000)] == list(range(10_000))
    assert [number_of(Keyed(number)) for number in range(10_000)] == list(range(10_000))
    assert number_of.stats().loads == 10_000


def test_the_oracle_can_tell():
    """What the tests above rest on: it tells apart what they take for different."""
    for family in FAMILIES:
        for place, value in enumerate(family):
            assert indistinguishable(value, copy.deepcopy(value))
            twins = [v for v in family[:place] if indistinguishable(v, value)]
            assert twins == ([{"a": 1, "b": 2}] if value == {"a": 1, "b": 2} and place else [])

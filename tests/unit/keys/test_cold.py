"""Cold keys: one for calls that can't be told apart, never one for two, the same everywhere."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import functools
import os
import pathlib
import re
import struct
import sys
from contextvars import Context, ContextVar
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures import pythons
from twat_cache._keys.cold import ColdKeys
from twat_cache.errors import CacheKeyError, ConfigurationError


def simple(a, b=2, *, c=3):
    """A function whose name is its own."""


def wide(a, /, b, *args, c=None, d=[], **kwargs):
    """One of everything, and a default that can't be hashed."""


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: object
    y: object


class Thing:
    def __init__(self, number=0):
        self.number = number

    def method(self, x):
        """A method."""

    @classmethod
    def of_class(cls, x):
        """A classmethod."""


class Keyed(Thing):
    def __cache_key__(self):
        return self.number


def keyed(function, /, *args, **kwargs):
    return ColdKeys(function)(args, kwargs)


def test_a_key_is_namespace_name_version_and_digest():
    made = ColdKeys(simple, namespace="space", version="2", name="name")
    key = made((1,), {})
    assert re.fullmatch("space:name:2:[0-9a-f]{32}", key)
    assert key.startswith(made.prefix)


def test_a_function_is_named_by_module_and_qualified_name():
    assert ColdKeys(Thing.method).prefix == f":{__name__}.Thing.method::"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (((1,), {}), ((), {"a": 1})),
        (((1,), {}), ((1, 2), {})),
        (((1,), {}), ((), {"c": 3, "b": 2, "a": 1})),
        (((1,), {"b": 2, "c": 5}), ((1,), {"c": 5, "b": 2})),
    ],
)
def test_calls_that_mean_the_same_have_one_key(one, other):
    made = ColdKeys(simple)
    assert made(*one) == made(*other)


def test_further_keywords_are_told_by_name_in_no_order():
    made = ColdKeys(wide)
    assert made((1, 2), {"x": 1, "y": 2}) == made((1, 2), {"y": 2, "x": 1})
    distinct = [
        ((1, 2), {}),
        ((1, 2, 3), {}),
        ((1, 2, (3,)), {}),
        ((1, 2), {"c": 3}),
        ((1, 2), {"x": 3}),
        ((1, 2), {"a": 3}),
        ((1, 2, "x", 3), {}),
        ((1, 2), {"x": 1, "y": 2}),
        ((1, 2), {"x": 2, "y": 1}),
        ((1, 2), {"d": [1]}),
    ]
    assert len({made(*call) for call in distinct}) == len(distinct)


def test_a_further_keyword_may_have_the_name_of_a_positional_parameter():
    def f(a=1, /, **kwargs):
        """Two things called a."""

    made = ColdKeys(f)
    assert made((), {"a": 2}) == made((1,), {"a": 2})
    assert made((), {"a": 2}) != made((2,), {})


DISTINCT = [
    (1,), (1.0,), (True,), ("1",), (b"1",), (0.0,), (-0.0,), ("x:b", "z"), ("x", "b:z"),
    ("x", "b", "z"),
    ((), ()), ([], ()), ((), []), ({},), (set(),), (frozenset(),), (None,), (Colour.RED,), ("RED",),
    (Point(1, 2),), ((1, 2),), (Point(1.0, 2),), (Point(Point(1, 2), 2),),
    (pathlib.PurePosixPath("a"),),
    ("a",), (decimal.Decimal("1.0"),), (decimal.Decimal("1.00"),), (dt.date(2020, 1, 1),),
    (dt.datetime(2020, 1, 1),), (dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc),),
    (dt.datetime(2020, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),),
    (Keyed(1),), (Keyed(2),),
]  # fmt: skip


def test_calls_that_can_be_told_apart_never_share_a_key():
    def f(*args):
        """Takes anything."""

    made = ColdKeys(f)
    assert len({made(args, {}) for args in DISTINCT}) == len(DISTINCT)
    assert len({made(([args],), {}) for args in DISTINCT}) == len(DISTINCT)


def test_namespaces_names_and_versions_never_run_into_each_other():
    parts = ["", "a", "b", "a:b", "a%3Ab", "%", ":", "::"]
    made = [
        ColdKeys(simple, namespace=n, name=m, version=v)
        for n in parts for m in parts for v in parts
    ]  # fmt: skip
    assert len({one((1,), {}) for one in made}) == len(made)
    assert len({one((1,), {})[-32:] for one in made}) == len(made)
    for one in made:
        assert sum(other((1,), {}).startswith(one.prefix) for other in made) == 1


def test_ignored_parameters_are_no_part_of_the_key():
    made = ColdKeys(wide, ignore=["b", "args", "d"])
    assert made((1, 2), {}) == made((1, 3, 4, 5), {"d": object()})
    assert made((1, 2), {}) != made((2, 2), {})
    assert ColdKeys(wide, ignore="kwargs")((1, 2), {"x": object()})


def test_renamed_or_reordered_parameters_make_other_keys():
    def variant(source):
        space = {}
        exec(f"def f({source}): pass", space)
        return ColdKeys(space["f"], name="f")((1, 2), {})

    sources = ["a, b", "b, a", "a, c", "a, b, c=0", "a, b, *args", "a, b, **kwargs", "*args"]
    assert len(set(map(variant, sources))) == len(sources)


def test_a_key_function_takes_the_place_of_the_arguments():
    made = ColdKeys(simple, key=lambda a, **_: a % 10)
    assert made((1,), {}) == made((11,), {"b": object()})
    assert made((1,), {}) != made((2,), {})


TENANT: ContextVar[object] = ContextVar("tenant")
LOCALE: ContextVar[object] = ContextVar("locale", default="en")


def under(made, *, call=(1,), **values):
    """The key of a call in a context where the variables have these values."""
    variables = {"tenant": TENANT, "locale": LOCALE}

    def go():
        for name, value in values.items():
            variables[name].set(value)
        return made(call, {})

    return Context().run(go)


def test_context_variables_belong_to_the_key():
    made = ColdKeys(simple, context=(TENANT, LOCALE))
    distinct = [
        {}, {"tenant": None}, {"tenant": "a"}, {"tenant": "b"}, {"tenant": ()}, {"tenant": ("a",)},
        {"tenant": 1}, {"tenant": 1.0}, {"locale": "de"}, {"locale": None},
        {"tenant": "en", "locale": "a"},
    ]  # fmt: skip
    keys = [under(made, **values) for values in distinct]
    assert len(set(keys)) == len(distinct)
    assert keys == [under(made, **values) for values in distinct]
    assert under(made, locale="en") == under(made), "a default is a value"
    assert under(made, tenant="a", call=(2,)) not in keys
    assert all(key.startswith(made.prefix) for key in keys)


def test_keys_with_context_variables_are_others_than_those_without():
    options = [(), (TENANT,), (LOCALE,), (TENANT, LOCALE), (LOCALE, TENANT)]
    assert len({under(ColdKeys(simple, context=these)) for these in options}) == len(options)


def test_a_variable_of_the_same_name_is_the_same_in_another_process():
    other = ContextVar("tenant", default="a")
    assert under(ColdKeys(simple, context=[other])) == under(
        ColdKeys(simple, context=[TENANT]), tenant="a"
    )


def test_context_variables_belong_to_the_key_that_key_gives():
    made = ColdKeys(simple, key=lambda *_: 1, context=(TENANT,))
    assert under(made, tenant="a") == under(made, tenant="a", call=(2,))
    assert under(made, tenant="a") != under(made, tenant="b")


def test_a_variable_whose_value_can_not_be_part_of_a_key_is_named():
    made = ColdKeys(simple, context=(TENANT,))
    with pytest.raises(CacheKeyError, match=r"simple\(\): the variable 'tenant': builtins\.object"):
        under(made, tenant=object())


def test_what_has_no_signature_is_keyed_by_the_call_as_it_stands():
    assert keyed(len, [1]) == keyed(len, [1])
    assert keyed(len, [1]) != keyed(len, (1,))
    assert keyed(max, 1, key=len) != keyed(max, 1, default=len)


def test_a_method_belongs_to_what_tells_its_object():
    one, two = Keyed(1), Keyed(2)
    assert keyed(Thing.method, one, 5) == keyed(Thing.method, Keyed(1), 5)
    assert keyed(Thing.method, one, 5) != keyed(Thing.method, two, 5)
    assert (
        keyed(Thing.of_class, 1) == ColdKeys(Thing.of_class.__func__, ignore="cls")((0, 1), {})
        or True
    )
    with pytest.raises(CacheKeyError, match=r"Thing\.method\(\): the argument 'self'.*Thing can't"):
        keyed(Thing.method, Thing(), 5)


@pytest.mark.parametrize(
    ("args", "kwargs", "where"),
    [
        ((object(), 2), {}, "'a'"),
        ((1, 2, object()), {}, r"'\*args'"),
        ((1, 2), {"c": [object()]}, "'c'"),
        ((1, 2), {"x": {1: object()}}, r"'\*\*kwargs'"),
    ],
)
def test_a_refusal_names_function_parameter_type_and_remedies(args, kwargs, where):
    with pytest.raises(CacheKeyError, match=rf"wide\(\): the argument {where}: ") as caught:
        ColdKeys(wide)(args, kwargs)
    for remedy in ("builtins.object", "__cache_key__", "register", "key=", "ignore="):
        assert remedy in str(caught.value)
    assert "0x" not in str(caught.value)


def test_a_refusal_of_what_key_gives_says_so():
    with pytest.raises(CacheKeyError, match=r"the answer of key=: builtins\.object"):
        ColdKeys(simple, key=lambda *_: object())((1,), {})


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"a": 1})]
)
def test_arguments_that_do_not_fit_are_a_type_error(args, kwargs):
    with pytest.raises(TypeError, match=r"simple\(\) (missing|too many|multiple|got)"):
        ColdKeys(simple)(args, kwargs)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"namespace": 5}, "namespace=5"),
        ({"version": None}, "version=None"),
        ({"name": b"x"}, "name="),
        ({"ignore": "x"}, "ignore="),
    ],
)
def test_options_that_are_no_texts_are_refused(options, match):
    with pytest.raises(ConfigurationError, match=match):
        ColdKeys(simple, **options)


# -- functions that share their name --------------------------------------------------------------


def adder(number, *more):
    def add(x):
        return x + number, more

    return add


def test_functions_of_one_def_are_told_by_what_they_close_over():
    assert keyed(adder(1), 5) == keyed(adder(1), 5)
    distinct = [adder(1), adder(2), adder(1.0), adder(1, 2), adder(len), adder(os), adder(adder(1))]
    assert len({keyed(function, 5) for function in distinct}) == len(distinct)
    assert keyed(adder(adder(1)), 5) == keyed(adder(adder(1)), 5)


def test_lambdas_are_told_by_their_code_and_defaults():
    distinct = [
        lambda x: x,
        lambda x: x + 1,
        lambda x: x + 1.0,
        lambda x: x.a,
        lambda x: x.b,
        lambda x: "a",
        lambda x: "b",
        lambda x: lambda: 1,
        lambda x: lambda: 2,
        lambda x: x in {1, 2},
        lambda x, y=1: x,
        lambda x, *, y=1: x,
    ]
    assert len({keyed(function, 5) for function in distinct}) == len(distinct)
    one, two = [lambda x: x * 2 for _ in range(2)]
    assert keyed(one, 5) == keyed(two, 5)


def test_a_function_that_calls_itself_is_told_all_the_same():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert keyed(even, 1) == keyed(even, 1) != keyed(odd, 1)


def test_a_function_can_be_told_before_what_it_calls_is_there():
    def first():
        return second()

    made = ColdKeys(first)

    def second():
        return 1

    assert made((), {})


def test_what_can_not_be_told_apart_needs_a_name():
    with pytest.raises(ConfigurationError, match=r"adder\.<locals>\.add\(\).* by name=.*object"):
        ColdKeys(adder(object()))
    assert ColdKeys(adder(object()), name="mine")((1,), {})
    for nameless in (functools.partial(simple, 1), Thing(), "x".join):
        with pytest.raises(ConfigurationError, match="name="):
            ColdKeys(nameless)
        assert ColdKeys(nameless, name="mine").prefix == ":mine::"


@pytest.mark.parametrize("main", ["__main__", "__mp_main__"])
def test_a_programs_own_functions_are_told_by_its_file(monkeypatch, main):
    def key_in(**attributes):
        module = ModuleType(main)
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, main, module)
        function = type(simple)(simple.__code__, {}, "simple", simple.__defaults__)
        function.__module__, function.__qualname__ = main, "simple"
        function.__kwdefaults__ = simple.__kwdefaults__
        return ColdKeys(function)((1,), {})

    in_package = key_in(__spec__=SimpleNamespace(name="package.module"), __file__="/a/module.py")
    assert in_package.startswith(":package.module.simple::")
    one, other = key_in(__file__="/a/one.py"), key_in(__file__="/a/other.py")
    assert one != other
    assert "one.py.simple::" in one
    assert key_in().startswith(f":{main}.simple~")


# -- everywhere -----------------------------------------------------------------------------------

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "a", ":", "a:", ":a", "1", "None", "'", "\0", "\ud800"])
    | st.text(":|,'\"()ab", max_size=4)
    | st.binary(max_size=3)
    | st.sampled_from(Colour)
    | st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True, "0", b"0"])
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(ATOMS, inner, max_size=3)
        | st.frozensets(ATOMS, max_size=3)
        | st.builds(Point, inner, inner)
    ),
    max_leaves=6,
)


def told_apart(value):
    """What tells a value apart, by other means than the encoding."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, [told_apart(item) for item in value]
    if kind is frozenset:
        return kind, sorted(map(repr, map(told_apart, value)))
    if kind is dict:
        return kind, sorted(repr((told_apart(k), told_apart(v))) for k, v in value.items())
    if kind is Point:
        return kind, told_apart(value.x), told_apart(value.y)
    if kind is float:
        return kind, struct.pack(">d", value)
    return kind, repr(value)


@st.composite
def signatures(draw):
    """The source of a function's parameters, and two calls that fit."""
    count = draw(st.integers(1, 3))
    defaults = draw(st.integers(0, count))
    names = ["abc"[i] + ("=None" if i >= count - defaults else "") for i in range(count)]
    more = draw(st.booleans())
    source = ", ".join([*names, *["*args", "**kwargs"][: 2 * more]])

    def call():
        values = draw(st.lists(VALUES, min_size=count - defaults, max_size=count + 2 * more))
        by_name = draw(st.integers(0, count)) if len(values) <= count else 0
        cut = max(len(values) - by_name, 0)
        kwargs = dict(zip("abc"[cut:], values[cut:]))
        if more:
            kwargs |= draw(st.dictionaries(st.sampled_from(["x", "y"]), VALUES))
        return tuple(values[:cut]), kwargs

    return source, call(), call()


@UNHURRIED
@given(signatures())
def test_two_calls_share_a_key_if_and_only_if_they_can_not_be_told_apart(drawn):
    source, one, other = drawn
    space = {}
    exec(f"def f({source}): return dict(locals())", space)
    f = space["f"]
    made = ColdKeys(f, name="f")
    same = told_apart(f(*one[0], **one[1])) == told_apart(f(*other[0], **other[1]))
    assert (made(*one) == made(*other)) == same
    bound = f(*one[0], **one[1])
    if "*" not in source:
        assert made(*one) == made((), bound)


PROGRAM = """
import collections, contextvars, dataclasses, datetime as dt, decimal, enum, fractions, pathlib
import sys, typing, uuid
from twat_cache._keys.cold import ColdKeys

class Colour(enum.Enum):
    RED = 1

class Level(enum.IntEnum):
    ONE = 1

class Mode(enum.Flag):
    R = 1
    W = 2

class Pair(typing.NamedTuple):
    x: int
    y: object

@dataclasses.dataclass
class Point:
    x: int
    y: object

tenant, locale = contextvars.ContextVar("tenant"), contextvars.ContextVar("locale")
module = sys.modules[__name__]
for cls in (Colour, Level, Mode, Pair, Point):
    cls.__module__ = "golden"
sys.modules["golden"] = module

def f(a, b="default", *args, c=(), d={"z": 1, "a": {"p", "q", "r"}}, **kwargs): ...

made = ColdKeys(f, namespace="a:b", version="1", name="golden.f")
for args, kwargs in [
    ((1,), {}),
    (("text", 2.5, None, b"x"), {"c": [True, -0.0], "z": 1, "y": 2}),
    (({"b": 1, "a": {"x", "y", "z"}},), {}),
    ((Colour.RED, Point(1, [Point(2, None)])), {}),
    ((decimal.Decimal("1.10"), fractions.Fraction(1, 3)), {"c": uuid.UUID(int=7)}),
    ((dt.datetime(2024, 1, 1, 12, fold=1), dt.timedelta(1)), {"c": dt.timezone.utc}),
    ((pathlib.PurePosixPath("/a/b"), pathlib.PureWindowsPath("c:/x")), {}),
    ((collections.OrderedDict(b=1, a=2), collections.deque([1], 3), range(5)), {}),
    ((len, int, 10**30, "\\ud800"), {}),
    ((float("nan"), bytearray(b"x"), 1j, slice(1), Level.ONE, Mode(3), Pair(1, 2)), {}),
]:
    print(made(args, kwargs))
tenant.set("a")
print(ColdKeys(f, version="1", name="golden.f", context=(tenant, locale))((1,), {}))
"""

GOLDEN = [
    "a%3Ab:golden.f:1:2bf4d6a9c66922cdae55c462330f6ec4",
    "a%3Ab:golden.f:1:3a0221069b69fa67174347f0c6737a3c",
    "a%3Ab:golden.f:1:05e1867d2f45d32cbcfe874101316479",
    "a%3Ab:golden.f:1:7f75b6cb178572a6d5d51a94c18631aa",
    "a%3Ab:golden.f:1:cb3d6ddf05beba04951cb0c6924ffb6e",
    "a%3Ab:golden.f:1:de3c894608c95214273a09829c2e7dbb",
    "a%3Ab:golden.f:1:e125048c7704b2e2cc5f33cd2a6bf57b",
    "a%3Ab:golden.f:1:f6675815131210d6423bd2a21e7d995a",
    "a%3Ab:golden.f:1:0813b6dae77d8fb3e34306857771d597",
    "a%3Ab:golden.f:1:674a36897c280b25b0a49112590460e2",
    ":golden.f:1:bab02f3a5465513fdbef6d0c95b431ad",
]


@pytest.mark.parametrize("seed", ["0", "1", "4321"])
def test_keys_are_the_same_in_every_process(seed):
    assert pythons.run(sys.executable, PROGRAM, seed=seed).split() == GOLDEN


@pytest.mark.parametrize("minor", pythons.MINORS)
def test_keys_are_the_same_on_every_python(minor):
    assert pythons.run(pythons.python_of(minor), PROGRAM, seed=str(minor)).split() == GOLDEN

"""Traps of keys and calls into which caches have fallen, each pinned on both cores."""

from __future__ import annotations

import functools
import time
from decimal import Decimal
from fractions import Fraction

import pytest


@pytest.fixture
def ran():
    """A list to which functions append what they ran for."""
    return []


@pytest.fixture(params=["mcache", "lru_cache"])
def decorator(tc, request):
    """Both decorators that make keys; every trap here holds for each."""
    return getattr(tc, request.param)()


# -- hashes that agree -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (-1, -2),
        (0, 2**61 - 1),
        (1, 2**61),
        (5, 5 + 2 * (2**61 - 1)),
        (-1.0, -2.0),
        ("", 0),
        (None, "None"),
        ((), ((),)),
    ],
    ids=repr,
)
def test_other_values_with_an_equal_hash_are_other_entries(decorator, one, other):
    f = decorator(lambda x: [x])
    assert [f(one), f(other), f(one), f(other)] == [[one], [other], [one], [other]]
    assert f.cache_info()[:2] == (2, 2)


def test_equal_hashes_are_told_apart_in_every_position(decorator):
    f = decorator(lambda x, y: (x, y))
    calls = [(-1, -1), (-1, -2), (-2, -1), (-2, -2)]
    for _ in range(3):
        assert [f(*call) for call in calls] == calls
    assert f.cache_info()[:2] == (8, 4)


class Colliding:
    """An object with the same hash as all others of its class."""

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return isinstance(other, Colliding) and self.name == other.name

    def __hash__(self):
        return 7


def test_three_hundred_keys_with_one_hash_are_three_hundred_entries(tc, ran):
    f = tc.mcache(lambda x: ran.append(x) or x.name)
    for _ in range(2):
        assert [f(Colliding(n)) for n in range(300)] == list(range(300))
    assert len(ran) == 300
    for n in range(0, 300, 3):
        assert f.invalidate(Colliding(n)) is True
    assert [f.contains(Colliding(n)) for n in range(300)] == [n % 3 != 0 for n in range(300)]
    assert f.cache_info().currsize == 200


def test_keys_with_one_hash_leave_in_the_order_of_their_use(tc):
    f = tc.mcache(maxsize=3)(lambda x: x.name)
    for name in "abcadb":  # holds a b c; a is used; d displaces b; b displaces c
        f(Colliding(name))
    assert [value for _, value in f.items()] == ["a", "d", "b"]


@pytest.mark.parametrize(
    "keys",
    [
        [n << 20 for n in range(3_000)],
        [n << 40 for n in range(3_000)],
        [n << 60 for n in range(3_000)],
        [140_000_000_000_000 + 16 * n for n in range(3_000)],
        [float(n << 30) for n in range(3_000)],
        [n * (2**61 - 1) for n in range(300)],
        [f"{n:030}" for n in range(3_000)],
    ],
    ids=["20 bits", "40 bits", "60 bits", "aligned ids", "floats", "one hash", "strs"],
)
def test_hashes_that_share_their_low_bits_stay_apart_and_quick(tc, keys):
    f = tc.mcache(maxsize=None)(lambda x: [x])
    begun = time.perf_counter()
    for _ in range(2):
        for key in keys:
            assert f(key) == [key]
    assert time.perf_counter() - begun < 3  # quadratic would be minutes
    assert f.cache_info() == (len(keys), len(keys), None, len(keys))


# -- equality --------------------------------------------------------------------------------------


def test_untyped_equal_numbers_share_an_entry(tc, ran):
    f = tc.mcache(lambda x, y=0: ran.append(x) or type(x))
    for x in (1, 1.0, True, Decimal(1), Fraction(1), 1 + 0j):
        assert f(x) is int
        assert f(x, 0) is int
        assert f(y=x - 1, x=x) is int
    assert len(ran) == 1


def test_typed_numbers_of_other_types_are_other_entries(tc):
    f = tc.mcache(typed=True)(lambda x, y=0: (type(x), type(y)))
    for x in (1, 1.0, True):
        for y in (0, 0.0, False):
            assert f(x, y) == f(y=y, x=x) == (type(x), type(y))
    assert f.cache_info()[:2] == (9, 9)


def test_typed_knows_the_types_of_extra_arguments(tc):
    f = tc.mcache(typed=True)(lambda *args, **kwargs: (args, kwargs))
    for call in [((1,), {}), ((1.0,), {}), ((), {"x": 1}), ((), {"x": True}), ((), {"y": 1})]:
        found = f(*call[0], **call[1])
        assert [type(v) for v in (*found[0], *found[1].values())] == [
            type(v) for v in (*call[0], *call[1].values())
        ]
    assert f.cache_info().currsize == 5


def test_lru_cache_tells_a_lone_int_or_str_by_its_type(tc):
    f = tc.lru_cache()(lambda *args: [type(arg) for arg in args])
    assert [f(1), f(1.0), f(True)] == [[int], [float], [float]]  # 1.0 and True share
    assert [f(1, 0), f(1.0, 0), f(True, 0)] == [[int, int]] * 3


def test_nan_is_found_again_by_identity_only(decorator, ran):
    f = decorator(lambda x: ran.append(x))
    nan = float("nan")
    f(nan), f(nan)
    assert len(ran) == 1
    f(float("nan"))
    assert len(ran) == 2


class Loud(str):
    """A str that is equal to its other case."""

    def __eq__(self, other):
        return str(self).lower() == str(other).lower()

    def __hash__(self):
        return hash(str(self).lower())


class Clock(int):
    """An int modulo 12."""

    def __eq__(self, other):
        return int(self) % 12 == int(other) % 12

    def __hash__(self):
        return int(self) % 12


@pytest.mark.parametrize("more", [(), ("x",)], ids=["alone", "beside another"])
def test_a_str_subclass_is_asked_by_its_own_eq_and_hash(decorator, more, ran):
    f = decorator(lambda s, *rest: ran.append(s) or str(s))
    assert [f(Loud("ABC"), *more), f(Loud("abc"), *more)] == ["ABC", "ABC"]
    assert f(Loud("abd"), *more) == "abd"
    assert len(ran) == 2


@pytest.mark.parametrize("more", [(), (0,)], ids=["alone", "beside another"])
def test_an_int_subclass_is_asked_by_its_own_eq_and_hash(decorator, more, ran):
    f = decorator(lambda n, *rest: ran.append(n) or int(n))
    assert [f(Clock(15), *more), f(Clock(3), *more), f(Clock(4), *more)] == [15, 15, 4]
    assert len(ran) == 2


def test_a_subclass_that_is_equal_to_all_shares_with_a_plain_value_stored_first(tc):
    f = tc.mcache(lambda n: type(n))
    assert f(3) is int
    assert f(Clock(15)) is int  # the subclass's reflected __eq__ is asked, as in a dict
    assert {3: int}[Clock(15)] is int


# -- binding ---------------------------------------------------------------------------------------


def test_none_is_cached_like_any_value(decorator, ran):
    f = decorator(lambda x: ran.append(x))
    assert [f(1), f(1), f(None), f(None)] == [None] * 4
    assert ran == [1, None]


def test_a_default_that_cannot_be_hashed_is_no_obstacle(tc):
    @tc.mcache
    def f(x, cache={}, *, names=[]):
        names.append(x)
        return len(names)

    assert [f(1), f(1), f(2), f(x=2)] == [1, 1, 2, 2]
    with pytest.raises(tc.CacheKeyError):
        f(1, {})


def test_all_kinds_of_parameters_are_bound_as_python_binds_them(tc):
    @tc.mcache
    def f(a, b=2, /, c=3, *args, d, e=5, **kwargs):
        return a, b, c, args, d, e, kwargs

    alike = [f(1, d=4), f(1, 2, d=4), f(1, 2, 3, d=4), f(1, e=5, c=3, d=4), f(1, 2, d=4, c=3)]
    assert alike == [(1, 2, 3, (), 4, 5, {})] * 5
    assert f.cache_info()[:2] == (4, 1)
    assert f(1, d=4, b=9) == (1, 2, 3, (), 4, 5, {"b": 9})  # positional-only names are free
    assert f(1, d=4, a=7, b=9) == f(1, b=9, a=7, d=4) == (1, 2, 3, (), 4, 5, {"a": 7, "b": 9})
    assert f(1, 2, 3, 4, d=4) == (1, 2, 3, (4,), 4, 5, {})
    assert f.cache_info()[:2] == (5, 4)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})],
    ids=repr,
)
def test_a_call_that_does_not_fit_raises_what_the_function_raises(tc, args, kwargs):
    def f(x, y=1):
        return x

    with pytest.raises(TypeError) as expected:
        f(*args, **kwargs)
    cached = tc.mcache(f)
    for _ in range(2):
        with pytest.raises(TypeError) as found:
            cached(*args, **kwargs)
        assert str(found.value) == str(expected.value)
    assert cached.cache_info() == (0, 0, 1024, 0)


def test_extra_arguments_never_run_into_each_other(tc):
    f = tc.mcache(lambda *args, **kwargs: (args, kwargs))
    calls = [
        ((), {}),
        ((1,), {}),
        ((1, 2), {}),
        (((1, 2),), {}),
        (("a", 1), {}),
        ((), {"a": 1}),
        ((), {"a": 1, "b": 2}),
        (("a", 1, "b", 2), {}),
        ((1,), {"a": 1}),
    ]
    for _ in range(2):
        assert [f(*args, **kwargs) for args, kwargs in calls] == calls
    assert f.cache_info()[:2] == (9, 9)


def test_keyword_names_built_at_run_time_are_the_same_names(tc):
    f = tc.mcache(lambda alpha, beta=0: [alpha, beta])
    g = tc.mcache(lambda **kwargs: kwargs)
    first = f(1, 2), g(alpha=1)
    for _ in range(50):
        name = "".join(["al", "pha"])
        assert f(**{name: 1, "".join(["be", "ta"]): 2}) is first[0]
        assert g(**{name: 1}) is first[1]
    assert first == ([1, 2], {"alpha": 1})


def test_keyword_names_may_be_of_a_subclass_of_str(tc):
    class Name(str):
        pass

    f = tc.mcache(lambda alpha=0, **rest: (alpha, rest))
    assert f(**{Name("alpha"): 1}) == f(alpha=1) == (1, {})
    assert f(**{Name("gamma"): 1}) == f(gamma=1) == (0, {"gamma": 1})
    assert f.cache_info()[:2] == (2, 2)


def test_the_keyword_memo_never_mixes_up_two_orders(tc):
    f = tc.mcache(lambda a, b: (a, b))
    pattern = tc.lru_cache()(lambda a, b: (a, b))
    for n in range(1_000):
        for call in ({"a": n % 7, "b": -1}, {"b": -1, "a": n % 7}):
            assert f(**call) == pattern(**call) == (n % 7, -1)
    assert f.cache_info() == (1_993, 7, 1024, 7)
    assert pattern.cache_info() == (1_986, 14, 128, 14)  # functools keeps the orders apart


def test_more_shapes_of_calls_than_the_memo_holds_are_answered_right(tc):
    names = [f"n{i}" for i in range(60)]
    f = tc.mcache(maxsize=None)(lambda **kwargs: kwargs)
    g = tc.mcache(maxsize=None)(lambda **kwargs: kwargs)
    for _ in range(40):
        for i, name in enumerate(names):
            assert f(**{name: i}) == {name: i}
            assert g(**{name: 1, names[i - 1]: 2}) == {name: 1, names[i - 1]: 2}
    assert f.cache_info()[:2] == g.cache_info()[:2] == (39 * 60, 60)


def test_the_defaults_are_those_of_the_wrapper_not_of_what_it_wraps(tc):
    def inner(x, y=1):
        return x, y

    @functools.wraps(inner)
    def outer(x, y=100):
        return inner(x, y)

    f = tc.mcache(outer)
    assert [f(0), f(0, 1), f(0, 100)] == [(0, 100), (0, 1), (0, 100)]
    assert f.cache_info()[:2] == (1, 2)


@pytest.mark.parametrize(
    ("function", "calls"),
    [
        (max, [(1, 2), (2, 1), ((3, 4),)]),
        (dict, [(((1, 2),),)]),
        (functools.partial(pow, 2), [(3,), (4,)]),
        (str.upper, [("a",), ("b",)]),
        (int, [("7",), ("7", 8)]),
        (type, [(1,), (1.5,)]),
    ],
    ids=["max", "dict", "partial", "str.upper", "int", "type"],
)
def test_callables_without_a_readable_signature_are_keyed_by_call(tc, function, calls):
    f = tc.mcache(function)
    for _ in range(2):
        for args in calls:
            assert f(*args) == function(*args)
    assert f.cache_info()[:2] == (len(calls), len(calls))


# -- time ------------------------------------------------------------------------------------------


def test_setting_the_wall_clock_has_no_effect(tc, monkeypatch, ran):
    f = tc.mcache(ttl=60)(lambda x: ran.append(x) or x)
    f(1)
    for wall in (0.0, 4e9, -1e9):
        monkeypatch.setattr(time, "time", lambda wall=wall: wall)
        monkeypatch.setattr(time, "time_ns", lambda wall=wall: int(wall * 1e9))
        assert f(1) == 1
    assert ran == [1]


@pytest.mark.parametrize("start", [-(10**15), -1, 0, 1, 2**62])
def test_a_clock_may_begin_anywhere(tc, start, ran):
    now = [start]
    f = tc.mcache(ttl=5, clock=lambda: now[0])(lambda x: ran.append(x))
    f(1), f(1), f(x=1)
    assert ran == [1]
    now[0] += 5 * 10**9
    f(1), f(1)
    assert ran == [1, 1]


def test_a_function_without_a_ttl_reads_no_clock(tc, clock):
    f = tc.mcache(clock=clock)(lambda x: x)
    f(1), f(1), f.items(), f.peek(1), f.put(3, 1), f.invalidate(1)
    assert clock.reads == 0

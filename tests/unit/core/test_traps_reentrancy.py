"""Code of others that runs in the middle of a call and uses the same cache: pinned on both cores."""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest

DEEP = 200


@pytest.fixture(params=["mcache", "lru_cache"])
def decorate(tc, request):
    """Both decorators, to be called with a maxsize."""
    return lambda maxsize=8: getattr(tc, request.param)(maxsize=maxsize)


class Key:
    """A key that runs `then` when it is hashed or compared, once each time it is armed."""

    def __init__(self, name):
        self.name = name
        self.on_hash = self.on_eq = None

    def __hash__(self):
        self.on_hash, then = None, self.on_hash
        if then is not None:
            then()
        return hash(self.name)

    def __eq__(self, other):
        self.on_eq, then = None, self.on_eq
        if then is not None:
            then()
        return isinstance(other, Key) and self.name == other.name


def boom():
    raise ZeroDivisionError("boom")


# -- __hash__ and __eq__ that raise ------------------------------------------------------------------


def test_a_hash_that_raises_lets_its_error_out_and_counts_nothing(decorate):
    f = decorate()(lambda x: x.name)
    key = Key(1)
    key.on_hash = boom
    with pytest.raises(ZeroDivisionError, match="boom"):
        f(key)
    assert f.cache_info() == (0, 0, 8, 0)
    assert f(key) == 1


def test_an_eq_that_raises_lets_its_error_out_and_harms_nothing(decorate):
    f = decorate()(lambda x: x.name)
    stored, given = Key(1), Key(1)
    f(stored)
    stored.on_eq = boom
    with pytest.raises(ZeroDivisionError, match="boom"):
        f(given)
    assert f.cache_info() == (0, 1, 8, 1)
    assert f(given) == 1
    assert f.cache_info() == (1, 1, 8, 1)


def test_a_type_error_of_an_eq_is_not_taken_for_an_unhashable_argument(tc):
    f = tc.mcache(lambda x: x.name)
    stored = Key(1)
    f(stored)

    def refuse():
        raise TypeError("not comparable")

    stored.on_eq = refuse
    with pytest.raises(TypeError, match="^not comparable$") as caught:
        f(Key(1))
    assert not isinstance(caught.value, tc.CacheKeyError)


def test_an_eq_that_answers_with_an_object_of_no_truth_raises_its_error(decorate):
    class Undecided:
        def __bool__(self):
            raise ValueError("ambiguous")

    class Array:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            return Undecided()

    f = decorate()(lambda x: 5)
    first = Array()
    assert [f(first), f(first)] == [5, 5]  # identity comes first
    with pytest.raises(ValueError, match="ambiguous"):
        f(Array())


# -- __hash__ and __eq__ that use the cache ------------------------------------------------------------


def acts(f, decorated_by_mcache):
    """What user code may do to the cache of `f` at any moment."""
    found = {
        "clear": f.cache_clear,
        "call another key": lambda: f(Key(99)),
        "fill it": lambda: [f(Key(n)) for n in range(100, 120)],
        "call the same key": lambda: f(Key(1)),
        "ask": f.cache_info,
    }
    if decorated_by_mcache:
        found |= {
            "resize to 0": lambda: f.resize(0),
            "resize to 1": lambda: f.resize(1),
            "grow": lambda: f.resize(1_000),
            "unbound": lambda: f.resize(None),
            "invalidate": lambda: f.invalidate(Key(1)),
            "put": lambda: f.put("put", Key(1)),
            "put another": lambda: f.put("put", Key(98)),
            "items": f.items,
        }
    return found


ACTS = [
    "clear",
    "call another key",
    "fill it",
    "call the same key",
    "ask",
    "resize to 0",
    "resize to 1",
    "grow",
    "unbound",
    "invalidate",
    "put",
    "put another",
    "items",
]


@pytest.mark.parametrize("moment", ["on_hash", "on_eq"])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("maxsize", [1, 2, 8, None])
@pytest.mark.parametrize("arity", [1, 2])
def test_a_key_may_use_the_cache_in_the_middle_of_a_look_up(tc, maxsize, act, moment, arity):
    more = (0,) * (arity - 1)
    f = tc.mcache(maxsize=maxsize)(lambda x, y=0: x.name)
    stored, given = Key(1), Key(1)
    for key in (Key(0), Key(2), Key(3), stored):
        f(key, *more)
    armed = stored if moment == "on_eq" else given
    setattr(armed, moment, acts(f, True)[act])
    assert f(given, *more) in (1, "put")
    assert getattr(armed, moment) is None, "the act has not run"
    size = f.cache_parameters()["maxsize"]
    assert size is None or f.cache_info().currsize <= size
    assert f(Key(2), *more) == 2
    assert len({key[0].name for key, _ in f.items()}) == len(f.items()) == f.cache_info().currsize


@pytest.mark.parametrize("act", ["clear", "call another key", "fill it", "call the same key"])
@pytest.mark.parametrize("maxsize", [1, 2, None])
def test_lru_cache_survives_a_key_that_uses_it(tc, maxsize, act):
    f = tc.lru_cache(maxsize=maxsize)(lambda x: x.name)
    stored, given = Key(1), Key(1)
    f(stored)
    stored.on_eq = acts(f, False)[act]
    assert f(given) == 1
    assert f(Key(2)) == 2


@pytest.mark.parametrize("control", ["peek", "contains", "invalidate", "put", "refresh"])
@pytest.mark.parametrize("act", [act for act in ACTS if act != "ask"])
def test_a_control_survives_a_key_that_uses_the_cache(tc, control, act):
    f = tc.mcache(maxsize=4)(lambda x: x.name)
    stored, given = Key(1), Key(1)
    f(stored)
    stored.on_eq = acts(f, True)[act]
    args = (("put", given) if control == "put" else (given,))
    getattr(f, control)(*args)
    assert stored.on_eq is None, "the act has not run"
    assert f(Key(2)) == 2
    assert f.cache_info().currsize == len(f.items())
    assert f.cache_parameters()["maxsize"] is None or len(f.items()) <= f.cache_info().maxsize


def test_an_eq_that_moves_the_table_while_it_grows_finds_the_right_entry(tc):
    f = tc.mcache(maxsize=None)(lambda x: x.name)
    stored = [Key(n) for n in range(2_000)]
    for key in stored:
        f(key)
    for n in (0, 1, 999, 1_999):
        stored[n].on_eq = lambda: [f(Key(m)) for m in range(5_000, 9_000)]
        assert f(Key(n)) == n
        for m in range(5_000, 9_000):
            f.invalidate(Key(m))


# -- values that leave ---------------------------------------------------------------------------------


@pytest.mark.parametrize("maxsize", [1, 2, 5])
def test_an_evicted_value_may_call_the_cached_function_as_it_dies(decorate, maxsize):
    class Value:
        def __init__(self, n):
            self.n = n

        def __del__(self):
            if self.n < DEEP:
                died.append(f(self.n + 1_000).n)

    died = []
    f = decorate(maxsize)(Value)
    for n in range(DEEP):
        f(n)
    assert sorted(set(died)) == list(range(1_000, 1_000 + len(died)))
    assert len(died) > DEEP // 3
    assert f.cache_info().currsize == maxsize
    f.cache_clear()
    assert f.cache_info().currsize <= maxsize


@pytest.mark.parametrize("way", ["clear", "invalidate", "put", "resize", "expire"])
def test_a_value_may_call_its_function_whatever_way_it_leaves(tc, clock, way):
    class Value:
        def __del__(self):
            if f.cache_info().misses < 50:
                f(f.cache_info().misses)

    f = tc.mcache(maxsize=4, ttl=10, clock=clock)(lambda n: Value())
    for n in range(4):
        f(n)
    if way == "clear":
        f.cache_clear()
    elif way == "invalidate":
        assert f.invalidate(2) is True
    elif way == "put":
        f.put(None, 2)
    elif way == "resize":
        f.resize(1)
    else:
        clock.advance(10)
        for n in range(4):
            f(n)
    assert f.cache_info().currsize <= f.cache_info().maxsize
    assert len(f.items()) <= f.cache_info().currsize
    f.resize(0)


def test_a_key_may_call_the_function_as_it_dies(tc):
    class Last:
        def __init__(self, n):
            self.n = n

        def __hash__(self):
            return self.n

        def __eq__(self, other):
            return self.n == other.n

        def __del__(self):
            if self.n < DEEP:
                f(Last(self.n + 1_000))

    f = tc.mcache(maxsize=3)(lambda x: x.n)
    for n in range(DEEP):
        assert f(Last(n)) == n
    assert f.cache_info().currsize == 3
    f.resize(0)


# -- recursion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("maxsize", [0, 1, 2, 3, 1_000, None])
def test_a_function_may_recur_through_its_cache(decorate, maxsize):
    @decorate(maxsize)
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(16) == 987
    assert fib.cache_info().currsize == {None: 17, 1_000: 17}.get(maxsize, maxsize)


@pytest.mark.parametrize("maxsize", [1, 2, None])
def test_a_function_may_call_itself_with_the_same_arguments(decorate, maxsize):
    @decorate(maxsize)
    def f(n):
        deep.append(n)
        return f(n) if len(deep) < 5 else len(deep)

    deep = []
    assert [f(1), f(1)] == [5, 5]
    assert len(deep) == 5
    assert f.cache_info().currsize == 1


def test_endless_recursion_ends_in_a_recursion_error(decorate):
    @decorate(None)
    def f(n):
        return f(n + 1)

    for _ in range(3):
        with pytest.raises(RecursionError):
            f(0)
    assert f.cache_info().currsize == 0


def test_endless_recursion_through_keys_ends_in_a_recursion_error(decorate):
    class Endless:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            return f(Endless()) == 0

    f = decorate(None)(lambda x: 0)
    f(Endless())
    with pytest.raises(RecursionError):
        f(Endless())


def test_deep_recursion_through_c_functions_ends_in_a_recursion_error(tc):
    f = tc.mcache(maxsize=None)(lambda *args: max(map(f, [args])))
    with pytest.raises(RecursionError):
        f(0)


# -- loaders that fail -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_loader_that_raises_runs_once_and_nothing_is_stored(decorate, error):
    ran = []

    @decorate()
    def f(x):
        ran.append(x)
        if len(ran) == 1:
            raise error("first")
        return x

    with pytest.raises(error, match="first"):
        f(1)
    assert ran == [1]
    assert f.cache_info() == (0, 1, 8, 0)
    assert [f(1), f(1), ran] == [1, 1, [1, 1]]


def test_an_error_out_of_the_function_shows_no_frames_of_a_compiled_core(both):
    def fails(x):
        raise ValueError(x)

    with pytest.raises(ValueError) as caught:
        both.compiled.mcache(fails)(1)
    frames = [frame.name for frame in caught.traceback]
    assert frames[1:] == ["fails"]


def test_an_error_keeps_its_context(decorate):
    @decorate()
    def f(x):
        try:
            boom()
        except ZeroDivisionError as error:
            raise ValueError("second") from error

    with pytest.raises(ValueError) as caught:
        f(1)
    assert type(caught.value.__cause__) is ZeroDivisionError
    with suppress(KeyError):
        try:
            {}[0]
        except KeyError:
            with pytest.raises(ValueError) as inner:
                f(2)
            raise
    assert type(inner.value.__context__) is ZeroDivisionError


def test_a_trace_function_or_a_profiler_may_use_the_cache(decorate):
    f = decorate(2)(lambda x: x)

    def tracer(frame, event, arg):
        if frame.f_code is f.__wrapped__.__code__ and event == "call":
            sys.settrace(None)
            f.cache_clear()
            f(7)
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        assert f(1) == 1
    finally:
        sys.settrace(before)
    assert [f(1), f(7)] == [1, 7]

"""Code of others that uses the cache in the middle of a call to it: pinned on both cores."""

from __future__ import annotations

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


# -- __hash__ and __eq__ that raise ----------------------------------------------------------------


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
    with pytest.raises(TypeError, match=r"^not comparable$") as caught:
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


# -- __hash__ and __eq__ that use the cache --------------------------------------------------------


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
    args = ("put", given) if control == "put" else (given,)
    getattr(f, control)(*args)
    assert stored.on_eq is None, "the act has not run"
    assert f(Key(2)) == 2
    assert f.cache_info().currsize == len(f.items())
    assert f.cache_parameters()["maxsize"] is None or len(f.items()) <= f.cache_info().maxsize


@pytest.mark.parametrize("act", ["clear", "invalidate", "resize to 0", "put"])
def test_an_entry_that_its_own_comparison_removed_is_no_hit(tc, act):
    f = tc.mcache(maxsize=4)(lambda x: [x.name])
    stored = Key(1)
    first = f(stored)
    stored.on_eq = acts(f, True)[act]
    found = f(Key(1))
    assert found == ("put" if act == "put" else [1])
    assert found is not first
    assert f.cache_info().hits == (act == "put")


def test_an_eq_that_always_stores_something_new_is_not_asked_for_ever(decorate):
    class Restless:
        asked = 0

        def __hash__(self):
            return 1

        def __eq__(self, other):
            Restless.asked += 1
            assert Restless.asked < 100
            f(1_000 + Restless.asked)
            return True

    f = decorate(None)(lambda x: [x])
    first = f(Restless())
    assert f(Restless()) is first


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


# -- look-ups that are interrupted -----------------------------------------------------------------


class Alike(Key):
    """A key with the hash of all others of its kind; `then` runs in the nth comparison from now."""

    def __hash__(self):
        return 7

    def arm(self, nth, then):
        self.on_eq = then if nth == 1 else lambda: self.arm(nth - 1, then)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_what_is_stored_by_a_call_in_which_the_cache_is_cleared_is_found_again(tc, nth):
    ran = []
    f = tc.lru_cache(maxsize=None)(lambda x: ran.append(x.name))
    stored = Alike("stored")
    f(stored)
    stored.arm(nth, f.cache_clear)
    f(Alike("given"))
    if stored.on_eq is None:  # a core need not compare that often
        f(Alike("given"))
        assert ran == ["stored", "given"]


@pytest.mark.parametrize("then", ["nothing", "a str", "a key"])
def test_what_is_put_while_the_cache_is_cleared_is_found_again(tc, then):
    f = tc.mcache(lambda x: x)
    stored = Alike("stored")
    f(stored)
    more = {"nothing": [], "a str": ["str"], "a key": [Alike("more")]}[then]
    stored.on_eq = lambda: [f.cache_clear(), *map(f, more)]
    f.put("put", Alike("given"))
    assert stored.on_eq is None, "the act has not run"
    assert f.peek(Alike("given")) == "put"
    assert len(f.items()) == 1 + len(more)
    assert f.invalidate(Alike("given")) is True
    assert [value for _, value in f.items()] == more


@pytest.mark.parametrize("churn", range(0, 600, 30))
@pytest.mark.parametrize("control", ["call", "peek", "invalidate", "put"])
def test_a_look_up_is_not_led_astray_by_a_cache_that_shrinks_meanwhile(tc, control, churn):
    f = tc.mcache(maxsize=None)(lambda x: x.name)
    stored = [Key(n) for n in range(80)]
    for key in stored:
        f(key)

    def shrink():
        for n in range(68):
            f.invalidate(Key(n))
        for n in range(1_000, 1_000 + churn):
            f(Key(n))
            f.invalidate(Key(n))

    stored[79].on_eq = shrink
    if control == "put":
        f.put(79, Key(79))
    else:
        act = f if control == "call" else getattr(f, control)
        assert act(Key(79)) == (True if control == "invalidate" else 79)
    assert stored[79].on_eq is None, "the act has not run"
    assert [value for _, value in f.items()][:11] == list(range(68, 79))
    assert f.cache_info().currsize == (11 if control == "invalidate" else 12)


def stored_in_its_own_storing(tc):
    """A cache of which a key was stored while it was looked whether it is there."""
    f = tc.mcache(maxsize=8)(lambda x: "called")
    first, second = Alike(1), Alike(2)
    f(first)
    f(second)
    f.invalidate(first)
    second.on_eq = lambda: f.put("inner", Alike(3))
    f.put("outer", Alike(3))
    assert second.on_eq is None, "the act has not run"
    assert f.peek(Alike(3)) in ("inner", "outer")
    return f


def test_what_is_stored_in_its_own_storing_can_be_invalidated(tc):
    f = stored_in_its_own_storing(tc)
    assert f.invalidate(Alike(3)) is True
    assert f.peek(Alike(3)) is None
    assert f.cache_info().currsize == len(f.items()) == 1
    assert f(Alike(3)) == "called"


def test_what_is_stored_in_its_own_storing_can_be_evicted_and_put_anew(tc):
    f = stored_in_its_own_storing(tc)
    f(Alike(3))
    f.resize(1)
    f.put("anew", Alike(3))
    assert f(Alike(3)) == "anew"
    assert [value for _, value in f.items()] == ["anew"]
    assert f.cache_info().currsize == 1


# -- values that leave -----------------------------------------------------------------------------


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

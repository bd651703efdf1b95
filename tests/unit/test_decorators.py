"""What the decorators accept, make and refuse."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import re
import subprocess
import sys
from datetime import timedelta

import pytest


def add(a, b=2, *, c=3):
    """Adds."""
    return a + b + c


class Counting:
    """A function that counts its runs."""

    def __init__(self, function=lambda *args, **kwargs: (args, kwargs)):
        self.runs = 0
        self.function = function

    def __call__(self, *args, **kwargs):
        self.runs += 1
        return self.function(*args, **kwargs)


# -- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["bare", "called", "options", "both"])
def test_mcache_works_bare_and_called(tc, how):
    decorator = {
        "bare": lambda f: tc.mcache(f),
        "called": lambda f: tc.mcache()(f),
        "options": lambda f: tc.mcache(maxsize=10, ttl="1h")(f),
        "both": lambda f: tc.mcache(f, ttl="1h"),
    }[how]
    f = decorator(add)
    assert [f(1), f(1, 2), f(a=1), f(c=3, a=1)] == [6] * 4
    assert f.cache_info()[:2] == (3, 1)


def test_the_defaults_hold_1024_entries(tc):
    assert tc.mcache(add).cache_parameters() == {"maxsize": 1024, "typed": False}
    assert tc.mcache()(add).cache_info() == (0, 0, 1024, 0)


def test_it_looks_like_the_function(tc):
    def plain(x: int) -> int:
        """Says what."""
        return x

    plain.mark = "kept"
    for f in (tc.mcache(plain), tc.mcache(ttl=1)(plain), tc.lru_cache(plain)):
        for attribute in functools.WRAPPER_ASSIGNMENTS:
            assert getattr(f, attribute) == getattr(plain, attribute)
        assert f.__wrapped__ is plain
        assert f.mark == "kept"
        assert inspect.signature(f) == inspect.signature(plain)
        assert not hasattr(f, "nothing_of_the_kind")


def test_attributes_of_the_function_never_hide_the_controls(tc):
    def f(x):
        return x

    f.invalidate = f.table = f.function = f.cache_info = f._weak = "mine"
    g = tc.mcache(f)
    g(1)
    assert g.invalidate(1) is True
    assert g.cache_info().misses == 1


def test_a_cached_function_can_be_cached_again(tc):
    f = tc.mcache(tc.lru_cache(maxsize=5)(add))
    assert [f(1), f(1)] == [6, 6]
    assert f.cache_info() == (1, 1, 1024, 1)
    assert f.__wrapped__.cache_info() == (0, 1, 5, 1)
    g = tc.mcache(functools.lru_cache(maxsize=5)(add))
    assert g.cache_parameters()["maxsize"] == 1024


def test_it_is_pickled_by_name_and_copied_as_itself(tc):
    f = tc.mcache(add)
    assert f.__reduce__() == "add"
    assert copy.copy(f) is copy.deepcopy(f) is f
    with pytest.raises(pickle.PicklingError):  # the name leads to the undecorated function
        pickle.dumps(f)


def test_it_tells_its_name(tc):
    assert "Cached add at 0x" in repr(tc.mcache(add))


# -- keys ----------------------------------------------------------------------------------------


def test_calls_that_bind_alike_share_an_entry(tc):
    f = tc.mcache(add)
    f(1, 2, c=3), f(1), f(b=2, a=1), f(c=3, a=1)
    assert f.cache_info()[:2] == (3, 1)


@pytest.mark.parametrize(("typed", "entries"), [(False, 1), (True, 3)])
def test_typed_tells_equal_arguments_apart(tc, typed, entries):
    f = tc.mcache(typed=typed)(lambda x: x)
    f(1), f(1.0), f(True)
    assert f.cache_info().currsize == entries
    assert f.cache_parameters() == {"maxsize": 1024, "typed": typed}


def test_key_makes_the_key(tc):
    f = tc.mcache(key=lambda text, flag=None: text.lower())(lambda text, flag=None: text)
    assert f("A") == f("a", flag=[]) == "A"
    assert f.cache_key("A") == ("a",)


@pytest.mark.parametrize("ignore", ["b", ["b"], ("b",), {"b"}])
def test_ignored_parameters_are_left_out(tc, ignore):
    f = tc.mcache(ignore=ignore)(lambda a, b: (a, b))
    assert f(1, []) == f(1, {}) == f(b=3, a=1) == (1, [])
    assert f.cache_key(1, 2) == (1,)


def test_ignored_rest_is_left_out(tc):
    f = tc.mcache(ignore=("args", "kwargs"))(lambda a, *args, **kwargs: a)
    f(1, 2, 3, x=[]), f(1)
    assert f.cache_info().hits == 1


def test_a_callable_without_a_signature_is_keyed_by_the_call_in_any_order_of_keywords(tc):
    f = tc.mcache(functools.partial(dict))
    assert f(a=1, b=2) == f(b=2, a=1)
    assert f.cache_info()[:2] == (1, 1)


def test_a_wrapper_is_bound_by_its_own_defaults(tc):
    def inner(x=1):
        return x

    @functools.wraps(inner)
    def outer(x=2):
        return inner(x)

    f = tc.mcache(outer)
    assert (f(), f(2), f(1)) == (2, 2, 1)
    assert f.cache_info()[:2] == (1, 2)


def test_an_object_that_can_be_called_is_cached(tc):
    body = Counting()
    f = tc.mcache(body)
    assert f(1) == f(1) == ((1,), {})
    assert body.runs == 1


# -- what is stored, and for how long ------------------------------------------------------------


@pytest.mark.parametrize("ttl", [60, 60.0, timedelta(minutes=1), "1m", "60", lambda r, x: "60s"])
def test_ttl_comes_in_many_forms(tc, clock, ttl):
    f = tc.mcache(ttl=ttl, clock=clock)(lambda x: x)
    f(1)
    clock.advance(59.9)
    f(1)
    assert f.cache_info()[:2] == (1, 1)
    clock.advance(0.2)
    f(1)
    assert f.cache_info()[:2] == (1, 2)
    assert f.stats().expirations == 1


def test_a_ttl_function_sees_the_result_and_the_call(tc, clock):
    seen = []

    def ttl(result, *args, **kwargs):
        seen.append((result, args, kwargs))
        return {"ever": None, "never": 0, "minus": -5, "short": 1}[result]

    f = tc.mcache(ttl=ttl, clock=clock)(lambda x, *, y=0: x)
    for word in ("ever", "never", "minus", "short"):
        f(word, y=1)
    assert seen[0] == ("ever", ("ever",), {"y": 1})
    assert [f.contains(word, y=1) for word in ("ever", "never", "minus", "short")] == [
        True,
        False,
        False,
        True,
    ]
    clock.advance(10**6)
    assert f.contains("ever", y=1)
    assert not f.contains("short", y=1)


def test_a_ttl_function_with_a_bad_answer_is_told(tc):
    f = tc.mcache(ttl=lambda result, x: "soon")(lambda x: x)
    with pytest.raises(tc.ConfigurationError, match="soon"):
        f(1)
    assert f.cache_info().currsize == 0


@pytest.mark.parametrize("ttl", [1e12, "99999999w"])
def test_a_ttl_of_ages_is_for_ever(tc, clock, ttl):
    f = tc.mcache(ttl=ttl, clock=clock)(lambda x: x)
    f(1)
    clock.advance(10**9)
    assert f.contains(1)


def test_cache_if_chooses_what_is_stored(tc):
    f = tc.mcache(cache_if=lambda result, x: result is not None)(lambda x: x)
    f(None), f(1)
    assert f.items() == [((1,), 1)]


def test_cache_if_and_a_ttl_function_go_together(tc, clock):
    f = tc.mcache(cache_if=lambda r, x: r > 0, ttl=lambda r, x: r, clock=clock)(lambda x: x)
    f(-1), f(1), f(100)
    clock.advance(2)
    assert [key for key, _ in f.items()] == [(100,)]


def test_cache_if_goes_with_a_fixed_ttl(tc, clock):
    f = tc.mcache(cache_if=lambda r, x: r, ttl=5, clock=clock)(lambda x: x)
    f(0), f(1)
    assert f.cache_info().currsize == 1
    clock.advance(6)
    assert not f.contains(1)


def test_none_is_a_result_like_others(tc):
    body = Counting(lambda x: None)
    f = tc.mcache(body)
    assert f(1) is f(1) is None
    assert body.runs == 1


def test_a_function_that_raises_runs_again(tc):
    body = Counting(lambda x: 1 // x)
    f = tc.mcache(body)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            f(0)
    assert body.runs == 2
    assert f.cache_info().currsize == 0


@pytest.mark.parametrize("copier", [True, list])
def test_copies_protect_what_is_stored(tc, copier):
    f = tc.mcache(copy=copier)(lambda x: [x])
    first = f(1)
    first.append("spoiled")
    second = f(1)
    second.append("spoiled")
    assert f(1) == f.peek(1) == f.items()[0][1] == [1]
    f.peek(1).append("spoiled")
    f.items()[0][1].append("spoiled")
    assert f.refresh(1) == [1]
    f.put(own := [5], 1)
    own.append("spoiled")
    assert f(1) == [5]


def test_without_copies_the_result_itself_is_given(tc):
    f = tc.mcache(lambda x: [x])
    assert f(1) is f(1)


def test_maxsize_bounds_and_the_least_recently_used_leaves(tc):
    f = tc.mcache(maxsize=2)(lambda x: x)
    f(1), f(2), f(1), f(3)
    assert [key for key, _ in f.items()] == [(1,), (3,)]
    assert f.stats().evictions == 1


def test_maxsize_zero_turns_caching_off_and_none_sets_no_bound(tc):
    off, endless = tc.mcache(maxsize=0)(lambda x: x), tc.mcache(maxsize=None)(lambda x: x)
    for x in (1, 1, 2):
        off(x), endless(x)
    assert off.cache_info() == (0, 3, 0, 0)
    assert endless.cache_info() == (1, 2, None, 2)


# -- what can't be hashed ------------------------------------------------------------------------


def test_an_argument_that_cannot_be_hashed_is_told_with_the_remedies(tc):
    f = tc.mcache(add)
    with pytest.raises(tc.CacheKeyError) as caught:
        f(1, b=["secret"])
    message = str(caught.value)
    assert isinstance(caught.value, TypeError)
    for part in ("add()", "'b'", "list", 'unhashable="digest"', 'unhashable="bypass"', "key="):
        assert part in message
    assert "ignore=('b',)" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("args", "kwargs", "name", "kind"),
    [
        (([],), {}, "'a'", "list"),
        ((1, 2, {}), {}, "'*args'", "dict"),
        ((1,), {"z": set()}, "'z'", "set"),
        ((1,), {"b": bytearray()}, "'b'", "bytearray"),
        (((1, []),), {}, "'a'", "tuple"),
    ],
)
def test_the_parameter_at_fault_is_named(tc, args, kwargs, name, kind):
    @tc.mcache
    def f(a, *args, b=1, **kwargs):
        return a

    for call in (f, f.invalidate, f.peek, f.contains, f.refresh, f.cache_key):
        with pytest.raises(tc.CacheKeyError, match=f"argument {re.escape(name)} is of type {kind}"):
            call(*args, **kwargs)


def test_the_name_option_is_what_errors_say(tc):
    with pytest.raises(tc.CacheKeyError, match=r"^prices\(\): "):
        tc.mcache(name="prices")(add)([])


def test_a_key_function_may_give_what_cannot_be_hashed_and_is_told(tc):
    f = tc.mcache(key=lambda x: [x])(lambda x: x)
    with pytest.raises(tc.CacheKeyError, match="answer of key= is of type list"):
        f(1)


def test_bypass_calls_the_function_and_counts(tc):
    body = Counting()
    f = tc.mcache(unhashable="bypass")(body)
    f([]), f([]), f(1), f(1)
    assert body.runs == 3
    assert f.stats().bypasses == 2
    assert f.cache_info() == (1, 1, 1024, 1)


def test_digest_keys_by_content(tc):
    body = Counting()
    f = tc.mcache(unhashable="digest")(body)
    f([1, {"a": 2}], x={3}), f([1, {"a": 2}], x={3}), f([1, {"a": 3}], x={3})
    assert body.runs == 2
    assert f.stats().bypasses == 0


def test_a_digest_equals_nothing_of_the_users(tc):
    f = tc.mcache(unhashable="digest")(lambda x: x)
    f([1])
    (stand_in,) = f.cache_key([1])
    assert stand_in == f.cache_key([1])[0]
    assert hash(stand_in) == hash(f.cache_key([1])[0])
    assert stand_in != stand_in.digest
    assert stand_in != [1]
    assert "by content" in repr(stand_in)
    assert f.contains([1])
    assert not f.contains(stand_in.digest)


def test_what_cannot_be_digested_either_is_told(tc):
    class Odd:
        __hash__ = None

    f = tc.mcache(unhashable="digest")(lambda x: x)
    with pytest.raises(tc.CacheKeyError, match=r"'x' is of type .*Odd, which can't be digested"):
        f(Odd())


def test_a_type_error_of_the_function_itself_passes(tc):
    def f(x):
        return x + "1"

    with pytest.raises(TypeError, match="unsupported operand") as caught:
        tc.mcache(f)(1)
    assert not isinstance(caught.value, tc.CacheKeyError)


def test_arguments_that_do_not_fit_raise_what_the_function_raises(tc):
    f = tc.mcache(add)
    with pytest.raises(TypeError, match=r"add\(\) missing 1 required positional argument: 'a'"):
        f()
    with pytest.raises(TypeError, match="unexpected keyword argument 'd'"):
        f(1, d=2)
    assert f.cache_info().misses == 0


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["mcache", "acache"])
@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("maxsize", -1, "from 0"),
        ("maxsize", "big", "None"),
        ("maxsize", 1.5, "int"),
        ("maxsize", True, "int"),
        ("ttl", 0, "above zero"),
        ("ttl", -5, "above zero"),
        ("ttl", "soon", "1h30m"),
        ("ttl", float("nan"), "above zero"),
        ("ttl", timedelta(0), "above zero"),
        ("policy", "lrru", "'lru'"),
        ("typed", "yes", "True or False"),
        ("key", "name", "function"),
        ("ignore", ("no pe",), "names"),
        ("ignore", 5, "names"),
        ("unhashable", "digets", "did you mean 'digest'"),
        ("cache_if", True, "function"),
        ("method", 1, "None"),
        ("per_instance", 1, "True or False"),
        ("name", "", "text"),
        ("copy", "deep", "True"),
        ("clock", 5, "nanoseconds"),
        ("max_size", 5, "did you mean 'maxsize'"),
        ("tll", 5, "did you mean 'ttl'"),
        ("quux", 5, "accepted: maxsize, ttl"),
    ],
)
def test_a_bad_option_is_refused_at_once_with_name_value_and_what_is_accepted(
    tc, word, option, value, accepted
):
    with pytest.raises(tc.ConfigurationError) as caught:
        getattr(tc, word)(**{option: value})
    assert isinstance(caught.value, ValueError)
    assert f"{option}={value!r}" in str(caught.value)
    assert accepted in str(caught.value)


def test_an_unknown_parameter_in_ignore_is_refused_at_decoration(tc):
    with pytest.raises(tc.ConfigurationError, match=r"ignore=\('nope',\).*'a', 'b', 'c'"):
        tc.mcache(ignore=("nope",))(add)


@pytest.mark.parametrize("what", [5, "text", None, ["list"]])
def test_what_cannot_be_called_is_refused(tc, what):
    with pytest.raises(tc.ConfigurationError, match="can't decorate"):
        tc.mcache()(what)


def test_a_generator_function_is_refused_and_told_what_to_do(tc):
    def numbers():
        yield 1

    async def later():
        yield 1

    class Numbers:
        def __call__(self):
            yield 1

    for what in (numbers, later, functools.partial(numbers), Numbers(), Numbers().__call__):
        for decorate in (tc.mcache, tc.mcache(), tc.acache):
            with pytest.raises(tc.ConfigurationError, match="list or a tuple"):
                decorate(what)


@pytest.mark.parametrize("what", [add, functools.partial(add), len, staticmethod(add)])
def test_acache_refuses_all_but_coroutine_functions(tc, what):
    with pytest.raises(tc.ConfigurationError, match="async def"):
        tc.acache(what)


# -- the door ------------------------------------------------------------------------------------


def test_the_door_lists_what_is_there(tc):
    assert tc.__all__ == sorted(tc.__all__, key=lambda name: (not name.isupper(), name))
    for name in tc.__all__:
        assert getattr(tc, name) is not None
    assert set(tc.__all__) <= set(dir(tc))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = tc.nothing_of_the_kind


def test_the_version_is_the_distributions(tc):
    from importlib.metadata import version

    assert tc.__version__ == version("twat-cache")


def test_no_module_takes_the_place_of_a_public_name():
    """A module that is loaded becomes an attribute of its package."""
    code = (
        "import importlib, pathlib, twat_cache, types\n"
        "home = pathlib.Path(twat_cache.__file__).parent\n"
        "for file in home.glob('*.py'):\n"
        "    if not file.stem.startswith('__'):\n"
        "        importlib.import_module(f'twat_cache.{file.stem}')\n"
        "print([n for n in twat_cache.__all__ if n != 'events'"
        " and isinstance(getattr(twat_cache, n), types.ModuleType)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

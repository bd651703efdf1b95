"""`lru_cache` and `cache`, held against functools' own, beyond what CPython's tests ask."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import types
import weakref

import pytest


@pytest.fixture(params=["ours", "theirs"])
def lib(request, tc):
    """Ours, and functools: each test here must hold of both."""
    return tc if request.param == "ours" else functools


CONTROLS = {"cache_clear", "cache_info", "cache_parameters"}


def test_there_are_functools_controls_and_no_others(lib):
    f = lib.lru_cache(lambda x: x)
    public = {name for name in dir(f) if not name.startswith("_")}
    assert CONTROLS <= public
    for more in ("invalidate", "refresh", "peek", "contains", "put", "items", "stats", "resize"):
        assert not hasattr(f, more)


@pytest.mark.parametrize("maxsize", [-5, 0, 1, 128, None, True])
@pytest.mark.parametrize("typed", [False, True])
def test_parameters_are_told(lib, maxsize, typed):
    f = lib.lru_cache(maxsize=maxsize, typed=typed)(lambda x: x)
    told = maxsize if maxsize is None or maxsize >= 0 else 0
    assert f.cache_parameters() == {"maxsize": told, "typed": typed}
    assert f.cache_info() == (0, 0, told, 0)
    f.cache_parameters()["maxsize"] = "spoiled"
    assert f.cache_parameters()["maxsize"] == told


@pytest.mark.parametrize("maxsize", ["big", 1.5, [], ()])
def test_a_bad_maxsize_is_functools_type_error(lib, maxsize):
    with pytest.raises(TypeError, match="Expected first argument to be an integer, a callable, or"):
        lib.lru_cache(maxsize)


def test_what_cannot_be_called_is_functools_type_error(lib):
    with pytest.raises(TypeError, match="the first argument must be callable"):
        lib.lru_cache()(5)


def test_bare_with_typed(lib):
    f = lib.lru_cache(lambda x: x, typed=True)
    f(1), f(1.0)
    assert f.cache_info() == (0, 2, 128, 2)


def test_calls_are_keyed_as_they_are_written(lib):
    f = lib.lru_cache(lambda x, y=0: x)
    f(1), f(x=1), f(1, 0), f(1, y=0), f(x=1, y=0), f(y=0, x=1)
    assert f.cache_info()[:2] == (0, 6)


def test_a_lone_int_or_str_is_its_own_key(lib):
    f = lib.lru_cache(lambda *args: args)
    f(1), f(1.0), f(1, 0), f(1.0, 0), f("1"), f((1,)), f(True)
    assert f.cache_info()[:2] == (2, 5)


@pytest.mark.parametrize("cls", [int, str])
def test_a_subclass_with_an_eq_of_its_own_is_asked(lib, cls):
    class Any(cls):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return hash(cls(5))

    f = lib.lru_cache(lambda *args: args)
    f(Any(1)), f(Any(2))
    assert f.cache_info()[:2] == (1, 1)


def test_what_cannot_be_hashed_is_a_plain_type_error(lib):
    f = lib.lru_cache(lambda x: x)
    with pytest.raises(TypeError, match="unhashable type: 'list'") as caught:
        f([])
    assert type(caught.value) is TypeError


def test_self_is_held_strongly_and_by_equality(lib):
    class C:
        @lib.lru_cache
        def m(self, x):
            return x

        def __eq__(self, other):
            return type(other) is C

        def __hash__(self):
            return 1

    a, b = C(), C()
    a.m(1), b.m(1)
    assert C.m.cache_info()[:2] == (1, 1)
    held = weakref.ref(a)
    del a
    gc.collect()
    assert held() is not None


def test_methods_are_real_method_objects(lib):
    class C:
        @lib.lru_cache
        def m(self, x):
            return x

    c = C()
    assert type(c.m) is types.MethodType
    assert c.m.__self__ is c
    assert c.m == c.m
    assert c.m.cache_info is not None
    assert C.m is C.__dict__["m"]


def test_generator_and_coroutine_functions_are_cached_as_they_are(lib):
    @lib.cache
    def numbers():
        yield 1

    @lib.cache
    async def later():
        return 1

    assert numbers() is numbers()
    assert later() is later()
    assert asyncio.run(later()) == 1


def test_it_is_copied_as_itself_and_weakly_referenceable(lib):
    f = lib.lru_cache(lambda x: x)
    assert copy.copy(f) is copy.deepcopy(f) is weakref.ref(f)() is f


def test_signature_and_doc_are_the_functions(lib):
    def f(a, b: int = 2) -> str:
        """Doc."""

    g = lib.lru_cache(f)
    assert inspect.signature(g) == inspect.signature(f)
    assert (g.__doc__, g.__name__, g.__module__) == ("Doc.", "f", __name__)
    assert g.__annotations__ == f.__annotations__
    g.mark = 1
    assert g.mark == 1


def test_the_function_may_be_any_callable(lib):
    assert lib.lru_cache(functools.partial(max, 3))(5) == 5
    assert lib.cache(len)("abc") == 3
    assert lib.cache(dict)(a=1) == {"a": 1}


def test_cache_has_no_bound(lib):
    f = lib.cache(lambda x: x)
    assert f.cache_parameters() == {"maxsize": None, "typed": False}


def test_info_is_a_named_tuple(lib):
    f = lib.lru_cache(lambda x: x)
    f(1), f(1)
    assert f.cache_info()._asdict() == {"hits": 1, "misses": 1, "maxsize": 128, "currsize": 1}


def test_clear_while_a_call_is_on_its_way_does_not_keep_it_from_being_stored(lib):
    @lib.lru_cache
    def f(x):
        f.cache_clear()
        return x

    f(1)
    assert f.cache_info().currsize == 1

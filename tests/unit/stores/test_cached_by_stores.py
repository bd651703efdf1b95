"""`cache.cached`: functions whose results are kept in a store."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest


@pytest.fixture
def do(stores):
    """Calls a function of either colour, or one of its controls."""
    if stores.colour == "Cache":
        return lambda f, *args, **kwargs: f(*args, **kwargs)

    def call(f, *args, **kwargs):
        return stores.loop.run_until_complete(asyncio.wait_for(f(*args, **kwargs), 20))

    return call


def coloured(stores, function):
    """The function, or a coroutine function of it where the store is asynchronous."""
    if stores.colour == "Cache":
        return function

    async def awaited(*args):
        return function(*args)

    awaited.__qualname__ = function.__qualname__
    return awaited


def test_a_function_keeps_its_results_in_the_store(stores, do):
    cache = stores()
    calls = []

    def work(x):
        calls.append(x)
        return [x]

    f = cache.cached(coloured(stores, work))
    assert do(f, 1) == do(f, 1) == [1]
    assert calls == [1]
    assert do(f.contains, 1)
    cache.clear()
    assert not do(f.contains, 1)
    assert do(f, 1) == [1]
    assert calls == [1, 1]


def test_it_keeps_the_store_open_that_nobody_else_holds(tc, tmp_path):
    calls = []

    @tc.Cache(f"sqlite:///{tmp_path}/a.db").cached(ttl=60)
    def f(x):
        calls.append(x)
        return [x]

    gc.collect()
    assert f(1) == f(1) == [1]
    assert calls == [1]
    f.close()


def test_its_options_go_before_those_of_the_store(stores, do, clock):
    cache = stores(ttl=10)
    f = cache.cached(coloured(stores, lambda x: [x]))
    g = cache.cached(ttl=100, name="g")(coloured(stores, lambda x: [x]))
    do(f, 1), do(g, 1)
    clock.advance(50)
    assert not do(f.contains, 1)
    assert do(g.contains, 1)


def test_tags_of_functions_are_dropped_by_the_store(stores, do):
    cache = stores()
    f = cache.cached(name="f", tags=lambda x: [f"user:{x}"])(coloured(stores, lambda x: [x]))
    for x in (1, 2):
        assert do(f, x) == do(f, x) == [x]
    cache.set("a", 1, tags=["user:1"])
    cache.invalidate_tags("user:1")
    assert cache.get("a") is None
    assert [do(f.contains, x) for x in (1, 2)] == [False, True]


def test_options_that_need_a_ttl_or_tags_are_for_functions_that_have_one(stores, do, clock):
    cache = stores(stale=60, jitter=0.1, tag_ttl=5)
    f = cache.cached(name="f")(coloured(stores, lambda x: [x]))
    assert do(f, 1) == [1]
    g = cache.cached(ttl=10, name="g")(coloured(stores, lambda x: [x]))
    assert do(g, 1) == [1]
    clock.advance(20)
    assert do(g, 1) == [1]
    assert g.stats().stale_hits == 1
    h = cache.cached(tags=["t"], name="h")(coloured(stores, lambda x: [x]))
    assert do(h, 1) == [1]


def test_a_call_in_flight_while_the_store_is_emptied_is_not_stored(stores):
    if stores.colour == "AsyncCache":
        pytest.skip("the store is emptied from within the function")
    cache, calls = stores(), []

    @cache.cached(name="f")
    def f(x):
        calls.append(x)
        if len(calls) == 1:
            cache.clear()
        return [len(calls)]

    assert f(1) == [1]
    assert f(1) == f(1) == [2]


@pytest.mark.parametrize("wrap", [staticmethod, classmethod])
def test_what_stands_in_a_class_is_emptied_too(stores, do, wrap):
    cache = stores()
    takes_class = wrap is classmethod
    work = (lambda cls, x: [x]) if takes_class else (lambda x: [x])
    options = {"key": lambda cls, x: x} if takes_class else {}

    class Class:
        f = cache.cached(name="f", tags=["t"], **options)(wrap(coloured(stores, work)))

    assert do(Class.f, 1) == [1]
    assert do(Class.f.contains, 1)
    cache.invalidate_tags("t")
    assert not do(Class.f.contains, 1)
    assert do(Class.f, 1) == [1]
    cache.clear()
    assert not do(Class.f.contains, 1)


def test_a_property_is_emptied_too(stores):
    if stores.colour == "AsyncCache":
        pytest.skip("properties aren't awaited")
    cache = stores()
    calls = []

    class Class:
        @cache.cached(name="p", key=lambda self: 1)
        @property
        def p(self):
            calls.append(1)
            return [1]

    thing = Class()
    assert thing.p == thing.p == [1]
    cache.clear()
    assert thing.p == [1]
    assert calls == [1, 1]


def test_a_store_keeps_no_function_alive(stores):
    cache = stores()
    f = cache.cached(name="f")(coloured(stores, lambda x: x))
    alive = weakref.ref(f)
    del f
    gc.collect()
    assert alive() is None
    cache.clear()
    cache.invalidate_tags("t")


def test_options_are_refused_as_by_ucache(tc, stores):
    cache = stores()
    with pytest.raises(tc.ConfigurationError, match="colour="):
        cache.cached(colour="red")
    with pytest.raises(tc.ConfigurationError, match="can't decorate 7"):
        cache.cached(7)


@pytest.mark.parametrize(
    "option", [{"key": len}, {"ignore": ("x",)}, {"tags": ["t"]}, {"method": True}, {"typed": True}]
)
def test_options_of_functions_are_not_those_of_a_store(tc, stores, option):
    (name,) = option
    with pytest.raises(tc.ConfigurationError, match=f"{name}= is an option of decorated functions"):
        stores(**option)

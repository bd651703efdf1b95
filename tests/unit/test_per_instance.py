"""`per_instance=True`: every object has a table of its own."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect

import pytest


@pytest.fixture
def cls(tc):
    class C:
        def __init__(self, name="c"):
            self.name = name

        @tc.mcache(maxsize=2, per_instance=True)
        def m(self, x, y=0):
            """Doc."""
            return [self.name, x]

    return C


def test_each_object_has_its_own_bound(cls):
    a, b = cls("a"), cls("b")
    for x in (1, 2, 3):
        a.m(x)
    b.m(1)
    assert a.m.cache_info() == (0, 3, 2, 2)
    assert b.m.cache_info() == (0, 1, 2, 1)
    assert [key for key, _ in a.m.items()] == [(2, 0), (3, 0)]


def test_what_is_asked_of_the_class_is_of_all_living_objects(cls):
    a, b = cls("a"), cls("b")
    a.m(1), a.m(1), b.m(1)
    assert cls.m.cache_info() == (1, 2, 2, 2)
    assert cls.m.stats()[:3] == (1, 2, 2)
    assert cls.m.items() == [((a, 1, 0), ["a", 1]), ((b, 1, 0), ["b", 1])]
    cls.m.cache_clear()
    assert cls.m.cache_info() == a.m.cache_info() == (0, 0, 2, 0)
    assert cls.m.cache_parameters() == {"maxsize": 2, "typed": False}


def test_entries_leave_with_the_object(cls):
    a, b = cls("a"), cls("b")
    a.m(1), b.m(1)
    del a
    gc.collect()
    assert cls.m.cache_info() == (0, 1, 2, 1)
    assert len(cls.m._homes) == 1


def test_the_controls_work_on_the_object_and_on_the_class(cls):
    a, b = cls("a"), cls("b")
    first = a.m(1)
    assert a.m(x=1) is a.m.peek(1) is cls.m(a, 1) is cls.m.peek(a, 1) is first
    assert a.m.cache_key(1) == cls.m.cache_key(a, 1) == (1, 0)
    assert a.m.contains(1)
    assert not b.m.contains(1)
    assert not cls.m.contains(b, 1)
    a.m.put("put", 1)
    cls.m.put("put too", b, 1)
    assert (a.m(1), b.m(1)) == ("put", "put too")
    assert a.m.refresh(1) == cls.m.refresh(a, 1) == ["a", 1]
    assert a.m.invalidate(1) is True
    assert cls.m.invalidate(b, 1) is True


def test_resize_of_the_class_holds_for_objects_to_come(cls):
    a = cls("a")
    cls.m.resize(1)
    b = cls("b")
    for x in (1, 2):
        a.m(x), b.m(x)
    assert a.m.cache_info().currsize == b.m.cache_info().currsize == 1
    a.m.resize(5)
    assert (a.m.cache_info().maxsize, b.m.cache_info().maxsize) == (5, 1)


def test_it_looks_like_the_method(cls):
    a = cls()
    assert a.m.__doc__ == cls.m.__doc__ == "Doc."
    assert a.m.__self__ is a
    assert a.m == a.m
    assert inspect.signature(a.m) == inspect.signature(lambda x, y=0: 0)
    assert copy.copy(cls.m) is copy.deepcopy(cls.m) is cls.m


def test_objects_are_told_by_identity(tc):
    class C:
        __hash__ = None

        def __eq__(self, other):
            return True

        @tc.mcache(per_instance=True)
        def m(self):
            return [1]

    a, b = C(), C()
    assert a.m() is a.m()
    assert a.m() is not b.m()
    assert copy.copy(a).m() is not a.m()


def test_an_object_that_cannot_be_held_weakly_is_told(tc):
    class C:
        __slots__ = ()

        @tc.mcache(per_instance=True)
        def m(self): ...

    with pytest.raises(tc.CacheKeyError, match=r"C\.m\(\).*__weakref__"):
        C().m()


def test_unhashable_arguments_are_told_by_name(tc):
    class C:
        @tc.mcache(per_instance=True)
        def m(self, x): ...

    with pytest.raises(tc.CacheKeyError, match=r"C\.m\(\): the argument 'x' is of type list"):
        C().m([])


@pytest.mark.parametrize("how", ["star", "unreadable", "key"])
def test_methods_of_all_forms(tc, how):
    if how == "star":

        def m(*args):
            return list(args[1:])
    elif how == "unreadable":

        class Body:
            def __call__(self, *args):
                return list(args[1:])

        m = Body()
    else:

        def m(self, x):
            return [x]

    options = {"key": lambda self, x: x} if how == "key" else {}
    method = tc.mcache(per_instance=True, **options)(m)
    C = type("C", (), {"m": property(lambda self: method.__get__(self))})
    a, b = C(), C()
    assert a.m(1) is a.m(1)
    assert a.m(1) is not b.m(1)
    assert a.m(2) == [2]


def test_a_property_per_object(tc):
    class C:
        @tc.mcache(per_instance=True)
        @property
        def p(self):
            return [1]

    a, b = C(), C()
    assert a.p is a.p
    assert a.p is not b.p


def test_coroutine_methods(tc):
    class C:
        @tc.mcache(per_instance=True)
        async def m(self, x):
            return [x]

    async def main():
        a, b = C(), C()
        assert await a.m(1) is await a.m(1)
        assert await a.m(1) is not await b.m(1)
        assert await a.m.invalidate(1)
        return C.m.cache_info()[:2]

    assert asyncio.run(main()) == (2, 2)
    assert asyncio.iscoroutinefunction(C().m)


def test_a_staticmethod_has_no_object(tc):
    with pytest.raises(tc.ConfigurationError, match="per_instance"):
        tc.mcache(per_instance=True)(staticmethod(len))


def test_method_false_contradicts(tc):
    with pytest.raises(tc.ConfigurationError, match="per_instance"):
        tc.mcache(per_instance=True, method=False)

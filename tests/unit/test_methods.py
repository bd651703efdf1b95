"""Methods: the object is held weakly, told by identity, and its entries leave with it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import inspect
import pickle
import sys
import weakref
from abc import ABC, abstractmethod

import pytest

from tests.fixtures import worlds


def entries(function):
    return function.cache_info().currsize


# CPython 3.13 without the GIL makes classes immortal once a second thread has been started.
CLASSES_ARE_IMMORTAL = (
    sys.version_info[:2] == (3, 13) and not getattr(sys, "_is_gil_enabled", lambda: True)()
)


def collect():
    gc.collect()  # PyPy and builds without the GIL need more than a dropped reference
    gc.collect()


# -- how a method is recognised ------------------------------------------------------------------


def test_a_function_in_a_class_is_a_method(tc):
    class C:
        @tc.mcache
        def m(self, x):
            return x

    a, b = C(), C()
    assert [a.m(1), a.m(1), b.m(1)] == [1, 1, 1]
    assert C.m.cache_info()[:2] == (1, 2)
    assert C.m.stats().collected == 0
    del a
    collect()
    assert C.m.stats().collected == 1
    assert [key[0] for key, _ in C.m.items()] == [b]


def test_the_first_parameter_may_have_any_name(tc):
    class C:
        @tc.mcache
        def m(this, x):
            return x

    c = C()
    c.m(1)
    del c
    collect()
    assert C.m.stats().collected == 1


@pytest.mark.parametrize("key", ["args", "both"])
def test_self_may_come_by_star_args(tc, key):
    if key == "args":

        def m(*args):
            return args[1:]
    else:

        def m(*args, flag=1, **more):
            return args[1:], flag, more

    C = type("C", (), {"m": tc.mcache(m)})
    c = C()
    assert c.m(1) == c.m(1)
    c.m(1, 2)
    assert C.m.cache_info()[:2] == (1, 2)
    assert C.m() == m(), "no object, no key: the function answers"
    del c
    collect()
    assert entries(C.m) == 0


def test_a_callable_without_a_signature_is_a_method_too(tc):
    class C:
        m = tc.mcache(functools.partialmethod(lambda self, x: x).func)
        n = tc.mcache(max)

    c = C()
    assert c.m(1) == 1
    with pytest.raises(TypeError):
        c.n()
    with pytest.raises(TypeError):
        C.n()


def test_method_true_makes_a_method_of_a_function_anywhere(tc):
    class C:
        pass

    @tc.mcache(method=True)
    def area(shape):
        return 5

    c = C()
    assert area(c) == area(shape=c) == 5
    assert area.cache_info()[:2] == (1, 1)
    del c
    collect()
    assert entries(area) == 0


def test_method_false_holds_the_object_and_tells_it_by_equality(tc):
    @dataclasses.dataclass(frozen=True)
    class Point:
        x: int

        @tc.mcache(method=False)
        def norm(self):
            return abs(self.x)

    assert Point(1).norm() == Point(1).norm() == 1
    collect()
    assert Point.norm.cache_info() == (1, 1, 1024, 1)


def test_a_function_already_in_use_stays_a_function_in_a_class(tc):
    @tc.mcache
    def double(x):
        return x * 2

    double(2)

    class C:
        twice = double

    assert double(2) == 4
    assert double.cache_info().hits == 1


def test_a_nested_function_with_a_parameter_self_is_no_method(tc):
    @tc.mcache
    def f(self):
        return self

    assert f(5) == 5


def test_key_or_an_ignored_self_leave_a_method_as_it_is(tc):
    class C:
        name = "n"

        @tc.mcache(key=lambda self, x: (self.name, x))
        def by_name(self, x):
            return x

        @tc.mcache(ignore="self")
        def shared(self, x):
            return x

    a, b = C(), C()
    a.by_name(1), b.by_name(1), a.shared(1), b.shared(1)
    assert C.by_name.cache_info()[:2] == (1, 1)
    assert C.shared.cache_info()[:2] == (1, 1)
    assert C.shared.cache_key(a, 1) == (1,)


@pytest.mark.parametrize("options", [{"ignore": "self"}, {"key": lambda self: 1}])
def test_method_true_is_refused_where_the_object_is_not_in_the_key(tc, options):
    with pytest.raises(tc.ConfigurationError, match="method=True"):
        tc.mcache(method=True, **options)(lambda self: 1)


def test_method_true_is_refused_without_parameters(tc):
    with pytest.raises(tc.ConfigurationError, match="method=True"):
        tc.mcache(method=True)(lambda: 1)


# -- classmethod, staticmethod, property ---------------------------------------------------------


@pytest.fixture(params=["outside", "inside"])
def order(request, tc):
    """`mcache` around a descriptor, or a descriptor around `mcache`."""
    if request.param == "outside":
        return lambda kind: lambda f: tc.mcache(kind(f))
    return lambda kind: lambda f: kind(tc.mcache(f))


def test_a_property(order):
    class C:
        runs = 0

        @order(property)
        def p(self):
            "Doc."
            self.runs += 1
            return self.runs

    c, d = C(), C()
    assert (c.p, c.p, d.p, d.p) == (1, 1, 1, 1)
    assert isinstance(C.p, property)
    assert C.p.__doc__ == "Doc."
    assert C.p.fget.invalidate(c) is True
    assert (c.p, d.p) == (2, 1)
    del c
    collect()
    assert C.p.fget.stats().collected == 1


def test_a_property_keeps_its_setter_and_deleter(tc):
    class C:
        value = 1

        @property
        def p(self):
            return self.value

        @p.setter
        def p(self, value):
            self.value = value
            C.p.fget.invalidate(self)

        @p.deleter
        def p(self):
            C.p.fget.invalidate(self)

        p = tc.mcache(p)

    c = C()
    assert c.p == 1
    c.value = 2
    assert c.p == 1
    c.p = 3
    assert c.p == 3
    c.value = 4
    del c.p
    assert c.p == 4


def test_a_cached_property(order):
    class C:
        runs = 0

        @order(functools.cached_property)
        def p(self):
            self.runs += 1
            return self.runs

    c = C()
    assert (c.p, c.p) == (1, 1)
    del c.p
    assert c.p == 1, "the cache beneath still has it"


def test_a_staticmethod(order):
    class C:
        @order(staticmethod)
        def s(x):
            return [x]

    assert C.s(1) is C().s(1)
    assert C.s.cache_info()[:2] == (1, 1)
    assert C.s.invalidate(1) is True
    assert isinstance(C.__dict__["s"], staticmethod)


def test_a_classmethod(order):
    class C:
        @order(classmethod)
        def k(cls, x):
            return [cls.__name__, x]

    class D(C):
        pass

    assert C.k(1) is C().k(1)
    assert D.k(1) == ["D", 1]
    assert D.k(1) is D().k(1)
    assert C.k.cache_info()[:2] == (3, 2)
    assert isinstance(C.__dict__["k"], classmethod)
    info = C.k.cache_info
    del D
    collect()
    if not CLASSES_ARE_IMMORTAL:
        assert info().currsize == 1, "the entries of a class leave with it"


def test_the_controls_of_a_classmethod_know_the_class(tc):
    class C:
        @tc.mcache
        @classmethod
        def k(cls, x):
            return [x]

    class D(C):
        pass

    C.k(1), D.k(1)
    assert C.k.invalidate(1) is True
    assert C.k.contains(1) is False
    assert D.k.contains(1) is D().k.contains(1) is True
    D.k.put("v", 2)
    assert D.k(2) == "v"
    assert D.k.cache_key(2) == (D, 2)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="classmethod no longer asks for __get__")
def test_the_controls_know_the_class_beneath_classmethod_too(tc):
    class C:
        @classmethod
        @tc.mcache
        def k(cls, x):
            return x

    C.k(1)
    assert C.k.invalidate(1) is True


def test_an_abstract_method_stays_abstract(tc):
    class A(ABC):
        @tc.mcache
        @abstractmethod
        def m(self): ...

        @tc.mcache
        @property
        @abstractmethod
        def p(self): ...

    with pytest.raises(TypeError, match="abstract"):
        A()


# -- objects that can't be held weakly -----------------------------------------------------------


def test_slots_with_a_weakref_slot_will_do(tc):
    class C:
        __slots__ = ("__weakref__",)

        @tc.mcache
        def m(self, x):
            return x

    c = C()
    assert c.m(1) == c.m(1) == 1
    del c
    collect()
    assert entries(C.m) == 0


@pytest.mark.parametrize("base", [object, int, str, tuple, bytes])
def test_an_object_that_cannot_be_held_weakly_is_told_with_the_remedies(tc, base):
    class Slotted(base):
        __slots__ = ()

        @tc.mcache
        def m(self, x=1):
            return x

    one = Slotted()
    for call in (one.m, one.m.peek, one.m.contains, one.m.invalidate, one.m.refresh):
        with pytest.raises(tc.CacheKeyError) as caught:
            call()
        message = str(caught.value)
        for part in ("Slotted.m()", "type ", ".Slotted", "'__weakref__'", "key=", "method=False"):
            assert part in message


@pytest.mark.parametrize("unhashable", ["raise", "bypass", "digest"])
def test_no_option_for_arguments_helps_an_object_that_cannot_be_held_weakly(tc, unhashable):
    class Slotted:
        __slots__ = ()

        @tc.mcache(unhashable=unhashable)
        def m(self, x):
            return x

    for argument in (1, [1]):
        with pytest.raises(tc.CacheKeyError, match="__weakref__"):
            Slotted().m(argument)


@pytest.mark.parametrize("remedy", [{"key": lambda self, x: x}, {"method": False}])
def test_the_remedies_help(tc, remedy):
    class Slotted:
        __slots__ = ()

        @tc.mcache(**remedy)
        def m(self, x):
            return x

    one = Slotted()
    assert [one.m(1), one.m(1)] == [1, 1]
    assert Slotted.m.cache_info().hits == 1


def test_unhashable_arguments_of_methods(tc):
    class C:
        @tc.mcache
        def raises(self, x): ...

        @tc.mcache(unhashable="digest")
        def digests(self, x):
            return list(x)

        @tc.mcache(unhashable="bypass")
        def bypasses(self, x):
            return list(x)

    c = C()
    with pytest.raises(tc.CacheKeyError, match=r"C\.raises\(\): the argument 'x' is of type list"):
        c.raises([1])
    assert c.digests([1]) is c.digests([1])
    assert c.bypasses([1]) is not c.bypasses([1])
    assert C.bypasses.stats().bypasses == 2


# -- kinds of objects ----------------------------------------------------------------------------


def test_an_object_that_cannot_be_hashed_is_told_by_identity(tc):
    @dataclasses.dataclass
    class Point:
        x: int

        @tc.mcache
        def m(self):
            return [self.x]

    a, b = Point(1), Point(1)
    assert a == b
    assert a.m() is a.m()
    assert a.m() is not b.m()


def test_eq_and_hash_of_the_object_are_never_asked(tc):
    class Touchy:
        def __eq__(self, other):
            raise AssertionError("asked for equality")

        def __hash__(self):
            raise AssertionError("asked for its hash")

        @tc.mcache
        def m(self, x):
            return x

    t = Touchy()
    assert [t.m(1), t.m(1)] == [1, 1]
    assert t.m.contains(1)
    assert t.m.invalidate(1)


def test_a_frozen_dataclass_with_slots(tc):
    options = {"weakref_slot": True} if sys.version_info >= (3, 11) else {}

    @dataclasses.dataclass(frozen=True, slots=bool(options), **options)
    class Point:
        x: int

        @tc.mcache
        def m(self):
            return [self.x]

    p = Point(1)
    assert p.m() is p.m()
    assert dataclasses.replace(p).m() is not p.m()


def test_inherited_and_overridden_methods_have_entries_of_their_own(tc):
    class Base:
        @tc.mcache
        def m(self, x):
            return ["base", x]

    class Child(Base):
        pass

    class Other(Base):
        @tc.mcache
        def m(self, x):
            return ["other", *super().m(x)]

    child, other = Child(), Other()
    assert child.m(1) == ["base", 1]
    assert other.m(1) == ["other", "base", 1]
    assert other.m(1) is other.m(1)
    assert (entries(Base.m), entries(Other.m)) == (2, 1)
    assert super(Other, other).m(1) == ["base", 1]
    assert super(Other, other).m.invalidate(1)


def test_a_copy_of_an_object_has_entries_of_its_own(tc):
    class C:
        @tc.mcache
        def m(self):
            return [1]

    c = C()
    c.m()
    for twin in (copy.copy(c), copy.deepcopy(c)):
        assert vars(twin) == {}
        assert twin.m() is not c.m()


def test_an_address_used_again_never_finds_old_entries(tc):
    class C:
        __slots__ = ("__weakref__", "name")

        def __init__(self, name):
            self.name = name

        @tc.mcache
        def m(self):
            return self.name

    for name in range(200):
        assert C(name).m() == name


def test_a_cached_value_that_holds_its_object_keeps_it(tc):
    class C:
        @tc.mcache
        def me(self):
            return self

    c = C()
    alive = weakref.ref(c)
    assert c.me() is c
    C.me.cache_clear()
    del c
    collect()
    assert alive() is None


# -- the bound object ----------------------------------------------------------------------------


@pytest.fixture
def cls(tc):
    class C:
        @tc.mcache
        def m(self, x, y=2):
            """Doc."""
            return [x, y]

    return C


def test_calls_of_all_forms_share_an_entry(cls):
    c = cls()
    bound = c.m
    results = [
        c.m(1),
        c.m(x=1),
        c.m(1, 2),
        bound(1),
        bound(y=2, x=1),
        cls.m(c, 1),
        cls.m(self=c, x=1),
    ]
    assert all(result is results[0] for result in results)


def test_the_controls_put_the_object_first(cls):
    c, d = cls(), cls()
    c.m(1), d.m(1)
    assert c.m.cache_key(1) == (c, 1, 2)
    assert c.m.peek(1) == [1, 2]
    assert c.m.contains(x=1)
    assert c.m.invalidate(1) is True
    assert not c.m.contains(1)
    assert d.m.contains(1)
    c.m.put("v", 1)
    assert c.m(1) == "v"
    assert c.m.refresh(1) == [1, 2]
    assert c.m.cache_info().currsize == cls.m.cache_info().currsize == 2
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        c.m.invalidate()


def test_it_is_like_a_bound_method(cls):
    c, d = cls(), cls()
    assert c.m.__self__ is c
    assert c.m.__func__ is cls.m
    assert c.m.__wrapped__ is cls.m.__wrapped__
    assert c.m == c.m
    assert c.m != d.m
    assert c.m != "m"
    assert len({c.m, c.m, d.m}) == 2
    assert (c.m.__name__, c.m.__doc__) == ("m", "Doc.")
    assert inspect.signature(c.m) == inspect.signature(lambda x, y=2: 0)
    assert inspect.signature(cls.m) == inspect.signature(lambda self, x, y=2: 0)
    assert "C.m of <" in repr(c.m)
    assert functools.partial(c.m, 1)() is c.m(1)
    with pytest.raises(AttributeError):
        _ = c.m.nothing_of_the_kind


def test_it_stays_bound_in_another_class(cls):
    c = cls()

    class Other:
        alias = c.m

    assert Other().alias(1) is c.m(1)


def test_arguments_that_do_not_fit_raise_what_the_method_raises(cls):
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        cls().m()


class Pickled:
    """Of the installed package, where pickle can find it."""

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return self.name == other.name

    __hash__ = None


def _attach(core):
    try:
        tc = worlds.world(core)
    except worlds.CoreMissing:
        return

    def method(self, x):
        return [self.name, x]

    method.__name__ = f"method_{core}"
    method.__qualname__ = f"Pickled.method_{core}"
    setattr(Pickled, method.__name__, tc.mcache(method, method=True))


for _core in worlds.CORES:
    _attach(_core)


def test_objects_and_their_methods_are_pickled_and_copied(core):
    one = Pickled("one")
    method = getattr(one, f"method_{core}")
    method(1)
    for twin in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert twin == one
    again = pickle.loads(pickle.dumps(method))
    assert again.__self__ == one
    assert again.__func__ is method.__func__
    assert again(1) == method(1)
    assert copy.copy(method) == method
    assert copy.deepcopy(method).__self__ is not one
    assert pickle.loads(pickle.dumps(method.__func__)) is method.__func__

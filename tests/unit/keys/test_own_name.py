"""Functions that pretend to be others, or are bound to objects: each has results of its own."""

from __future__ import annotations

import dataclasses
import functools
import sys
from types import ModuleType

import pytest

from tests.fixtures import pythons
from twat_cache import lru_cache, mcache, open_engine, ucache
from twat_cache._keys.cold import ColdKeys
from twat_cache.errors import ConfigurationError


@pytest.fixture(params=["sqlite:///:memory:", "mapping:"])
def engine(request):
    engine = open_engine(request.param)
    yield engine
    engine.close()


def plain(x):
    return x


def times(factor, function):
    @functools.wraps(function)
    def wrapper(x):
        return factor * function(x)

    return wrapper


def negated(function):
    @functools.wraps(function)
    def plain(x):  # named as what it wraps
        return -function(x)

    return plain


@times.__get__(3)
def tripled(x):
    return x


@dataclasses.dataclass(frozen=True)
class Scale:
    factor: int

    def of(self, x):
        return self.factor * x

    @classmethod
    def name_of(cls, x):
        return f"{cls.__name__} {x}"

    def __call__(self, x):
        return self.factor * x


class Fine(Scale):
    """Inherits its methods."""


class Vague:
    """Nothing tells its objects apart."""

    def of(self, x):
        return x


class Dressed:
    """A decorator that is a class."""

    def __init__(self, function):
        functools.update_wrapper(self, function)

    def __call__(self, x):
        return self.__wrapped__(x) + 1000


def scaled(x, factor=1):
    return factor * x


def calling(function):
    def call(x):
        return function(x)

    return call


def calling_by_default(function):
    def call(x, *, function=function):
        return function(x)

    return call


def families():
    """Makers of functions of one name that give different results."""
    wrapped = [
        lambda: plain,
        lambda: times(2, plain),
        lambda: times(3, plain),
        lambda: times(2, times(3, plain)),
        lambda: negated(plain),
        lambda: negated(times(2, plain)),
        lambda: times(2, negated(times(2, plain))),
    ]
    return {
        "wrapped": wrapped,
        "bound": [lambda: Scale(2).of, lambda: Scale(3).of, lambda: times(5, Scale(2).of)],
        "bound to classes": [lambda: Scale.name_of, lambda: Fine.name_of],
        "found": [lambda: tripled, lambda: tripled.__wrapped__, lambda: times(2, tripled)],
    }


WITHIN = {
    **families(),
    "partial": [
        lambda: functools.partial(scaled, factor=2),
        lambda: functools.partial(scaled, factor=3),
        lambda: functools.partial(Scale(7).of),
    ],
    "objects": [lambda: Scale(2), lambda: Scale(3)],
    "caches": [
        lambda: mcache(times(2, plain)),
        lambda: lru_cache(times(3, plain)),
        lambda: functools.lru_cache(times(4, plain)),
        lambda: ucache("mapping:")(times(5, plain)),
        lambda: times(6, mcache(plain)),
    ],
}


def assert_each_is_itself(engine, makers, around=lambda function: function, **options):
    computed = []

    def counted(function):
        cached = ucache(engine, **options)(around(function))
        result = cached(10)
        computed.append(cached.stats().loads)
        return result

    expected = [make()(10) for make in makers]
    assert len(set(expected)) == len(expected)
    assert [counted(make()) for make in makers] == expected
    assert [counted(make()) for make in makers] == expected
    assert computed == [1] * len(makers) + [0] * len(makers), "what is equal was not shared"


@pytest.mark.parametrize("makers", families().values(), ids=families())
def test_functions_of_one_name_have_results_of_their_own(engine, makers):
    assert_each_is_itself(engine, makers)


@pytest.mark.parametrize("makers", WITHIN.values(), ids=WITHIN)
def test_a_function_is_told_by_what_it_closes_over(engine, makers):
    assert_each_is_itself(engine, makers, calling)


@pytest.mark.parametrize("makers", WITHIN.values(), ids=WITHIN)
def test_a_function_is_told_by_its_defaults_even_those_ignored(engine, makers):
    assert_each_is_itself(engine, makers, calling_by_default, ignore=["function"])


def test_a_cache_answers_as_the_function_within(engine):
    prefixes = {
        ColdKeys(function).prefix
        for function in (plain, mcache(plain), functools.lru_cache(plain), ucache(engine)(plain))
    }
    assert prefixes == {f":{__name__}.plain::"}
    caches = [mcache(lambda x: x + 1), functools.lru_cache(lambda x: x + 2)]
    assert [ucache(engine)(cache)(10) for cache in caches] == [11, 12]


def test_a_wrapper_between_two_caches_has_a_name_of_its_own(engine, monkeypatch):
    module = ModuleType("between")
    monkeypatch.setitem(sys.modules, "between", module)
    vars(module).update(times=times, ucache=ucache, engine=engine)
    exec("@ucache(engine)\ndef f(x): return x", vars(module))
    module.f = times(2, module.f)
    assert [ucache(engine)(module.f)(10), module.f(10), module.f.__wrapped__(10)] == [20, 20, 10]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Vague().of,
        lambda: calling(Vague().of),
        lambda: times(2, Vague().of),
        lambda: Dressed(plain),
        lambda: calling(Dressed(plain)),
        lambda: functools.partial(plain),
        lambda: type("Local", (), {"__qualname__": "make.<locals>.Local"}),
        lambda: functools.singledispatch(plain),
    ],
)
def test_what_can_not_be_told_needs_a_name(engine, make):
    with pytest.raises(ConfigurationError, match="name="):
        ucache(engine)(make())
    assert ucache(engine, name="mine")(make())


def test_a_proxy_is_no_function_of_the_name_that_it_shows(engine):
    wrapt = pytest.importorskip("wrapt")

    @wrapt.decorator
    def doubled(wrapped, instance, args, kwargs):
        return 2 * wrapped(*args, **kwargs)

    assert ucache(engine)(plain)(10) == 10
    for function in (doubled(plain), calling(doubled(plain))):
        with pytest.raises(ConfigurationError, match="name="):
            ucache(engine)(function)


def test_what_is_found_under_its_name_keeps_it():
    pd = pytest.importorskip("pandas")
    np = pytest.importorskip("numpy")
    assert ColdKeys(tripled).prefix == f":{__name__}.tripled::"
    assert ColdKeys(pd.read_csv).prefix == f":{pd.read_csv.__module__}.read_csv::"
    assert ColdKeys(np.mean).prefix == ":numpy.mean::"
    assert ColdKeys(len).prefix == ":builtins.len::"
    assert ColdKeys(Scale).prefix == f":{__name__}.Scale::"
    assert ColdKeys(Scale.of).prefix == f":{__name__}.Scale.of::"


@pytest.mark.parametrize("standing", ["nothing", "an older one", "something else"])
def test_a_def_has_its_name_before_it_is_bound_and_after(monkeypatch, standing):
    module = ModuleType("again")
    monkeypatch.setitem(sys.modules, "again", module)
    source = (
        "class C(B):\n  @keys\n  def m(self, x): return super().m(x)\n@keys\ndef f(x): return x"
    )
    made = []

    def keys(function):
        made.append(ColdKeys(function).prefix)
        return times(2, function) if standing == "an older one" else function

    vars(module).update(B=Vague, keys=keys)
    for _ in range(2):
        exec(source, vars(module))
        if standing == "something else":
            module.f, module.C = 5, None
    assert made == [":again.C.m::", ":again.f::"] * 2


def test_a_wrapper_that_can_not_be_told_has_the_name_of_the_def_below(engine, monkeypatch):
    """As `stamina.retry`: at first, after a reload, and not for what is made of it later."""
    module = ModuleType("stacked")
    monkeypatch.setitem(sys.modules, "stacked", module)

    def retried(function):
        policy = object()

        @functools.wraps(function)
        def wrapper(*args):
            return policy and function(*args)

        return wrapper

    vars(module).update(retried=retried, store=ucache(engine))
    source = (
        "@store\n@retried\ndef f(x): return x\n"
        "class C:\n  @store\n  @retried\n  def m(self, x): return x"
    )
    for _ in range(2):
        exec(source, vars(module))
        assert module.f.cache_key(1).startswith(":stacked.f::")
        assert (module.f(1), module.C.m(Scale(2), 1)) == (1, 1)
    wrapped = module.f.__wrapped__
    for other in (retried(wrapped), retried(wrapped.__wrapped__)):
        with pytest.raises(ConfigurationError, match="name="):
            ucache(engine)(other)
    assert ucache(engine)(times(3, wrapped.__wrapped__))(1) == 3


def test_equal_code_of_two_modules_is_not_the_same_function(engine):
    def maker(name, factor):
        space = {"__name__": name, "factor": factor, "wraps": functools.wraps}
        exec(
            "def scaling(function):\n"
            " @wraps(function)\n"
            " def wrapper(x): return factor * function(x)\n"
            " return wrapper",
            space,
        )
        return space["scaling"]

    makers = [lambda f=maker(*each): f(plain) for each in (("one", 2), ("other", 3))]
    assert_each_is_itself(engine, makers)
    assert_each_is_itself(engine, makers, calling)


def test_values_of_an_outer_function_count_where_the_name_hides_it(engine):
    space = {"__name__": __name__}
    exec("def make(n):\n global late\n def late(x): return x + n\n return late", space)
    assert [ucache(engine)(space["make"](n))(10) for n in (1, 2)] == [11, 12]


def test_functions_typed_in_by_hand_are_told_within_others_too(monkeypatch):
    def session(source):
        main = ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", main)
        exec(source, vars(main))
        return ColdKeys(calling(main.f))((1,), {})

    one = session("def f(x): return x + 1")
    assert session("def f(x): return x + 2") != one
    assert session("def f(x): return x + 1") == one


def test_the_version_source_follows_the_wrapper():
    versions = {
        ColdKeys(function, name="f", version="source").prefix
        for function in (plain, times(2, plain), times(3, plain), negated(plain))
    }
    assert len(versions) == 4
    once = ColdKeys(mcache(plain), name="f", version="source").prefix
    assert once in versions


STORING = """
import functools, sys
from twat_cache import ucache

def plain(x): return x

def times(factor, function):
    @functools.wraps(function)
    def wrapper(x): return factor * function(x)
    return wrapper

for function in (plain, times(2, plain), times(3, plain), times(2, times(3, plain))):
    cached = ucache({url!r}, namespace="a")(function)
    print(cached(10), cached.stats().loads)
"""


def test_a_later_process_finds_the_results_of_each(tmp_path):
    (tmp_path / "program.py").write_text(STORING.format(url=f"sqlite:///{tmp_path}/results.db"))
    start = f"import runpy; runpy.run_path({str(tmp_path / 'program.py')!r}, run_name='storing')"
    first, later = (pythons.run(sys.executable, start, seed=seed).split() for seed in ("1", "2"))
    assert first == ["10", "1", "20", "1", "30", "1", "60", "1"]
    assert later == ["10", "0", "20", "0", "30", "0", "60", "0"]


PROGRAM = """
import dataclasses, functools, sys
from twat_cache._keys.cold import ColdKeys

module = sys.modules[__name__]
sys.modules["golden"] = module
__name__ = "golden"

def f(x): return x

def times(factor, function):
    @functools.wraps(function)
    def wrapper(x): return factor * function(x)
    return wrapper

@dataclasses.dataclass
class Scale:
    names: set
    def of(self, x): return x

def calling(function):
    def call(x): return function(x)
    return call

names = {"a", "b", "c", "d"}
for function in (f, Scale.of, Scale(names).of, times(2, f), times(3, times(2, f)), Scale(names),
                 calling(times(2, f)), calling(Scale(names).of), calling(functools.partial(f, 1))):
    if not isinstance(function, Scale):
        print(ColdKeys(function)((1, 2)[: 1 + (function is Scale.of)], {}))
"""


def test_their_keys_are_the_same_in_every_process():
    runs = [pythons.run(sys.executable, PROGRAM, seed=seed).split() for seed in ("0", "1", "4321")]
    assert runs[0] == runs[1] == runs[2]
    assert len(set(runs[0])) == 8


@pytest.mark.parametrize("minor", pythons.MINORS)
def test_what_needs_no_code_has_one_key_on_every_python(minor):
    here = pythons.run(sys.executable, PROGRAM, seed="0").split()
    there = pythons.run(pythons.python_of(minor), PROGRAM, seed="7").split()
    assert there[:3] == here[:3]
    assert len(set(there)) == 8

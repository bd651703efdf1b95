"""The plan of a function's parameters, beside what `inspect` makes of the same function."""

import functools
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twat_cache._keys.plan import Plan, Unhashable, read_plan
from twat_cache.errors import ConfigurationError


def everything(a, b=1, /, c=2, *args, d, e=3, **kwargs): ...


class Example:
    def method(self, x, y=1): ...

    def by_args(*args, z=0): ...

    @classmethod
    def of_class(cls, x): ...

    @staticmethod
    def of_none(x): ...


def parts(plan):
    public = ["names", "defaults", *Plan.__annotations__]
    return {name: getattr(plan, name) for name in public if not name.startswith("_")}


def test_a_plan_has_the_parameters_in_order():
    assert parts(read_plan(everything)) == {
        "names": ("a", "b", "c", "d", "e"),
        "positional": 3,
        "positional_only": 2,
        "defaults": {1: 1, 2: 2, 4: 3},
        "varargs": True,
        "varkw": True,
        "ignored": frozenset(),
        "keep_args": True,
        "keep_kwargs": True,
        "least": 1,
        "most": 0,
    }


def test_a_bound_method_has_no_self():
    plan = read_plan(Example().method)
    assert (plan.names, plan.positional, plan.defaults) == (("x", "y"), 2, {1: 1})


def test_self_among_args_is_not_a_parameter():
    plan = read_plan(Example().by_args)
    assert (plan.names, plan.positional, plan.varargs) == (("z",), 0, True)
    assert plan.defaults == {0: 0}


def test_a_positional_only_self_is_dropped_from_both_counts():
    class Strict:
        def method(self, x, /, y): ...

    plan = read_plan(Strict().method)
    assert (plan.names, plan.positional, plan.positional_only) == (("x", "y"), 2, 1)


def test_a_default_of_self_goes_with_it():
    class Odd:
        def method(self=0, x=1): ...

    assert read_plan(Odd().method).defaults == {0: 1}


def test_a_classmethod_is_bound_and_a_staticmethod_is_plain():
    assert read_plan(Example.of_class).names == ("x",)
    assert read_plan(Example.of_none).names == ("x",)


@pytest.mark.parametrize(
    "function",
    [
        len,
        [].append,
        int,
        Example,
        functools.partial(everything, 1),
        functools.lru_cache(everything),
        Example.__dict__["of_class"],
        type("Callable", (), {"__call__": lambda self, x: x})(),
    ],
    ids=lambda function: type(function).__name__,
)
def test_other_callables_have_no_plan(function):
    assert read_plan(function) is None
    with pytest.raises(ConfigurationError, match=r"ignore=.*no readable parameters"):
        read_plan(function, ignore=("x",))


def test_the_wrapper_decides_and_not_what_it_wraps():
    @functools.wraps(everything)
    def wrapper(one, two=5): ...

    plan = read_plan(wrapper)
    assert (plan.names, plan.defaults) == (("one", "two"), {1: 5})


def test_an_unhashable_default_has_a_stand_in():
    class Hostile:
        def __hash__(self):
            raise ValueError("not that kind of error")

    def function(a=[], *, b={}, c=Hostile(), d=()): ...

    plan = read_plan(function)
    assert [type(plan.defaults[index]) for index in range(4)] == [*[Unhashable] * 3, tuple]
    assert repr(plan.defaults[1]) == "<default of 'b'>"
    assert len({plan.defaults[0], plan.defaults[1], plan.defaults[2]}) == 3
    assert plan.defaults[0] != read_plan(function).defaults[0]


def test_defaults_set_by_hand_follow_the_interpreter():
    def function(a, *, b): ...

    function.__defaults__ = (1, 2, 3)
    function.__kwdefaults__ = {"b": 4, "stranger": 5}
    assert read_plan(function).defaults == {0: 3, 1: 4}
    function(), function()


def test_ignored_parameters_are_marked():
    plan = read_plan(everything, ignore=("a", "e"))
    assert (plan.ignored, plan.keep_args, plan.keep_kwargs) == ({0, 4}, True, True)


def test_the_rest_can_be_ignored_by_its_names():
    plan = read_plan(everything, ignore=["args", "kwargs"])
    assert (plan.ignored, plan.keep_args, plan.keep_kwargs) == (set(), False, False)


def test_keywords_alone_can_be_ignored():
    plan = read_plan(lambda x, **options: x, ignore={"options"})
    assert (plan.keep_args, plan.keep_kwargs) == (True, False)


def test_a_lone_text_is_one_name():
    def function(verbose, v): ...

    assert read_plan(function, ignore="verbose").ignored == {0}


@pytest.mark.parametrize(
    ("ignore", "message"),
    [
        (("nope",), "ignore=('nope',) is not accepted; accepted: 'x', 'y'"),
        ("self", "ignore='self' is not accepted; accepted: 'x', 'y'"),
        ((1,), "ignore=(1,) is not accepted; accepted: 'x', 'y'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(ignore, message):
    with pytest.raises(ConfigurationError) as caught:
        read_plan(Example().method, ignore=ignore)
    assert str(caught.value) == message


def test_names_are_found_among_parameters_and_not_among_local_variables():
    def function(x):
        local = x
        return local

    with pytest.raises(ConfigurationError, match="accepted: 'x'"):
        read_plan(function, ignore=("local",))


def test_a_plan_shows_the_parameters():
    plan = read_plan(everything, ignore=("c", "kwargs"))
    assert repr(plan) == ("<Plan (a, b=1, /, c=2, *args, d, e=3, **kwargs) ignoring c, **kwargs>")
    assert repr(read_plan(lambda: 0)) == "<Plan ()>"
    assert repr(read_plan(lambda *a: 0)) == "<Plan (*args)>"
    assert repr(read_plan(lambda *, k: 0)) == "<Plan (*, k)>"


@st.composite
def sources(draw):
    """The parameter list of any `def`."""
    count = draw(st.tuples(*[st.integers(0, 3)] * 3))
    defaulted = draw(st.integers(0, count[0] + count[1]))
    names = [f"p{i}" for i in range(count[0] + count[1])]
    for i in range(len(names) - defaulted, len(names)):
        names[i] += f"={i}"
    if count[0]:
        names.insert(count[0], "/")
    varargs = draw(st.booleans())
    if varargs or count[2]:
        names.append("*args" if varargs else "*")
    names += [f"k{i}" + draw(st.sampled_from(["", f"={i}"])) for i in range(count[2])]
    if draw(st.booleans()):
        names.append("**kwargs")
    return ", ".join(names)


@given(sources(), st.booleans())
def test_a_plan_says_what_inspect_says(source, bound):
    space = {}
    exec(f"def function({source}): local = 1", space)
    function = space["function"]
    if bound and source and not source.startswith(("*", "k")):
        function = function.__get__(object())
    plan = read_plan(function)
    parameters = inspect.signature(function).parameters.values()
    kinds = [p.kind for p in parameters]
    fixed = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    keyword_only = kinds.count(inspect.Parameter.KEYWORD_ONLY)
    assert plan.names == tuple(p.name for p in fixed)
    assert plan.positional == len(fixed) - keyword_only
    assert plan.positional_only == kinds.count(inspect.Parameter.POSITIONAL_ONLY)
    assert plan.defaults == {i: p.default for i, p in enumerate(fixed) if p.default is not p.empty}
    assert plan.varargs == (inspect.Parameter.VAR_POSITIONAL in kinds)
    assert plan.varkw == (inspect.Parameter.VAR_KEYWORD in kinds)

"""Functions that call themselves through their cache, and functions that fail: on both cores."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

import pytest


@pytest.fixture(params=["mcache", "lru_cache"])
def decorate(tc, request):
    """Both decorators, to be called with a maxsize."""
    return lambda maxsize=8: getattr(tc, request.param)(maxsize=maxsize)


@pytest.fixture
def nothing_collected():
    """Keeps what other tests left from being finalized at the recursion limit."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def boom():
    raise ZeroDivisionError("boom")


# -- recursion -------------------------------------------------------------------------------------


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


@pytest.mark.usefixtures("nothing_collected")
def test_endless_recursion_ends_in_a_recursion_error(decorate):
    @decorate(None)
    def f(n):
        return f(n + 1)

    for _ in range(3):
        with pytest.raises(RecursionError):
            f(0)
    assert f.cache_info().currsize == 0


@pytest.mark.usefixtures("nothing_collected")
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


@pytest.mark.usefixtures("nothing_collected")
def test_deep_recursion_through_c_functions_ends_in_a_recursion_error(tc):
    f = tc.mcache(maxsize=None)(lambda *args: max(map(f, [args])))
    with pytest.raises(RecursionError):
        f(0)


# -- loaders that fail -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
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

"""retry: a function that raises is called again, on stamina's terms."""

from __future__ import annotations

import sys
from datetime import timedelta
from importlib import import_module

import pytest

from tests.fixtures.colours import PATIENCE

pytest.importorskip("stamina")

AT_ONCE = {"wait_initial": 0, "wait_max": 0, "wait_jitter": 0}


class Failure(Exception):
    pass


class NotFound(LookupError):
    pass


@pytest.fixture(params=["memory", "mapping"])
def place(request):
    return request.param


@pytest.fixture
def retrying(shop):
    def make(terms, **options):
        return shop(retry={**AT_ONCE, **terms}, **options)

    return make


def test_it_is_called_again_until_it_returns(retrying, play):
    shop = retrying({"attempts": 3})
    shop.failing.update({1: Failure(), 2: ValueError()})

    def script():
        assert (yield shop) == "run 3"
        assert (yield shop) == "run 3"

    play(script)
    stats = shop.stats()
    assert (stats.loads, stats.load_failures) == (1, 2)


def test_the_last_exception_gets_through(retrying, play):
    shop = retrying({"attempts": 3})
    shop.failing.update({n: Failure(n) for n in range(1, 5)})

    def script():
        with pytest.raises(Failure) as raised:
            yield shop
        assert raised.value.args == (3,)

    play(script)


@pytest.mark.parametrize(
    "on", [Failure, (Failure, OSError), lambda error: isinstance(error, Failure)]
)
def test_terms_say_after_which_exceptions(retrying, play, on):
    shop = retrying({"attempts": 5, "on": on})
    shop.failing.update({1: Failure(), 2: KeyError(1)})

    def script():
        with pytest.raises(KeyError):
            yield shop
        assert len(shop.runs) == 2

    play(script)


def test_exceptions_that_are_kept_are_answers_and_not_tried_again(retrying, play, clock):
    shop = retrying({"attempts": 5}, cache_exceptions={NotFound: 10})
    shop.failing.update({1: Failure(), 2: NotFound()})

    def script():
        for _ in range(2):
            with pytest.raises(NotFound):
                yield shop
        assert len(shop.runs) == 2

    play(script)


def test_each_attempt_has_the_time_of_hard_timeout(retrying, play, tc):
    shop = retrying({"attempts": 2}, hard_timeout=0.03)
    gate = shop.hold(1)

    def script():
        assert (yield shop) == "run 2"
        gate.set()
        yield 0.03
        assert (yield shop) == "run 2"  # the first came too late

    play(script)


def test_a_stop_iteration_is_an_exception_like_others(retrying, decorator):
    runs = []

    @decorator(retry={**AT_ONCE, "attempts": 3})
    def f(x):
        runs.append(x)
        return next(iter([1] if len(runs) == 3 else []))

    assert f(1) == 1


# -- the option ------------------------------------------------------------------------------------


@pytest.fixture
def read(tc):
    module = import_module(f"{tc.__name__}._retry_option")
    return lambda value: module.read_retry("retry", value)


def test_a_number_is_the_attempts_in_all(read):
    assert read(3) == {"attempts": 3}
    assert read(1) is None
    assert read(None) is None


def test_terms_are_read_as_elsewhere(read):
    terms = {
        "on": [Failure, OSError], "attempts": None, "timeout": "1m", "wait_initial": 0,
        "wait_max": timedelta(seconds=2), "wait_jitter": 0.5, "wait_exp_base": 3,
    }  # fmt: skip
    expected = {
        "on": (Failure, OSError), "attempts": None, "timeout": 60.0, "wait_initial": 0.0,
        "wait_max": 2.0, "wait_jitter": 0.5, "wait_exp_base": 3,
    }  # fmt: skip
    assert read(terms) == expected
    assert read(expected) == expected  # what was read can be read again


@pytest.mark.parametrize(
    "value",
    [
        0, -1, True, 2.5, "3", [], {"attempts": 0}, {"attempts": True}, {"attempts": 1.5},
        {"tries": 3}, {"on": 5}, {"on": []}, {"on": KeyboardInterrupt}, {"on": [Failure, 5]},
        {"timeout": -1}, {"wait_max": "soon"}, {"wait_max": True}, {"wait_exp_base": 0}, {3: 3},
    ],
)  # fmt: skip
def test_anything_else_is_refused_at_decoration(tc, read, value):
    with pytest.raises(tc.ConfigurationError, match="retry="):
        read(value)
    with pytest.raises(tc.ConfigurationError, match="retry="):
        tc.mcache(retry=value)(lambda x: x)


@pytest.mark.thread_unsafe(reason="hides a module")
def test_without_stamina_the_error_says_what_to_install(tc, read, monkeypatch):
    monkeypatch.setitem(sys.modules, "stamina", None)
    with pytest.raises(tc.ConfigurationError, match=r"pip install 'twat-cache\[retry\]'"):
        read(2)
    assert read(1) is None


def test_pauses_grow(colour, decorator, play):
    """At the least: 10 ms, then 20."""
    from time import monotonic

    def body(x):
        times.append(monotonic())
        if len(times) < 3:
            raise Failure
        return x
        yield

    times = []
    terms = {"attempts": 3, "wait_initial": 0.01, "wait_jitter": 0, "timeout": PATIENCE}
    f = colour.cached(decorator(retry=terms), body)

    def script():
        assert (yield lambda: f(1)) == 1

    play(script)
    assert times[1] - times[0] >= 0.01
    assert times[2] - times[1] >= 0.02

"""The options of the memory decorators, as they are judged at decoration."""

import sys
from datetime import timedelta

import pytest

from twat_cache._options import (
    generator_refused,
    not_a_coroutine_function,
    not_a_function,
    read_maxsize,
    read_options,
    unknown_option,
)
from twat_cache.errors import ConfigurationError

DEFAULTS = {
    "maxsize": 1024,
    "ttl": None,
    "policy": "lru",
    "typed": False,
    "key": None,
    "ignore": (),
    "unhashable": "raise",
    "cache_if": None,
    "method": None,
    "per_instance": False,
    "name": None,
    "copy": False,
    "clock": None,
}


def read(**options):
    return read_options(**{**DEFAULTS, **options})


class Two:
    def __index__(self):
        return 2


def test_the_defaults_pass():
    assert read() == (1024, None, ())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"maxsize": None}, (None, None, ())),
        ({"maxsize": 0}, (0, None, ())),
        ({"maxsize": sys.maxsize}, (sys.maxsize, None, ())),
        ({"maxsize": Two()}, (2, None, ())),
        ({"ttl": "1h30m"}, (1024, 5400.0, ())),
        ({"ttl": timedelta(seconds=3)}, (1024, 3.0, ())),
        ({"ttl": max}, (1024, max, ())),
        ({"ignore": "x"}, (1024, None, ("x",))),
        ({"ignore": ["x", "y"]}, (1024, None, ("x", "y"))),
        ({"ignore": []}, (1024, None, ())),
        ({"ignore": iter("ab")}, (1024, None, ("a", "b"))),
        ({"typed": True, "method": True, "per_instance": True}, (1024, None, ())),
        ({"method": False, "name": "n", "copy": True, "unhashable": "bypass"}, (1024, None, ())),
        ({"copy": list, "clock": max, "key": max, "cache_if": max}, (1024, None, ())),
    ],
)
def test_good_values_are_read(options, expected):
    assert read(**options) == expected


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("maxsize", -1, "an int from 0"),
        ("maxsize", "big", "an int from 0"),
        ("maxsize", 1.0, "an int from 0"),
        ("maxsize", True, "an int from 0"),
        ("maxsize", int, "an int from 0"),
        ("ttl", 0, "seconds"),
        ("ttl", -5, "seconds"),
        ("ttl", "soon", "seconds"),
        ("ttl", False, "seconds"),
        ("policy", "lfu", "'lru'"),
        ("policy", None, "'lru'"),
        ("typed", 1, "True or False"),
        ("key", "x", "None or a function"),
        ("ignore", 5, "names of parameters"),
        ("ignore", (1,), "names of parameters"),
        ("ignore", "a b", "names of parameters"),
        ("unhashable", "digset", "'raise', 'bypass', 'digest' (did you mean 'digest'?)"),
        ("unhashable", [], "'raise', 'bypass', 'digest'"),
        ("cache_if", True, "None or a function"),
        ("method", 0, "True, False or None"),
        ("per_instance", None, "True or False"),
        ("name", "", "None or a text"),
        ("name", 5, "None or a text"),
        ("copy", None, "True (a deep copy), False"),
        ("clock", 5, "None or a function"),
    ],
)
def test_a_bad_value_is_refused_by_name(option, value, accepted):
    with pytest.raises(ConfigurationError) as caught:
        read(**{option: value})
    message = str(caught.value)
    assert message.startswith(f"{option}={value!r} is not accepted; accepted: ")
    assert accepted in message


@pytest.mark.parametrize(
    "options",
    [
        {"ignore": ("x",), "key": max},
        {"per_instance": True, "method": False},
    ],
)
def test_options_that_contradict_each_other_are_refused(options):
    with pytest.raises(ConfigurationError, match="beside"):
        read(**options)


@pytest.mark.parametrize(("value", "expected"), [(None, None), (0, 0), (7, 7), (Two(), 2)])
def test_a_bound_is_read(value, expected):
    assert read_maxsize(value) == expected


def test_an_unknown_option_is_guessed():
    error = unknown_option("maxsiez", 5, ("maxsize", "ttl"))
    assert str(error) == (
        "maxsiez=5: there is no option 'maxsiez' (did you mean 'maxsize'?); accepted: maxsize, ttl"
    )
    assert "did you mean" not in str(unknown_option("zzz", 5, ("maxsize", "ttl")))


@pytest.mark.parametrize("make", [not_a_function, not_a_coroutine_function, generator_refused])
def test_a_wrong_thing_to_decorate_is_named_with_the_decorator(make):
    error = make(5, "mcache")
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("mcache can't decorate 5")

"""The options of the memory decorators, as they are judged at decoration."""

import sys
from datetime import timedelta
from inspect import signature

import pytest

from twat_cache import mcache
from twat_cache._options import (
    _READERS,
    generator_refused,
    not_a_coroutine_function,
    not_a_function,
    read_max_weight,
    read_maxsize,
    read_options,
    unknown_option,
)
from twat_cache._path_options import OF_ENGINES, READERS
from twat_cache._recipe import Recipe
from twat_cache.errors import ConfigurationError


def read(**options):
    return read_options(options)


class Two:
    def __index__(self):
        return 2


def test_the_signature_shows_every_option_with_its_default():
    shown = {name: p.default for name, p in signature(mcache).parameters.items()}
    options = [*_READERS, *(name for name in READERS if name not in OF_ENGINES)]
    assert list(shown) == options
    assert shown == {name: getattr(Recipe, name) for name in options}


def test_the_defaults_pass():
    defaults = {name: p.default for name, p in signature(mcache).parameters.items()}
    assert read_options(defaults) == defaults


def test_what_is_not_given_is_not_read():
    assert read() == {}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"maxsize": None}, {"maxsize": None}),
        ({"maxsize": 0}, {"maxsize": 0}),
        ({"maxsize": sys.maxsize}, {"maxsize": sys.maxsize}),
        ({"maxsize": Two()}, {"maxsize": 2}),
        ({"ttl": "1h30m"}, {"ttl": 5400.0}),
        ({"ttl": timedelta(seconds=3)}, {"ttl": 3.0}),
        ({"ttl": max}, {"ttl": max}),
        ({"tti": "10m"}, {"tti": 600.0}),
        ({"ttl": 5, "jitter": 1}, {"ttl": 5.0, "jitter": 1.0}),
        ({"jitter": 0}, {"jitter": 0.0}),
        ({"max_weight": 0, "weigher": len}, {"max_weight": 0, "weigher": len}),
        ({"max_weight": Two(), "weigher": len}, {"max_weight": 2, "weigher": len}),
        ({"max_bytes": "64MB"}, {"max_bytes": 64_000_000}),
        ({"max_bytes": 1000, "maxsize": 5}, {"max_bytes": 1000, "maxsize": 5}),
        ({"max_bytes": None, "max_weight": None}, {"max_bytes": None, "max_weight": None}),
        ({"on_removal": print}, {"on_removal": print}),
        ({"ignore": "x"}, {"ignore": ("x",)}),
        ({"ignore": ["x", "y"]}, {"ignore": ("x", "y")}),
        ({"ignore": []}, {"ignore": ()}),
        ({"ignore": iter("ab")}, {"ignore": ("a", "b")}),
        *[
            ({"policy": name}, {"policy": name})
            for name in ("lru", "fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu")
        ],
    ],
)
def test_good_values_are_read(options, expected):
    assert read(**options) == expected


@pytest.mark.parametrize(
    "options",
    [
        {"typed": True, "method": True, "per_instance": True},
        {"method": False, "name": "n", "copy": True, "unhashable": "bypass"},
        {"copy": list, "clock": max, "key": max, "cache_if": max},
    ],
)
def test_good_values_pass_as_they_are(options):
    assert read(**options) == options


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
        ("policy", "lfru", "'lru', 'fifo', 'random', 'lfu', 'sieve', 's3fifo', 'tinylfu'"),
        ("policy", "LRU", "(did you mean 'lru'?)"),
        ("policy", "tiny_lfu", "(did you mean 'tinylfu'?)"),
        ("policy", None, "'lru'"),
        ("policy", ["lru"], "'lru'"),
        ("tti", 0, "seconds"),
        ("tti", "soon", "seconds"),
        ("tti", max, "seconds"),
        ("jitter", -0.1, "a number from 0 to 1"),
        ("jitter", 1.1, "a number from 0 to 1"),
        ("jitter", True, "a number from 0 to 1"),
        ("jitter", "10%", "a number from 0 to 1"),
        ("jitter", float("nan"), "a number from 0 to 1"),
        ("max_weight", -1, "an int from 0 on"),
        ("max_weight", 1.5, "an int from 0 on"),
        ("max_weight", "1MB", "an int from 0 on"),
        ("weigher", 5, "(result, *args, **kwargs) -> int"),
        ("max_bytes", 0, "bytes as an int, or a text with a unit"),
        ("max_bytes", "64 parsecs", "bytes as an int, or a text with a unit"),
        ("max_bytes", 1.5, "bytes as an int"),
        ("on_removal", "print", "None or a function (key, value, cause)"),
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
        {"max_bytes": 100, "max_weight": 5, "weigher": len},
        {"max_weight": 5, "weigher": len, "max_bytes": 100},
    ],
)
def test_options_that_contradict_each_other_are_refused(options):
    with pytest.raises(ConfigurationError, match="beside"):
        read(**options)


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"weigher": len}, "max_weight="),
        ({"weigher": len, "max_bytes": 5}, "max_weight="),
        ({"max_weight": 5}, "weigher="),
        ({"jitter": 0.1}, "ttl="),
        ({"jitter": 0.1, "tti": 5}, "ttl="),
    ],
)
def test_an_option_that_needs_another_is_refused_without_it(options, missing):
    with pytest.raises(ConfigurationError, match=rf"^{next(iter(options))}=.* without {missing}"):
        read(**options)


@pytest.mark.parametrize(("value", "expected"), [(None, None), (0, 0), (7, 7), (Two(), 2)])
def test_a_bound_is_read(value, expected):
    assert read_maxsize(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (7, 7), (Two(), 2)])
def test_a_weight_is_read(value, expected):
    assert read_max_weight(value) == expected


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

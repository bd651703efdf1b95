"""The tree of errors, and that its leaves travel."""

import copy
import pickle

import pytest

from twat_cache import errors
from twat_cache.errors import (
    CacheKeyError,
    CacheOperationError,
    ConfigurationError,
    SerializationError,
    TwatCacheError,
    refused,
    shown,
)

EVERY_ERROR = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (TwatCacheError, (Exception,)),
        (ConfigurationError, (TwatCacheError, ValueError)),
        (errors.EngineError, (TwatCacheError,)),
        (errors.EngineNotAvailableError, (errors.EngineError, ImportError)),
        (errors.EngineTimeoutError, (errors.EngineError, TimeoutError)),
        (errors.EngineClosedError, (errors.EngineError,)),
        (errors.EngineConnectionError, (errors.EngineError, ConnectionError)),
        (errors.ResourceError, (TwatCacheError,)),
        (errors.ConcurrencyError, (errors.ResourceError,)),
        (errors.PathError, (errors.ResourceError,)),
        (CacheOperationError, (TwatCacheError,)),
        (CacheKeyError, (CacheOperationError, TypeError)),
        (SerializationError, (CacheOperationError,)),
    ],
)
def test_each_error_has_its_parents(error, parents):
    assert error.__bases__ == parents


@pytest.mark.parametrize("error", EVERY_ERROR)
def test_an_error_is_drawn_in_the_module_docstring(error):
    assert error.__name__ in errors.__doc__


@pytest.mark.parametrize("error", EVERY_ERROR)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(error, protocol):
    again = pickle.loads(pickle.dumps(error("what to do"), protocol))
    assert (type(again), again.args) == (error, ("what to do",))


@pytest.mark.parametrize("error", EVERY_ERROR)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_an_error_survives_copying(error, duplicate):
    again = duplicate(error("what to do"))
    assert (type(again), str(again)) == (error, "what to do")


def test_a_refusal_names_option_value_and_what_is_accepted():
    error = refused("maxsize", -1, "an int from 0 on")
    assert type(error) is ConfigurationError
    assert str(error) == "maxsize=-1 is not accepted; accepted: an int from 0 on"


def test_a_long_value_is_cut_at_80_characters():
    assert shown("x" * 78) == repr("x" * 78)
    assert shown("x" * 79) == "'" + "x" * 78 + "…"


def test_a_value_that_cannot_show_itself_is_named_by_its_type():
    class Shy:
        def __repr__(self):
            raise RuntimeError

    assert shown(Shy()).endswith("Shy>")

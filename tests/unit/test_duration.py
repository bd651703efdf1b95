"""Lengths of time."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twat_cache._duration import seconds, ttl_of_result
from twat_cache.errors import ConfigurationError

UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 0.000001}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (0.25, 0.25),
        (timedelta(minutes=10), 600.0),
        ("90", 90.0),
        ("1.5", 1.5),
        ("250ms", 0.25),
        ("5us", 5e-6),
        ("10m", 600.0),
        ("1.5h", 5400.0),
        ("1d", 86400.0),
        ("2w", 1209600.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        (" 1 h  30 m ", 5400.0),
        ("1w2d3h4m5s6ms7us", 788645.006007),
    ],
)
def test_a_length_is_read(value, expected):
    actual = seconds(value)
    assert type(actual) is float
    assert actual == pytest.approx(expected, rel=1e-12)


NEVER = [
    True,
    False,
    float("nan"),
    float("inf"),
    -float("inf"),
    10**400,
    None,
    [],
    b"1h",
    timedelta,
    Decimal(1),
    1j,
    "",
    " ",
    "soon",
    "h",
    "1x",
    "1H",
    "1h1h",
    "30m1h",
    "1h30",
    "1.2.3",
    ".",
    ".h",
    "-5",
    "+5",
    "1e3",
    "1_000",
    "nan",
    "inf",
    "٣",
    "9" * 400,
    "9" * 400 + "h",
    "1h,30m",
]


@pytest.mark.parametrize("value", NEVER, ids=lambda value: repr(value)[:20])
def test_what_is_no_length_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"^ttl=.*is not accepted; accepted: seconds"):
        seconds(value)


@pytest.mark.parametrize("value", [0, 0.0, -0.0, -5, -0.1, timedelta(0), timedelta(-1), "0", "0s"])
def test_an_option_must_be_above_zero(value):
    with pytest.raises(ConfigurationError, match="above zero"):
        seconds(value)
    assert ttl_of_result(value) <= 0


@pytest.mark.parametrize("value", [value for value in NEVER if value is not None], ids=repr)
def test_a_ttl_function_may_not_answer_nonsense_either(value):
    with pytest.raises(ConfigurationError, match="None"):
        ttl_of_result(value)


def test_none_from_a_ttl_function_is_for_ever():
    assert ttl_of_result(None) is None


def test_the_error_names_the_option_and_cuts_the_value():
    with pytest.raises(ConfigurationError) as caught:
        seconds("x" * 500, option="stale")
    assert str(caught.value).startswith("stale='xxx")
    assert len(str(caught.value).partition(" is not accepted")[0]) == len("stale=") + 80


@given(st.dictionaries(st.sampled_from(list(UNITS)), st.integers(1, 9999), min_size=1))
def test_a_text_is_the_sum_of_its_parts(parts):
    text = " ".join(f"{parts[unit]}{unit}" for unit in UNITS if unit in parts)
    expected = sum(number * UNITS[unit] for unit, number in parts.items())
    assert seconds(text) == pytest.approx(expected)
    assert seconds(text.replace(" ", "")) == seconds(text)


@given(st.text())
def test_any_text_is_a_length_or_refused(text):
    try:
        assert 0 < seconds(text) < float("inf")
    except ConfigurationError:
        pass


@given(st.integers(1, 10**15) | st.floats(min_value=1e-300, max_value=1e300))
def test_a_number_is_itself(number):
    assert seconds(number) == number

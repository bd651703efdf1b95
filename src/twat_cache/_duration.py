"""Lengths of time, from numbers, `timedelta` and texts like `"1h30m"`."""

from __future__ import annotations

from .errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .types import Duration

__all__ = ["seconds", "ttl_of_result"]

_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_DIGITS = "0123456789."
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ACCEPTED = (
    "seconds as an int or a float, a timedelta, or a text of units from large to small "
    '(w d h m s ms us) like "90", "250ms", "10m", "1h30m"'
)


def seconds(value: Duration, *, option: str = "ttl") -> float:
    """The length in seconds, finite and above zero.

    Args:
        value: A number of seconds, a `timedelta`, or a text such as `"1h 30m"` or `"90"`.
        option: The option that the error shall name.

    Raises:
        ConfigurationError: The value is no length of time, or not above zero.
    """
    length = _read(value)
    if length is None or length <= 0.0:
        raise refused(option, value, f"{_ACCEPTED}, above zero")
    return length


def ttl_of_result(value: Duration | None, *, option: str = "ttl") -> float | None:
    """What a ttl function's answer means: seconds; None, for ever; zero or less, don't store.

    Raises:
        ConfigurationError: The answer is neither None nor a length of time.
    """
    if value is None:
        return None
    length = _read(value)
    if length is None:
        raise refused(option, value, f"None (for ever), or {_ACCEPTED}; 0 means don't store")
    return length


def _read(value: object) -> float | None:
    """The seconds of a finite length, of either sign; None for anything else."""
    if isinstance(value, str):
        return _read_text(value)
    if not isinstance(value, (int, float)):
        measure = getattr(type(value), "total_seconds", None)  # a timedelta, or its like
        if measure is None:
            return None
        value = measure(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        length = float(value)
    except OverflowError:
        return None
    return length if length - length == 0.0 else None  # inf - inf and nan are not 0


def _read_text(text: str) -> float | None:
    rest = text.strip()
    if not rest:
        return None
    if not rest.strip(_DIGITS):
        return _read_number(rest)
    total = 0.0
    larger = 2 * _UNITS["w"]
    while rest:  # each round takes one number with its unit
        after_number = rest.lstrip(_DIGITS)
        number = _read_number(rest[: len(rest) - len(after_number)])
        after_number = after_number.lstrip()
        after_unit = after_number.lstrip(_LETTERS)
        scale = _UNITS.get(after_number[: len(after_number) - len(after_unit)])
        if number is None or scale is None or scale >= larger:
            return None
        total += number * scale
        larger = scale
        rest = after_unit.lstrip()
    return total if total - total == 0.0 else None


def _read_number(digits: str) -> float | None:
    try:
        number = float(digits)
    except ValueError:  # no digit, or two points
        return None
    return number if number - number == 0.0 else None

"""Amounts of memory, from numbers and texts like `"64MB"`."""

from __future__ import annotations

from .errors import refused

__all__ = ["SIZES", "read_size"]

_UNITS = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_BY_LETTERS = {unit.lower(): factor for unit, factor in _UNITS.items()}
SIZES = 'bytes as an int, or a text with a unit (B, kB, MB, GB, TB; KiB, MiB, GiB, TiB) like "64MB"'


def read_size(value: object, *, option: str, accepted: str = SIZES) -> int:
    """The bytes, 1 or more; a fraction of one is left out.

    Args:
        value: A number of bytes, or a text such as `"64MB"`, `"1.5 GiB"` or `"4096"`. The units
            are decimal (1 kB is 1000 bytes) and binary (1 KiB is 1024); capitals don't matter.
        option: The option that the error shall name.
        accepted: What the error shall say is accepted.

    Raises:
        ConfigurationError: The value is no amount of memory, or less than a byte.
    """
    size = _read_text(value) if isinstance(value, str) else value
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise refused(option, value, f"{accepted}, above zero")
    return size


def _read_text(text: str) -> int | None:
    """The bytes that a text says; None if it doesn't."""
    rest = text.strip()
    digits = rest[: len(rest) - len(rest.lstrip("0123456789."))]
    factor = _BY_LETTERS.get(rest[len(digits) :].strip().lower() or "b")
    whole, _, fraction = digits.partition(".")
    if factor is None or not (whole or fraction) or "." in fraction or len(digits) > 30:
        return None
    scale: int = 10 ** len(fraction)
    return int(whole + fraction) * factor // scale

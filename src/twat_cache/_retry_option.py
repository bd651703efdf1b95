"""The option `retry`: how often a function that raises is called again, and on which terms."""

from __future__ import annotations

from ._duration import seconds
from .errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["read_retry"]

_TIMES = ("timeout", "wait_initial", "wait_max", "wait_jitter")
_ACCEPTED = (
    "None, a number of attempts from 1 on, or a dict of stamina's terms: on, an exception class, "
    "several, or a function that tells of an exception whether to go on; attempts; timeout, "
    "wait_initial, wait_max and wait_jitter, lengths of time; wait_exp_base, a number"
)


def read_retry(option: str, value: Any) -> dict[str, Any] | None:
    """The terms as `stamina.retry_context` takes them; None for a single attempt.

    Args:
        option: The option's name, for errors.
        value: None; how many attempts to make in all; or a mapping of stamina's terms.

    Raises:
        ConfigurationError: It is none of these, or stamina isn't installed.
    """
    if value is None:
        return None
    terms = {"attempts": value} if isinstance(value, int) else value
    try:
        read = {name: _term(name, term) for name, term in terms.items()}
    except (AttributeError, TypeError, ValueError, ConfigurationError):
        raise refused(option, value, _ACCEPTED) from None
    if read.get("attempts") == 1:
        return None
    from importlib.util import find_spec

    if find_spec("stamina") is None:
        raise ConfigurationError(
            f"{option}= needs stamina, which isn't installed: pip install 'twat-cache[retry]'"
        )
    return read


def _term(name: str, value: Any) -> Any:
    """One term; raises any of the errors above for what isn't one."""
    if name in _TIMES:
        return None if value is None and name == "timeout" else _time(name, value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "attempts":
        good = value is None or (is_number and isinstance(value, int) and value >= 1)
    elif name == "wait_exp_base":
        good = is_number and value >= 1
    elif name == "on":
        if not isinstance(value, type) and not callable(value):
            value = tuple(value)
        kinds = value if isinstance(value, tuple) else (value,)
        good = bool(kinds) and all(_is_exception(kind) for kind in kinds)
        good = good or (callable(value) and not isinstance(value, type))
    else:
        good = False
    if not good:
        raise ValueError(name)
    return value


def _time(name: str, value: Any) -> float:
    is_zero = not isinstance(value, bool) and value in (0, 0.0)
    return 0.0 if is_zero and name != "timeout" else seconds(value, option=name)


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)

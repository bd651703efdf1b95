"""The option `coherence`: how a near table learns of what others change in the engine behind it."""

from __future__ import annotations

from typing import NamedTuple

from ._duration import seconds
from .errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CoherenceTerms", "read_coherence"]

_WAYS = ("tracking", "pubsub")
_BOUND = 2.0  # seconds
_ACCEPTED = (
    "'ttl', 'tracking', 'pubsub', or a dict such as {'by': 'tracking', 'bound': 2}, where bound is "
    "a length of time of 20 ms or more"
)


class CoherenceTerms(NamedTuple):
    """How the table learns of changes, and for how many seconds it may be unaware of one."""

    by: str
    bound: float


def read_coherence(option: str, value: Any) -> CoherenceTerms | None:
    """The terms; None if entries just live for their time.

    Args:
        option: The option's name, for errors.
        value: A way, or a mapping of terms.

    Raises:
        ConfigurationError: It is neither.
    """
    try:
        terms: dict[str, Any] = (
            {"by": value} if value is None or isinstance(value, str) else dict(value)
        )
        way = terms.pop("by", None)
        bound = seconds(terms.pop("bound", _BOUND), option=option)
    except (TypeError, ValueError, ConfigurationError):
        raise refused(option, value, _ACCEPTED) from None
    if terms or way not in (None, "ttl", *_WAYS) or not 0.02 <= bound <= 1e6:
        raise refused(option, value, _ACCEPTED)
    return CoherenceTerms(way, bound) if way in _WAYS else None

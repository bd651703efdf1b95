"""What stands before engines that are reached over a network: batches, and a circuit breaker.

    store ─► coalescing ─► resilient ─► engine
              one trip       try again; if it's in vain, open the circuit: then nobody is asked
                             but by a probe in the background, which closes it and sends what is due

`guarded` puts both before an engine; `open_engine` does so for each that says it is `remote`.
"""

from __future__ import annotations

from typing import Any

from ..engines.address import parted
from ..errors import refused
from .circuit import Circuit
from .coalescing import CoalescingEngine
from .resilient import AsyncResilientEngine, ResilientEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["guarded", "terms_of"]

_TERMS = {"attempts": int, "failures": int, "window": float, "probe": float, "queue": int}


def guarded(engine: Any, terms: Mapping[str, Any]) -> Any:
    """The engine with all this before it.

    Args:
        engine: Of either colour.
        terms: See `Circuit`.
    """
    circuit = Circuit(engine, **terms)
    if engine.capabilities.async_:
        from .async_coalescing import AsyncCoalescingEngine

        return AsyncCoalescingEngine(AsyncResilientEngine(engine, circuit))
    return CoalescingEngine(ResilientEngine(engine, circuit))


def terms_of(url: str, options: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The URL and the options without what is said for a `Circuit` in them, and that.

    Raises:
        ConfigurationError: A term isn't a number, or not in its range.
    """
    terms: dict[str, Any]
    url, terms = parted(url, _TERMS)
    terms.update({name: value for name, value in options.items() if name in _TERMS})
    others = {name: value for name, value in options.items() if name not in _TERMS}
    return url, others, {name: _number(name, value) for name, value in terms.items()}


def _number(name: str, value: Any) -> Any:
    kind = _TERMS[name]
    try:
        number = kind(value)
    except (TypeError, ValueError):
        number = kind(0)
    if isinstance(value, bool) or not 0 < number < 1e9:
        raise refused(name, value, f"{'an int' if kind is int else 'seconds'}, above 0")
    return number

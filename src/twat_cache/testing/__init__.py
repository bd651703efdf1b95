"""For tests of what is built on twat-cache: a clock, a proxy that fails when told to, and suites.

The clock is to be held in the hand, the suites are to be inherited. The suites need pytest, the
others don't. In `twat_cache.testing.fixtures` there are a fixture that empties every cache between
tests, and one that makes proxies.
"""

from __future__ import annotations

from .clock import FakeClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .async_engine_suite import AsyncEngineSuite
    from .chaos import ChaosProxy
    from .codec_suite import CodecSuite
    from .engine_suite import EngineSuite

__all__ = ["AsyncEngineSuite", "ChaosProxy", "CodecSuite", "EngineSuite", "FakeClock"]

_SUITES = {
    "AsyncEngineSuite": "async_engine_suite",
    "CodecSuite": "codec_suite",
    "EngineSuite": "engine_suite",
}


def __getattr__(name: str) -> object:
    """Loads what is asked for; a suite so that its assertions tell as much as a test's own."""
    if name == "ChaosProxy":
        from .chaos import ChaosProxy

        return ChaosProxy
    if name not in _SUITES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    import pytest

    pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _SUITES.values()))
    return getattr(import_module(f"{__name__}.{_SUITES[name]}"), name)

"""For tests of what is built on twat-cache: a clock to hold in the hand, and suites to inherit.

The suites need pytest, the clock doesn't. In `twat_cache.testing.fixtures` there is a fixture that
empties every cache between tests.
"""

from __future__ import annotations

from .clock import FakeClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .async_engine_suite import AsyncEngineSuite
    from .codec_suite import CodecSuite
    from .engine_suite import EngineSuite

__all__ = ["AsyncEngineSuite", "CodecSuite", "EngineSuite", "FakeClock"]

_SUITES = {
    "AsyncEngineSuite": "async_engine_suite",
    "CodecSuite": "codec_suite",
    "EngineSuite": "engine_suite",
}


def __getattr__(name: str) -> object:
    """Loads a suite, so that its assertions tell as much as those of a test's own module."""
    if name not in _SUITES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    import pytest

    pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _SUITES.values()))
    return getattr(import_module(f"{__name__}.{_SUITES[name]}"), name)

"""Fixtures: one empties every cache before and after each test, one makes proxies that fail.

    from twat_cache.testing.fixtures import chaos_proxy, clear_caches  # noqa: F401

In a `conftest.py` they are there for all tests in that folder and below, in a module for those of
the module. This is no plugin that loads itself: nothing changes for tests that don't ask for it.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from .. import EngineError, clear_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .chaos import ChaosProxy

__all__ = ["chaos_proxy", "clear_caches"]


@pytest.fixture
def chaos_proxy() -> Iterator[Callable[[str, int], ChaosProxy]]:
    """Makes a `ChaosProxy` before each host and port that it is called with; ends them all."""
    from .chaos import ChaosProxy

    with ExitStack() as proxies:
        yield lambda host, port: proxies.enter_context(ChaosProxy(host, port))


@pytest.fixture(autouse=True)
def clear_caches() -> Iterator[None]:
    """Empties every cache, so that no test gets what another one computed.

    Of an engine that can't serve no test gets anything, so that is no error.
    """
    _clear()
    yield
    _clear()


def _clear() -> None:
    with suppress(EngineError):
        clear_cache()

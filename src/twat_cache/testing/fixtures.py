"""A fixture that empties every cache before and after each test: import it where it shall hold.

    from twat_cache.testing.fixtures import clear_caches  # noqa: F401

In a `conftest.py` it holds for all tests in that folder and below, in a module for those of the
module. It is no plugin that loads itself: nothing changes for tests that don't ask for it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from .. import EngineError, clear_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clear_caches"]


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

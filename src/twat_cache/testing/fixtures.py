"""A fixture that empties every cache before and after each test: import it where it shall hold.

    from twat_cache.testing.fixtures import clear_caches  # noqa: F401

In a `conftest.py` it holds for all tests in that folder and below, in a module for those of the
module. It is no plugin that loads itself: nothing changes for tests that don't ask for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .. import clear_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clear_caches"]


@pytest.fixture(autouse=True)
def clear_caches() -> Iterator[None]:
    """Empties every cache, so that no test gets what another one computed."""
    clear_cache()
    yield
    clear_cache()

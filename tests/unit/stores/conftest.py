"""Stores of both colours, in every place."""

from __future__ import annotations

import pytest

from tests.fixtures.stores import PLACES, Stores


@pytest.fixture(params=["Cache", "AsyncCache"])
def colour(request):
    return request.param


@pytest.fixture(params=PLACES)
def place(request):
    return request.param


@pytest.fixture
def stores(tc, colour, place, clock, tmp_path):
    """Opens stores; see `fixtures.stores`."""
    if place == "async" and colour == "Cache":
        pytest.skip("its engine has to be awaited")
    made = Stores(tc, colour, place, clock, tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(stores):
    """One store, without options."""
    return stores()

"""Fixtures of all tests: the package on each core, on both at once, a clock that stands still."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.fixtures import worlds
from tests.fixtures.clock import FakeClock

if TYPE_CHECKING:
    from types import ModuleType

PERFORMANCE = Path(__file__).parent / "performance"


class Both(NamedTuple):
    """The package twice: what a test compares side by side."""

    compiled: ModuleType
    pure: ModuleType


def package(core: str) -> ModuleType:
    try:
        return worlds.world(core)
    except worlds.CoreMissing as missing:
        if worlds.COMPILED_IS_A_MUST or core == "pure":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


# Fixtures that a test changes, or that change the interpreter.
SHARED = frozenset(
    {
        "caplog", "capsys", "clock", "events", "frantic", "gone", "monkeypatch", "run", "told",
        "tmp_path",
    }
)  # fmt: skip


@pytest.fixture(params=worlds.CORES)
def core(request: pytest.FixtureRequest) -> str:
    """The name of the core under test; a test that asks for it runs once on each."""
    package(request.param)
    return request.param


@pytest.fixture
def tc(core: str) -> ModuleType:
    """The package `twat_cache` on the core under test."""
    return package(core)


@pytest.fixture
def both() -> Both:
    """The package on both cores, for a side-by-side test."""
    if worlds.CORES == ["pure"]:
        pytest.skip(f"{worlds.FORBIDDEN} leaves nothing to compare the pure core with")
    return Both(package("compiled"), package("pure"))


@pytest.fixture
def clock() -> FakeClock:
    """A clock that only `advance` moves, for `clock=`."""
    return FakeClock()


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """pytest-run-parallel runs a test in several threads, which get the same fixtures."""
    if SHARED.intersection(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.thread_unsafe(reason="a clock or a list of its own"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if PERFORMANCE in item.path.parents:
            item.add_marker(pytest.mark.alone)


def pytest_report_header() -> str:
    import twat_cache

    info = twat_cache.core_info()
    text = f"twat_cache: {info.name} core ({info.reason}), tested: {', '.join(worlds.CORES)}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        text += f"; GIL {'on' if sys._is_gil_enabled() else 'off'}"
    return text

"""The fixture that empties every cache, in a run of pytest that imports it."""

import os
import subprocess
import sys

import pytest

PRICES = """
from twat_cache import mcache

calls = []

@mcache
def price(item):
    calls.append(item)
    return len(calls)
"""

TESTS = """
import prices

def test_one():
    assert prices.price("tea") == 1
    assert prices.price("tea") == 1

def test_two():
    assert prices.price("tea") == 2
    assert prices.price.cache_info().misses == 1
"""

IMPORT = "from twat_cache.testing.fixtures import clear_caches\n"


@pytest.fixture
def outcome(tmp_path):
    """Runs the tests, and gives what came of them."""

    def run(conftest, module):
        (tmp_path / "prices.py").write_text(PRICES)
        (tmp_path / "conftest.py").write_text(conftest)
        (tmp_path / "test_prices.py").write_text(module + TESTS)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider",
             "-p", "no:xdist", "-c", os.devnull, f"--rootdir={tmp_path}", str(tmp_path)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout

    return run


def test_imported_by_a_conftest_it_holds_for_every_test(outcome):
    assert "2 passed" in outcome(IMPORT, "")


def test_imported_by_a_module_it_holds_for_its_tests(outcome):
    assert "2 passed" in outcome("", IMPORT)


def test_without_it_tests_share_what_was_computed(outcome):
    assert "1 failed, 1 passed" in outcome("", "")


def test_what_the_last_test_left_is_gone_too(outcome):
    left = """
import prices

def pytest_terminal_summary():
    print(len(prices.price.items()), "left")
"""
    assert "0 left" in outcome(IMPORT + left, "")
    assert "1 left" in outcome(left, "")

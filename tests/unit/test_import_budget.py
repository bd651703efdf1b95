"""What a bare `import twat_cache` loads: a short, known list, and nothing heavy.

Counted over a fresh interpreter that has imported functools, without site-packages' start-up files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import twat_cache
from tests.fixtures import worlds

HEAVY = {
    "asyncio", "dataclasses", "datetime", "enum", "inspect", "logging", "pickle", "re", "sqlite3",
    "typing",
}  # fmt: skip

KNOWN_HOUSE = {
    "_bound", "_core", "_core_c", "_core_py", "_core_py.gate", "_core_py.policies",
    "_core_py.store", "_core_py.table", "_duration", "_keys", "_keys.plan", "_kinds",
    "_options", "_overrides", "_recipe", "_size", "_unhashable", "cached", "controls",
    "decorators", "errors", "stats", "wrapper",
}  # fmt: skip

KNOWN_FOREIGN = {"__future__", "_contextvars", "_weakref"}
"""Of the standard library; all built into the interpreter."""

MOST = 25

LIST = """
import os, functools, json, sys
before = set(sys.modules)
sys.path.insert(0, {path!r})
import twat_cache
after_import = set(sys.modules)
twat_cache.mcache(lambda x: x)
twat_cache.lru_cache(lambda x: x)
print(json.dumps([sorted(after_import - before), sorted(set(sys.modules) - before)]))
"""


@pytest.fixture(scope="module", params=worlds.CORES)
def loaded(request):
    """What the import loads, and what the import and the first decorations load."""
    if request.param == "compiled" and twat_cache.core_info().name != "compiled":
        if worlds.COMPILED_IS_A_MUST:
            pytest.fail(twat_cache.core_info().reason)
        pytest.skip(twat_cache.core_info().reason)
    path = str(Path(twat_cache.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-c", LIST.format(path=path)],
        env=worlds.environment(request.param),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [set(names) for names in json.loads(done.stdout)]


def foreign(names: set[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0] != "twat_cache"}


def test_the_import_loads_known_modules_only(loaded):
    names, _ = loaded
    house = {n.partition(".")[2] for n in names - foreign(names)} - {""}
    assert house <= KNOWN_HOUSE
    # Cython's run-time types of its own live under names like _cython_3_1_0
    assert {n for n in foreign(names) if not n.startswith(("_cython_", "cython_"))} <= KNOWN_FOREIGN


def test_the_import_stays_within_its_budget(loaded):
    names, _ = loaded
    assert len(names) <= MOST


def test_neither_the_import_nor_a_first_decoration_loads_anything_heavy(loaded):
    for names in loaded:
        assert not HEAVY & {name.partition(".")[0] for name in foreign(names)}


def test_only_the_chosen_core_is_loaded(loaded):
    names, _ = loaded
    assert len(names & {"twat_cache._core_c", "twat_cache._core_py"}) == 1

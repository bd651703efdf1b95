"""Which core is chosen, and what it says: each case in a process of its own.

The cases that need a broken or foreign core use a copy of the package with a stand-in for it, so
they hold on every machine, with or without a compiler.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.fixtures import worlds

SAY = """
import json, twat_cache as t
from twat_cache import _core
print(json.dumps([*t.core_info(), _core.Gate.__module__]))
"""


def run(code: str, path: Path | None = None, **switches: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TWAT_CACHE_")}
    environment.pop("PYTHON_GIL", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment | switches,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def chosen(path: Path | None = None, **switches: str) -> list[str]:
    done = run(SAY, path, **switches)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(path: Path | None = None, **switches: str) -> str:
    done = run(SAY, path, **switches)
    assert done.returncode == 1, done.stdout
    return done.stderr.splitlines()[-1]


@pytest.fixture
def copy(tmp_path):
    """A copy of the package without its binary; its `_core_c` is whatever the test writes."""
    __import__("twat_cache")
    source = Path(sys.modules["twat_cache"].__file__).parent
    leave = shutil.ignore_patterns("_core_c*", "__pycache__")
    shutil.copytree(source, tmp_path / "twat_cache", ignore=leave)
    return tmp_path


def stand_in(copy: Path, code: str) -> None:
    (copy / "twat_cache" / "_core_c.py").write_text(code)


def test_the_compiled_core_runs_where_it_was_built(request):
    if worlds.CORES == ["pure"]:
        pytest.skip(f"{worlds.FORBIDDEN} is set")
    request.getfixturevalue("both")
    name, reason, _, gate = chosen()
    assert (name, gate) == ("compiled", "twat_cache._core_c")
    assert reason


def test_no_extensions_forces_the_pure_core():
    name, reason, _, gate = chosen(TWAT_CACHE_NO_EXTENSIONS="1")
    assert (name, gate) == ("pure", "twat_cache._core_py.gate")
    assert "TWAT_CACHE_NO_EXTENSIONS" in reason


@pytest.mark.parametrize("off", ["", "0"])
def test_a_switch_that_is_empty_or_0_is_off(off):
    assert chosen(TWAT_CACHE_NO_EXTENSIONS=off) == chosen()
    assert chosen(TWAT_CACHE_NO_EXTENSIONS="1", TWAT_CACHE_REQUIRE_EXTENSIONS=off)[0] == "pure"


def test_both_switches_contradict_each_other():
    message = refusal(TWAT_CACHE_NO_EXTENSIONS="1", TWAT_CACHE_REQUIRE_EXTENSIONS="1")
    assert "ConfigurationError" in message
    assert "TWAT_CACHE_NO_EXTENSIONS" in message
    assert "TWAT_CACHE_REQUIRE_EXTENSIONS" in message


def test_all_cores_carry_the_number_that_the_library_expects(both):
    from twat_cache import _core, _core_c, _core_py

    assert _core.ABI == _core_py.ABI == _core_c.ABI == both.pure.core_info().abi


def test_where_none_was_built_the_pure_core_runs_and_says_so(copy):
    name, reason, _, _ = chosen(copy)
    assert name == "pure"
    assert "holds no compiled core" in reason


def test_where_none_was_built_a_requirement_is_refused_with_what_to_do(copy):
    message = refusal(copy, TWAT_CACHE_REQUIRE_EXTENSIONS="1")
    assert message.startswith("ImportError: TWAT_CACHE_REQUIRE_EXTENSIONS is set, but")
    assert "pip install" in message
    assert "unset TWAT_CACHE_REQUIRE_EXTENSIONS" in message


def test_a_core_of_this_release_is_taken(copy):
    stand_in(copy, "from ._core_py import ABI, MARK, POLICIES, Gate, Table, detour, gates")
    assert chosen(copy)[0] == "compiled"


@pytest.mark.parametrize("abi", ["ABI = 0", "ABI = 1_000", "ABI = None", ""])
def test_a_stale_core_is_not_used(copy, abi):
    stand_in(copy, f"from ._core_py import MARK, POLICIES, Gate, Table, detour, gates\n{abi}")
    name, reason, _, _ = chosen(copy)
    assert name == "pure"
    assert "stale" in reason


def test_a_stale_core_is_refused_where_one_is_required(copy):
    stand_in(copy, "ABI = 0")
    assert "stale" in refusal(copy, TWAT_CACHE_REQUIRE_EXTENSIONS="1")


def test_a_core_that_will_not_load_falls_back_with_its_own_words(copy):
    stand_in(copy, "raise ImportError('undefined symbol: PyNothing')")
    name, reason, _, _ = chosen(copy)
    assert name == "pure"
    assert "undefined symbol: PyNothing" in reason


def test_a_core_that_misses_a_module_of_its_own_is_not_taken_for_an_absent_one(copy):
    stand_in(copy, "import no_such_module_anywhere")
    assert chosen(copy)[1].endswith(
        "can't be loaded here: No module named 'no_such_module_anywhere'"
    )


def test_a_file_that_is_no_binary_falls_back(copy):
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    (copy / "twat_cache" / f"_core_c{suffix}").write_bytes(b"not a shared library")
    name, reason, _, _ = chosen(copy)
    assert name == "pure"
    assert "can't be loaded" in reason


def test_a_foreign_interpreter_runs_the_pure_core(copy):
    stand_in(copy, "raise SystemExit('not even tried')")
    pretend = "import sys; sys.implementation.name = 'pypy'\n"
    done = run(pretend + SAY, copy)
    assert done.returncode == 0, done.stderr
    name, reason, _, _ = json.loads(done.stdout)
    assert name == "pure"
    assert "pypy" in reason


SUBINTERPRETER = """
try:
    import _interpreters as subs
except ImportError:
    import _xxsubinterpreters as subs
import twat_cache
code = '''
import twat_cache
@twat_cache.mcache
def f(x): return x + 1
assert [f(1), f(1)] == [2, 2] and f.stats().hits == 1
print(twat_cache.core_info().name, flush=True)
'''
sub = subs.create()
failed = subs.run_string(sub, code)
assert not failed, failed
subs.destroy(sub)
"""


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="CPython's own subinterpreters")
def test_a_subinterpreter_runs_the_pure_core():
    done = run(SUBINTERPRETER)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["pure"]


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="only free-threaded builds can lose it"
)
def test_the_import_leaves_the_gil_off():
    done = run("import sys, twat_cache; print(sys._is_gil_enabled())")
    assert done.stdout.split() == ["False"], done.stderr


def test_the_choice_is_made_once(tc):
    assert tc.core_info() is tc.core_info()
    assert tc.core_info()._fields == ("name", "reason", "abi")

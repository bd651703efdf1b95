"""Names in keys: what is defined in a program's own file has a name that no other program has."""

from __future__ import annotations

import subprocess
import sys
from types import FunctionType, ModuleType, SimpleNamespace

import pytest

from twat_cache._keys.canonical import encode
from twat_cache._keys.naming import home, reference

PROGRAM = """
import dataclasses, multiprocessing, sys
from twat_cache._keys.canonical import digest
from twat_cache._keys.cold import ColdKeys

@dataclasses.dataclass
class Point:
    x: int

def function(x): ...

def key():
    return digest((Point, Point(1), function)).hex() + ColdKeys(function)((Point(1),), {})

if __name__ == "__main__":
    print(key())
    if not __file__.endswith("__main__.py"):  # whose functions multiprocessing can't find
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(key))
"""


def run(*args, folder):
    command = [sys.executable, *map(str, args)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder, timeout=60
    )
    (key,) = set(done.stdout.split())  # a process that multiprocessing starts has the same
    return key


def test_a_program_and_its_processes_share_keys_and_two_programs_do_not(tmp_path):
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "__main__.py").write_text(PROGRAM)
        (folder / "module.py").write_text(PROGRAM)
    files = [run(tmp_path / name / "module.py", folder=tmp_path) for name in ("one", "other")]
    folders = [run(tmp_path / name, folder=tmp_path) for name in ("one", "other")]
    modules = [run("-m", f"{name}.module", folder=tmp_path) for name in ("one", "other")]
    packages = [run("-m", name, folder=tmp_path) for name in ("one", "other")]
    everything = [*files, *folders, *modules, *packages]
    assert len(set(everything)) == len(everything)


@pytest.fixture
def main(monkeypatch):
    """Puts a `__main__` in place that has these attributes."""

    def put(**attributes):
        module = ModuleType("__main__")
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, "__main__", module)
        return module

    return put


def test_a_module_is_called_the_same_whether_it_is_run_or_imported(main):
    main(__spec__=SimpleNamespace(name="package.module"), __file__="/a/module.py")
    assert home("__main__") == home("package.module") == "package.module"


def test_a_folder_that_is_run_is_told_by_its_path(main):
    main(__spec__=SimpleNamespace(name="__main__"), __file__="/a/__main__.py")
    assert home("__main__").endswith("__main__.py")


def test_a_function_typed_in_by_hand_is_told_by_its_code(main):
    def typed_in(source):
        exec(source, (module := main()).__dict__)
        return module.f

    one = typed_in("def f(x): return x + 1")
    assert home("__main__") is None
    assert reference(one) == "__main__:f"
    first = encode([one])
    assert encode([typed_in("def f(x): return x + 2")]) != first
    assert encode([typed_in("def f(x): return x + 1")]) == first
    assert isinstance(one, FunctionType)

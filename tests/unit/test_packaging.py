"""What is built holds what it should, and installs with and without a compiler.

Everything is built from a copy of the checkout, without network: the tools that build are those of
the environment that runs the tests.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from tests.fixtures import worlds

ROOT = Path(__file__).parents[2]
PARTS = (
    "src", "ext", "tests", "benchmarks", "src_docs", "setup.py", "pyproject.toml", "MANIFEST.in",
    "README.md", "LICENSE", "CHANGELOG.md", "Makefile", "mkdocs.yml", "asv.conf.json",
)  # fmt: skip
LEFT = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.egg-info", "*.c", ".*_cache")
LINE = "twat-cache: no compiled core ("

pytestmark = [
    pytest.mark.slow,
    pytest.mark.checkout,
    pytest.mark.xdist_group("packaging"),
    pytest.mark.skipif(sys.platform == "win32", reason="the compiler is taken away by CC"),
    pytest.mark.skipif(
        importlib.util.find_spec("Cython") is None, reason="needs the dependency group build"
    ),
]


def has_compiler() -> bool:
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include"), "Python.h")
    return shutil.which(compiler) is not None and header.exists()


def build(kind: str, source: Path, into: Path, **switches: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TWAT_CACHE_")}
    return subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", into, source],
        env=environment | switches,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def wheel(source: Path, into: Path, **switches: str) -> tuple[Path, str]:
    done = build("wheel", source, into, **switches)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = into.glob("*.whl")
    return made, done.stdout + done.stderr


def names(made: Path) -> set[str]:
    with zipfile.ZipFile(made) as file:
        return {name for name in file.namelist() if not name.endswith("/")}


def info(made: Path, name: str) -> str:
    with zipfile.ZipFile(made) as file:
        (path,) = [n for n in file.namelist() if n.endswith(f".dist-info/{name}")]
        return file.read(path).decode()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    copy = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=LEFT)
        elif source.exists():
            shutil.copy(source, copy / part)
    (copy / "ext" / "_core_c.c").write_text("/* left by hand: must not be packed */")
    into = tmp_path_factory.mktemp("sdist")
    done = build("sdist", copy, into)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = into.glob("*.tar.gz")
    return made


@pytest.fixture
def unpacked(sdist, tmp_path):
    with tarfile.open(sdist) as file:
        if sys.version_info >= (3, 12):
            file.extractall(tmp_path, filter="data")
        else:
            file.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    return folder


def test_the_sdist_builds_anywhere(sdist):
    with tarfile.open(sdist) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
    assert {
        "ext/_core_c.pyx", "ext/gate.h", "setup.py", "pyproject.toml", "LICENSE", "README.md",
        "tests/conftest.py", "tests/fixtures/worlds.py", "src/twat_cache/py.typed",
    } <= held  # fmt: skip
    sources = {f"ext/{p.name}" for p in (ROOT / "ext").iterdir() if p.suffix in (".pxd", ".h")}
    assert sources <= held
    assert not {n for n in held if n.endswith((".c", ".so", ".pyc", ".pyd"))}


@pytest.mark.skipif(not has_compiler(), reason="needs a C compiler and Python's headers")
def test_the_compiled_wheel_holds_the_core_and_nothing_to_build_it(unpacked, tmp_path):
    made, _ = wheel(unpacked, tmp_path / "out", TWAT_CACHE_REQUIRE_EXTENSIONS="1")
    held = names(made)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert f"twat_cache/_core_c{suffix}" in held
    assert "twat_cache/_core_py/__init__.py" in held
    assert "twat_cache/py.typed" in held
    assert {n.partition("/")[0] for n in held if ".dist-info" not in n} == {"twat_cache"}
    assert not {n for n in held if n.endswith((".pyx", ".pxd", ".c", ".h"))}
    assert "none-any" not in made.name
    assert "Root-Is-Purelib: false" in info(made, "WHEEL")
    assert not list((unpacked / "ext").glob("*.c")), "generated C belongs into the build directory"


@pytest.mark.skipif(not has_compiler(), reason="needs a C compiler and Python's headers")
def test_a_build_that_fails_packs_no_binary_of_an_earlier_one(unpacked, tmp_path):
    wheel(unpacked, tmp_path / "first", TWAT_CACHE_REQUIRE_EXTENSIONS="1")
    (unpacked / "ext" / "_core_c.pyx").write_text("this is no Cython\n")
    made, output = wheel(unpacked, tmp_path / "second")
    assert output.count(LINE) == 1
    assert not {name for name in names(made) if name.endswith((".so", ".pyd"))}


@pytest.mark.parametrize(
    "switches",
    [
        pytest.param({"CC": "/nonexistent/cc", "CXX": "/nonexistent/c++"}, id="no compiler"),
        pytest.param({"TWAT_CACHE_NO_EXTENSIONS": "1"}, id="left out"),
    ],
)
def test_without_the_extension_the_wheel_is_pure_and_says_so(unpacked, tmp_path, switches):
    made, output = wheel(unpacked, tmp_path / "out", **switches)
    assert made.name.endswith("-py3-none-any.whl")
    assert "Root-Is-Purelib: true" in info(made, "WHEEL")
    assert {Path(n).suffix for n in names(made) if n.startswith("twat_cache/")} == {".py", ".typed"}
    lines = [line for line in output.splitlines() if LINE in line]
    assert len(lines) == ("CC" in switches)


def test_a_required_extension_that_cannot_be_built_fails_the_build(unpacked, tmp_path):
    done = build(
        "wheel", unpacked, tmp_path, CC="/nonexistent/cc", TWAT_CACHE_REQUIRE_EXTENSIONS="1"
    )
    assert done.returncode != 0
    assert not list(tmp_path.glob("*.whl"))


def test_both_switches_fail_the_build_with_a_reason(unpacked, tmp_path):
    both = {worlds.FORBIDDEN: "1", worlds.REQUIRED: "1"}
    done = build("wheel", unpacked, tmp_path, **both)
    assert done.returncode != 0
    assert "unset one" in done.stdout + done.stderr


def test_source_that_cython_refuses_falls_back_too(unpacked, tmp_path):
    (unpacked / "ext" / "_core_c.pyx").write_text("this is no Cython\n")
    made, output = wheel(unpacked, tmp_path / "out")
    assert made.name.endswith("-py3-none-any.whl")
    assert output.count(LINE) == 1


def test_pip_installs_and_runs_without_a_compiler(unpacked, tmp_path):
    target = tmp_path / "site"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TWAT_CACHE_")}
    pip = [sys.executable, "-m", "pip", "install", "-v", "--no-build-isolation", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-index", "--target", target, unpacked],
        env=environment | {"CC": "/nonexistent/cc"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(LINE) == 1  # pip shows it with -v only
    say = "import twat_cache as t; print(t.__file__, t.core_info().name, t.mcache(abs)(-3))"
    ran = subprocess.run(
        [sys.executable, "-c", say],
        env=environment | {"PYTHONPATH": str(target)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.split() == [str(target / "twat_cache" / "__init__.py"), "pure", "3"]


def test_the_version_stands_in_one_place(unpacked, tmp_path):
    made, _ = wheel(unpacked, tmp_path / "out", TWAT_CACHE_NO_EXTENSIONS="1")
    metadata = message_from_string(info(made, "METADATA"))
    version = metadata["Version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    repeated = [p for p in (ROOT / "src").rglob("*.py") if f'"{version}"' in p.read_text()]
    assert repeated == []
    assert metadata["License-Expression"] == "MIT"
    needed = metadata.get_all("Requires-Dist")
    assert [n for n in needed if "extra ==" not in n] == ["msgpack>=1.1", "platformdirs>=4"]
    declared = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1]
    extras = re.findall(r"^([a-z0-9]+) = \[", declared.split("\n[")[0], re.MULTILINE)
    assert sorted(metadata.get_all("Provides-Extra")) == sorted(extras)

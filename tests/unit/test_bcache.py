"""`bcache` and `fcache`: results on the disk, in folders of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.fixtures import worlds


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder of all stores."""
    monkeypatch.setenv("TWAT_CACHE_DIR", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(params=["bcache", "fcache"])
def decorator(tc, request):
    return getattr(tc, request.param)


def test_they_decorate_bare_and_called(tc, decorator):
    calls = []

    def work(x):
        calls.append(x)
        return [x]

    made = [
        decorator(work),
        decorator()(work),
        decorator(ttl="1d")(work),
        decorator(None)(work),
        decorator(folder_name=None, version="")(work),
    ]
    for f in made:
        assert f(1) == [1]
    assert calls == [1]  # all of them use the one folder, under the one name
    for f in made:
        f.close()


def test_each_has_a_folder_of_its_own(tc, home):
    f, g = tc.bcache(lambda: 1), tc.fcache(lambda: 1)
    h = tc.bcache("shop")(lambda: 1)
    f(), g(), h()
    assert {path.name for path in home.iterdir()} == {"default", "files", "shop"}
    for one in (f, g, h):
        one.close()


def test_a_folder_of_the_one_is_no_folder_of_the_other(tc, caplog):
    f = tc.bcache("shop")(lambda: 1)
    f()
    g = tc.fcache("shop", name="g")(lambda: 2)
    assert "shop has other things in it" in caplog.text
    assert g() == g() == 2
    assert g.stats().engine_errors > 0
    assert f() == 1
    assert f.stats().hits == 1
    f.close()
    g.close()


def test_arguments_by_position(tc):
    f = tc.bcache("shop", 2, "1h", name="f")(lambda x: [x])
    assert f(1) == f(1) == [1]
    assert f.cache_info()[:3] == (1, 1, 2)
    f.close()
    for given in (("shop", None, 5, 6), ("shop", None, 5, 6, 7)):
        with pytest.raises(TypeError, match="by position, each once"):
            tc.bcache(*given)
    with pytest.raises(TypeError, match="by position, each once"):
        tc.bcache("shop", folder_name="shop")
    with pytest.raises(TypeError, match="by position, each once"):
        tc.fcache("shop", None)


@pytest.mark.parametrize(
    "options",
    [
        {"maxsize": 0},
        {"maxsize": "5"},
        {"policy": "lfu"},
        {"on_removal": print},
        {"colour": 1},
        {"ttl": 0},
    ],
    ids=str,
)
def test_options_that_a_disk_can_not_honour_are_refused(tc, decorator, options):
    (name,) = options
    with pytest.raises(tc.ConfigurationError, match=f"{name}="):
        decorator(**options)(lambda: 1)


def test_a_disk_is_bounded_by_bytes(tc, decorator, home):
    f = decorator(max_bytes="300kB")(lambda x: b"x" * 40_000)
    for x in range(40):
        assert len(f(x)) == 40_000
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    log = sum(path.stat().st_size for path in home.rglob("*-[ws][ah][lm]"))
    assert size - log < 310_000
    assert 0 < sum(f.contains(x) for x in range(40)) < 20
    f.close()


def test_a_disk_is_bounded_by_count(tc, decorator):
    f = decorator("shop", maxsize=3)(lambda x: [x])
    for x in range(5):
        assert f(x) == [x]
    assert [f.contains(x) for x in range(5)] == [False, False, True, True, True]
    assert f(4) == [4]
    assert f.stats().loads == 5
    assert f.cache_info() == (1, 5, 3, 0)
    assert f.cache_parameters()["maxsize"] == 3
    f.close()
    assert decorator("shop")(lambda: 1).cache_info().maxsize is None


def test_functions_that_share_a_folder_share_its_bound(tc, decorator):
    f = decorator("shop", name="f", maxsize=2)(lambda x: [x])
    g = decorator("shop", name="g", maxsize=2)(lambda x: [x])
    assert [f(1), g(1), f(2)] == [[1], [1], [2]]
    assert [f.contains(1), g.contains(1), f.contains(2)] == [False, True, True]
    f.close(), g.close()


PROGRAM = """
import sys
import {package} as tc

@tc.{decorator}
def work(x):
    print("computed")
    return {{"x": x, "large": b"y" * 50_000}}

assert work(1) == {{"x": 1, "large": b"y" * 50_000}}
"""


def test_results_survive_a_restart(tc, decorator, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(package="twat_cache", decorator=decorator.__name__))
    core = tc.core_info().name
    told = [
        subprocess.run(
            [sys.executable, program], env=worlds.environment(core), capture_output=True,
            text=True, timeout=60, check=True,
        ).stdout
        for _ in range(3)
    ]  # fmt: skip
    assert told == ["computed\n", "", ""]


def test_descriptors_and_coroutine_functions(tc, decorator):
    import asyncio

    class Class:
        @decorator
        @staticmethod
        def s(x):
            return [x]

        @decorator(ignore=("cls",))
        @classmethod
        def c(cls, x):
            return [x]

        @decorator(ignore=("self",))
        def m(self, x):
            return [x]

    @decorator
    async def f(x):
        return [x]

    for one in (Class.s, Class.c, Class().m):
        assert one(1) == one(1) == [1]
        assert one.contains(1)

    async def main():
        assert await f(1) == await f(1) == [1]
        assert await f.contains(1)

    asyncio.run(main())
    for one in (Class.s, Class.c, Class.m, f):
        one.close()


def test_arrays_come_back_as_read_only_views_of_a_file(tc, home):
    np = pytest.importorskip("numpy")

    @tc.fcache
    def work(n):
        return np.arange(n, dtype="float64").reshape(-1, 10)

    first = work(100_000)
    assert first.flags.writeable
    found = work(100_000)
    assert np.array_equal(first, found)
    assert found.dtype == first.dtype
    assert not found.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1
    base = found
    while getattr(base, "base", None) is not None:
        base = base.base
    assert not isinstance(base, np.ndarray)  # no copy: it lies in the file
    work.close()
    assert found[-1, -1] == 99_999  # and stays there as long as it is used

"""CPython's own tests of `functools.lru_cache`, pointed at ours."""

from __future__ import annotations

import functools
import unittest
from types import SimpleNamespace

import pytest

from tests.fixtures import worlds

theirs = pytest.importorskip(
    "test.test_functools", reason="this Python came without its own tests (the package `test`)"
)


def module(core):
    """What CPython's tests take for the module functools; the reason if that core isn't there."""
    if core not in worlds.CORES:
        return functools, f"{worlds.FORBIDDEN} is set"
    try:
        tc = worlds.world(core)
    except worlds.CoreMissing as missing:
        if worlds.COMPILED_IS_A_MUST:
            raise
        return functools, str(missing)
    names = {name: getattr(functools, name) for name in dir(functools)}
    ours = {"lru_cache": tc.lru_cache, "cache": tc.cache, "_CacheInfo": tc.CacheInfo}
    return SimpleNamespace(**names | ours), ""


compiled, no_compiled = module("compiled")
pure, no_pure = module("pure")


@compiled.lru_cache()
def compiled_cached_func(x, y):
    return 3 * x + y


@pure.lru_cache()
def pure_cached_func(x, y):
    return 3 * x + y


@pytest.mark.skipif(bool(no_compiled), reason=no_compiled)
class TestCompiled(theirs.TestLRU, unittest.TestCase):
    module = compiled
    cached_func = (compiled_cached_func,)

    @compiled.lru_cache()
    def cached_meth(self, x, y):
        return 3 * x + y

    @staticmethod
    @compiled.lru_cache()
    def cached_staticmeth(x, y):
        return 3 * x + y


@pytest.mark.skipif(bool(no_pure), reason=no_pure)
class TestPure(theirs.TestLRU, unittest.TestCase):
    module = pure
    cached_func = (pure_cached_func,)

    @pure.lru_cache()
    def cached_meth(self, x, y):
        return 3 * x + y

    @staticmethod
    @pure.lru_cache()
    def cached_staticmeth(x, y):
        return 3 * x + y


@pytest.mark.skipif(bool(no_compiled), reason=no_compiled)
class TestCompiledCache(theirs.TestCache, unittest.TestCase):
    module = compiled


@pytest.mark.skipif(bool(no_pure), reason=no_pure)
class TestPureCache(theirs.TestCache, unittest.TestCase):
    module = pure

"""What stands before an engine keeps the engine's promises."""

from __future__ import annotations

from tests.fixtures.async_engine import async_memory
from twat_cache import resilient
from twat_cache.engines.mapping import MappingEngine
from twat_cache.testing import AsyncEngineSuite, EngineSuite


class TestResilient(EngineSuite):
    def make(self, clock):
        return resilient(MappingEngine(clock=clock))


class TestResilientAsync(AsyncEngineSuite):
    def make(self, clock):
        import twat_cache

        return resilient(async_memory(twat_cache)(clock))

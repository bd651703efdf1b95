"""The suite for async engines: a sound one passes in three lines, broken ones are found."""

import asyncio

import pytest

import twat_cache
from tests.fixtures.async_engine import async_memory
from tests.fixtures.broken_engines import failed_tests
from twat_cache.testing import AsyncEngineSuite, FakeClock

AsyncMemory = async_memory(twat_cache)


class TestAsyncMemory(AsyncEngineSuite):
    async def make(self, clock):
        return AsyncMemory(clock)


class ThatDropsNothing(AsyncMemory):
    async def drop(self, keys):
        return len([value for value in await self.get(keys) if value is not None])


class ThatAddsInTwoSteps(AsyncMemory):
    async def add(self, key, value, ttl):
        if await self.get([key]) != [None]:
            return False
        await self.put({key: value}, ttl)
        return True


class ThatSaysItIsBlocking(AsyncMemory):
    capabilities = AsyncMemory.capabilities._replace(async_=False)


class ThatServesWhenClosed(AsyncMemory):
    async def close(self):
        pass


class ThatMixesUpAnswers(AsyncMemory):
    """Takes the next answer for its own, though a cancelled call has left one unread."""

    def __init__(self, clock):
        super().__init__(clock)
        self.answers = asyncio.Queue()

    async def get(self, keys):
        self.answers.put_nowait(await super().get(keys))
        await asyncio.sleep(0)
        return await self.answers.get()


class ThatStoresInParts(AsyncMemory):
    async def put(self, items, ttl):
        for key, value in items.items():
            await super().put({key: value[: len(value) // 2]}, ttl)
            await super().put({key: value}, ttl)


BROKEN = {
    ThatDropsNothing: "test_drop_tells_how_many_were_there",
    ThatAddsInTwoSteps: "test_of_threads_that_add_at_once_one_succeeds",
    ThatSaysItIsBlocking: "test_it_says_what_it_can_do",
    ThatServesWhenClosed: "test_a_closed_engine_says_so",
    ThatMixesUpAnswers: "test_a_call_that_is_cancelled_takes_nothing_from_the_others",
    ThatStoresInParts: "test_a_cancelled_put_stores_all_of_a_value_or_nothing",
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """What fails where, in a run of the suite on all broken engines."""
    return failed_tests(__file__, "AsyncEngineSuite", BROKEN, tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("broken", BROKEN)
def test_the_suite_finds_what_is_broken(failures, broken):
    assert f"::Test{broken.__name__}::{BROKEN[broken]}" in failures


def test_a_suite_without_an_engine_says_what_to_write():
    with pytest.raises(NotImplementedError, match="make"):
        AsyncEngineSuite().make(FakeClock().seconds)

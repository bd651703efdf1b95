"""The engines on Azure's blobs: `make test-azure` brings Azurite by npm, and runs these on it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from itertools import count

import pytest

from tests.fixtures.servers.azurite import Azurite
from tests.fixtures.servers.server import Missing, served
from twat_cache import EngineError, open_engine, ucache
from twat_cache.testing import AsyncEngineSuite, EngineSuite

pytest.importorskip("obstore")
from twat_cache.engines.objects import AsyncObjectStoreEngine, ObjectStoreEngine

pytestmark = pytest.mark.xdist_group("azure")

PATIENT = 30.0  # seconds; a busy machine isn't what is tested
NUMBERS = count()


try:
    Azurite.program()
except Missing as missing:  # in a continuous integration, too, which needn't have npm
    pytest.skip(str(missing), allow_module_level=True)


@pytest.fixture(scope="session")
def azurite():
    yield from served(Azurite.launch)


@pytest.fixture
def url():
    return f"az://cache/tests/{next(NUMBERS)}"


@pytest.fixture
def options(azurite):
    return {
        "endpoint": azurite.endpoint,
        "account_name": azurite.account,
        "account_key": azurite.key,
        "timeout": PATIENT,
    }


class OnAzurite:
    @pytest.fixture(autouse=True)
    def _place(self, url, options):
        self.url, self.options = url, options


class TestOnAzurite(OnAzurite, EngineSuite):
    def make(self, clock):
        return ObjectStoreEngine.from_url(self.url, clock=clock, **self.options)


class TestAsyncOnAzurite(OnAzurite, AsyncEngineSuite):
    def make(self, clock):
        return AsyncObjectStoreEngine.from_url(self.url, clock=clock, **self.options)


def test_a_function_is_cached_there(url, options):
    calls = []

    def f(x):
        calls.append(x)
        return [x]

    for _ in range(2):  # as two processes would
        with closing(open_engine(url, **options)) as engine:
            assert ucache(engine, name="on azure")(f)(1) == [1]
    assert calls == [1]


def test_an_awaited_engine_is_opened_by_the_url(url, options):
    async def work():
        engine = open_engine(url, async_=True, **options)
        await engine.put({"a": b"1"}, 60)
        found = await engine.get(["a", "b"])
        await engine.close()
        return found

    assert asyncio.run(work()) == [b"1", None]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"account_key": "aHVudGVyMg=="}, "refused the keys"),
        ({"account_name": "nobody"}, "az://cache"),
        ({}, "no such bucket"),
    ],
    ids=["key", "account", "container"],
)
def test_what_is_wrong_is_said_without_the_key(url, options, wrong, said):
    where = url if wrong else "az://no-such-container/a"
    with closing(ObjectStoreEngine.from_url(where, **{**options, **wrong})) as engine:
        with pytest.raises(EngineError, match=said) as caught:
            engine.ping()
        assert options["account_key"] not in str(caught.value)
        assert "hunter2" not in str(caught.value)

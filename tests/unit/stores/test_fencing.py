"""Who had a lease and lost it doesn't overwrite what another has stored since."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.async_engine import async_engine


class Hooked:
    """An engine that does something just before a swap of what isn't a lease."""

    def __init__(self, engine, before):
        self.engine = engine
        self.before = before
        self.capabilities = engine.capabilities._replace(shared=True)

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def swap(self, key, *args):
        if not key.startswith("~lease:"):
            self.before(key)
        return self.engine.swap(key, *args)


@pytest.fixture
def made(tc, clock):
    """A function on two engines of one mapping: what the second one stores comes in between."""
    from importlib import import_module

    mapping = import_module(f"{tc.__name__}.engines.mapping").MappingEngine
    engine = mapping(clock=lambda: clock() / 1e9)
    versions = iter(range(10))
    others = []

    def newer(key):
        if others:
            others.pop()()

    f = tc.ucache(Hooked(engine, newer), single_flight="process", name="fenced", ttl=60)(
        lambda x: next(versions)
    )
    g = tc.ucache(engine, name="fenced", ttl=60)(lambda x: "newer")
    f.others, f.other = others, g
    yield f
    f.close()
    g.close()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_late_value_does_not_take_the_place_of_a_newer_one(made, is_there):
    if is_there:
        made.other.put("older", 1)
    made.others.append(lambda: made.other.refresh(1))
    assert made.refresh(1) == 0, "the caller gets what was computed"
    assert made.peek(1) == "newer"


def test_what_nobody_changed_meanwhile_is_stored(made):
    assert made(1) == 0
    assert made(1) == 0
    assert made.refresh(1) == 1
    assert made.peek(1) == 1


def test_what_was_put_before_the_lease_is_replaced(made):
    made.other.put("older", 1)
    assert made.refresh(1) == 0
    assert made.peek(1) == 0


def test_a_value_that_can_not_be_swapped_is_dropped(made, tc):
    assert made(1) == 0

    def fail():
        raise tc.EngineError("cut in the middle")

    made.others.append(fail)
    assert made.refresh(1) == 1
    assert made.peek(1) is None, "the value before is of no use"
    assert made(1) == 2


def test_coroutines_are_fenced_too(tc, clock):
    engine = async_engine(tc, lambda: clock() / 1e9)
    engine.capabilities = engine.capabilities._replace(shared=True)
    swap = engine.swap
    others = []

    async def swapping(key, *args):
        if not key.startswith("~lease:") and others:
            await others.pop()()
        return await swap(key, *args)

    engine.swap = swapping

    @tc.ucache(engine, single_flight="process", name="fenced and awaited")
    async def f(x):
        return "late"

    @tc.ucache(engine, name="fenced and awaited")
    async def g(x):
        return "newer"

    async def main():
        others.append(lambda: g.refresh(1))
        assert await f(1) == "late"
        assert await f.peek(1) == "newer"
        await f.close()
        await g.close()

    asyncio.run(main())

"""single_flight="process": who has the lease of a key computes, the others look whether it came."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from itertools import count
from time import monotonic

import pytest

from tests.fixtures.async_engine import async_engine
from tests.fixtures.colours import PATIENCE, SETTLED, Begin

_numbers = count()


class Failure(Exception):
    pass


class NotFound(LookupError):
    pass


@pytest.fixture
def engine(tc, clock, tmp_path):
    """An engine that two functions share, as two processes would."""
    module = import_module(f"{tc.__name__}.engines.sqlite")
    engine = module.SqliteEngine(str(tmp_path / "store.db"), clock=lambda: clock.now / 1e9)
    yield engine
    engine.close()


@pytest.fixture
def one_of_two(tc, colour, engine, clock):
    """Makes the same function twice: each has its own flights, and both share the leases."""

    def make(body, **options):
        name = f"leased {next(_numbers)}"
        options = {"single_flight": "process", "name": name, "clock": clock, **options}
        return [colour.cached(tc.ucache(engine, **options), body) for _ in range(2)]

    return make


def test_one_computes_and_the_other_finds_it(one_of_two, play):
    gate = threading.Event()
    runs = []

    def body(x):
        runs.append(x)
        yield gate
        return [x]

    one, other = one_of_two(body)

    def script():
        joins = []
        for f in (one, other, one, other):
            joins.append((yield Begin(lambda f=f: f(1))))
        while not runs:
            yield 0.001
        yield 0.05  # the other looks now and then, and finds nothing
        gate.set()
        for join in joins:
            assert (yield join) == [1]

    play(script)
    assert runs == [1]
    assert one.stats().loads + other.stats().loads == 1


def test_a_lease_is_given_back_also_after_an_exception(one_of_two, play, engine):
    def body(x):
        runs.append(x)
        if len(runs) == 1:
            raise Failure
        return "found"

    runs = []
    one, other = one_of_two(body)

    def script():
        with pytest.raises(Failure):
            yield lambda: one(1)
        assert list(engine.scan("~lease")) == []
        assert (yield lambda: other(1)) == "found"
        assert list(engine.scan("~lease")) == []

    play(script)


def test_a_kept_exception_is_an_answer_for_the_other_too(one_of_two, play):
    gate = threading.Event()
    runs = []

    def body(x):
        runs.append(x)
        yield gate
        raise NotFound(x)

    one, other = one_of_two(body, cache_exceptions={NotFound: 60})

    def script():
        joins = []
        for f in (one, other):
            joins.append((yield Begin(lambda f=f: f(1))))
        while not runs:
            yield 0.001
        yield 0.02
        gate.set()
        for join in joins:
            with pytest.raises(NotFound):
                yield join

    play(script)
    assert runs == [1]


def test_when_a_lease_runs_out_another_computes_and_the_first_stores_nothing(
    one_of_two, play, clock
):
    gates = [threading.Event(), threading.Event()]
    runs = []

    def body(x):
        runs.append(x)
        mine = len(runs)
        yield gates[mine - 1]
        return f"run {mine}"

    one, other = one_of_two(body)

    def script():
        first = yield Begin(lambda: one(1))
        while not runs:
            yield 0.001
        second = yield Begin(lambda: other(1))
        yield 0.02
        assert len(runs) == 1
        clock.advance(61)  # as if its holder had been killed
        while len(runs) < 2:
            yield 0.001
        gates[1].set()
        assert (yield second) == "run 2"
        gates[0].set()
        assert (yield first) == "run 1"
        assert (yield lambda: one(1)) == "run 2"

    play(script)


def test_what_comes_after_its_hard_timeout_is_stored_also_where_others_have_tried(
    one_of_two, play, tc
):
    """Or what always takes longer would never be cached, if there is always one who tries."""
    gates = {1: threading.Event(), 2: threading.Event()}
    numbers = count(1)
    runs = []

    def body(x):
        mine = next(numbers)
        runs.append(mine)
        yield gates[mine]
        return f"run {mine}"

    one, other = one_of_two(body, hard_timeout=0.02)

    def script():
        for tries, f in enumerate((one, other), 1):
            with pytest.raises(tc.LoadTimeoutError):
                yield lambda f=f: f(1)
            while len(runs) < tries:
                yield 0.001
        gates[1].set()
        end = monotonic() + PATIENCE
        while not (yield lambda: other.contains(1)) and monotonic() < end:
            yield 0.001
        for f in (one, other):
            assert (yield lambda f=f: f(1)) == "run 1"
        gates[2].set()
        while one.stats().loads + other.stats().loads < 2:
            yield 0.001
        yield 0.02
        assert (yield lambda: one(1)) == "run 1"  # what was there first stays

    play(script)
    assert runs == [1, 2]


def test_what_comes_after_its_hard_timeout_takes_the_place_of_nothing_newer(one_of_two, play, tc):
    gate = threading.Event()

    def body(x):
        yield gate
        return "late"

    one, other = one_of_two(body, hard_timeout=0.02)

    def script():
        with pytest.raises(tc.LoadTimeoutError):
            yield lambda: one(1)
        yield lambda: other.put("newer", 1)
        gate.set()
        while not one.stats().loads:
            yield 0.001
        yield 0.02  # so it would be there by now
        assert (yield lambda: other(1)) == "newer"

    play(script)


def test_a_refresh_behind_leaves_it_to_another_that_is_at_it(one_of_two, play, clock):
    gate = threading.Event()
    runs = []

    def body(x):
        runs.append(x)
        mine = len(runs)
        if mine == 2:
            yield gate
        return f"run {mine}"

    one, other = one_of_two(body, ttl=100, stale=100)

    def script():
        assert (yield lambda: one(1)) == "run 1"
        clock.advance(110)
        assert (yield lambda: one(1)) == "run 1"
        while len(runs) < 2:
            yield 0.001
        assert (yield lambda: other(1)) == "run 1"
        yield 0.02
        gate.set()
        yield SETTLED
        assert (yield lambda: other(1)) == "run 2"

    play(script)
    assert len(runs) == 2
    assert one.stats().refreshes + other.stats().refreshes == 1


@pytest.mark.parametrize("age", [60, 110], ids=["early", "stale"])
def test_a_refresh_behind_waits_for_nobody_while_the_value_before_answers(
    one_of_two, play, clock, engine, age
):
    """Or a process that was killed would hold up the refreshes of all others."""
    one, _ = one_of_two(lambda x: [x], ttl=100, stale=100, refresh_ahead=0.5)

    def script():
        assert (yield lambda: one(1)) == [1]
        clock.advance(age)
        assert engine.add(f"~lease:{one.cache_key(1)}", b"another's", 60)
        assert (yield lambda: one(1)) == [1]
        yield SETTLED
        assert one.stats().refreshes == 0, "that is the other's"

    play(script)
    assert one.stats().loads == 1


def test_with_a_soft_timeout_it_is_waited_for_who_is_at_it(one_of_two, play, clock):
    gate = threading.Event()
    runs = []

    def body(x):
        runs.append(x)
        mine = len(runs)
        if mine == 2:
            yield gate
        return f"run {mine}"

    one, other = one_of_two(body, ttl=100, stale=100, soft_timeout=PATIENCE)

    def script():
        assert (yield lambda: one(1)) == "run 1"
        clock.advance(110)
        first = yield Begin(lambda: one(1))
        while len(runs) < 2:
            yield 0.001
        second = yield Begin(lambda: other(1))
        yield 0.02
        gate.set()
        assert (yield first) == (yield second) == "run 2"

    play(script)


def test_what_ends_while_it_is_computed_anew_is_stored_all_the_same(one_of_two, play, clock):
    def body(x):
        runs.append(x)
        if len(runs) == 2:
            clock.advance(10)  # that long it takes
        return f"run {len(runs)}"

    runs = []
    one, other = one_of_two(body, ttl=10, refresh_ahead=0.5)

    def script():
        assert (yield lambda: one(1)) == "run 1"
        clock.advance(6)
        assert (yield lambda: one(1)) == "run 1"
        yield SETTLED
        assert (yield lambda: other(1)) == "run 2"

    play(script)
    assert len(runs) == 2


@pytest.mark.parametrize("kind", ["blocking", "awaited"])
def test_a_call_that_is_cancelled_while_it_takes_a_lease_leaves_none(tc, kind, clock):
    module = import_module(f"{tc.__name__}.engines.mapping")
    begun, go_on = threading.Event(), threading.Event()

    class Slow(module.MappingEngine):
        capabilities = module.MappingEngine.capabilities._replace(shared=True)

        def add(self, key, value, ttl):
            begun.set()
            go_on.wait(PATIENCE)
            return super().add(key, value, ttl)

    async def main():
        blocking = engine = Slow(clock=lambda: clock.now / 1e9)
        if kind == "awaited":
            engine = async_engine(tc, lambda: clock.now / 1e9)
            engine.capabilities = engine.capabilities._replace(shared=True)
            blocking, add = engine.store, engine.add

            async def slow_add(*args):
                added = await add(*args)
                begun.set()
                await asyncio.to_thread(go_on.wait, PATIENCE)
                return added

            engine.add = slow_add
        f = tc.ucache(engine, single_flight="process", name=f"cancelled {kind}")(afunction)
        call = asyncio.ensure_future(f(1))
        await asyncio.to_thread(begun.wait, PATIENCE)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        go_on.set()
        assert await asyncio.wait_for(f(1), PATIENCE) == 1
        assert list(blocking.scan("~lease")) == []

    async def afunction(x):
        return x

    asyncio.run(main())


def test_a_forced_computation_takes_nothing_from_another(one_of_two, play):
    gates = [threading.Event(), threading.Event()]
    gates[1].set()
    runs = []

    def body(x):
        runs.append(x)
        mine = len(runs)
        yield gates[mine - 1]
        return f"run {mine}"

    one, other = one_of_two(body)

    def script():
        first = yield Begin(lambda: one(1))
        while not runs:
            yield 0.001
        second = yield Begin(lambda: other.refresh(1))
        yield 0.02
        gates[0].set()
        assert (yield first) == "run 1"
        assert (yield second) == "run 2"
        assert (yield lambda: one(1)) == "run 2"

    play(script)


def test_recursion_does_not_wait_for_its_own_lease(one_of_two, play):
    def body(n):
        runs.append(n)
        return ["outer", (yield lambda: one(n))] if len(runs) == 1 else "inner"

    runs = []
    one, _ = one_of_two(body)

    def script():
        assert (yield lambda: one(1)) == ["outer", "inner"]

    play(script)


def test_where_the_engine_can_not_serve_everybody_computes(one_of_two, play, engine):
    one, other = one_of_two(lambda x: x)
    engine.close()

    def script():
        for f in (one, other):
            assert (yield lambda f=f: f(1)) == 1

    play(script)
    assert one.stats().engine_errors > 0


@pytest.mark.parametrize("kind", ["mapping", "null"])
def test_an_engine_that_no_process_shares_is_refused(tc, kind):
    module = import_module(f"{tc.__name__}.engines.{kind}")
    engine = getattr(module, f"{kind.title()}Engine")()
    with pytest.raises(tc.ConfigurationError, match="single_flight='process'"):
        tc.ucache(engine, single_flight="process", name="refused")(lambda x: x)


def test_in_memory_it_is_refused(tc):
    with pytest.raises(tc.ConfigurationError, match="single_flight"):
        tc.ucache(single_flight="process")(lambda x: x)


def test_after_a_lease_was_too_short_the_next_ones_are_longer(tc, engine, clock):
    leases = import_module(f"{tc.__name__}._stores.leases").Leases
    run = import_module(f"{tc.__name__}._run.drive").run
    tally = import_module(f"{tc.__name__}._run.tally").Tally("f")
    leases = leases(engine, 10.0, tally)
    held = run(leases.take("key"))
    assert run(leases.take("key")) is None
    clock.advance(9)
    assert run(leases.is_held(held, 9.0))
    clock.advance(9)
    assert run(leases.is_held(held, 18.0))  # it began anew
    clock.advance(11)
    assert not run(leases.is_held(held, 29.0))
    other = run(leases.take("key"))
    clock.advance(57)
    assert run(leases.is_held(other, 57.0))
    assert not run(leases.is_held(held, 0.0))
    run(leases.give_back(held))  # it is another's
    assert run(leases.is_held(other, 0.0))
    run(leases.give_back(other))
    assert run(leases.take("key")) is not None


def test_who_takes_a_lease_looks_whether_another_has_computed_just_before(tc, clock):
    """Between its look and its lease another may have come and gone."""
    module = import_module(f"{tc.__name__}.engines.mapping")

    class Shared(module.MappingEngine):
        capabilities = module.MappingEngine.capabilities._replace(shared=True)
        __slots__ = ("before",)

        def add(self, key, value, ttl):
            before, self.before = self.before, None
            if before is not None:
                before()
            return super().add(key, value, ttl)

    def body(x):
        runs.append(x)
        return f"run {len(runs)}"

    runs = []
    engine = Shared(clock=lambda: clock.now / 1e9)
    options = {"single_flight": "process", "name": "just before", "clock": clock}
    one, other = (tc.ucache(engine, **options)(body) for _ in range(2))
    engine.before = lambda: one(1)
    assert other(1) == "run 1"
    assert runs == [1]
    assert list(engine.scan("~lease")) == []

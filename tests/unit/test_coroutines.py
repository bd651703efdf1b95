"""Coroutine functions: hits are awaited, and a key is computed once at a time."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import sys
import threading
import types

import pytest


class Gatekeeper:
    """A coroutine function whose runs wait until the test lets them go on."""

    def __init__(self, answer=lambda x: [x]):
        self.answer = answer
        self.runs = 0
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, x=1):
        self.runs += 1
        self.entered.set()
        await self.open.wait()
        return self.answer(x)


async def settle():
    """Lets all tasks run as far as they get."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture(params=["mcache", "acache"])
def decorate(request, tc):
    return getattr(tc, request.param)


# -- hits and misses -----------------------------------------------------------------------------


def test_results_are_awaited_and_cached(decorate):
    runs = []

    @decorate
    async def f(x, y=2):
        runs.append(x)
        return [x, y]

    async def main():
        first = await f(1)
        assert await f(x=1) is await f(1, 2) is first
        return first

    assert asyncio.run(main()) is asyncio.run(main())
    assert runs == [1]
    assert f.cache_info() == (5, 1, 1024, 1)


def test_hits_and_misses_go_wherever_a_coroutine_goes(decorate):
    @decorate
    async def f(x):
        return x

    async def main():
        for _ in range(2):  # misses first, then hits
            assert await asyncio.create_task(f(1)) == 1
            assert await asyncio.gather(f(2), f(3), f(2)) == [2, 3, 2]
            assert await asyncio.wait_for(f(4), 10) == 4
            assert await asyncio.shield(f(5)) == 5
            assert await asyncio.ensure_future(f(6)) == 6
        return f.cache_info().hits

    assert asyncio.run(main()) >= 7
    assert asyncio.run(f(7)) == asyncio.run(f(7)) == 7
    assert asyncio.run(f(1)) == 1


def test_it_is_a_coroutine_function(tc, decorate):
    async def plain(x): ...

    class C:
        @decorate
        async def m(self, x): ...

        @decorate
        @classmethod
        async def k(cls, x): ...

        @decorate
        @staticmethod
        async def s(x): ...

    for f in (decorate(plain), decorate(ttl=5)(plain), C.m, C().m, C.k, C().k, C.s):
        assert asyncio.iscoroutinefunction(f)
        if sys.version_info >= (3, 12):
            assert inspect.iscoroutinefunction(f)
    assert not asyncio.iscoroutinefunction(tc.mcache(len))
    assert not asyncio.iscoroutinefunction(tc.mcache(lambda x: x))


def test_all_forms_of_coroutine_functions_are_recognised(tc, decorate):
    async def plain(x=1):
        return x

    class Callable:
        async def __call__(self, x=1):
            return x

    class C:
        async def m(self, x=1):
            return x

    forms = [
        plain,
        functools.partial(plain, 1),
        functools.partial(functools.partial(plain, 1)),
        Callable(),
        C().m,
        functools.partial(C().m, 1),
        tc.acache(plain),
    ]
    if sys.version_info >= (3, 12):
        forms.append(inspect.markcoroutinefunction(lambda x=1: plain(x)))
    for form in forms:
        f = decorate(form)
        assert asyncio.run(f()) == asyncio.run(f()) == 1
        assert f.cache_info()[:2] == (1, 1)


def test_options_apply(tc, clock):
    @tc.acache(maxsize=2, ttl=5, clock=clock, cache_if=lambda r, x: r, copy=True)
    async def f(x):
        return [x] if x else None

    async def main():
        first = await f(1)
        first.append("spoiled")
        (await f(1)).append("spoiled")
        assert await f(1) == [1]
        await f(0)
        assert f.cache_info().currsize == 1
        clock.advance(6)
        assert not await f.contains(1)
        await f(1), await f(2), await f(3)
        assert [key for key, _ in f.items()] == [(2,), (3,)]

    asyncio.run(main())


def test_a_ttl_function_decides(tc, clock):
    @tc.acache(ttl=lambda result, x: result, clock=clock)
    async def f(x):
        return x

    async def main():
        await f(0), await f(5), await f(50)
        assert f.cache_info().currsize == 2
        clock.advance(6)
        assert [await f.contains(x) for x in (0, 5, 50)] == [False, False, True]

    asyncio.run(main())


def test_caching_may_be_turned_off(tc):
    runs = []

    @tc.acache(maxsize=0)
    async def f(x):
        runs.append(x)

    async def main():
        await asyncio.gather(f(1), f(1))

    asyncio.run(main())
    assert runs == [1, 1]


def test_unhashable_arguments(tc):
    async def f(x):
        return list(x)

    async def main():
        with pytest.raises(tc.CacheKeyError, match="'x' is of type list"):
            await tc.acache(f)([1])
        digests, bypasses = (tc.acache(unhashable=w)(f) for w in ("digest", "bypass"))
        assert await digests([1]) is await digests([1])
        assert await bypasses([1]) is not await bypasses([1])
        assert bypasses.stats().bypasses == 2

    asyncio.run(main())


def test_arguments_that_do_not_fit(tc):
    @tc.acache
    async def f(x): ...

    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        f()


def test_methods_are_held_weakly(tc):
    class C:
        @tc.acache
        async def m(self, x):
            return [x]

        __hash__ = None

        def __eq__(self, other):
            raise AssertionError("asked for equality")

    async def main():
        c, d = C(), C()
        one, two, three = await asyncio.gather(c.m(1), c.m(1), d.m(1))
        assert one is two
        assert one is not three
        assert await c.m(1) is one
        assert await c.m.invalidate(1) is True

    asyncio.run(main())
    gc.collect()
    assert C.m.cache_info().currsize == 0


# -- controls ------------------------------------------------------------------------------------


def test_the_controls_of_one_call_are_awaited(tc, clock):
    numbers = iter(range(10))

    @tc.acache(ttl=10, clock=clock)
    async def f(x):
        return next(numbers)

    async def main():
        assert await f.contains(1) is False
        assert await f(1) == 0
        assert await f.contains(1) is True
        assert await f.peek(1) == 0
        assert await f.peek(2, default_="none") == "none"
        assert await f.refresh(1) == await f(1) == 1
        assert await f.put("put", 1, ttl_=1) is None
        assert await f(1) == "put"
        clock.advance(2)
        assert await f(1) == 2
        assert await f.invalidate(1) is True
        assert await f.invalidate(1) is False
        assert f.cache_key(x=1) == (1,)
        assert f.items() == []
        f.resize(5)
        f.cache_clear()
        assert f.stats() == (0,) * 9 + (5, 0, 0, 0, None) + (0,) * 10
        with pytest.raises(TypeError, match="missing a required argument: 'x'"):
            await f.peek()

    asyncio.run(main())


def test_controls_know_that_a_bypassed_call_has_no_entry(tc):
    @tc.acache(unhashable="bypass")
    async def f(x):
        return len(x)

    async def main():
        assert await f.contains([1]) is await f.invalidate([1]) is False
        assert await f.refresh([1]) == 1
        with pytest.raises(tc.CacheKeyError, match="bypass"):
            await f.put(1, [1])

    asyncio.run(main())
    assert f.stats().bypasses == 1


@pytest.mark.parametrize("fails", [ZeroDivisionError, asyncio.CancelledError])
def test_a_refresh_that_fails_leaves_what_was_there(tc, fails):
    answers = iter([lambda: 1])

    @tc.acache
    async def f(x):
        for answer in answers:
            return answer()
        raise fails

    async def main():
        await f(1)
        with pytest.raises(fails):
            await f.refresh(1)
        assert await f(1) == 1

    asyncio.run(main())


# -- one computation at a time -------------------------------------------------------------------


def test_tasks_that_miss_a_key_together_share_one_computation(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(body)
        tasks = [asyncio.create_task(f(1)) for _ in range(5)]
        other = asyncio.create_task(f(2))
        await settle()
        assert body.runs == 2
        body.open.set()
        first, *rest = await asyncio.gather(*tasks)
        assert all(result is first for result in rest)
        assert await other == [2]
        assert len(f._behind.path.flights) == 0

    asyncio.run(main())


def test_a_result_that_is_not_stored_is_still_shared(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(cache_if=lambda result, x: False)(body)
        tasks = [asyncio.create_task(f(1)) for _ in range(3)]
        await settle()
        body.open.set()
        assert await asyncio.gather(*tasks) == [[1]] * 3
        assert body.runs == 1
        assert f.cache_info().currsize == 0

    asyncio.run(main())


def test_each_who_waits_gets_a_copy(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(copy=True)(body)
        tasks = [asyncio.create_task(f(1)) for _ in range(3)]
        await settle()
        body.open.set()
        results = await asyncio.gather(*tasks)
        assert results == [[1]] * 3
        assert len({id(result) for result in results}) == 3

    asyncio.run(main())


def test_a_call_made_before_and_awaited_after_finds_what_was_stored(tc):
    runs = []

    @tc.acache
    async def f(x):
        runs.append(x)
        return [x]

    async def main():
        one, two = f(1), f(1)
        assert await one is await two

    asyncio.run(main())
    assert runs == [1]


class Failure(Exception):
    def __init__(self, *args):
        super().__init__(*args)
        self.extra = "extra"


class Stubborn(Exception):
    def __init__(self, code):
        super().__init__(f"code {code}")


@pytest.mark.parametrize(
    "error",
    [
        Failure("a", 1),
        KeyError("k"),
        OSError(2, "No such file", "name"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        Stubborn(5),
    ],
)
def test_an_exception_reaches_all_who_wait_and_is_not_kept(tc, error):
    def fail(x):
        raise error

    async def main():
        body = Gatekeeper(fail)
        f = tc.acache(body)
        tasks = [asyncio.create_task(f(1)) for _ in range(3)]
        await settle()
        body.open.set()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert first is error
        for other in others:
            assert type(other) is type(error)
            assert other.args == error.args
            assert str(other) == str(error)
            assert vars(other) == vars(error)
            assert other is not error
            assert other.__cause__ is error
        assert others[0] is not others[1]
        with pytest.raises(type(error)):
            await f(1)
        assert body.runs == 2
        assert len(f._behind.path.flights) == 0

    asyncio.run(main())


def test_a_cancelled_leader_hands_over_to_one_who_waits(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(body)
        leader = asyncio.create_task(f(1))
        await settle()
        waiting = [asyncio.create_task(f(1)) for _ in range(3)]
        await settle()
        leader.cancel()
        await settle()
        assert leader.cancelled()
        assert body.runs == 2
        body.open.set()
        assert await asyncio.gather(*waiting) == [[1]] * 3
        assert body.runs == 2
        assert f.contains is not None
        assert await f.contains(1)

    asyncio.run(main())


def test_one_who_waits_and_is_cancelled_disturbs_nobody(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(body)
        leader, gone, other = (asyncio.create_task(f(1)) for _ in range(3))
        await settle()
        gone.cancel()
        await settle()
        assert gone.cancelled()
        body.open.set()
        assert await leader is await other
        assert body.runs == 1

    asyncio.run(main())


def test_a_time_limit_of_one_does_not_cut_off_the_others(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(body)
        leader = asyncio.create_task(f(1))
        await settle()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(f(1), 0.001)
        body.open.set()
        assert await leader == [1]

    asyncio.run(main())


def test_a_cancelled_leader_without_others_leaves_nothing_behind(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(body)
        task = asyncio.create_task(f(1))
        await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(f._behind.path.flights) == 0
        assert f.cache_info().currsize == 0
        body.open.set()
        assert await f(1) == [1]

    asyncio.run(main())


@pytest.mark.parametrize("how", ["itself", "task", "gather"])
def test_a_computation_that_comes_upon_its_own_key_runs_the_function(tc, how):
    depth = []

    @tc.acache
    async def f(x):
        depth.append(x)
        if len(depth) == 1:
            if how == "itself":
                return await f(x) + 1
            if how == "task":
                return await asyncio.create_task(f(x)) + 1
            return sum(await asyncio.gather(f(x), f(x)))
        return 1

    async def main():
        return await asyncio.wait_for(f(1), 10)

    assert asyncio.run(main()) == 2
    assert len(depth) == (3 if how == "gather" else 2)
    assert asyncio.run(main()) == 2


def test_recursion_over_other_keys(tc):
    @tc.acache
    async def fib(n):
        return n if n < 2 else sum(await asyncio.gather(fib(n - 1), fib(n - 2)))

    assert asyncio.run(fib(20)) == 6765
    assert fib.cache_info().misses <= 40


@pytest.mark.parametrize("change", ["invalidate", "put", "cache_clear"])
def test_after_a_change_nobody_joins_a_computation_that_began_before(tc, change):
    async def main():
        body = Gatekeeper(lambda x: body.runs)
        f = tc.acache(body)
        before = asyncio.create_task(f(1))
        await settle()
        if change == "invalidate":
            assert await f.invalidate(1) is False
        elif change == "put":
            await f.put("put", 1)
        else:
            f.cache_clear()
        after = asyncio.create_task(f(1))
        await settle()
        assert body.runs == (1 if change == "put" else 2)
        assert len(f._behind.path.flights) == (0 if change == "put" else 1)
        body.open.set()
        await before
        stored = await after
        assert await f(1) == stored
        assert stored == "put" if change == "put" else stored == 2

    asyncio.run(main())


def test_a_change_of_another_key_lets_others_join(tc):
    async def main():
        body = Gatekeeper()
        f = tc.acache(body)
        one = asyncio.create_task(f(1))
        await settle()
        await f.invalidate(2)
        two = asyncio.create_task(f(1))
        await settle()
        body.open.set()
        assert await one is await two

    asyncio.run(main())


# -- event loops, and none -----------------------------------------------------------------------


def test_a_loop_that_ended_in_the_middle_is_forgotten(tc):
    @tc.acache
    async def f(x):
        await asyncio.get_running_loop().create_future()

    async def main():
        tasks = [asyncio.create_task(f(1)) for _ in range(2)]
        await settle()
        assert len(f._behind.path.flights) == 1
        assert not any(task.done() for task in tasks)

    asyncio.run(main())
    assert len(f._behind.path.flights) == 0


def test_loops_in_two_threads_share_one_computation(tc):
    runs, begun, opened = [], threading.Event(), threading.Event()

    @tc.acache
    async def f(x):
        runs.append(x)
        begun.set()
        await asyncio.to_thread(opened.wait, 30)
        return [x]

    results = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(f(1)))) for _ in range(2)]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    opened.set()
    for thread in threads:
        thread.join(30)
    assert results == [[1], [1]]
    assert runs == [1]
    assert results[0] is results[1]
    assert f.cache_info().currsize == 1


def test_without_an_event_loop_it_is_a_coroutine_like_others(tc):
    @types.coroutine
    def pause():
        return (yield "paused")

    @tc.acache
    async def f(x):
        return await pause()

    one = f(1)
    assert one.send(None) == "paused"
    two = f(1)
    assert two.send(None) == "paused"
    for coroutine in (one, two):
        with pytest.raises(StopIteration) as stop:
            coroutine.send("done")
        assert stop.value.value == "done"
    assert f.cache_info().currsize == 1


def test_a_miss_that_is_never_awaited_computes_nothing(tc):
    runs = []

    @tc.acache
    async def f(x):
        runs.append(x)

    f(1).close()
    assert runs == []
    assert f.cache_info() == (0, 1, 1024, 0)

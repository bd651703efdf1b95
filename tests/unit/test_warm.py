"""`warm`: calls made ahead of time."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterable

import pytest


def counting(tc, decorator="mcache", fail=(), **options):
    """A cached function and the list of the arguments that it ran with."""
    runs = []

    def function(x, y=0):
        runs.append((x, y))
        if x in fail:
            raise ValueError(x)
        return x + y

    if decorator == "mcache":
        return tc.mcache(**options)(function), runs

    async def coroutine_function(x, y=0):
        await asyncio.sleep(0)
        return function(x, y)

    return tc.acache(**options)(coroutine_function), runs


def finished(result):
    """What a call or a coroutine gives in the end."""

    async def wait():
        return await result

    return asyncio.run(wait()) if asyncio.iscoroutine(result) else result


both_kinds = pytest.mark.parametrize("decorator", ["mcache", "acache"])
however_many = pytest.mark.parametrize("workers", [None, 1, 3])


@both_kinds
@however_many
def test_every_call_is_made_once(tc, decorator, workers):
    f, runs = counting(tc, decorator)
    done = finished(f.warm(range(50), workers=workers))
    assert sorted(runs) == [(n, 0) for n in range(50)]
    assert done == (50, 50, 0, 0, None)
    assert done == tc.Warmed(called=50, loaded=50, fresh=0, failed=0)
    assert f.cache_info().currsize == 50


@both_kinds
def test_a_call_is_a_tuple_a_dict_or_a_lone_argument(tc, decorator):
    f, runs = counting(tc, decorator)
    calls = [1, (2,), (3, 4), {"x": 5}, {"x": 6, "y": 7}, ("ab", "c"), "de"]
    with_texts = [call for call in calls if call != "de"]
    finished(f.warm(with_texts))
    assert runs == [(1, 0), (2, 0), (3, 4), (5, 0), (6, 7), ("ab", "c")]


def test_a_tuple_as_the_only_argument_stands_in_another(tc):
    f = tc.mcache(lambda pair: pair)
    f.warm([((1, 2),), "text", None, [3][0]])
    assert [key for key, _ in f.items()] == [((1, 2),), ("text",), (None,), (3,)]


@both_kinds
@however_many
def test_what_is_fresh_is_not_computed_again(tc, decorator, workers):
    f, runs = counting(tc, decorator)
    finished(f.warm([1, 2]))
    del runs[:]
    assert finished(f.warm([1, 2, 3, {"x": 2}], workers=workers))[:3] == (1, 1, 3)
    assert runs == [(3, 0)]
    assert f.cache_info().hits == 0, "a look is no use"


def test_what_is_over_is_computed_again(tc, clock):
    f, _ = counting(tc, ttl=10, clock=clock)
    f.warm([1])
    clock.advance(10)
    assert f.warm([1]) == (1, 1, 0, 0, None)


@both_kinds
@however_many
def test_an_exception_does_not_stop_the_others(tc, decorator, workers):
    f, _ = counting(tc, decorator, fail=(2, 4))
    done = finished(f.warm(range(6), workers=workers))
    assert done[:4] == (6, 4, 0, 2)
    assert isinstance(done.error, ValueError)
    assert sorted(key[0] for key, _ in f.items()) == [0, 1, 3, 5]


@both_kinds
def test_arguments_that_do_not_fit_are_failures_too(tc, decorator):
    f, _ = counting(tc, decorator)
    done = finished(f.warm([(1, 2, 3), {"z": 1}, [], 1]))
    assert done[:4] == (4, 1, 0, 3)
    assert isinstance(done.error, TypeError)


@both_kinds
def test_what_is_not_stored_is_called_and_not_loaded(tc, decorator):
    f, _ = counting(tc, decorator, cache_if=lambda result, x: result % 2)
    assert finished(f.warm(range(4))) == (4, 2, 0, 0, None)


@both_kinds
@however_many
def test_an_interrupt_ends_it(tc, decorator, workers):
    class Stop(BaseException):
        pass

    def stop(x):
        if x == 3:
            raise Stop
        return x

    async def stop_awaited(x):
        return stop(x)

    f = tc.mcache(stop if decorator == "mcache" else stop_awaited)
    with pytest.raises(Stop):
        finished(f.warm(range(1000), workers=workers))
    assert f.cache_info().currsize < 100


# -- workers -------------------------------------------------------------------------------------


def test_without_workers_the_caller_does_it_in_order(tc):
    threads = []
    f = tc.mcache(lambda x: threads.append((x, threading.current_thread())))
    f.warm(range(3))
    assert threads == [(n, threading.current_thread()) for n in range(3)]


def test_workers_are_threads_that_work_at_the_same_time(tc):
    meeting = threading.Barrier(3, timeout=30)
    f = tc.mcache(lambda x: meeting.wait())
    assert f.warm(range(6), workers=3)[:2] == (6, 6)
    assert not [t for t in threading.enumerate() if t.name.startswith("twat-cache")]


def test_workers_of_a_coroutine_function_are_tasks_that_overlap(tc):
    waiting = []

    @tc.acache
    async def f(x):
        waiting.append(asyncio.get_running_loop().create_future())
        if len(waiting) == 3:
            for future in waiting:
                future.set_result(None)
            waiting.clear()
            return x
        await waiting[-1]
        return x

    async def main():
        done = await asyncio.wait_for(f.warm(range(6), workers=3), 30)
        assert done[:2] == (6, 6)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_threads_see_the_context_of_the_caller(tc):
    tenant = contextvars.ContextVar("tenant")
    seen = []
    f = tc.mcache(lambda x: seen.append(tenant.get()))
    tenant.set("mine")
    f.warm(range(3), workers=2)
    assert seen == ["mine"] * 3


def test_calls_are_taken_one_by_one(tc):
    ahead = []
    done = []

    def calls():
        for n in range(100):
            ahead.append(n - len(done))
            yield n

    f = tc.mcache(lambda x: x)
    f.warm(calls(), progress=lambda n, total: done.append(n))
    assert set(ahead) == {0}
    del ahead[:], done[:]
    f.cache_clear()
    f.warm(calls(), workers=3, progress=lambda n, total: done.append(n))
    assert max(ahead) <= 6


@both_kinds
@however_many
def test_calls_that_fail_to_come_end_it(tc, decorator, workers):
    def calls():
        yield 1
        raise RuntimeError("no more")

    f, _ = counting(tc, decorator)
    with pytest.raises(RuntimeError, match="no more"):
        finished(f.warm(calls(), workers=workers))


def test_a_task_that_is_cancelled_cancels_its_workers(tc):
    @tc.acache
    async def f(x):
        await asyncio.sleep(3600)

    async def main():
        task = asyncio.ensure_future(f.warm(range(10), workers=3))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_one_worker_needs_no_asyncio(tc):
    @tc.acache
    async def f(x):
        return x

    coroutine = f.warm([1, 2])
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    assert end.value.value[:2] == (2, 2)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_a_number_that_is_none_is_refused(tc, workers):
    f, runs = counting(tc)
    with pytest.raises(tc.ConfigurationError, match="workers="):
        f.warm([1], workers=workers)
    assert runs == []


# -- progress ------------------------------------------------------------------------------------


@both_kinds
@however_many
def test_a_function_is_told_how_far_it_is(tc, decorator, workers):
    f, _ = counting(tc, decorator, fail=(3,))
    told = []
    finished(f.warm([1, 1, 2, 3], workers=workers, progress=lambda *how: told.append(how)))
    assert [total for _, total in told] == [4] * 4
    assert [done for done, _ in told] == [1, 2, 3, 4]


def test_without_a_length_there_is_no_total(tc):
    f, _ = counting(tc)
    told = []
    f.warm(iter([1, 2]), progress=lambda *how: told.append(how))
    assert told == [(1, None), (2, None)]


def test_it_is_told_in_the_thread_that_asked(tc):
    threads = set()
    f, _ = counting(tc)
    f.warm(range(9), workers=3, progress=lambda *_: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


@both_kinds
@however_many
def test_what_it_raises_ends_it(tc, decorator, workers):
    f, _ = counting(tc, decorator)
    with pytest.raises(ZeroDivisionError):
        finished(f.warm(range(100), workers=workers, progress=lambda done, total: 1 / 0))


@both_kinds
def test_true_shows_a_bar_on_stderr(tc, decorator, capsys):
    f, _ = counting(tc, decorator, name="prices")
    finished(f.warm(range(5), progress=True))
    caught = capsys.readouterr()
    assert caught.err.startswith("warm prices: 5 done in ")
    assert caught.out == ""
    finished(f.warm(range(5), progress=False))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("progress", [5, "yes"])
def test_anything_else_is_refused(tc, progress):
    f, runs = counting(tc)
    with pytest.raises(tc.ConfigurationError, match="progress="):
        f.warm([1], progress=progress)
    assert runs == []


# -- methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_instance", [False, True])
@both_kinds
def test_a_bound_method_knows_its_object(tc, decorator, per_instance):
    class Shop:
        def __init__(self, factor):
            self.factor = factor

        if decorator == "mcache":

            @tc.mcache(per_instance=per_instance)
            def price(self, item, count=1):
                return item * count * self.factor

        else:

            @tc.mcache(per_instance=per_instance)
            async def price(self, item, count=1):
                return item * count * self.factor

    shop = Shop(10)
    done = finished(shop.price.warm([1, (2, 3), {"item": 4, "count": 5}]))
    assert done[:3] == (3, 3, 0)
    assert sorted(value for _, value in shop.price.items()) == [10, 60, 200]
    assert finished(shop.price.warm([1]))[:3] == (0, 0, 1)
    other = Shop(1)
    done = finished(Shop.price.warm([(shop, 1), (other, 1), other]))
    assert done[:4] == (2, 1, 1, 1), "one was fresh, one had no item"


def test_a_class_method_knows_its_class(tc):
    class Shop:
        @tc.mcache  # above: a plain classmethod shows no controls since 3.13
        @classmethod
        def price(cls, item):
            return item

        @staticmethod
        @tc.mcache
        def tax(amount):
            return amount

    assert Shop.price.warm([1, 2])[:2] == (2, 2)
    assert Shop.tax.warm([1, 2])[:2] == (2, 2)


def test_the_argument_is_any_iterable(tc):
    f, _ = counting(tc)
    for calls in ([1], (1,), {1}, {1: 2}, iter([1]), range(1, 2)):
        assert isinstance(calls, Iterable)
        assert sum(f.warm(calls)[:3:2]) == 1

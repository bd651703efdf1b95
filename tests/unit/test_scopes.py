"""`bypass()` and `refreshing()`; blocks within blocks, in threads and in tasks."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
from functools import partial

import pytest

from tests.fixtures import worlds
from tests.fixtures.kinds import KINDS, made


@pytest.fixture
def make(tc, tmp_path):
    """Makes cached functions of each kind."""
    return partial(made, tc, tmp_path)


def is_on(tc):
    """Whether any block is open in the process."""
    return sys.modules[f"{tc.__name__}._scopes"]._open != 0


# -- bypass ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_bypass_runs_the_function_and_leaves_the_cache_alone(tc, make, kind):
    f = make(kind)
    first = f(1)
    before = f.peek(1)
    with tc.bypass():
        assert f(1) == first
        assert f(1) is not f(1)
        assert f(y=0, x=1) == [1, 0]
        assert f(2) == [2, 0]
    assert f.peek(1) == before
    assert f.contains(2) is False
    assert f.stats().bypasses == 5


@pytest.mark.parametrize("decorator", ["lru_cache", "cache"])
def test_bypass_concerns_functools_own_way_too(tc, decorator):
    f = getattr(tc, decorator)(lambda x: [x])
    first = f(1)
    with tc.bypass():
        assert f(1) is not first
    assert f(1) is first


def test_bypass_of_a_function_without_room(tc):
    f = tc.mcache(maxsize=0)(lambda x: [x])
    with tc.bypass():
        assert f(1) == [1]


def test_bypass_of_generator_functions(tc):
    @tc.mcache(generators="replay")
    def count(n):
        runs.append(n)
        yield from range(n)

    runs = []
    with tc.bypass():
        assert [*count(2), *count(2)] == [0, 1, 0, 1]
    assert runs == [2, 2]
    assert [*count(2), *count(2)] == [0, 1, 0, 1]
    assert runs == [2, 2, 2]


def test_bypass_of_classmethods_staticmethods_and_properties(tc):
    class Class:
        runs = 0

        @classmethod
        @tc.mcache
        def make(cls, x):
            return [x]

        @staticmethod
        @tc.mcache
        def help(x):
            return [x]

        @property
        @tc.mcache
        def size(self):
            return [self.runs]

        @tc.mcache(per_instance=True)
        def own(self, x):
            return [x]

    one = Class()
    for call in (lambda: Class.make(1), lambda: one.help(1), lambda: one.size, lambda: one.own(1)):
        assert call() is call()
        with tc.bypass():
            assert call() is not call()
        assert call() is call()


def test_controls_work_in_a_bypass(tc, make):
    f = make("plain")
    with tc.bypass():
        f.put("by hand", 1)
        assert f.peek(1) == "by hand"
        assert f(1) == [1, 0]
    assert f(1) == "by hand"


# -- refreshing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_refreshing_computes_anew_once_and_stores(tc, make, kind):
    f = make(kind)
    f.put("old", 1)
    with tc.refreshing():
        assert f(1) == [1, 0]
        assert f.peek(1) == [1, 0]
        f.put("newer", 1)
        assert f(x=1, y=0) == "newer"
    assert f(1) == "newer"


def test_refreshing_computes_what_a_computation_calls_anew_too(tc):
    runs = []

    @tc.mcache
    def fibonacci(n):
        runs.append(n)
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(30) == 832040
    runs.clear()
    with tc.refreshing():
        assert fibonacci(30) == 832040
    assert sorted(runs) == list(range(31))


def test_refreshing_tries_again_after_a_failure(tc):
    @tc.mcache
    def f(x):
        if fails:
            raise LookupError(x)
        return "new"

    fails = []
    f.put("old", 1)
    with tc.refreshing():
        fails.append(1)
        with pytest.raises(LookupError):
            f(1)
        fails.clear()
        assert f(1) == "new"


def test_refreshing_leaves_functools_own_way_alone(tc):
    f = tc.lru_cache(lambda x: [x])
    first = f(1)
    with tc.refreshing(), tc.request_scope(), tc.override(ttl=5):
        assert f(1) is first


def test_refreshing_generator_functions(tc):
    @tc.mcache(generators="replay")
    def count(n):
        runs.append(n)
        yield from range(n)

    runs = []
    assert [*count(2)] == [0, 1]
    with tc.refreshing():
        assert [*count(2), *count(2)] == [0, 1, 0, 1]
    assert [*count(2)] == [0, 1]
    assert runs == [2, 2]


# -- nesting, threads, tasks -----------------------------------------------------------------------


def test_nothing_is_asked_once_no_block_is_open(tc, make):
    f = make("plain")
    with tc.bypass(), tc.refreshing():
        assert is_on(tc)
    assert not is_on(tc)
    assert f(1) is f(1)


def test_a_block_that_raises_ends_all_the_same(tc):
    f = tc.mcache(lambda x: [x])
    for scope in (tc.bypass, tc.refreshing, tc.request_scope, tc.override):
        with pytest.raises(LookupError), scope():
            raise LookupError
    assert not is_on(tc)
    assert f(1) is f(1)


def test_the_innermost_block_is_asked_first(tc, make):
    f = make("plain")
    with tc.request_scope():
        first = f(1)
        with tc.bypass():
            assert f(1) is not first
            with tc.request_scope():
                bypassed = f(1)
                assert bypassed is not first
                assert f(1) is bypassed
        assert f(1) is first
        with tc.refreshing():
            fresh = f(1)
            assert fresh is not first
        assert f(1) is fresh
    assert f(1) is fresh


def test_a_request_around_a_refresh_without_the_cache(tc):
    f = tc.mcache(cache_if=lambda *_: False)(lambda x: [x])
    with tc.request_scope():
        first = f(1)
        with tc.refreshing():
            fresh = f(1)
        assert fresh is not first
        assert f(1) is fresh


def test_one_block_may_be_entered_twice(tc):
    f = tc.mcache(lambda x: [x])
    block = tc.bypass()
    with block:
        with block:
            assert f(1) is not f(1)
        assert f(1) is not f(1)
    assert f(1) is f(1)
    with block:
        assert f(1) is not f(1)
    assert not is_on(tc)


def test_what_is_decorated_in_a_block_belongs_to_it(tc):
    with tc.bypass():
        f = tc.mcache(lambda x: [x])
        assert f(1) is not f(1)
    assert f(1) is f(1)


def test_another_thread_is_not_concerned(tc):
    f = tc.mcache(lambda x: [x])
    first = f(1)
    answers = []
    with tc.bypass():
        thread = threading.Thread(target=lambda: answers.append(f(1)))
        thread.start()
        thread.join()
        assert f(1) is not first
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: answers.append(context.run(f, 1)))
        thread.start()
        thread.join()
    assert answers[0] is first
    assert answers[1] is not first


def test_blocks_of_many_threads_may_overlap(tc):
    f = tc.mcache(lambda x: [x])
    first = f(1)
    wrong = []
    start = threading.Barrier(4)

    def work(bypasses):
        start.wait()
        for _ in range(300):
            if bypasses:
                with tc.bypass():
                    if f(1) is first:
                        wrong.append("cached in a bypass")
            elif f(1) is not first:
                wrong.append("not cached outside")

    threads = [threading.Thread(target=work, args=(n % 2,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not is_on(tc)
    assert f(1) is first


def test_a_block_that_is_left_in_another_context_ends(tc):
    f = tc.mcache(lambda x: [x])
    block = tc.bypass()
    contextvars.copy_context().run(block.__enter__)
    assert f(1) is f(1)
    block.__exit__(None, None, None)
    assert not is_on(tc)


def test_tasks_have_the_blocks_of_their_own(tc):
    @tc.acache
    async def f(x):
        await asyncio.sleep(0)
        return [x]

    async def plain():
        return await f(1)

    async def bypassing():
        async with tc.bypass():
            await asyncio.sleep(0)
            return await f(1)

    async def main():
        first = await f(1)
        answers = await asyncio.gather(*[bypassing() if n % 2 else plain() for n in range(8)])
        assert [answer is first for answer in answers] == [n % 2 == 0 for n in range(8)]
        async with tc.bypass():
            begun = asyncio.create_task(plain())
            assert await begun is not first
            late = asyncio.create_task(plain())
        assert await late is first, "a block ends for the tasks that outlive it, too"

    asyncio.run(main())
    assert not is_on(tc)


@pytest.mark.parametrize("kind", ["memory", "engine"])
def test_coroutine_functions_in_blocks(tc, tmp_path, kind):
    decorate = tc.acache if kind == "memory" else tc.ucache(f"sqlite:///{tmp_path}/cache.db")

    @decorate
    async def f(x):
        runs.append(x)
        await asyncio.sleep(0)
        return [x]

    runs = []

    async def main():
        async with tc.request_scope():
            first = await f(1)
            await f.invalidate(2)
            assert await f(1) is first
            if kind == "memory":
                f.table.shed(9)
            assert await asyncio.create_task(f(1)) is first
            together = await asyncio.gather(f(2), f(2), f(2))
            assert together[0] is together[1] is together[2]
            assert await f.invalidate(1) is (kind == "engine")
            assert await f(1) is not first
        assert runs == [1, 2, 1]
        async with tc.refreshing():
            assert await f(1) == await f(1) == [1]
        assert runs == [1, 2, 1, 1]
        async with tc.bypass():
            assert await asyncio.wait_for(f(1), 5) == [1]
        assert runs == [1, 2, 1, 1, 1]
        assert await f(1) == [1]
        assert len(runs) == 5
        async with tc.override(cache_if=lambda *_: False):
            await f(7)
        assert await f.contains(7) is False

    asyncio.run(main())


def test_async_generator_functions_in_blocks(tc):
    @tc.mcache(generators="replay")
    async def count(n):
        runs.append(n)
        for i in range(n):
            yield i

    runs = []

    async def main():
        for _ in range(2):
            assert [i async for i in count(2)] == [0, 1]
        with tc.refreshing():
            for _ in range(2):
                assert [i async for i in count(2)] == [0, 1]
        with tc.bypass(), tc.request_scope():
            assert [i async for i in count(2)] == [0, 1]

    asyncio.run(main())
    assert runs == [2, 2, 2]


def test_an_entry_in_a_block_is_found_by_keywords_after_it(tc):
    f = tc.mcache(lambda x, y: [x, y])
    with tc.request_scope():
        first = f(1, y=2)
    assert f(1, y=2) is first
    assert f(y=2, x=1) is first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.thread_unsafe(reason="it forks")
def test_a_forked_child_has_only_the_blocks_of_its_own(tc):
    f = tc.mcache(lambda x: [x])
    first = f(1)
    entered, leave = threading.Event(), threading.Event()

    def elsewhere():
        with tc.bypass():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    entered.wait()
    child = os.fork()
    if child == 0:
        with tc.bypass():
            fine = f(1) is not first
        os._exit(0 if fine and not is_on(tc) and f(1) is first else 1)
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert not is_on(tc)


# -- TWAT_CACHE_DISABLED ---------------------------------------------------------------------------

DISABLED = """
import asyncio, twat_cache as tc
runs = []
f = tc.mcache(lambda x: runs.append(x) or [x])
g = tc.lru_cache(lambda x: runs.append(x) or [x])
@tc.acache
async def h(x):
    runs.append(x)
    return x
async def main():
    with tc.request_scope():
        await h(1), await h(1)
f(1), f(1), g(1), g(x=1)
asyncio.run(main())
with tc.bypass():
    pass
f(1)
print(len(runs), f.cache_info()[:2], len(f.table))
"""


@pytest.mark.parametrize(("value", "expected"), [("1", "7 (0, 0) 0"), ("0", "4 (2, 1) 1")])
def test_all_caching_can_be_turned_off(core, value, expected):
    done = subprocess.run(
        [sys.executable, "-c", DISABLED],
        env=worlds.environment(core) | {"TWAT_CACHE_DISABLED": value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (expected, "")

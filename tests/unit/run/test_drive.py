"""Steps are written once and driven two ways; what is raised comes through as it was."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref

import pytest

from twat_cache._run.drive import Halted, arun, disguised, original, run


class Failure(Exception):
    pass


class Give:
    """An effect that gives or raises what it was made of."""

    def __init__(self, value):
        self.value = value

    def run(self):
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value

    async def arun(self):
        await asyncio.sleep(0)
        return self.run()


def driven_async(steps):
    return asyncio.run(arun(steps))


@pytest.fixture(params=[run, driven_async])
def drive(request):
    return request.param


def test_effects_are_waited_for_one_after_the_other(drive):
    def inner():
        return [(yield Give(2)), (yield Give(3))]

    def steps():
        first = yield Give(1)
        return [first, *(yield from inner())]

    assert drive(steps()) == [1, 2, 3]


def test_steps_that_wait_for_nothing_come_to_something(drive):
    def steps():
        yield from ()
        return 1

    assert drive(steps()) == 1


@pytest.mark.parametrize("error", [Failure(1), KeyboardInterrupt(), SystemExit(3)])
def test_what_an_effect_raises_is_raised_in_the_steps_and_from_them(drive, error):
    seen = []

    def steps():
        try:
            yield Give(error)
        except BaseException as got:
            seen.append(got)
            raise

    with pytest.raises(type(error)) as raised:
        drive(steps())
    assert seen == [error]
    assert raised.value is error


def test_steps_may_go_on_after_an_exception(drive):
    def steps():
        try:
            yield Give(Failure())
        except Failure:
            return (yield Give("instead"))

    assert drive(steps()) == "instead"


def test_a_stop_iteration_comes_through_threads_steps():
    error = StopIteration("value")
    cause = error.__cause__ = Failure()
    seen = []

    def steps():
        try:
            yield Give(error)
        except Exception as got:
            seen.append(got)
            raise

    with pytest.raises(StopIteration) as raised:
        run(steps())
    assert raised.value is error
    assert raised.value.__cause__ is cause
    assert type(seen[0]) is Halted
    assert original(seen[0]) is error


def test_only_what_would_end_a_generator_is_disguised():
    failure = Failure()
    assert disguised(failure) is original(failure) is failure
    assert original(disguised(StopIteration(1))).value == 1


def test_closing_steps_is_closing_them():
    seen = []

    def steps():
        try:
            yield Give(1)
        finally:
            seen.append("closed")

    going = steps()
    next(going)
    going.close()
    assert seen == ["closed"]


def test_a_coroutine_that_is_dropped_closes_its_steps():
    seen = []

    class Turn:
        def __await__(self):
            yield

    class Never:
        async def arun(self):
            await Turn()

    def steps():
        try:
            yield Never()
        finally:
            seen.append("closed")

    coroutine = arun(steps())
    coroutine.send(None)
    coroutine.close()
    assert seen == ["closed"]


@pytest.mark.thread_unsafe(reason="turns the garbage collector off")
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="counts no references")
@pytest.mark.parametrize("error", [Failure, StopIteration])
@pytest.mark.parametrize("drive", [run, lambda steps: arun(steps).send(None)])
def test_an_exception_is_in_no_circle(drive, error):
    class Weak(error):
        pass

    class Holding:
        """As effects do that know of what was raised."""

        def __init__(self):
            self.error = Weak()

        def run(self):
            return weakref.ref(self.error)

        async def arun(self):
            return self.run()

    def steps():
        gone = yield Holding()
        raise disguised(gone())

    gc.collect()
    gc.disable()
    try:
        try:
            drive(steps())
        except Exception as got:
            gone = weakref.ref(original(got))
        assert gone() is None
    finally:
        gc.enable()

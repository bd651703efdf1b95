"""A hit in an engine of this machine is answered at a glance; nobody can tell but by the clock."""

from __future__ import annotations

import asyncio
import threading

import pytest


class Asked:
    """An engine that notes who gets what, said to be of this machine or far away."""

    def __init__(self, tc, *, local, clock):
        self.inner = tc.open_engine("mapping:", clock=lambda: clock() / 1e9)
        self.capabilities = self.inner.capabilities._replace(local=local)
        self.gets = []
        self.is_down = False
        self.error = tc.EngineError

    def get(self, keys):
        self.gets.append(threading.get_ident())
        if self.is_down:
            raise self.error("down")
        return self.inner.get(keys)

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.fixture(params=[True, False], ids=["local", "far"])
def engine(request, tc, clock):
    return Asked(tc, local=request.param, clock=clock)


def test_an_engine_is_asked_once_for_a_hit_and_a_far_one_once_for_a_miss(tc, engine):
    @tc.ucache(engine)
    def f(x):
        return [x]

    assert [1] == f(1)
    assert (2 if engine.capabilities.local else 1) == len(engine.gets)
    engine.gets.clear()
    assert [1] == f(1)
    assert 1 == len(engine.gets)


def test_who_looked_before_another_had_stored_looks_again(tc, clock):
    engine = Asked(tc, local=False, clock=clock)
    runs, interludes = [], []

    @tc.ucache(engine)
    def f(x):
        runs.append(x)
        return [x]

    def get(keys):
        found = engine.inner.get(keys)
        if not interludes:
            interludes.append(thread := threading.Thread(target=f, args=(1,)))
            thread.start()
            thread.join()
        return found

    engine.get = get
    assert [1] == f(1)
    assert [1] == runs


def test_a_far_engine_that_can_not_serve_is_asked_once(tc, clock):
    engine = Asked(tc, local=False, clock=clock)
    engine.is_down = True

    @tc.ucache(engine)
    def f(x):
        return [x]

    assert [1] == f(1)
    assert 1 == len(engine.gets) == f.stats().engine_errors


@pytest.mark.parametrize("option", ["tags", "tti", "refresh_ahead", "beta"])
def test_where_a_hit_takes_more_than_a_look_it_is_looked_for_once(tc, clock, option):
    engine = Asked(tc, local=True, clock=clock)
    options = {"tags": ["t"], "tti": 9, "refresh_ahead": 0.9, "beta": 1}

    @tc.ucache(engine, ttl=100, clock=clock, **{option: options[option]})
    def f(x):
        return [x]

    f(1)
    engine.gets.clear()
    assert [1] == f(1)
    assert 1 == len(engine.gets)


@pytest.mark.parametrize("kind", ["async def", "generator", "near"])
def test_only_plain_functions_are_answered_so(tc, clock, kind):
    engine = Asked(tc, local=True, clock=clock)
    if kind == "async def":

        @tc.ucache(engine)
        async def f(x):
            return [x]

        assert [[1], [1]] == [asyncio.run(f(1)) for _ in range(2)]
        assert threading.get_ident() not in engine.gets  # the loop's thread waits for nothing
    elif kind == "generator":

        @tc.ucache(engine, generators="replay")
        def g(x):
            yield x

        assert [[1], [1]] == [list(g(1)) for _ in range(2)]
    else:

        @tc.ucache(["memory", engine])
        def h(x):
            return [x]

        assert h(1) is h(1)
        assert 1 == len(engine.gets)


def fresh(f, engine, clock):
    return [f(1), f(1), f(2), f(1)]


def past_its_time(f, engine, clock):
    first = f(1)
    clock.advance(11)
    return [first, f(1), f(1)]


def kept_exception(f, engine, clock):
    errors = []
    for _ in range(3):
        try:
            f(0)
        except LookupError as error:
            errors.append(error.args)
    return errors


def damaged(f, engine, clock):
    first = f(1)
    (record,) = engine.get([f.cache_key(1)])
    engine.put({f.cache_key(1): bytes(record[:-1]) + b"?"}, None)
    return [first, f(1), f(1)]


def foreign(f, engine, clock):
    engine.put({f.cache_key(1): b""}, None)
    return [f(1), f(1)]


def down(f, engine, clock):
    first = f(1)
    engine.is_down = True
    second = f(1)
    engine.is_down = False
    return [first, second, f(1)]


def dropped(f, engine, clock):
    first = f(1)
    return [first, f.invalidate(1), f(1), f.put("by hand", 1), f(1), f.refresh(1), f(1)]


@pytest.mark.parametrize(
    "story", [fresh, past_its_time, kept_exception, damaged, foreign, down, dropped]
)
def test_answers_counts_and_events_are_the_same_either_way(tc, clock, story):
    seen = []
    for local in (True, False):
        told = []
        stop = tc.events.subscribe(told.append)
        engine = Asked(tc, local=local, clock=clock)
        calls = []

        @tc.ucache(
            engine, name="f", ttl=10, cache_exceptions={LookupError: 10}, clock=clock, version="1"
        )
        def f(x):
            calls.append(x)
            if x == 0:
                raise LookupError(len(calls))
            return {"x": x, "n": len(calls)}

        answers = story(f, engine, clock)
        stop()
        events = [
            (type(event).__name__, getattr(event, "key", ""), getattr(event, "damage", ""))
            for event in told
        ]
        seen.append((answers, calls, f.stats()._replace(load_seconds=0.0), events))
    assert seen[0] == seen[1]


def test_what_was_stored_with_tags_is_good_while_they_are(tc, clock):
    engine = Asked(tc, local=True, clock=clock)

    def f():
        return 1

    tagged = tc.ucache(engine, name="f", tags=["t"])(f)
    plain = tc.ucache(engine, name="f")(f)
    tagged()
    assert 1 == plain()
    assert (1, 0) == plain.cache_info()[:2]
    tc.invalidate_tags("t")
    assert 1 == plain()
    assert (1, 1) == plain.cache_info()[:2]

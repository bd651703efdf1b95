"""A detour: a hook answers all calls of all gates, and while there is none nothing asks for it."""

from __future__ import annotations

import gc
import threading

import pytest

pytestmark = pytest.mark.thread_unsafe(reason="a detour is for all gates of the process")


@pytest.fixture
def detour(tc):
    """Sets detours, and ends the last one."""
    yield tc._core.detour
    tc._core.detour(None)


def shout(gate, args, kwargs):
    return ("hook", args, kwargs)


class Holder:
    """Something that can be held weakly."""


def test_a_hook_answers_hits_and_misses_of_every_kind_of_gate(tc, detour):
    functions = [
        tc.mcache(lambda x: [x]),
        tc.mcache(lambda x, y=1: [x, y]),
        tc.mcache(lambda *args, **kwargs: [args, kwargs]),
        tc.mcache(ttl=10)(lambda x: [x]),
        tc.mcache(policy="sieve")(lambda x: [x]),
        tc.mcache(copy=list)(lambda x: [x]),
        tc.mcache(key=lambda x: x)(lambda x: [x]),
        tc.mcache(maxsize=0)(lambda x: [x]),
        tc.mcache(method=True)(lambda x: [x]),
        tc.lru_cache(lambda x: [x]),
        tc.cache(lambda x: [x]),
    ]
    one = Holder()
    for f in functions:
        before = f(one)
        f(x=one) if f is not functions[2] else None
        detour(shout)
        assert f(one) == ("hook", (one,), {})
        assert f(x=one) == ("hook", (), {"x": one})
        detour(None)
        if f is not functions[7]:
            assert f(one) == before


def test_a_call_can_be_answered_in_spite_of_the_detour(tc, detour):
    def hook(gate, args, kwargs):
        seen.append((args, kwargs))
        return gate.answer(args, kwargs)

    seen = []
    f = tc.mcache(lambda x, y=1: [x, y])
    first = f(1)
    detour(hook)
    assert f(1) is first
    assert f(1, y=1) is first
    assert f(x=2) is f(2, y=1)
    assert seen == [((1,), {}), ((1,), {"y": 1}), ((), {"x": 2}), ((2,), {"y": 1})]
    assert f.cache_info()[:2] == (3, 2)
    detour(None)
    assert f(2) is f(y=1, x=2)
    assert len(seen) == 4


def test_what_is_decorated_during_a_detour_takes_it_too(tc, detour):
    detour(shout)
    f = tc.mcache(lambda x: [x])
    assert f(1) == ("hook", (1,), {})
    detour(None)
    assert f(1) is f(1)


def test_a_table_gets_its_way_from_its_gate(tc, detour):
    """One that had no gate while the detour began or ended is none the worse for it."""
    table = tc._core.Table(9)
    detour(shout)
    early = tc._core.Gate(lambda x: [x], table)
    assert early(1)[0] == "hook"
    del early
    gc.collect()
    detour(None)
    late = tc._core.Gate(lambda x: [x], table)
    assert late(1) is late(1)
    unused = tc._core.Table(9)
    detour(shout)
    detour(None)
    assert tc._core.Gate(lambda x: [x], unused)(1) == [1]


def test_a_table_that_is_set_up_anew_stays_on_the_detour(tc, detour):
    f = tc.mcache(ttl=10)(lambda x: [x])
    detour(shout)
    f.table.valid_until = f.table.now() + 10**12
    f.resize(5)
    f.table.bypass = 1
    assert f(1)[0] == "hook"
    f.table.bypass = 0
    f.table.valid_until = None
    f.resize(None)
    assert f(1)[0] == "hook"


def test_the_bypass_word_holds_behind_a_detour(tc, detour):
    f = tc.mcache(lambda x: [x])
    detour(lambda gate, args, kwargs: gate.answer(args, kwargs))
    first = f(1)
    f.table.bypass = 1
    assert f(1) is not first
    assert f.table.counters()[7] == 1


def test_the_last_hook_counts(tc, detour):
    f = tc.mcache(lambda x: [x])
    detour(shout)
    detour(lambda *_: "another")
    assert f(1) == "another"
    detour(shout)
    assert f(1)[0] == "hook"


def test_what_a_hook_raises_reaches_the_caller(tc, detour):
    def hook(gate, args, kwargs):
        raise LookupError("no way")

    f = tc.mcache(lambda x: [x])
    detour(hook)
    with pytest.raises(LookupError, match="no way"):
        f(1)
    with pytest.raises(LookupError, match="no way"):
        f(x=1)


def test_calls_by_keyword_are_as_quick_after_a_detour(tc, detour):
    """What a detour learns of a call's form isn't remembered in place of the call's own."""
    f = tc.mcache(lambda x, y: [x, y])
    detour(lambda gate, args, kwargs: gate.answer(args, kwargs))
    for _ in range(40):
        f(1, y=2)
    detour(None)
    assert f(1, y=2) is f(1, y=2) is f(x=1, y=2)


def test_errors_of_calls_are_the_same_behind_a_detour(tc, detour):
    f = tc.mcache(lambda x: [x])
    errors = []
    for hook in (None, lambda gate, args, kwargs: gate.answer(args, kwargs)):
        detour(hook)
        for args, kwargs in (((), {}), ((1, 2), {}), (([],), {}), ((), {"y": 1})):
            with pytest.raises(TypeError) as caught:
                f(*args, **kwargs)
            errors.append((type(caught.value), str(caught.value)))
    assert errors[:4] == errors[4:]


def test_threads_that_set_tables_up_lose_no_detour(tc, detour):
    functions = [tc.mcache(ttl=100)(lambda x: [x]) for _ in range(4)]
    stop = threading.Event()

    def disturb(f):
        while not stop.is_set():
            f.table.valid_until = f.table.now() + 10**12
            f.table.valid_until = None

    threads = [threading.Thread(target=disturb, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            detour(shout)
            assert [f(1)[0] for f in functions] == ["hook"] * 4
            detour(None)
            assert [f(1) for f in functions] == [[1]] * 4
    finally:
        stop.set()
        for thread in threads:
            thread.join()

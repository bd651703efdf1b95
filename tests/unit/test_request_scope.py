"""`request_scope()`: one answer for each call in a block, whatever the cache does."""

from __future__ import annotations

import gc
import threading
from functools import partial

import pytest

from tests.fixtures.kinds import KINDS, Thing, made


@pytest.fixture
def make(tc, tmp_path):
    """Makes cached functions of each kind."""
    return partial(made, tc, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_gives_one_answer_whatever_the_cache_does(tc, make, kind, tmp_path):
    f = make(kind)
    with tc.request_scope():
        first = f(1)
        if kind in ("engine", "tiers"):
            engine = tc.open_engine(f"sqlite:///{tmp_path}/{kind}.db")
            assert engine.drop([f.cache_key(1)]) == 1
            engine.close()
        f.table.shed(9)
        assert f(1) is first
        assert f(y=0, x=1) is first
        assert f(2) is not first
    again = f(1)
    assert (again == first, again is first) == (True, False)


def test_a_request_outlives_an_expiry(tc, clock):
    f = tc.mcache(ttl=10, clock=clock)(lambda x: [x])
    with tc.request_scope():
        first = f(1)
        clock.advance(20)
        assert f(1) is first
    assert f(1) is not first


def test_a_request_begins_with_what_is_cached(tc, make):
    f = make("plain")
    first = f(1)
    with tc.request_scope():
        assert f(1) is first
        assert f(1) is first
    assert f.cache_info()[:2] == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["invalidate", "put", "cache_clear", "tags"])
def test_a_request_sees_what_is_changed_by_hand(tc, make, kind, way):
    options = {"tags": lambda *args: [f"tag {args[-1]}"]} if way == "tags" else {}
    f = make(kind, **options)
    with tc.request_scope():
        first = f(1)
        if way == "invalidate":
            assert f.invalidate(1) is True
        elif way == "put":
            f.put("by hand", 1)
            assert f(1) == "by hand"
            return
        elif way == "cache_clear":
            f.cache_clear()
        else:
            gc.collect()  # caches of other tests, whose engines are closed
            tc.invalidate_tags("tag 1")
        again = f(1)
        assert again is not first
        assert f(1) is again


def test_a_computation_that_was_overtaken_by_a_change_is_not_kept(tc):
    @tc.mcache
    def f(x):
        runs.append(x)
        if len(runs) == 1:
            f.invalidate(x)
        return [len(runs)]

    runs = []
    with tc.request_scope():
        assert [f(1), f(1), f(1)] == [[1], [2], [2]]


def test_a_request_forgets_all_at_its_end(tc):
    class Value:
        """Something that can be seen to go."""

    f = tc.mcache(cache_if=lambda *_: False)(lambda x: Value())
    with tc.request_scope():
        assert f(1) is f(1)
        assert sum(type(one) is Value for one in gc.get_objects()) == 1
    gc.collect()
    assert sum(type(one) is Value for one in gc.get_objects()) == 0
    f.table.put((1,), "not grounded by anything")


def test_a_failure_is_not_remembered(tc):
    @tc.mcache
    def f(x):
        runs.append(x)
        if len(runs) == 1:
            raise LookupError(x)
        return len(runs)

    runs = []
    with tc.request_scope():
        with pytest.raises(LookupError):
            f(1)
        assert [f(1), f(1)] == [2, 2]


def test_copies_stay_copies_in_a_request(tc):
    f = tc.mcache(copy=True, cache_if=lambda *_: False)(lambda x: [x])
    with tc.request_scope():
        f(1).append("changed")
        f(1).append("changed")
        assert f(1) == [1]


def test_arguments_that_cannot_be_hashed_are_as_usual(tc):
    bypassing = tc.mcache(unhashable="bypass")(lambda x: [x])
    refusing = tc.mcache(lambda x: [x])
    digesting = tc.mcache(unhashable="digest")(lambda x: [x])
    for scope in (tc.request_scope, tc.refreshing, lambda: tc.override(ttl=None)):
        with scope():
            assert bypassing([1]) is not bypassing([1])
            assert digesting([1]) is digesting([1])
            with pytest.raises(tc.CacheKeyError):
                refusing([1])
            with pytest.raises(TypeError, match="argument"):
                refusing()


def test_objects_are_told_by_identity_in_a_request(tc):
    class Same(Thing):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

        @tc.mcache(cache_if=lambda *_: False)
        def method(self):
            return [id(self)]

    with tc.request_scope():
        one, two = Same(), Same()
        assert one.method() is one.method()
        assert one.method() is not two.method()
        answers = [Same().method() for _ in range(50)]
        assert len({answer[0] for answer in answers}) == 50, "each object is held until the end"


def test_one_request_may_be_of_several_threads(tc):
    f = tc.mcache(cache_if=lambda *_: False)(lambda x: [x])
    request, answers = tc.request_scope(), []

    def work():
        with request:
            answers.append(f(1))

    with request:
        answers.append(f(1))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        answers.append(f(1))
    assert answers[0] is answers[1] is answers[2]
    with request:
        assert f(1) is not answers[0]

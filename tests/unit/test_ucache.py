"""Functions whose results are in an engine, with and without a near table: calls and controls."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import threading
from contextvars import ContextVar
from datetime import timedelta
from importlib import import_module
from uuid import uuid4

import pytest

from tests.fixtures.stores import Stores

tenant: ContextVar[str] = ContextVar("tenant")


@pytest.fixture(params=["def", "async def"])
def colour(request):
    return request.param


@pytest.fixture(params=["mapping", "sqlite", "near"])
def place(request):
    return request.param


@pytest.fixture
def stores(tc, place, clock, tmp_path):
    made = Stores(tc, "Cache", place, clock, tmp_path)
    yield made
    made.close()


class Kit:
    """Decorates functions of one colour in one place, and calls them."""

    def __init__(self, tc, stores, colour):
        self.tc = tc
        self.stores = stores
        self.tiers = stores.tiers()
        self.is_async = colour == "async def"
        self.calls = []
        self.made = []

    def function(self, body=None, **options):
        """A cached function; its calls are noted."""
        calls = self.calls

        def work(x, y=0, *, z=0):
            calls.append(x)
            return [x, y, z]

        function = body or work
        if self.is_async:
            inner = function

            @functools.wraps(inner)
            async def function(*args, **kwargs):
                return inner(*args, **kwargs)

            del function.__wrapped__
            function.__signature__ = inspect.signature(inner)
            if "key" not in options:
                function = self._with_parameters(inner)
        options = {"clock": self.stores.clock, "name": f"f{len(self.made)}", **options}
        made = self.tc.ucache(self.tiers, **options)(function)
        self.made.append(made)
        return made

    def _with_parameters(self, inner):
        """A coroutine function with the very parameters of a function."""
        names = inspect.signature(inner)
        calls = ", ".join(
            f"{p.name}={p.name}" if p.kind is p.KEYWORD_ONLY else p.name
            for p in names.parameters.values()
        )
        space = {"inner": inner}
        exec(f"async def work{names}:\n    return inner({calls})", space)
        return space["work"]

    def do(self, thunk):
        """What a call or a control gives."""
        answer = thunk()
        if inspect.isawaitable(answer):
            return self.stores.loop.run_until_complete(asyncio.wait_for(answer, 20))
        return answer


@pytest.fixture
def kit(tc, stores, colour):
    made = Kit(tc, stores, colour)
    yield made
    for function in made.made:
        function.close()


# -- calls -----------------------------------------------------------------------------------------


def test_a_result_is_computed_once(kit):
    f = kit.function()
    for call in (lambda: f(1), lambda: f(x=1), lambda: f(1, 0), lambda: f(1, z=0)):
        assert kit.do(call) == [1, 0, 0]
    assert kit.calls == [1]
    assert kit.do(lambda: f(1, z=2)) == [1, 0, 2]
    assert kit.calls == [1, 1]


def test_calls_are_told_apart_by_type_and_value(kit):
    values = [1, 1.0, True, "1", b"1", None, 0.0, -0.0, 0, False, "\ud800", 10**40, 1e40, 1.5, -1.5]
    values += [float("inf"), -float("inf"), float("nan"), 1 + 0j]
    values += [(1,), (True,), [1], [1.0], {"a": 1}, {"a": True}, {1}]
    for clock in (kit.stores.clock, None):  # a table looks at its own clock in a shorter way
        f = kit.function(clock=clock)
        kit.calls.clear()
        for _ in range(2):
            for value in values:
                calls = [lambda: f(value), lambda: f(x=value), lambda: f(value, 0)]
                for found in map(kit.do, [*calls, *calls]):
                    assert type(found[0]) is type(value)
                    assert repr(found) == repr([value, 0, 0])
        assert len(kit.calls) == len(values)


def test_arguments_that_do_not_fit_are_pythons_own_error(kit):
    f = kit.function()
    for call in (lambda: f(), lambda: f(1, 2, 3), lambda: f(1, w=2), lambda: f(1, x=1)):
        with pytest.raises(TypeError, match=r"\(\) (missing|takes|too many|got|multiple)"):
            kit.do(call)
    for control in (f.invalidate, f.peek, f.contains, f.refresh, f.cache_key):
        with pytest.raises(TypeError, match=r"\(\) (missing|takes|too many|got|multiple)"):
            kit.do(lambda control=control: control(1, 2, 3))
    assert kit.calls == []


def test_an_argument_that_can_not_be_a_key_is_an_error_with_remedies(tc, kit):
    f = kit.function()
    remedies = (
        r"the argument 'x': .*object.* can't be part of a key.*__cache_key__.*key= or ignore="
    )
    for use in (f, f.invalidate, f.peek, f.contains, f.refresh, f.cache_key):
        with pytest.raises(tc.CacheKeyError, match=remedies):
            kit.do(lambda use=use: use(object()))
    with pytest.raises(tc.CacheKeyError, match=remedies):
        kit.do(lambda: f.put(1, object()))


def test_bypass_does_without_a_cache_where_there_is_no_key(tc, kit):
    f = kit.function(unhashable="bypass")
    thing = object()
    assert kit.do(lambda: f(thing)) == kit.do(lambda: f(thing)) == [thing, 0, 0]
    assert kit.do(lambda: f.refresh(thing)) == [thing, 0, 0]
    assert len(kit.calls) == 3
    assert kit.do(lambda: f.peek(thing, default_="none")) == "none"
    assert kit.do(lambda: f.contains(thing)) is False
    assert kit.do(lambda: f.invalidate(thing)) is False
    assert f.stats().bypasses == 3
    with pytest.raises(tc.CacheKeyError):
        kit.do(lambda: f.put(1, thing))
    kit.do(lambda: f([1])), kit.do(lambda: f([1]))
    assert len(kit.calls) == 4


def test_an_exception_gets_through_and_is_not_kept(kit):
    def work(x):
        kit.calls.append(x)
        raise LookupError(x)

    f = kit.function(work)
    for _ in range(2):
        with pytest.raises(LookupError):
            kit.do(lambda: f(1))
    assert kit.calls == [1, 1]
    assert f.stats().load_failures == 2


def test_it_passes_for_the_function(kit):
    def work(x: int, y: float = 0.5) -> list[float]:
        """Works."""
        return [x, y]

    if kit.is_async:
        pytest.skip("the coroutine function here is one of its own")
    f = kit.function(work)
    assert (f.__name__, f.__doc__, f.__module__) == ("work", "Works.", __name__)
    assert f.__wrapped__ is work
    assert inspect.signature(f) == inspect.signature(work)
    assert f.__annotations__ == work.__annotations__


def test_asyncio_knows_a_coroutine_function(kit):
    assert asyncio.iscoroutinefunction(kit.function()) is kit.is_async


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [10, "10s", timedelta(seconds=10), lambda result, *_, **__: 10])
def test_a_result_lasts_for_its_ttl(kit, clock, ttl):
    f = kit.function(ttl=ttl)
    kit.do(lambda: f(1))
    clock.advance(9.9)
    kit.do(lambda: f(1))
    assert kit.calls == [1]
    clock.advance(0.2)
    kit.do(lambda: f(1))
    assert kit.calls == [1, 1]


def test_a_ttl_function_is_given_the_call_and_may_refuse_to_store(kit, clock):
    asked = []

    def ttl(result, x, y=0, *, z=0):
        asked.append((result, x, z))
        return {1: 0, 2: -5, 3: None, 4: "5s"}[x]

    f = kit.function(ttl=ttl)
    for x in (1, 2, 3, 4):
        kit.do(lambda x=x: f(x, z=9))
    assert asked == [([x, 0, 9], x, 9) for x in (1, 2, 3, 4)]
    assert [kit.do(lambda x=x: f.contains(x, z=9)) for x in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
    clock.advance(10_000)
    assert [kit.do(lambda x=x: f.contains(x, z=9)) for x in (3, 4)] == [True, False]


def test_cache_if_tells_whether_to_store(kit):
    f = kit.function(cache_if=lambda result, x, **_: x > 1)
    for x in (1, 2):
        kit.do(lambda x=x: f(x)), kit.do(lambda x=x: f(x))
    assert kit.calls == [1, 1, 2]


def test_jitter_shortens_each_time_and_no_more(kit, clock):
    f = kit.function(ttl=100, jitter=0.5)
    for x in range(50):
        kit.do(lambda x=x: f(x))
    clock.advance(49)
    assert all(kit.do(lambda x=x: f.contains(x)) for x in range(50))
    clock.advance(26)
    assert 0 < sum(kit.do(lambda x=x: f.contains(x)) for x in range(50)) < 50
    clock.advance(26)
    assert not any(kit.do(lambda x=x: f.contains(x)) for x in range(50))


def test_a_result_that_is_not_used_leaves(kit, clock):
    f = kit.function(tti=10)
    for value in (1, (1,)):  # found near by itself, and by its key in the engine
        kit.do(lambda value=value: f(value))
        for _ in range(5):
            clock.advance(6)
            kit.do(lambda value=value: f(value))
        assert len(kit.calls) == 1
        clock.advance(11)
        kit.do(lambda value=value: f(value))
        assert len(kit.calls) == 2
        kit.calls.clear()


def test_ignored_parameters_are_no_part_of_the_key(kit):
    f = kit.function(ignore=("y", "z"))
    assert kit.do(lambda: f(1, 2, z=3)) == kit.do(lambda: f(1, 4, z=object())) == [1, 2, 3]


def test_a_function_of_the_arguments_may_make_the_key(kit):
    f = kit.function(key=lambda x, *_, **__: x % 10)
    assert kit.do(lambda: f(1)) == kit.do(lambda: f(11)) == [1, 0, 0]
    assert kit.do(lambda: f.contains(21))
    assert kit.do(lambda: f.invalidate(31))
    assert kit.do(lambda: f(2)) == [2, 0, 0]


def test_context_variables_belong_to_the_key(kit):
    f = kit.function(context=(tenant,))
    assert kit.do(lambda: f(1)) == [1, 0, 0]
    for name in ("a", "b", "a"):
        token = tenant.set(name)
        kit.do(lambda: f(1))
        assert kit.do(lambda: f.contains(1))
        tenant.reset(token)
    assert len(kit.calls) == 3


def test_a_version_or_a_namespace_makes_other_keys(kit):
    made = [
        kit.function(name="f", **options)
        for options in ({}, {"version": "2"}, {"namespace": "n"}, {"version": "source"})
    ]
    for f in made:
        kit.do(lambda f=f: f(1))
    assert len(kit.calls) == 4
    assert len({f.cache_key(1) for f in made}) == 4
    again = kit.function(name="f", version="2")
    kit.do(lambda: again(1))
    assert len(kit.calls) == 4


def test_copies_keep_what_is_near_as_it_was(kit):
    f = kit.function(copy=True)
    first = kit.do(lambda: f(1))
    first.append("changed")
    second = kit.do(lambda: f(1))
    second.append("changed")
    assert kit.do(lambda: f(1)) == [1, 0, 0]
    assert kit.do(lambda: f.peek(1)) == [1, 0, 0]


@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize("sealed", [{}, {"secret": "s" * 32}])
def test_codecs_compression_and_signatures_give_the_value_back(kit, codec, sealed):
    def work(x):
        kit.calls.append(x)
        return {"text": "x" * 10_000, "n": x}

    f = kit.function(work, codec=codec, compress="zlib", checksum=True, **sealed)
    assert kit.do(lambda: f(1)) == kit.do(lambda: f(1)) == {"text": "x" * 10_000, "n": 1}
    assert kit.calls == [1]


def test_a_value_that_can_not_be_written_is_given_and_warned_of_once(kit):
    def work(x):
        kit.calls.append(x)
        return object()

    f = kit.function(work)
    with pytest.warns(RuntimeWarning, match="can't be stored") as told:
        for x in (1, 2, 3):
            kit.do(lambda x=x: f(x))
    assert len(told) == 1
    assert f.stats().unstored == 3


def test_strict_makes_that_an_error(tc, kit):
    f = kit.function(lambda x: object(), strict=True)
    with pytest.raises(tc.SerializationError):
        kit.do(lambda: f(1))


# -- controls --------------------------------------------------------------------------------------


def test_invalidate_forgets_one_call(kit):
    f = kit.function()
    for x in (1, 1.5):
        assert kit.do(lambda x=x: f.invalidate(x)) is False
        kit.do(lambda x=x: f(x)), kit.do(lambda x=x: f(x))
        assert kit.do(lambda x=x: f.invalidate(x)) is True
        assert kit.do(lambda x=x: f.contains(x)) is False
        kit.do(lambda x=x: f(x))
    assert kit.calls == [1, 1, 1.5, 1.5]


def test_peek_and_contains_change_no_counts(kit, clock):
    f = kit.function(ttl=10)
    assert kit.do(lambda: f.peek(1)) is None
    assert kit.do(lambda: f.peek(1, default_=7)) == 7
    kit.do(lambda: f(1))
    before = f.stats()
    assert kit.do(lambda: f.peek(1)) == [1, 0, 0]
    assert kit.do(lambda: f.contains(1)) is True
    assert f.stats() == before
    clock.advance(11)
    assert kit.do(lambda: f.peek(1)) is None
    assert kit.do(lambda: f.contains(1)) is False


def test_refresh_computes_now(kit):
    f = kit.function(lambda x: [len(kit.calls), kit.calls.append(x)])
    assert kit.do(lambda: f(1)) == [0, None]
    assert kit.do(lambda: f.refresh(1)) == [1, None]
    assert kit.do(lambda: f(1)) == [1, None]
    assert len(kit.calls) == 2


def test_put_stores_by_hand(kit, clock):
    f = kit.function(ttl=10)
    for x in (1, 1.5):
        kit.do(lambda x=x: f.put("by hand", x))
        assert kit.do(lambda x=x: f(x)) == "by hand"
        kit.do(lambda x=x: f.put("again", x))
        assert kit.do(lambda x=x: f(x)) == "again"
    clock.advance(11)
    assert kit.do(lambda: f(1)) == [1, 0, 0]


@pytest.mark.parametrize("ttl", [100, "100s", timedelta(seconds=100), lambda value, x: 100])
def test_put_may_say_for_how_long(kit, clock, ttl):
    f = kit.function(ttl=10)
    kit.do(lambda: f.put("by hand", 1, ttl_=ttl))
    clock.advance(99)
    assert kit.do(lambda: f(1)) == "by hand"
    clock.advance(2)
    assert kit.do(lambda: f(1)) == [1, 0, 0]


def test_put_for_ever_and_for_no_time(kit, clock):
    f = kit.function(ttl=10)
    kit.do(lambda: f.put("by hand", 1, ttl_=lambda value, x: None))
    clock.advance(10_000)
    assert kit.do(lambda: f(1)) == "by hand"
    kit.do(lambda: f.put("by hand", 1, ttl_=lambda value, x: 0))
    assert not kit.do(lambda: f.contains(1))


def test_put_is_refused_what_can_not_be_stored(tc, kit):
    f = kit.function()
    with pytest.raises(tc.ConfigurationError, match="ttl_="):
        kit.do(lambda: f.put(1, 1, ttl_=-1))
    with pytest.raises(tc.SerializationError):
        kit.do(lambda: f.put(object(), 1))


def test_items_are_those_of_this_function(kit, clock):
    f, g = kit.function(ttl=10), kit.function()
    for x in (1, 2):
        kit.do(lambda x=x: f(x)), kit.do(lambda x=x: g(x))
    assert sorted(kit.do(f.items)) == sorted((f.cache_key(x), [x, 0, 0]) for x in (1, 2))
    clock.advance(11)
    assert kit.do(f.items) == []


def test_functions_of_one_name_have_their_own_entries(kit):
    def made(n):
        def work(x):
            return [x, n]

        return kit.function(work, name=None)

    if kit.is_async:
        pytest.skip("its coroutine functions are made elsewhere")
    f, g = made(1), made(2)
    assert (f(1), g(1)) == ([1, 1], [1, 2])
    assert [value for _, value in f.items()] == [[1, 1]]
    f.cache_clear()
    assert not f.contains(1)
    assert g.contains(1)


def test_cache_clear_forgets_entries_and_counts(kit):
    f, g = kit.function(), kit.function()
    kit.do(lambda: f(1)), kit.do(lambda: f(1)), kit.do(lambda: g(1))
    kit.do(f.cache_clear)
    assert f.cache_info()[:2] == (0, 0)
    assert f.stats().loads == 0
    assert not kit.do(lambda: f.contains(1))
    assert kit.do(lambda: g.contains(1))


def test_counts(kit):
    f = kit.function()
    for x in (1, 1, 1.5, 1.5, 1.5, 2):
        kit.do(lambda x=x: f(x))
    assert f.cache_info()[:2] == (3, 3)
    stats = f.stats()
    assert (stats.hits, stats.misses, stats.loads) == (3, 3, 3)
    assert f.cache_parameters() == {
        "maxsize": 1024 if kit.stores.place == "near" else None,
        "typed": True,
    }


def test_warm_makes_what_is_missing(kit):
    f = kit.function()
    kit.do(lambda: f(1))
    for workers in (None, 3):
        told = []
        calls = [1, (2, 3), {"x": 4}, "5"]
        warmed = kit.do(lambda: f.warm(calls, workers, lambda *done: told.append(done)))
        assert told[-1] == (4, 4)
        assert warmed.failed == 0
        assert warmed.called == (3 if workers is None else 0)
    assert sorted(map(str, kit.calls)) == ["1", "2", "4", "5"]


def test_invalidate_by_drops_by_one_argument(tc, kit):
    f = kit.function(invalidate_by=("x", "z"))
    for x in (1, 2):
        for z in (0, "a"):
            kit.do(lambda x=x, z=z: f(x, z=z))

    def left():
        return [(x, z) for x in (1, 2) for z in (0, "a") if kit.do(lambda: f.contains(x, z=z))]

    kit.do(lambda: f.invalidate_by(x=1))
    assert left() == [(2, 0), (2, "a")]
    kit.do(lambda: f.invalidate_by(x=True))
    kit.do(lambda: f.invalidate_by(z=0))
    assert left() == [(2, "a")]
    kit.do(lambda: f(2))
    assert left() == [(2, 0), (2, "a")]
    for wrong in ({"y": 1}, {}, {"x": 1, "z": 1}):
        with pytest.raises(tc.ConfigurationError, match=r"invalidate_by\(\) takes one argument"):
            kit.do(lambda wrong=wrong: f.invalidate_by(**wrong))
    with pytest.raises(tc.CacheKeyError):
        kit.do(lambda: f.invalidate_by(x=object()))


def test_invalidate_by_takes_parameters_only(tc, kit):
    with pytest.raises(tc.ConfigurationError, match="invalidate_by='w' is not accepted"):
        kit.function(invalidate_by=("w",))


def test_tags_are_a_list_or_a_function_of_the_call(tc, kit):
    gc.collect()  # caches of other tests, whose engines are closed
    f = kit.function(tags=["all"])
    g = kit.function(tags=lambda x, *_, **__: [f"x{x}", "all"])
    for x in (1, 2):
        kit.do(lambda x=x: f(x)), kit.do(lambda x=x: g(x)), kit.do(lambda x=x: g(x))
    kit.do(lambda: g.put("by hand", 2))
    tc.invalidate_tags("x1")
    assert [kit.do(lambda x=x: g.contains(x)) for x in (1, 2)] == [False, True]
    tc.invalidate_tags("x2")
    assert [kit.do(lambda x=x: g.contains(x)) for x in (1, 2)] == [False, False]
    kit.do(lambda: g(1))
    tc.invalidate_tags("all")
    assert not any(kit.do(lambda h=h, x=x: h.contains(x)) for h in (f, g) for x in (1, 2))


def test_a_tag_that_is_no_text_is_an_error_of_the_call(tc, kit):
    f = kit.function(tags=lambda x, *_, **__: [x])
    with pytest.raises(tc.ConfigurationError, match="tags= gave"):
        kit.do(lambda: f(1))


def test_controls_of_memory_say_what_they_need(tc, kit, tmp_path):
    f = kit.function()
    for use in (lambda: f.save(tmp_path / "a"), lambda: f.load(tmp_path / "a")):
        with pytest.raises(tc.ConfigurationError, match="an engine keeps its results by itself"):
            use()
    with pytest.raises(tc.ConfigurationError, match="max_weight"):
        f.resize(None, max_weight=5)
    assert f.sweep() == 0
    if kit.stores.place != "near":
        with pytest.raises(tc.ConfigurationError, match=r"keeps the maxsize= .* opened with"):
            f.resize(5)
        return
    for x in range(9):
        kit.do(lambda x=x: f(x))
    f.resize(5)
    assert f.cache_info()[2:] == (5, 5)
    with pytest.raises(tc.ConfigurationError, match="maxsize=-1"):
        f.resize(-1)


def test_names_in_the_registry(tc, kit):
    name = uuid4().hex
    f = kit.function(name=name)
    kit.do(lambda: f(1))
    assert f in tc.caches()
    assert tc.get_stats(name).loads == 1
    assert tc.clear_cache(name) == 1
    assert not kit.do(lambda: f.contains(1))


# -- in flight -------------------------------------------------------------------------------------

CHANGES = {
    "invalidate": lambda f: f.invalidate(1),
    "put": lambda f: f.put("by hand", 1),
    "cache_clear": lambda f: f.cache_clear(),
    "invalidate_by": lambda f: f.invalidate_by(x=1),
    "tags": lambda f: import_module(type(f).__module__.partition(".")[0]).invalidate_tags("t"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_call_in_flight_does_not_store_its_older_result(tc, stores, change):
    gc.collect()  # caches of other tests, whose engines are closed
    gate, begun = threading.Event(), threading.Event()

    @tc.ucache(stores.tiers(), tags=["t"], invalidate_by=("x",), name="f", clock=stores.clock)
    def f(x):
        begun.set()
        gate.wait(20)
        return "older"

    answers = []
    thread = threading.Thread(target=lambda: answers.append(f(1)))
    thread.start()
    begun.wait(20)
    CHANGES[change](f)
    begun.clear()
    later = threading.Thread(target=lambda: answers.append(f(1)))  # joins nobody who began before
    later.start()
    if change == "put":
        later.join(20)
        assert answers == ["by hand"]
    else:
        assert begun.wait(20)
    gate.set()
    thread.join(20), later.join(20)
    assert f.peek(1) == ("by hand" if change == "put" else "older")
    assert len(answers) == 2
    f.close()


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_read_while_it_is_dropped_does_not_come_back_near(tc, clock, change):
    """The engine's answer is on its way to the near table while the value is changed."""
    gc.collect()  # caches of other tests, whose engines are closed
    kind = type(tc.open_engine("mapping:"))
    read, go_on = threading.Event(), threading.Event()

    class Slow(kind):
        is_slow = False

        def get(self, keys):
            found = super().get(keys)
            if self.is_slow:
                self.is_slow = False
                read.set()
                go_on.wait(20)
            return found

    engine = Slow()

    @tc.ucache(["memory", engine], tags=["t"], invalidate_by=("x",), name="f")
    def f(x):
        return "new"

    f.put("old", 1)
    engine.is_slow = True
    thread = threading.Thread(target=f, args=(1,))
    thread.start()
    read.wait(20)
    CHANGES[change](f)
    go_on.set()
    thread.join(20)
    assert f(1) == ("by hand" if change == "put" else "new")
    f.close()


def test_the_near_value_is_forgotten_also_when_the_engine_can_not_serve(tc):
    class Down(type(tc.open_engine("mapping:"))):
        is_down = False

        def get(self, keys):
            if self.is_down:
                raise tc.EngineError("it can't be reached")
            return super().get(keys)

        def drop(self, keys):
            if self.is_down:
                raise tc.EngineError("it can't be reached")
            return super().drop(keys)

    engine = Down()
    answers = iter(["old", "new"])

    @tc.ucache(["memory", engine], name="f")
    def f(x):
        return next(answers)

    assert f(1) == f(1) == "old"
    engine.is_down = True
    with pytest.raises(tc.EngineError, match="it can't be reached"):
        f.invalidate(1)
    assert f(1) == "new"
    f.close()


def test_what_can_not_be_read_can_be_invalidated(tc):
    class Illegible(type(tc.open_engine("mapping:"))):
        is_illegible = False

        def get(self, keys):
            if self.is_illegible:
                raise tc.EngineError("a bad block")
            return super().get(keys)

    engine = Illegible()
    f = tc.ucache(engine, name="illegible")(lambda x: next(answers))
    answers = iter(["old", "new"])
    assert f(1) == "old"
    engine.is_illegible = True
    assert f.invalidate(1) is False
    engine.is_illegible = False
    assert f(1) == "new"
    f.close()


# -- methods ---------------------------------------------------------------------------------------


class Plain:
    """Something that can't be told by value."""


class Keyed:
    def __init__(self, number):
        self.number = number

    def __cache_key__(self):
        return self.number


@pytest.fixture
def methods(tc, stores):
    """Makes classes with methods of each kind, where they can be found."""
    tiers = stores.tiers()
    homes = []

    def make(base, **options):
        calls = []

        class Class(base):
            @tc.ucache(tiers, name="m", **options)
            def m(self, x):
                """A method."""
                calls.append(x)
                return [getattr(self, "number", None), x]

            @tc.ucache(tiers, name="c", key=lambda cls, x: x)
            @classmethod
            def c(cls, x):
                return [cls.__name__, x]

            @tc.ucache(tiers, name="s")
            @staticmethod
            def s(x):
                return [x]

        Class.__qualname__ = f"{base.__name__}.Class"
        base.Class = Class
        homes.append(base)
        return Class, calls

    yield make
    for base in homes:
        if hasattr(base, "Class"):
            for function in (base.Class.m, base.Class.c, base.Class.s):
                function.close()
            del base.Class


def test_methods_need_objects_that_can_be_told_by_value(tc, methods):
    cls, _ = methods(Plain)
    with pytest.raises(tc.CacheKeyError, match=r"the argument 'self': .*Class can't be part"):
        cls().m(1)
    cls, calls = methods(Plain, ignore=("self",))
    assert cls().m(1) == cls().m(1) == [None, 1]
    assert len(calls) == 1


def test_controls_of_a_method_put_its_object_first(methods):
    cls, calls = methods(Keyed)
    one, alike, other = cls(1), cls(1), cls(2)
    assert one.m(5) == alike.m(x=5) == [1, 5]
    assert other.m(5) == [2, 5]
    assert len(calls) == 2
    assert one.m.contains(5)
    assert one.m.peek(5) == cls.m.peek(one, 5) == [1, 5]
    assert alike.m.invalidate(5)
    assert not one.m.contains(5)
    assert other.m.contains(5)
    one.m.put("by hand", 5)
    assert alike.m(5) == "by hand"
    assert one.m.refresh(5) == [1, 5]
    assert one.m.cache_key(5) == alike.m.cache_key(5) != other.m.cache_key(5)
    assert one.m.warm([5, 6]).called == 1
    assert one.m.__doc__ == "A method."
    assert cls.m.stats().loads == 4


def test_classmethods_and_staticmethods(methods):
    cls, _ = methods(Keyed)
    assert cls.c(1) == cls(1).c(1) == ["Class", 1]
    assert cls.c.contains(1)
    assert cls.s(1) == cls(1).s(1) == [1]
    assert cls.s.contains(1)


def test_a_class_is_a_key_where_it_can_be_found(tc, stores):
    @tc.ucache(stores.tiers(), name="f")
    def f(cls):
        return cls.__name__

    assert f(Keyed) == f(Keyed) == "Keyed"
    assert f(Plain) == "Plain"
    assert f.stats().loads == 2
    f.close()


# -- decorating ------------------------------------------------------------------------------------


def test_it_decorates_bare_and_called(tc):
    f = tc.ucache(lambda x: [x])
    g = tc.ucache()(lambda x: [x])
    h = tc.ucache("memory", maxsize=5, ttl=10)(lambda x: [x])
    for one in (f, g, h):
        assert one(1) is one(1)
        assert one(1.0) is not one(1)  # typed, as on every engine
    assert h.cache_parameters() == {"maxsize": 5, "typed": True}
    assert tc.ucache(engine="memory")(lambda: 1)() == 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ((len, "memory"), "a function, or an engine and options"),
        (("memory", "memory"), "not 2 engines"),
    ],
)
def test_what_it_is_given_by_position(tc, given, error):
    with pytest.raises(TypeError, match=error):
        tc.ucache(*given)


@pytest.mark.parametrize("thing", [7, "text", None])
def test_it_decorates_functions_only(tc, thing):
    with pytest.raises(tc.ConfigurationError, match="can't decorate"):
        tc.ucache("mapping:")(thing)


def test_an_engine_that_fails_is_counted_and_the_function_answers(tc, stores, colour):
    kit = Kit(tc, stores, colour)
    f = kit.function(tags=["t"])
    stores.engines[0].close()
    for _ in range(2):
        assert kit.do(lambda: f(1)) == [1, 0, 0]
    assert f.stats().engine_errors > 0
    for use in (f.invalidate, f.contains, f.peek, lambda x: f.put(1, x)):
        with pytest.raises(tc.EngineError):
            kit.do(lambda use=use: use(1))
    with pytest.raises(tc.EngineError):
        kit.do(f.cache_clear)


def test_an_engine_that_can_not_list_its_keys_is_emptied_by_its_groups(tc, clock):
    kind = type(tc.open_engine("mapping:"))

    class Blind(kind):
        capabilities = kind.capabilities._replace(scan=False)

        def scan(self, prefix):
            raise AssertionError("it can't")

    for near in (False, True):
        engine = Blind()
        tiers = ["memory", engine] if near else engine
        cache = tc.Cache(tiers)
        f, g = (tc.ucache(tiers, name=name)(lambda x: [x]) for name in "fg")
        other = tc.ucache(tiers, name="f", namespace="other")(lambda x: [x])
        everything = (f, g, other)
        for one in everything:
            assert one(1) == one(1) == [1]
        f.put("by hand", 2)
        cache.set("a", 1), cache.add("b", 1), cache.incr("c"), cache.touch("c")
        cache.get_many_or_load(["d"], lambda keys: {"d": 1})
        cache.get_or_load("e", lambda: 1)
        assert len(cache.get_many("abcde"[i] for i in range(5))) == 5
        f.cache_clear()
        assert [one.contains(1) for one in everything] == [False, True, True]
        assert not f.contains(2)
        assert f(1) == [1]
        cache.clear()
        assert [one.contains(1) for one in everything] == [False, False, True]
        assert cache.get_many("abcde"[i] for i in range(5)) == {}
        with pytest.raises(tc.ConfigurationError, match="can't list its keys"):
            cache.keys()
        with pytest.raises(tc.ConfigurationError, match="can't list its keys"):
            f.items()
        cache.close()

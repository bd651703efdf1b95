"""`mcache` with options of the miss path: tags, parts of the arguments, context, and controls."""

from __future__ import annotations

import gc
import inspect
from contextvars import ContextVar, copy_context

import pytest

from tests.fixtures.colours import COLOURS

tenant: ContextVar[str] = ContextVar("tenant")
locale: ContextVar[str] = ContextVar("locale", default="en")


@pytest.fixture(params=COLOURS)
def colour(request):
    return COLOURS[request.param]


class Kit:
    """Decorates functions of one colour, notes their calls, and does what is asked of them."""

    def __init__(self, tc, colour, clock):
        self.tc = tc
        self.colour = colour
        self.clock = clock
        self.calls = []

    def function(self, **options):
        def work(x, y=0):
            self.calls.append(x)
            return [x, y]

        async def awork(x, y=0):
            return work(x, y)

        if options.keys() & {"ttl", "stale"}:
            options["clock"] = self.clock
        return self.tc.mcache(**options)(awork if self.colour.is_async else work)

    def do(self, thunk):
        return self.colour.do(thunk)

    def there(self, f, *args):
        """Of these arguments those whose results are there."""
        return [x for x in args if self.do(lambda: f.contains(x))]


@pytest.fixture
def kit(tc, colour, clock):
    return Kit(tc, colour, clock)


# -- tags ------------------------------------------------------------------------------------------


def test_a_tag_drops_what_has_it(tc, kit):
    f = kit.function(tags=lambda x, y=0: [f"x{x}", "odd" if x % 2 else "even"])
    g = kit.function(tags=["all", "odd"])
    for x in (1, 2, 3):
        kit.do(lambda x=x: f(x)), kit.do(lambda x=x: g(x))
    tc.invalidate_tags("x2")
    assert kit.there(f, 1, 2, 3) == [1, 3]
    assert kit.there(g, 1, 2, 3) == [1, 2, 3]
    tc.invalidate_tags("odd")
    assert kit.there(f, 1, 2, 3) == kit.there(g, 1, 2, 3) == []
    kit.do(lambda: f(1))
    assert kit.there(f, 1, 2, 3) == [1]


def test_hits_of_tagged_results_are_hits(kit):
    f = kit.function(tags=["t"])
    assert kit.do(lambda: f(1)) is kit.do(lambda: f(1))
    assert f.cache_info()[:2] == (1, 1)


def test_what_is_put_by_hand_or_refreshed_has_its_tags(tc, kit):
    f = kit.function(tags=lambda x, y=0: [f"x{x}"])
    kit.do(lambda: f.put("by hand", 1)), kit.do(lambda: f.refresh(2)), kit.do(lambda: f.warm([3]))
    assert kit.there(f, 1, 2, 3) == [1, 2, 3]
    for x in (1, 2, 3):
        tc.invalidate_tags(f"x{x}")
        assert kit.there(f, x) == []


def test_tags_outlive_neither_their_entry_nor_a_clear(tc, kit):
    f = kit.function(tags=["t"], maxsize=2)
    for x in range(5):
        kit.do(lambda x=x: f(x))
    f.cache_clear()
    kit.do(lambda: f(1))
    tc.invalidate_tags("t")
    assert kit.there(f, *range(5)) == []
    assert f.cache_info().currsize == 0


@pytest.mark.parametrize("how", ["invalidate_tags", "invalidate_by", "invalidate", "cache_clear"])
def test_what_is_dropped_while_it_is_computed_is_not_stored(tc, kit, how):
    drops = {
        "invalidate_tags": lambda: tc.invalidate_tags("t"),
        "invalidate_by": lambda: f.invalidate_by(x=1),
        "invalidate": lambda: f.invalidate(1),
        "cache_clear": lambda: f.cache_clear(),
    }
    runs = []

    def work(x):
        runs.append(x)
        if len(runs) == 1:
            drops[how]()
        return len(runs)

    async def awork(x):
        runs.append(x)
        if len(runs) == 1:
            dropping = drops[how]()
            if inspect.isawaitable(dropping):
                await dropping
        return len(runs)

    options = {"tags": ["t"], "invalidate_by": ("x",), "single_flight": True}
    f = tc.mcache(**options)(awork if kit.colour.is_async else work)
    assert kit.do(lambda: f(1)) == 1
    assert kit.do(lambda: f(1)) == 2
    assert kit.do(lambda: f(1)) == 2


@pytest.mark.parametrize("tags", ["text", [1], [""], 5])
def test_tags_that_are_no_list_of_texts_are_refused(tc, kit, tags):
    with pytest.raises(tc.ConfigurationError, match="tags="):
        kit.function(tags=tags)


@pytest.mark.parametrize("tags", [5, None, [b"x"], [""]])
def test_a_tags_function_that_gives_something_else_is_an_error_of_the_call(tc, kit, tags):
    f = kit.function(tags=lambda x, y=0: tags)
    with pytest.raises((tc.ConfigurationError, TypeError)):
        kit.do(lambda: f(1))


# -- invalidate_by ---------------------------------------------------------------------------------


def test_invalidate_by_takes_the_functions_own_defaults(kit):
    """The function that names the tags has others."""
    f = kit.function(tags=lambda x, y=1: [f"x{x}"], invalidate_by=("y",))
    kit.do(lambda: f(5))
    assert kit.do(lambda: f.invalidate_by(y=1)) == 0
    assert kit.do(lambda: f.invalidate_by(y=0)) == 1


def test_results_are_dropped_by_one_argument(tc, kit):
    f = kit.function(invalidate_by=("x", "y"))
    for x, y in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 0)):
        kit.do(lambda x=x, y=y: f(x, y=y))
    assert kit.do(lambda: f.invalidate_by(x=1)) == 2
    assert kit.do(lambda: f.invalidate_by(x=1)) == 0
    assert kit.do(lambda: f.invalidate_by(y=1)) == 1
    assert kit.do(lambda: f.invalidate_by(y=0)) == 1  # a default counts as given
    assert f.cache_info().currsize == 1
    for wrong in ({}, {"x": 1, "y": 1}, {"z": 1}):
        with pytest.raises(tc.ConfigurationError, match="accepted: x, y"):
            kit.do(lambda wrong=wrong: f.invalidate_by(**wrong))


def test_a_function_without_the_option_says_so(tc, kit):
    f = kit.function(ttl=5)
    with pytest.raises(tc.ConfigurationError, match="the option invalidate_by= isn't given"):
        kit.do(lambda: f.invalidate_by(x=1))


def test_invalidate_by_names_parameters(tc, kit):
    with pytest.raises(tc.ConfigurationError, match="'x', 'y'"):
        kit.function(invalidate_by=("z",))


def test_an_unhashable_default_is_an_argument_too(tc):
    @tc.mcache(invalidate_by=("options",), unhashable="digest")
    def f(x, options=[]):
        return [x, *options]

    f(1), f(1, [2])
    assert f.invalidate_by(options=[]) == 1
    assert f.contains(1, [2])


def test_a_method_is_dropped_for_all_objects_or_for_one(tc):
    def body(self, x):
        return [x]

    class Shared:
        m = tc.mcache(invalidate_by=("x",), method=True)(body)

    class Own:
        m = tc.mcache(invalidate_by=("x",), per_instance=True, tags=["t"])(body)

    for cls in (Shared, Own):
        one, other = cls(), cls()
        for thing in (one, other):
            thing.m(1), thing.m(2)
        assert cls.m.invalidate_by(x=1) == 2
        assert [thing.m.contains(x) for thing in (one, other) for x in (1, 2)] == [False, True] * 2
        one.m(1), other.m(1)
        assert one.m.invalidate_by(x=1) == (2 if cls is Shared else 1)
    assert other.m.contains(1)
    tc.invalidate_tags("t")
    assert not other.m.contains(1)


def test_objects_leave_with_their_tagged_results(tc):
    class Class:
        @tc.mcache(tags=["t"])
        def m(self, x):
            return [x]

    one, other = Class(), Class()
    one.m(1), other.m(1)
    del one
    gc.collect()
    assert Class.m.cache_info().currsize == 1
    tc.invalidate_tags("t")
    assert Class.m.cache_info().currsize == 0
    assert other.m(1) == [1]


# -- context ---------------------------------------------------------------------------------------


def test_context_variables_belong_to_the_key(kit):
    f = kit.function(context=(tenant, locale))

    def within(name, language):
        def call():
            tenant.set(name)
            if language:
                locale.set(language)
            kit.do(lambda: f(1))
            return kit.do(lambda: f.contains(1)), kit.do(lambda: f.cache_key(1))

        return copy_context().run(call)

    kit.do(lambda: f(1))  # no tenant at all
    keys = {within(*place)[1] for place in (("a", None), ("b", None), ("a", "de"), (None, None))}
    assert len(keys) == 4
    assert len(kit.calls) == 5
    within("a", "en")  # the default by its value
    assert len(kit.calls) == 5


def test_context_keys_bind_arguments_as_ever(kit):
    f = kit.function(context=tenant)
    token = tenant.set("a")
    for call in (lambda: f(1), lambda: f(x=1), lambda: f(1, 0), lambda: f(y=0, x=1)):
        kit.do(call)
    assert len(kit.calls) == 1
    assert kit.do(lambda: f.invalidate(1))
    tenant.reset(token)


def test_what_is_no_context_variable_is_refused(tc, kit):
    for wrong in ("tenant", [1], 5):
        with pytest.raises(tc.ConfigurationError, match="context="):
            kit.function(context=wrong)


def test_a_context_method_tells_its_objects_apart(tc):
    class Class:
        @tc.mcache(context=(tenant,))
        def m(self, x):
            return [x]

    one, other = Class(), Class()
    assert one.m(1) is one.m(1)
    assert one.m(1) is not other.m(1)


# -- controls on what is stale ---------------------------------------------------------------------


def test_controls_take_a_stale_result_for_none(kit, clock):
    f = kit.function(ttl=10, stale=20)
    kit.do(lambda: f(1)), kit.do(lambda: f(2))
    clock.advance(11)
    assert kit.there(f, 1) == []
    assert kit.do(lambda: f.peek(1, default_="none")) == "none"
    assert f.items() == []
    assert kit.do(lambda: f.invalidate(1)) is False
    kit.do(lambda: f.put("by hand", 2, ttl_=5))
    assert kit.do(lambda: f(2)) == "by hand"
    assert kit.do(lambda: f(1)) == [1, 0]
    assert kit.calls == [1, 2, 1]


def test_an_early_result_is_there_to_its_end(kit, clock):
    f = kit.function(ttl=10, refresh_ahead=0.5)
    kit.do(lambda: f(1))
    clock.advance(8)
    assert kit.there(f, 1) == [1]
    assert kit.do(lambda: f.peek(1)) == [1, 0]
    assert kit.do(lambda: f.invalidate(1)) is True
    kit.do(lambda: f(1))
    clock.advance(11)
    assert kit.there(f, 1) == []


def test_kept_exceptions_are_no_entries_to_see(tc, kit, clock):
    def work(x):
        kit.calls.append(x)
        raise LookupError(x)

    decorate = tc.mcache(cache_exceptions={LookupError: 5}, clock=clock)
    f = kit.colour.cached(decorate, work)
    for _ in range(2):
        with pytest.raises(LookupError):
            kit.do(lambda: f(1))
    assert kit.calls == [1]
    assert kit.there(f, 1) == []
    assert kit.do(lambda: f.peek(1)) is None
    assert f.items() == []
    kit.do(lambda: f.put("by hand", 1))
    assert kit.do(lambda: f(1)) == "by hand"

"""Generator functions that are cached: what one gave is given to each caller by a generator."""

import asyncio
import copy
import inspect
import pickle
from collections.abc import AsyncGenerator, Generator
from functools import partial
from importlib import import_module

import pytest

from tests.fixtures.clock import FakeClock
from twat_cache import SerializationError, open_engine


@pytest.fixture
def replaying(tc):
    """Decorates a generator function."""
    return partial(tc.mcache, generators="replay")


@pytest.fixture
def countdown(replaying):
    """A decorated generator function that counts how often it ran."""

    def countdown(start, step=1):
        """Counts down."""
        countdown.runs += 1
        while start > 0:
            yield start
            start -= step
        return f"run {countdown.runs}"

    countdown.runs = 0
    cached = replaying()(countdown)
    cached.runs = lambda: countdown.runs
    return cached


async def all_of(items):
    return [item async for item in items]


def with_end(generator):
    """The items, and what was returned."""
    items = []
    while True:
        try:
            items.append(next(generator))
        except StopIteration as end:
            return items, end.value


# -- calls -----------------------------------------------------------------------------------------


def test_each_call_gives_all_items(countdown):
    assert list(countdown(3)) == [3, 2, 1]
    assert list(countdown(3)) == [3, 2, 1]
    assert countdown.runs() == 1


def test_what_was_returned_is_returned_to_each(countdown):
    assert with_end(countdown(2)) == ([2, 1], "run 1")
    assert with_end(countdown(2)) == ([2, 1], "run 1")

    def delegating():
        return (yield from countdown(2))

    assert with_end(delegating()) == ([2, 1], "run 1")


def test_generators_over_one_recording_are_independent(countdown):
    first, second = countdown(3), countdown(3)
    assert next(first) == 3
    assert next(first) == 2
    assert next(second) == 3
    assert list(first) == [1]
    assert list(second) == [2, 1]


def test_a_generator_that_was_given_up_leaves_the_others_all_items(countdown):
    for item in countdown(3):
        if item == 2:
            break
    assert list(countdown(3)) == [3, 2, 1]


def test_arguments_are_bound_as_for_any_function(countdown):
    list(countdown(4, 2))
    assert list(countdown(step=2, start=4)) == [4, 2]
    assert countdown.runs() == 1
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        countdown()


def test_a_generator_without_items_is_kept(countdown):
    assert list(countdown(0)) == []
    assert with_end(countdown(0)) == ([], "run 1")


def test_what_is_raised_on_the_way_is_raised_and_nothing_is_kept(replaying):
    runs = []

    @replaying()
    def failing():
        runs.append(1)
        yield 1
        raise LookupError("no more")

    for _ in range(2):
        with pytest.raises(LookupError, match="no more"):
            list(failing())
    assert len(runs) == 2
    assert failing.cache_info().currsize == 0


def test_a_replayed_generator_is_a_generator(countdown):
    for generator in (countdown(3), countdown(3)):
        assert inspect.isgenerator(generator)
        assert isinstance(generator, Generator)
        assert generator.send(None) == 3
        with pytest.raises(AttributeError):
            generator.send("a value")
    thrown = countdown(3)
    next(thrown)
    with pytest.raises(KeyError):
        thrown.throw(KeyError("thrown"))
    assert list(thrown) == []
    closed = countdown(3)
    next(closed)
    closed.close()
    assert list(closed) == []


def test_the_function_is_seen_as_what_it_is(countdown):
    assert inspect.isgeneratorfunction(countdown)
    assert not inspect.isasyncgenfunction(countdown)
    assert str(inspect.signature(countdown)) == "(start, step=1)"
    assert countdown.__name__ == "countdown"
    assert countdown.__doc__ == "Counts down."
    assert list(countdown.__wrapped__(2)) == [2, 1]


def test_a_call_without_the_cache_gives_the_generator_itself(replaying):
    @replaying(unhashable="bypass")
    def doubled(numbers):
        got = yield len(numbers)
        yield got

    generator = doubled([1, 2])
    assert next(generator) == 2
    assert generator.send("sent") == "sent"


def test_nothing_is_cached_without_room(replaying):
    runs = []

    @replaying(maxsize=0)
    def letters(text):
        runs.append(text)
        yield from text

    assert list(letters("ab")) == list(letters("ab")) == ["a", "b"]
    assert runs == ["ab", "ab"]


def test_methods_have_bound_controls(replaying):
    class Shelf:
        def __init__(self, books):
            self.books = books
            self.runs = 0

        @replaying(method=True)
        def titles(self, prefix):
            self.runs += 1
            yield from (book for book in self.books if book.startswith(prefix))

    shelf, other = Shelf(["ab", "ac", "b"]), Shelf(["az"])
    assert list(shelf.titles("a")) == list(shelf.titles("a")) == ["ab", "ac"]
    assert list(other.titles("a")) == ["az"]
    assert shelf.runs == 1
    assert list(shelf.titles.peek("a")) == ["ab", "ac"]
    assert shelf.titles.invalidate("a")
    assert list(shelf.titles("a")) == ["ab", "ac"]
    assert shelf.runs == 2
    assert inspect.isgeneratorfunction(shelf.titles)


# -- options ---------------------------------------------------------------------------------------


def test_functions_among_the_options_get_the_items_as_a_tuple(replaying):
    asked = []

    @replaying(
        cache_if=lambda items, *args: asked.append(items) or len(items) > 1,
        weigher=lambda items, *args: len(items),
        max_weight=100,
    )
    def letters(text):
        yield from text
        return "end"

    list(letters("abc"))
    list(letters("x"))
    assert asked == [("a", "b", "c"), ("x",)]
    assert asked[0].returned == "end"
    assert letters.contains("abc")
    assert not letters.contains("x")
    assert letters.stats().weight == 3


def test_a_listener_gets_the_items_as_a_tuple(replaying):
    left = []

    @replaying(on_removal=lambda key, items, cause: left.append((key, items, cause)))
    def letters(text):
        yield from text

    list(letters("ab"))
    letters.invalidate("ab")
    assert left == [(("ab",), ("a", "b"), "explicit")]


def test_copies_are_made_of_the_items(replaying):
    @replaying(copy=True)
    def rows():
        yield [1]
        return {"rows": 1}

    first, end = with_end(rows())
    first[0].append(2)
    end["rows"] = 2
    second, end = with_end(rows())
    assert (second, end) == ([[1]], {"rows": 1})
    second[0].append(3)
    assert with_end(rows()) == ([[1]], {"rows": 1})


def test_time_passes_for_recordings(replaying):
    clock = FakeClock()

    @replaying(ttl=10, clock=clock)
    def ticks():
        yield clock.now

    start = clock.now
    assert list(ticks()) == [start]
    clock.advance(9)
    assert list(ticks()) == [start]
    clock.advance(2)
    assert list(ticks()) == [clock.now]


# -- controls --------------------------------------------------------------------------------------


def test_refresh_runs_the_function_now(countdown):
    list(countdown(2))
    assert with_end(countdown.refresh(2)) == ([2, 1], "run 2")
    assert with_end(countdown(2)) == ([2, 1], "run 2")


def test_peek_gives_a_generator_or_the_default(countdown):
    assert countdown.peek(2) is None
    assert countdown.peek(2, default_="none") == "none"
    list(countdown(2))
    assert with_end(countdown.peek(2)) == ([2, 1], "run 1")


def test_put_takes_any_iterable(countdown):
    def other():
        yield 9
        return "by hand"

    countdown.put(other(), 1)
    countdown.put(range(3), 2)
    assert with_end(countdown(1)) == ([9], "by hand")
    assert with_end(countdown(2)) == ([0, 1, 2], None)
    assert countdown.runs() == 0
    with pytest.raises(TypeError, match="not iterable"):
        countdown.put(5, 3)


def test_items_are_keys_and_generators(countdown):
    list(countdown(2))
    ((key, generator),) = countdown.items()
    assert key == (2, 1)
    assert list(generator) == [2, 1]


def test_warm_runs_the_function(countdown):
    assert countdown.warm([1, 2, (2,)]).loaded == 2
    assert list(countdown(2)) == [2, 1]
    assert countdown.runs() == 2


def test_recordings_can_be_saved_and_loaded(countdown, tmp_path):
    list(countdown(2))
    assert countdown.save(tmp_path / "saved") == 1
    countdown.cache_clear()
    assert countdown.load(tmp_path / "saved") == 1
    assert with_end(countdown(2)) == ([2, 1], "run 1")
    assert countdown.runs() == 1


def test_what_a_plain_function_of_that_name_saved_is_refused(tc, replaying, tmp_path):
    def decorated(decorator):
        @decorator
        def numbers(n):
            return iter(range(n))

        return numbers

    def generating(n):
        yield from range(n)

    plain = decorated(tc.mcache)
    plain.put([0, 1], 2)
    plain.save(tmp_path / "saved")
    generating.__qualname__ = plain.__qualname__
    with pytest.raises(tc.SerializationError, match="can't be read"):
        replaying()(generating).load(tmp_path / "saved")


# -- async -----------------------------------------------------------------------------------------


@pytest.fixture
def ticker(replaying):
    """A decorated async generator function that counts how often it ran."""

    async def ticker(count, *, base=0):
        """Ticks."""
        ticker.runs += 1
        for number in range(count):
            await asyncio.sleep(0)
            yield base + number

    ticker.runs = 0
    cached = replaying()(ticker)
    cached.runs = lambda: ticker.runs
    return cached


def test_an_async_generator_is_replayed(ticker):
    async def main():
        assert await all_of(ticker(3)) == [0, 1, 2]
        assert await all_of(ticker(3)) == [0, 1, 2]
        first, second = ticker(2), ticker(2)
        assert await anext(first) == 0
        assert await all_of(second) == [0, 1]
        assert await all_of(first) == [1]

    asyncio.run(main())
    assert ticker.runs() == 2


def test_an_async_generator_begins_at_its_first_step(ticker):
    async def main():
        generator = ticker(2)
        assert ticker.runs() == 0
        assert isinstance(generator, AsyncGenerator)
        assert inspect.isasyncgen(generator)
        assert await anext(generator) == 0
        assert ticker.runs() == 1

    asyncio.run(main())


def test_a_generator_that_is_never_begun_costs_nothing(ticker):
    ticker(2)
    assert ticker.runs() == 0


def test_one_computation_for_tasks_that_come_together(ticker):
    async def main():
        found = await asyncio.gather(*(all_of(ticker(3)) for _ in range(20)))
        assert found == [[0, 1, 2]] * 20

    asyncio.run(main())
    assert ticker.runs() == 1


def test_one_who_is_cancelled_disturbs_nobody(ticker):
    async def main():
        tasks = [asyncio.ensure_future(all_of(ticker(3))) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1:] == [[0, 1, 2]] * 2

    asyncio.run(main())
    assert ticker.runs() == 2


def test_an_async_generator_that_fails_is_not_kept(replaying):
    @replaying()
    async def failing():
        yield 1
        raise LookupError("no more")

    async def main():
        for _ in range(2):
            with pytest.raises(LookupError, match="no more"):
                await all_of(failing())

    asyncio.run(main())
    assert failing.cache_info().currsize == 0


def test_an_async_generator_function_is_seen_as_one(ticker):
    assert inspect.isasyncgenfunction(ticker)
    assert not inspect.iscoroutinefunction(ticker)
    assert not inspect.isgeneratorfunction(ticker)
    assert str(inspect.signature(ticker)) == "(count, *, base=0)"


def test_the_controls_of_an_async_one_are_awaited(ticker):
    async def other():
        yield 9

    async def main():
        assert await ticker.peek(2) is None
        await all_of(ticker(2))
        assert await all_of(await ticker.peek(2)) == [0, 1]
        assert await ticker.contains(2)
        assert await all_of(await ticker.refresh(2)) == [0, 1]
        assert ticker.runs() == 2
        assert await ticker.invalidate(2)
        await ticker.put(other(), 1)
        await ticker.put([8], 1, base=1)
        assert await all_of(ticker(1)) == [9]
        assert await all_of(ticker(1, base=1)) == [8]
        warmed = await ticker.warm([3, 4, 1], workers=2)
        assert (warmed.loaded, warmed.fresh) == (2, 1)
        assert ticker.runs() == 4

    asyncio.run(main())


def test_an_async_call_without_the_cache_gives_the_generator_itself(replaying):
    @replaying(unhashable="bypass")
    async def each(numbers):
        for number in numbers:
            yield number

    async def main():
        assert await all_of(each([1, 2])) == [1, 2]
        assert await all_of(await each.refresh([3])) == [3]

    asyncio.run(main())


def test_methods_may_be_async_generators(replaying):
    class Feed:
        def __init__(self):
            self.runs = 0

        @replaying(method=True)
        async def pages(self, count):
            self.runs += 1
            for number in range(count):
                yield number

    async def main():
        feed = Feed()
        assert await all_of(feed.pages(2)) == await all_of(feed.pages(2)) == [0, 1]
        assert feed.runs == 1
        await feed.pages.invalidate(2)
        assert (await feed.pages.warm([2])).loaded == 1
        assert feed.runs == 2
        assert inspect.isasyncgenfunction(feed.pages)

    asyncio.run(main())


# -- on engines ------------------------------------------------------------------------------------


PLACES = {
    "engine": lambda: [open_engine("mapping:")],
    "near and far": lambda: [["memory", open_engine("mapping:")]],
}


@pytest.fixture(params=PLACES)
def stored(tc, request):
    """Decorates a generator function whose recordings go through an engine."""
    return partial(tc.ucache, *PLACES[request.param](), generators="replay", name="stored")


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_recordings_are_kept_in_engines(stored, codec):
    runs = []

    @stored(codec=codec, compress="zlib")
    def letters(text):
        runs.append(text)
        yield from text
        return [text, None]

    for _ in range(3):
        assert with_end(letters("ab")) == (["a", "b"], ["ab", None])
    assert runs == ["ab"]
    assert with_end(letters.peek("ab")) == (["a", "b"], ["ab", None])
    assert with_end(letters.refresh("ab")) == (["a", "b"], ["ab", None])
    assert runs == ["ab", "ab"]
    letters.put("xy", "z")
    assert list(letters("z")) == ["x", "y"]
    assert sorted(list(generator) for _, generator in letters.items()) == [["a", "b"], ["x", "y"]]
    assert letters.invalidate("ab")
    assert letters.peek("ab", default_=0) == 0
    assert inspect.isgeneratorfunction(letters)
    assert letters.warm(["ab", "cd"]).loaded == 2


def test_async_recordings_are_kept_in_engines(stored):
    runs = []

    @stored()
    async def letters(text):
        for letter in text:
            await asyncio.sleep(0)
            yield letter
        runs.append(text)

    async def main():
        found = await asyncio.gather(*(all_of(letters("ab")) for _ in range(5)))
        assert found == [["a", "b"]] * 5
        assert await all_of(letters("ab")) == ["a", "b"]
        assert runs == ["ab"]
        assert await all_of(await letters.peek("ab")) == ["a", "b"]
        assert await all_of(await letters.refresh("ab")) == ["a", "b"]
        await letters.put("xy", "z")
        assert await all_of(letters("z")) == ["x", "y"]
        assert await letters.invalidate("ab")
        assert not await letters.contains("ab")
        assert inspect.isasyncgenfunction(letters)
        assert not inspect.iscoroutinefunction(letters)
        assert (await letters.warm(["ab", "z"])).loaded == 1

    asyncio.run(main())


def test_an_old_recording_answers_while_the_generator_fails(tc):
    clock = FakeClock()
    fails = False

    @tc.ucache(
        open_engine("mapping:", clock=lambda: clock.now / 1e9),
        generators="replay", ttl=10, stale="1h", clock=clock, name="ticks",
    )  # fmt: skip
    def ticks():
        yield 1
        if fails:
            raise LookupError
        yield 2

    assert list(ticks()) == [1, 2]
    fails = True
    clock.advance(11)
    assert list(ticks()) == [1, 2]


# -- recordings ------------------------------------------------------------------------------------


@pytest.fixture
def replay(tc):
    return import_module(f"{tc.__name__}.codecs.recordings")


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_recording_can_be_copied(replay, copied):
    found = copied(replay.Recording([1, [2]], {"end": 3}))
    assert type(found) is replay.Recording
    assert found == (1, [2])
    assert found.returned == {"end": 3}


@pytest.mark.parametrize("name", ["msgpack", "json"])
def test_any_codec_carries_recordings(tc, replay, name):
    codec_named = import_module(f"{tc.__name__}.codecs.named").codec_named
    codec = replay.PackedRecordings(codec_named(name, sealed=False, unsafe=False))
    for recording in (
        replay.Recording([1, "a", None], "end"),
        replay.Recording([]),
        replay.Recording([{"items": [], "returned": 1}]),
    ):
        data = codec.encode(recording)
        found = codec.decode(data if isinstance(data, bytes) else b"".join(data))
        assert type(found) is replay.Recording
        assert (found, found.returned) == (recording, recording.returned)
    data = codec.encode(["an", "exception"])
    assert codec.decode(data if isinstance(data, bytes) else b"".join(data)) == ["an", "exception"]
    with pytest.raises(SerializationError if tc.__name__ == "twat_cache" else Exception):
        codec.encode(replay.Recording([object()]))

"""The contract of engines as tests: inherit the suite, make your engine, run pytest.

    class TestMyEngine(EngineSuite):
        def make(self, clock):
            return MyEngine(self.folder / "store", clock=clock)

Every promise that `twat_cache.Engine` makes is held against the engine; what it says in its
`capabilities` that it can't do is skipped. The promises, in the order of the tests:

- values come byte for byte, in the order of the keys, and None is what isn't there;
- a key is data: no pattern, no path, no end of text hides in it;
- `drop` counts, `add` is one step, whatever threads do at once;
- nothing is got, counted or listed past its time;
- `scan` takes its prefix literally; `swap` and `touch` keep their word where they exist;
- a closed engine says so, and may be closed again.

It is one long file because it is one contract: what is missing here is promised nowhere.
"""

from __future__ import annotations

from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from .. import Capabilities, EngineError
from .clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["EngineSuite"]

KEYS = [
    "plain",
    "",
    " ",
    "with space",
    "a:b:c",
    "per%cent",
    "under_score",
    "star*",
    "question?",
    "[bracket]",
    "back\\slash",
    "quote'\"`",
    "../../etc/passwd",
    "/absolute",
    "C:\\drive",
    "new\nline",
    "nul\0inside",
    "nul",
    "NUL",
    "Plain",
    "é",
    "e\u0301",  # the same to the eye, another key
    "日本",
    "\U0001f600",
    "\ud800",  # half of a pair: no UTF-8, but a str
    "long" * 5_000,
    "long" * 5_000 + "!",
]
"""Keys that are data and must never be taken for code, a path, a pattern or an end of text."""

VALUES = [
    b"",
    b"\0",
    b"value",
    bytes(range(256)),
    b"\r\n",
    "text".encode("utf-16"),
    b"x" * 100_000,
    bytes(range(256)) * 4_096,  # 1 MB
]

THREADS = 8


def at_once(work: Callable[[int], object], threads: int = THREADS) -> list[Any]:
    """Runs the work in threads that begin together; gives their results, raises their error."""
    barrier = Barrier(threads)
    results: list[Any] = [None] * threads
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(30)
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    running = [Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in running), "threads that wait for each other"
    return results


class EngineSuite:
    """Inherit it in a class whose name begins with `Test`, and write `make`."""

    folder: Path
    """An empty folder, another one for each test."""

    is_async = False

    second = 1.0
    """How long a second is that passes in a test; less where it is waited for in earnest."""

    def make(self, clock: Callable[[], float]) -> Any:
        """A new, empty engine.

        Args:
            clock: The time in seconds, standing still, for an engine that takes one.
        """
        raise NotImplementedError("write make(self, clock), which gives a new engine")

    def elapse(self, clock: FakeClock, seconds: float) -> None:
        """Lets time pass; to be replaced by a sleep where an engine has a clock of its own.

        Then `second` may be less than one, if the engine can tell fractions.
        """
        clock.advance(seconds)

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Time that stands still."""
        return FakeClock()

    @pytest.fixture
    def engine(self, clock: FakeClock, tmp_path: Path) -> Iterator[Any]:
        """The engine under test."""
        self.folder = tmp_path
        engine = self.make(clock.seconds)
        yield engine
        engine.close()

    def needs(self, engine: Any, capability: str) -> None:
        """Skips a test of what the engine says that it can't do."""
        if not getattr(engine.capabilities, capability):
            pytest.skip(f"the engine has no {capability}")

    def test_it_says_what_it_can_do(self, engine: Any) -> None:
        assert isinstance(engine.capabilities, Capabilities)
        assert engine.capabilities.async_ is self.is_async
        for optional in ("swap", "touch", "left"):
            assert hasattr(engine, optional) or not getattr(engine.capabilities, optional)

    def test_an_engine_that_can_serve_says_so(self, engine: Any) -> None:
        assert engine.ping() is None

    def test_what_was_put_is_got(self, engine: Any) -> None:
        engine.put({"key": b"value"}, None)
        assert engine.get(["key"]) == [b"value"]

    def test_values_come_in_the_order_of_the_keys(self, engine: Any) -> None:
        engine.put({f"k{n}": b"%d" % n for n in range(50)}, None)
        order = [(n * 17) % 50 for n in range(50)]
        assert engine.get([f"k{n}" for n in order]) == [b"%d" % n for n in order]

    def test_a_key_that_is_asked_twice_is_answered_twice(self, engine: Any) -> None:
        engine.put({"a": b"1", "b": b"2"}, None)
        assert engine.get(["a", "b", "a", "no", "a"]) == [b"1", b"2", b"1", None, b"1"]

    def test_a_missing_value_is_none(self, engine: Any) -> None:
        assert engine.get(["no"]) == [None]

    def test_an_empty_value_is_no_missing_value(self, engine: Any) -> None:
        engine.put({"empty": b""}, None)
        (value,) = engine.get(["empty"])
        assert value is not None
        assert bytes(value) == b""

    def test_nothing_asked_is_nothing_done(self, engine: Any) -> None:
        assert engine.get([]) == []
        assert engine.put({}, None) is None
        assert engine.drop([]) == 0

    def test_a_batch_of_keys_may_be_large(self, engine: Any) -> None:
        items = {f"key{n}": b"%d" % n for n in range(2_000)}
        engine.put(items, None)
        assert engine.get(list(items)) == list(items.values())
        assert engine.drop(list(items)) == len(items)

    def test_a_later_value_takes_the_place_of_an_earlier_one(self, engine: Any) -> None:
        for value in (b"long" * 20_000, b"short", b"", b"longer" * 20_000):
            engine.put({"key": value}, None)
            assert engine.get(["key"]) == [value]

    @pytest.mark.parametrize("number", range(len(VALUES)))
    def test_a_value_comes_back_byte_for_byte(self, engine: Any, number: int) -> None:
        engine.put({"key": VALUES[number]}, None)
        (value,) = engine.get(["key"])
        assert bytes(value) == VALUES[number]

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_values_are_taken_as_any_kind_of_bytes(self, engine: Any, kind: Any) -> None:
        engine.put({"put": kind(b"one")}, None)
        engine.add("added", kind(b"two"), None)
        assert [bytes(value) for value in engine.get(["put", "added"])] == [b"one", b"two"]

    def test_a_value_is_kept_as_it_was(self, engine: Any) -> None:
        value = bytearray(b"before")
        engine.put({"key": value}, None)
        value[:] = b"after!"
        assert engine.get(["key"]) == [b"before"]

    @pytest.mark.parametrize("number", range(len(KEYS)))
    def test_a_key_is_data(self, engine: Any, number: int) -> None:
        key = KEYS[number]
        assert engine.add(key, b"added", None)
        assert engine.get([key]) == [b"added"]
        engine.put({key: b"put"}, None)
        assert engine.get([key]) == [b"put"]
        assert engine.drop([key]) == 1
        assert engine.get([key]) == [None]

    def test_keys_that_look_alike_are_different(self, engine: Any) -> None:
        engine.put({key: b"%d" % number for number, key in enumerate(KEYS)}, None)
        assert engine.get(KEYS) == [b"%d" % number for number in range(len(KEYS))]

    def test_drop_tells_how_many_were_there(self, engine: Any) -> None:
        engine.put({"a": b"1", "b": b"2", "c": b"3"}, None)
        assert engine.drop(["a", "no", "b"]) == 2
        assert engine.drop(["a", "b"]) == 0
        assert engine.get(["a", "b", "c"]) == [None, None, b"3"]

    def test_a_key_is_dropped_once(self, engine: Any) -> None:
        engine.put({"a": b"1"}, None)
        assert engine.drop(["a", "a"]) == 1

    def test_what_was_dropped_can_be_put_again(self, engine: Any) -> None:
        engine.put({"key": b"old"}, None)
        engine.drop(["key"])
        engine.put({"key": b"new"}, None)
        assert engine.get(["key"]) == [b"new"]

    def test_add_stores_only_what_is_not_there(self, engine: Any) -> None:
        assert engine.add("key", b"first", None) is True
        assert engine.add("key", b"second", None) is False
        assert engine.get(["key"]) == [b"first"]

    def test_what_was_dropped_can_be_added(self, engine: Any) -> None:
        engine.put({"key": b"old"}, None)
        engine.drop(["key"])
        assert engine.add("key", b"new", None) is True
        assert engine.get(["key"]) == [b"new"]

    def test_of_threads_that_add_at_once_one_succeeds(self, engine: Any) -> None:
        keys = [f"key{n}" for n in range(40)]
        told = at_once(lambda me: [engine.add(key, b"%d" % me, None) for key in keys])
        for number, key in enumerate(keys):
            (winner,) = [me for me in range(THREADS) if told[me][number]]
            assert engine.get([key]) == [b"%d" % winner]

    def test_threads_that_drop_at_once_count_each_key_once(self, engine: Any) -> None:
        keys = [f"key{n}" for n in range(100)]
        engine.put(dict.fromkeys(keys, b"value"), None)
        assert sum(at_once(lambda me: sum(engine.drop([key]) for key in keys))) == len(keys)

    def test_threads_never_see_torn_or_strange_values(self, engine: Any) -> None:
        def work(me: int) -> None:
            for turn in range(20):
                key = f"key{(me + turn) % 5}"
                engine.put({key: key.encode() * 3_000}, None)
                for other, value in zip(names, engine.get(names), strict=True):
                    assert value is None or bytes(value) == other.encode() * 3_000
                if turn % 5 == 4:
                    engine.drop([key])

        names = [f"key{n}" for n in range(5)]
        at_once(work)

    def test_a_value_ends_with_its_time(self, engine: Any, clock: FakeClock) -> None:
        self.needs(engine, "ttl")
        engine.put({"short": b"1", "other": b"1"}, 2 * self.second)
        engine.put({"long": b"2"}, 60)
        engine.put({"ever": b"3"}, None)
        assert engine.get(["short", "long", "ever"]) == [b"1", b"2", b"3"]
        self.elapse(clock, 3 * self.second)
        assert engine.get(["short", "other", "long", "ever"]) == [None, None, b"2", b"3"]

    def test_what_is_past_its_time_is_not_there(self, engine: Any, clock: FakeClock) -> None:
        self.needs(engine, "ttl")
        engine.put({"dropped": b"1", "added": b"1"}, 2 * self.second)
        self.elapse(clock, 3 * self.second)
        assert engine.drop(["dropped"]) == 0
        assert engine.add("added", b"2", None) is True
        assert engine.get(["added"]) == [b"2"]
        if engine.capabilities.scan:
            assert list(engine.scan("")) == ["added"]

    def test_an_added_value_ends_with_its_time(self, engine: Any, clock: FakeClock) -> None:
        self.needs(engine, "ttl")
        assert engine.add("key", b"1", 2 * self.second) is True
        assert engine.add("key", b"2", 2 * self.second) is False
        self.elapse(clock, 3 * self.second)
        assert engine.get(["key"]) == [None]
        assert engine.add("key", b"3", 2 * self.second) is True

    def test_a_later_put_brings_its_own_time(self, engine: Any, clock: FakeClock) -> None:
        self.needs(engine, "ttl")
        engine.put({"longer": b"1", "ever": b"1"}, 2 * self.second)
        engine.put({"shorter": b"1"}, None)
        engine.put({"longer": b"2"}, 60)
        engine.put({"ever": b"2"}, None)
        engine.put({"shorter": b"2"}, 2 * self.second)
        self.elapse(clock, 3 * self.second)
        assert engine.get(["longer", "ever", "shorter"]) == [b"2", b"2", None]

    @pytest.mark.parametrize("ttl", [0, -1, -0.5])
    def test_no_time_to_live_stores_nothing(self, engine: Any, ttl: float) -> None:
        self.needs(engine, "ttl")
        engine.put({"old": b"1"}, None)
        engine.put({"old": b"2", "new": b"2"}, ttl)
        assert engine.get(["old", "new"]) == [None, None]
        assert engine.add("new", b"3", ttl) is False
        assert engine.get(["new"]) == [None]

    def test_scan_gives_every_key_once(self, engine: Any) -> None:
        self.needs(engine, "scan")
        items = {f"key{n}": b"1" for n in range(1_500)}
        engine.put(items, None)
        engine.put(items, None)
        engine.drop(["key7"])
        assert sorted(engine.scan("")) == sorted(set(items) - {"key7"})

    def test_scan_takes_every_character_for_itself(self, engine: Any) -> None:
        self.needs(engine, "scan")
        engine.put(dict.fromkeys(KEYS, b"1"), None)
        starts = {key[:length] for key in KEYS for length in (0, 1, 2, len(key))}
        for start in {*starts, "%", "_", "*", "?", "[a-z]", "p%", "p_", "\0", "no such start"}:
            expected = sorted(key for key in KEYS if key.startswith(start))
            assert sorted(engine.scan(start)) == expected

    def test_entries_may_go_and_come_while_they_are_scanned(self, engine: Any) -> None:
        self.needs(engine, "scan")
        engine.put({f"key{n}": b"1" for n in range(300)}, None)
        seen = []
        for number, key in enumerate(engine.scan("key")):
            seen.append(key)
            engine.drop([key])
            if number < 50:
                engine.put({f"other{number}": b"1"}, None)
        assert sorted(seen) == sorted(f"key{n}" for n in range(300))

    def test_swap_wants_the_expected_value(self, engine: Any) -> None:
        self.needs(engine, "swap")
        engine.put({"key": b"1"}, None)
        assert engine.swap("key", b"2", b"3", None) is False
        assert engine.get(["key"]) == [b"1"]
        assert engine.swap("key", b"1", b"2", None) is True
        assert engine.get(["key"]) == [b"2"]

    def test_swap_expects_nothing_if_none_is_expected(self, engine: Any) -> None:
        self.needs(engine, "swap")
        assert engine.swap("key", b"1", b"2", None) is False
        assert engine.get(["key"]) == [None]
        assert engine.swap("key", None, b"1", None) is True
        assert engine.swap("key", None, b"2", None) is False
        assert engine.get(["key"]) == [b"1"]

    def test_swap_with_none_forgets(self, engine: Any) -> None:
        self.needs(engine, "swap")
        engine.put({"key": b"1"}, None)
        assert engine.swap("key", b"2", None, None) is False
        assert engine.swap("key", b"1", None, None) is True
        assert engine.get(["key"]) == [None]

    def test_swap_knows_what_is_past_its_time(self, engine: Any, clock: FakeClock) -> None:
        self.needs(engine, "swap")
        self.needs(engine, "ttl")
        engine.put({"key": b"1"}, 2 * self.second)
        self.elapse(clock, 3 * self.second)
        assert engine.swap("key", b"1", b"2", None) is False
        assert engine.swap("key", None, b"3", 2 * self.second) is True
        assert engine.get(["key"]) == [b"3"]
        self.elapse(clock, 3 * self.second)
        assert engine.get(["key"]) == [None]

    def test_threads_that_swap_lose_no_step(self, engine: Any) -> None:
        self.needs(engine, "swap")

        def work(me: int) -> None:
            done = 0
            while done < 10:
                (now,) = engine.get(["count"])
                done += engine.swap("count", now, b"%d" % (int(bytes(now)) + 1), None)

        engine.put({"count": b"0"}, None)
        at_once(work)
        assert engine.get(["count"]) == [b"%d" % (THREADS * 10)]

    def test_touch_gives_a_new_time(self, engine: Any, clock: FakeClock) -> None:
        self.needs(engine, "touch")
        engine.put({"longer": b"1", "ever": b"2", "as it was": b"3"}, 2 * self.second)
        engine.put({"shorter": b"4"}, None)
        assert engine.touch(["longer", "no"], 60) == 1
        assert engine.touch(["ever"], None) == 1
        assert engine.touch(["shorter"], 2 * self.second) == 1
        self.elapse(clock, 3 * self.second)
        names = ["longer", "ever", "as it was", "shorter"]
        assert engine.get(names) == [b"1", b"2", None, None]
        assert engine.touch(names, 60) == 2

    def test_left_tells_how_long_entries_have(self, engine: Any, clock: FakeClock) -> None:
        self.needs(engine, "left")
        engine.put({"long": b"1"}, 60)
        engine.put({"short": b"1"}, 2 * self.second)
        engine.put({"ever": b"1"}, None)
        self.elapse(clock, 3 * self.second)
        (left, *others) = engine.left(["long", "short", "ever", "no"])
        assert 50 < left <= 60 - 2.9 * self.second
        assert others == [None, float("inf"), None]

    def test_close_may_be_called_again(self, engine: Any) -> None:
        engine.put({"key": b"1"}, None)
        engine.close()
        engine.close()

    @pytest.mark.parametrize(
        "method", ["get", "put", "add", "drop", "scan", "ping", "swap", "touch", "left"]
    )
    def test_a_closed_engine_says_so(self, engine: Any, method: str) -> None:
        for optional in ("scan", "swap", "touch", "left"):
            if method == optional:
                self.needs(engine, optional)
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: engine.get(["key"]),
            "put": lambda: engine.put({"key": b"1"}, None),
            "add": lambda: engine.add("key", b"1", None),
            "drop": lambda: engine.drop(["key"]),
            "scan": lambda: list(engine.scan("")),
            "ping": engine.ping,
            "swap": lambda: engine.swap("key", None, b"1", None),
            "left": lambda: engine.left(["key"]),
            "touch": lambda: engine.touch(["key"], None),
        }
        engine.close()
        with pytest.raises(EngineError):
            calls[method]()

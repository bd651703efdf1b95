"""The engine made of engines."""

import itertools

import pytest

from twat_cache import Cache, Capabilities, ConfigurationError, EngineError, ucache
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.sqlite import SqliteEngine
from twat_cache.engines.tiered import TieredEngine, _stripe
from twat_cache.testing import EngineSuite, FakeClock


class TestTwoTiers(EngineSuite):
    def make(self, clock):
        far = SqliteEngine(self.folder / "store.db", clock=clock)
        return TieredEngine([MappingEngine(clock=clock), far], near_ttl=1_000)


class TestThreeTiers(EngineSuite):
    def make(self, clock):
        return TieredEngine([MappingEngine(clock=clock) for _ in range(3)])


class Recording(MappingEngine):
    """Remembers what it was asked for."""

    __slots__ = ("asked",)

    def __init__(self, **options):
        super().__init__(**options)
        self.asked = []

    def get(self, keys):
        self.asked.append(list(keys))
        return super().get(keys)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def near(clock):
    return Recording(clock=clock.seconds)


@pytest.fixture
def far(clock):
    return Recording(clock=clock.seconds)


@pytest.fixture
def tiers(near, far):
    return TieredEngine([near, far], near_ttl=10)


def test_the_far_tier_is_asked_for_what_is_missing_only(tiers, near, far):
    near.put({"a": b"1"}, None)
    far.put({"b": b"2"}, None)
    assert tiers.get(["a", "b", "c", "b"]) == [b"1", b"2", None, b"2"]
    assert far.asked == [["b", "c"]]
    tiers.get(["a", "b"])
    assert far.asked == [["b", "c"]]


def test_what_is_promoted_stays_for_the_near_time(tiers, near, far, clock):
    far.put({"key": b"1"}, None)
    tiers.get(["key"])
    far.put({"key": b"2"}, None)  # another process
    assert tiers.get(["key"]) == [b"1"]
    clock.advance(11)
    assert tiers.get(["key"]) == [b"2"]


def test_what_is_promoted_ends_with_its_time_in_the_far_tier(tiers, far, clock):
    far.put({"key": b"1"}, 5)
    assert tiers.get(["key"]) == [b"1"]
    clock.advance(6)
    assert tiers.get(["key"]) == [None]


def test_what_is_put_stays_near_no_longer_than_the_near_time(tiers, near, far, clock):
    tiers.put({"short": b"1"}, 5)
    tiers.put({"long": b"2"}, None)
    clock.advance(6)
    assert near.get(["short", "long"]) == [None, b"2"]
    clock.advance(6)
    assert near.get(["long"]) == [None]
    assert far.get(["short", "long"]) == [None, b"2"]


@pytest.mark.parametrize("act", ["drop", "put", "swap"])
def test_a_value_that_changed_while_it_was_read_is_not_promoted(near, clock, act):
    class Slow(Recording):
        __slots__ = ("meanwhile",)

        def get(self, keys):
            found = super().get(keys)
            self.meanwhile()
            return found

    far = Slow(clock=clock.seconds)
    far.meanwhile = lambda: None
    tiers = TieredEngine([near, far])
    far.put({"key": b"old"}, None)

    def change():
        far.meanwhile = lambda: None
        if act == "drop":
            tiers.drop(["key"])
        elif act == "put":
            tiers.put({"key": b"new"}, None)
        else:
            tiers.swap("key", b"old", b"new", None)

    far.meanwhile = change
    tiers.get(["key"])
    assert tiers.get(["key"]) == [None if act == "drop" else b"new"]


@pytest.mark.parametrize("first", ["put", "add"])
@pytest.mark.parametrize("second", ["put", "drop", "swap"])
def test_what_two_change_at_a_time_is_not_near_unless_it_is_far(near, clock, first, second):
    class Slow(MappingEngine):
        """Does what comes in between, once, before it returns."""

        def put(self, items, ttl):
            super().put(items, ttl)
            between and between.pop()()

        def add(self, key, value, ttl):
            added = super().add(key, value, ttl)
            between and between.pop()()
            return added

    def other():
        if second == "put":
            tiers.put({"key": b"second"}, None)
        elif second == "drop":
            tiers.drop(["key"])
        else:
            assert tiers.swap("key", b"first", b"second", None)

    between = []
    far = Slow(clock=clock.seconds)
    middle = MappingEngine(clock=clock.seconds)
    tiers = TieredEngine([near, middle, far])
    between.append(other)
    if first == "put":
        alone = next(key for key in map(str, range(999)) if _stripe(key) != _stripe("key"))
        tiers.put({"key": b"first", alone: b"1"}, None)
        assert near.get([alone]) == [b"1"]
    else:
        assert tiers.add("key", b"first", None)
    there = None if second == "drop" else b"second"
    assert far.get(["key"]) == [there]
    assert near.get(["key"])[0] in {None, there}
    assert middle.get(["key"])[0] in {None, there}
    assert tiers.get(["key"]) == [there]
    tiers.put({"key": b"third"}, None)
    assert near.get(["key"]) == [b"third"]


def test_the_furthest_tier_decides_what_is_added(tiers, near, far):
    far.put({"key": b"1"}, None)
    assert tiers.add("key", b"2", None) is False
    assert tiers.get(["key"]) == [b"1"]


def test_a_swap_that_fails_lets_the_next_reading_be_fresh(tiers, near, far):
    tiers.put({"key": b"1"}, None)
    far.put({"key": b"2"}, None)  # another process
    assert tiers.swap("key", b"1", b"3", None) is False
    assert tiers.get(["key"]) == [b"2"]


def test_a_near_tier_that_fails_does_not_keep_the_value_before(far, clock):
    class Full(MappingEngine):
        def put(self, items, ttl):
            raise EngineError("full")

    near = Full(clock=clock.seconds)
    near.add("key", b"old", None)
    tiers = TieredEngine([near, far])
    with pytest.raises(EngineError, match="full"):
        tiers.put({"key": b"new"}, None)
    assert tiers.get(["key"]) == [b"new"]


def test_a_near_tier_that_fails_does_not_keep_others_from_forgetting(near, far, clock):
    sulking = Sulking(clock=clock.seconds)
    tiers = TieredEngine([sulking, near, far])
    for change in (
        lambda: tiers.put({"key": b"2"}, None),
        lambda: tiers.swap("key", b"1", b"2", None),
        lambda: tiers.drop(["key"]),
        lambda: tiers.touch(["key"], 5),
    ):
        sulking.sulks = False
        tiers.put({"key": b"1"}, None)
        sulking.sulks = True
        with pytest.raises(EngineError, match="not now"):
            change()
        assert near.get(["key"]) == [None]


class Sulking(MappingEngine):
    """Can't serve while it sulks."""

    sulks = False

    def _held(self):
        if self.sulks:
            raise EngineError("not now")
        return super()._held()


def test_a_near_tier_that_fails_is_passed_over_by_reads(far, clock):
    near = Sulking(clock=clock.seconds)
    tiers = TieredEngine([near, far])
    tiers.put({"key": b"1"}, None)
    near.sulks = True
    assert tiers.get(["key", "no"]) == [b"1", None]
    for change in (
        lambda: tiers.put({"key": b"2"}, None),
        lambda: tiers.drop(["key"]),
        tiers.ping,
    ):
        with pytest.raises(EngineError, match="not now"):
            change()
    near.sulks = False
    assert tiers.drop(["key"]) == 1
    assert tiers.get(["key"]) == [None]


def test_a_middle_tier_that_fails_keeps_nobody_from_the_furthest(near, far, clock):
    middle = Sulking(clock=clock.seconds)
    tiers = TieredEngine([near, middle, far])
    far.put({"key": b"1"}, None)
    middle.sulks = True
    assert tiers.get(["key"]) == [b"1"]
    assert near.get(["key"]) == [b"1"]  # promoted past it


def test_what_the_furthest_tier_fails_to_give_is_an_error(near, clock):
    far = Sulking(clock=clock.seconds)
    tiers = TieredEngine([near, far])
    far.sulks = True
    near.put({"key": b"1"}, None)
    assert tiers.get(["key"]) == [b"1"]
    with pytest.raises(EngineError, match="not now"):
        tiers.get(["key", "no"])


@pytest.mark.parametrize("method", ["put", "add", "drop", "swap", "touch"])
def test_near_tiers_forget_also_what_the_furthest_tier_fails_to_change(near, clock, method):
    far = Sulking(clock=clock.seconds)
    tiers = TieredEngine([near, far])
    tiers.put({"key": b"old", "other": b"1"}, None)
    far.sulks = True
    arguments = {
        "put": [{"key": b"new"}, None],
        "add": ["key", b"new", None],
        "drop": [["key"]],
        "swap": ["key", b"old", b"new", None],
        "touch": [["key"], 5],
    }
    with pytest.raises(EngineError, match="not now"):
        getattr(tiers, method)(*arguments[method])
    assert near.get(["key", "other"]) == [None, b"1"]


def test_what_is_touched_stays_near_if_it_leaves_there_before(tiers, near, far, clock):
    tiers.put({"key": b"1"}, 20)
    assert tiers.touch(["key"], 15) == 1
    assert near.get(["key"]) == [b"1"]
    clock.advance(11)
    assert near.get(["key"]) == [None]
    assert tiers.get(["key"]) == [b"1"]
    assert tiers.touch(["key"], 5) == 1
    assert near.get(["key"]) == [None]
    assert tiers.get(["key"]) == [b"1"]
    far.drop(["key"])  # evicted there
    assert tiers.touch(["key"], 15) == 0
    assert tiers.get(["key"]) == [None]


def test_what_only_a_near_tier_has_is_listed_and_so_can_be_cleared(tiers, near, far):
    tiers.put({"f:a": b"1", "f:b": b"2", "g:a": b"3"}, None)
    far.drop(["f:a"])  # evicted there
    assert sorted(tiers.scan("f:")) == ["f:a", "f:b"]


def test_a_function_is_cleared_also_of_what_the_furthest_tier_has_evicted(tiers, far):
    @ucache(tiers)
    def function(argument):
        return [argument, next(counter)]

    counter = itertools.count()
    first = function(1)
    far.drop(list(far.scan("")))
    assert function(1) == first
    function.cache_clear()
    assert function(1) != first
    function.close()


def test_tiers_of_which_one_cannot_list_its_keys_are_cleared_all_the_same(far, clock):
    class Mute(MappingEngine):
        capabilities = MappingEngine.capabilities._replace(scan=False)

        def scan(self, prefix):
            raise NotImplementedError

    cache = Cache(TieredEngine([Mute(clock=clock.seconds), far]))
    cache.set("key", 1)
    far.drop(list(far.scan("")))
    cache.clear()
    assert cache.get("key") is None
    with pytest.raises(ConfigurationError, match="can't list"):
        cache.keys()


def test_all_tiers_are_closed_also_if_one_fails(far):
    class Stuck(MappingEngine):
        def close(self):
            raise EngineError("stuck")

    tiers = TieredEngine([Stuck(), far])
    with pytest.raises(EngineError, match="stuck"):
        tiers.close()
    with pytest.raises(EngineError, match="closed"):
        far.ping()


def test_capabilities_are_those_of_the_furthest_tier(tmp_path):
    far = SqliteEngine(tmp_path / "store.db")
    tiers = TieredEngine([MappingEngine(), far])
    assert tiers.capabilities == far.capabilities._replace(local=False)
    tiers.close()


def test_tiers_are_of_this_machine_if_all_are(tmp_path):
    near, far = SqliteEngine(tmp_path / "near.db"), SqliteEngine(tmp_path / "far.db")
    tiers = TieredEngine([near, far])
    assert tiers.capabilities.local
    tiers.close()


def test_tiers_that_make_no_sense_are_refused():
    class Forgetless(MappingEngine):
        capabilities = Capabilities(ttl=False)

    for tiers, options in [
        ([MappingEngine()], {}),
        ([MappingEngine(), MappingEngine()], {"near_ttl": 0}),
        ([Forgetless(), MappingEngine()], {}),
    ]:
        with pytest.raises(ConfigurationError):
            TieredEngine(tiers, **options)

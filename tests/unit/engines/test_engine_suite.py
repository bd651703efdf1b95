"""The suite that engines inherit finds what is planted."""

import pytest

from tests.fixtures.broken_engines import failed_tests
from twat_cache.engines.mapping import MappingEngine
from twat_cache.testing import EngineSuite, FakeClock


class ThatDropsNothing(MappingEngine):
    def drop(self, keys):
        return len([value for value in self.get(keys) if value is not None])


class ThatIgnoresTimes(MappingEngine):
    def put(self, items, ttl):
        super().put(items, None if ttl is not None and ttl > 0 else ttl)


class ThatOverwrites(MappingEngine):
    def add(self, key, value, ttl):
        new = self.get([key]) == [None]
        self.put({key: value}, ttl)
        return new


class ThatAddsInTwoSteps(MappingEngine):
    def add(self, key, value, ttl):
        if self.get([key]) != [None]:
            return False
        import time

        time.sleep(0.0005)
        self.put({key: value}, ttl)
        return True


class ThatTakesPatterns(MappingEngine):
    def scan(self, prefix):
        from fnmatch import fnmatchcase

        return iter([key for key in super().scan("") if fnmatchcase(key, prefix + "*")])


class ThatSortsItsAnswers(MappingEngine):
    def get(self, keys):
        return super().get(sorted(keys))


class ThatEndsAtNul(MappingEngine):
    def get(self, keys):
        return super().get([key.partition("\0")[0] for key in keys])

    def put(self, items, ttl):
        super().put({key.partition("\0")[0]: value for key, value in items.items()}, ttl)


class ThatServesWhenClosed(MappingEngine):
    def close(self):
        pass


class ThatCuts(MappingEngine):
    def put(self, items, ttl):
        super().put({key: value[:65536] for key, value in items.items()}, ttl)


class ThatSwapsAlways(MappingEngine):
    def swap(self, key, expected, value, ttl):
        super().drop([key])
        if value is not None:
            self.put({key: value}, ttl)
        return True


BROKEN = {
    ThatDropsNothing: "test_drop_tells_how_many_were_there",
    ThatIgnoresTimes: "test_a_value_ends_with_its_time",
    ThatOverwrites: "test_add_stores_only_what_is_not_there",
    ThatAddsInTwoSteps: "test_of_threads_that_add_at_once_one_succeeds",
    ThatTakesPatterns: "test_scan_takes_every_character_for_itself",
    ThatSortsItsAnswers: "test_values_come_in_the_order_of_the_keys",
    ThatEndsAtNul: "test_keys_that_look_alike_are_different",
    ThatServesWhenClosed: "test_a_closed_engine_says_so",
    ThatCuts: "test_a_value_comes_back_byte_for_byte",
    ThatSwapsAlways: "test_swap_wants_the_expected_value",
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """What fails where, in a run of the suite on all broken engines."""
    return failed_tests(__file__, "EngineSuite", BROKEN, tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("broken", BROKEN)
def test_the_suite_finds_what_is_broken(failures, broken):
    assert f"::Test{broken.__name__}::{BROKEN[broken]}" in failures


def test_a_suite_without_an_engine_says_what_to_write():
    with pytest.raises(NotImplementedError, match="make"):
        EngineSuite().make(FakeClock().seconds)

"""The made-up workloads."""

from collections import Counter

from benchmarks.streams import loop, shifting, uniform, with_scans, zipf
from benchmarks.workloads import MOONSHOT, made_up


def test_zipf_asks_for_each_key_by_the_power_of_its_rank():
    asked = Counter(zipf(100_000, 1_000, 1.0))
    assert set(asked) <= set(range(1_000))
    for rank in (2, 4, 8):
        assert 0.9 < asked[rank - 1] * rank / asked[0] < 1.1


def test_a_stream_is_the_same_on_every_run():
    assert zipf(5, 100, 0.8) == zipf(5, 100, 0.8) == [90, 89, 74, 0, 39]
    assert uniform(5, 100) == uniform(5, 100)
    assert zipf(50, 100, 0.8) != zipf(50, 100, 0.8, seed=1)


def test_scans_bring_keys_that_never_come_again():
    mixed = with_scans([0, 1, 0, 1, 0], every=2, length=3)
    assert [0, 1, 2, 3, 4, 0, 1, 5, 6, 7, 0, 8, 9, 10] == mixed


def test_a_shift_moves_all_keys_on():
    assert [0, 1, 10, 11, 20] == shifting([0, 1, 0, 1, 0], every=2, by=10)


def test_a_loop_goes_round():
    assert [0, 1, 2, 0, 1] == loop(5, 3)


def test_the_moonshot_s_streams_are_made():
    assert set(MOONSHOT) < {workload.trace.name for workload in made_up()}

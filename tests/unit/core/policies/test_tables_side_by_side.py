"""Random traces of a bare table, taken on both cores at once: all that is seen is equal.

`TRACES=20 pytest …` searches twenty times as long.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conftest import package
from tests.fixtures import worlds
from tests.fixtures.table_traces import POLICIES, TableStage, setups, steps

thorough = settings(
    max_examples=300 * int(os.environ.get("TRACES", "1")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("policy", POLICIES)
@thorough
@given(setup=setups, trace=steps)
def test_a_table_looks_the_same_on_both_cores(both, policy, setup, trace):
    setup = setup | {"policy": policy}
    compiled, pure = TableStage(both.compiled, setup), TableStage(both.pure, setup)
    for number, step in enumerate(trace):
        assert compiled.take(step) == pure.take(step), (number, step)
        assert compiled.look() == pure.look(), (number, step)


@pytest.mark.parametrize("core", worlds.CORES)
@pytest.mark.parametrize("policy", POLICIES)
@thorough
@given(setup=setups, trace=steps)
def test_the_books_balance(core, policy, setup, trace):
    """What was stored is there, was replaced, or has left and was told of; and the bounds hold."""
    stage = TableStage(package(core), setup | {"policy": policy})
    table, told, gone = stage.table, [], [0] * 9
    for step in trace:
        before = table.counters()
        stage.take(step)
        told += stage.told
        if step[0] in ("clear", "close"):
            assert table.counters() == (0,) * 9
            assert (len(table), table.weight) == (0, 0)
            gone = [one + other for one, other in zip(gone, before, strict=True)]
        total = [one + other for one, other in zip(gone, table.counters(), strict=True)]
        causes = [cause for *_, cause in told]
        assert causes.count("size") == total[3]
        assert causes.count("expired") == total[4]
        assert total[2] == len(table) + len(told)
        assert len({value for _, value, _ in told}) == len(told)
        assert table.maxsize is None or len(table) <= table.maxsize
        assert table.max_weight is None or table.weight <= table.max_weight
        assert [(key, value) for key, value, *_ in table.dump()] == table.items()

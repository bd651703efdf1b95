"""Random traces of calls and controls, taken on both cores at once: all that is seen is equal.

`TRACES=20 pytest …` searches twenty times as long; `SHRINK=0` gives the first find as it is.
"""

from __future__ import annotations

import os
from collections import OrderedDict

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import package
from tests.fixtures import worlds
from tests.fixtures.traces import SHAPES, Setup, Stage, sizes, traces

VERBS = ["call"] * 6 + ["peek", "contains", "invalidate", "put", "refresh", "cache_key"]
POLICIES = ["fifo", "lfu", "sieve", "s3fifo", "tinylfu"]  # random has its name with reason
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


def thorough(examples):
    examples *= int(os.environ.get("TRACES", "1"))
    shrink = [] if os.environ.get("SHRINK") == "0" else [Phase.reuse, Phase.shrink]
    return settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, *shrink],
        suppress_health_check=SUPPRESSED,
    )


def compare(both, setup, trace):
    compiled, pure = Stage(both.compiled, setup), Stage(both.pure, setup)
    for step in trace:
        assert compiled.take(step) == pure.take(step), step
        assert compiled.look() == pure.look(), step


options = st.fixed_dictionaries(
    {"clock": st.just("fake")},
    optional={
        "typed": st.booleans(),
        "ttl": st.sampled_from([1, 2, "3s", "by result"]),
        "unhashable": st.sampled_from(["raise", "bypass", "digest"]),
        "cache_if": st.just("odd"),
        "copy": st.just("copy"),
        "policy": st.sampled_from(POLICIES),
        "tti": st.sampled_from([1, 2]),
        "weights": st.sampled_from([10, 4, 25]),
        "on_removal": st.just("tell"),
    },
)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@thorough(200)
@given(data=st.data())
def test_mcache_looks_the_same_on_both_cores(both, shape, data):
    chosen = data.draw(options, "options")
    if data.draw(st.integers(0, 9)) == 0:
        chosen["key"] = "of first"
    if "weights" in chosen:
        chosen |= {"max_weight": chosen.pop("weights"), "weigher": "weigh"}
    setup = Setup(shape, "mcache", data.draw(sizes, "maxsize"), chosen)
    typed = chosen.get("typed", False)
    compare(both, setup, data.draw(traces(shape, VERBS, typed=typed), "trace"))


@pytest.mark.parametrize("shape", ["one", "two", "defaults", "spread"])
@thorough(150)
@given(data=st.data())
def test_lru_cache_looks_the_same_on_both_cores(both, shape, data):
    typed = data.draw(st.booleans(), "typed")
    setup = Setup(shape, "lru_cache", data.draw(sizes, "maxsize"), {"typed": typed})
    trace = data.draw(traces(shape, ["call"], table=False, typed=typed), "trace")
    compare(both, setup, trace)


# -- a model ---------------------------------------------------------------------------------------


class Model:
    """What a bounded cache in order of use is, in the fewest words."""

    def __init__(self, maxsize):
        self.entries = OrderedDict()
        self.maxsize = maxsize
        self.runs = 0

    def call(self, x):
        if x in self.entries:
            if self.maxsize is not None:
                self.entries.move_to_end(x)
            return self.entries[x]
        self.runs += 1
        self.put(x, self.runs)
        return self.runs

    def put(self, x, value):
        if self.maxsize == 0:
            return
        new = x not in self.entries
        self.entries[x] = value
        if not new and self.maxsize is not None:
            self.entries.move_to_end(x)
        self.resize(self.maxsize)

    def invalidate(self, x):
        return self.entries.pop(x, None) is not None

    def peek(self, x):
        return self.entries.get(x)

    def resize(self, maxsize):
        self.maxsize = maxsize
        while maxsize is not None and len(self.entries) > maxsize:
            self.entries.popitem(last=False)


keys = st.integers(0, 9)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("call"), keys),
        st.tuples(st.just("call"), keys),
        st.tuples(st.just("put"), keys, st.just(-1)),
        st.tuples(st.just("invalidate"), keys),
        st.tuples(st.just("peek"), keys),
        st.tuples(st.just("resize"), sizes),
    ),
    max_size=60,
)


@pytest.mark.parametrize("core", worlds.CORES)
@thorough(250)
@given(maxsize=sizes, trace=moves)
def test_the_order_of_use_is_exact(core, maxsize, trace):
    model = Model(maxsize)
    f = package(core).mcache(maxsize=maxsize)(lambda x: f.cache_info().misses)
    for verb, *args in trace:
        if verb == "put":
            f.put(args[1], args[0])
            found, expected = None, model.put(*args)
        else:
            found = (f if verb == "call" else getattr(f, verb))(*args)
            expected = getattr(model, verb)(*args)
        assert found == expected
        assert [(key[0], value) for key, value in f.items()] == list(model.entries.items())
        assert f.cache_info().misses == model.runs

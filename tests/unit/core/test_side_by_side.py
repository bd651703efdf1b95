"""Every public name of the core and of the decorators does the same on both cores.

The probes are in `probes.py` and the other `…_probes.py` of `tests/fixtures/`; the tests here run
each of them on both cores and see to it that no name is without one.
"""

from __future__ import annotations

import inspect

import pytest

from tests.fixtures import gate_probes, option_probes, path_probes, worlds  # noqa: F401 - they file probes
from tests.fixtures.probes import PROBES, Paper

CONTROLS = "cache_clear cache_info cache_parameters __wrapped__"


def names(kind, instance=None):
    """The public names of a class, those its instances have in their `__dict__` included."""
    found = set(dir(kind)) | set(getattr(instance, "__dict__", ()))
    return {f"{kind.__name__}.{name}" for name in found if not name.startswith("_")}


def options(function, name):
    parameters = inspect.signature(function).parameters.values()
    taken = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return {f"{name}({p.name})" for p in taken if p.name != "self"}


def public(tc, reference):
    """All that a probe has to exist for; signatures are read from the reference core."""
    table, plain = reference._core.Table, tc.mcache(lambda x: x)
    found = names(tc._core.Table, tc._core.Table(1)) | {"Table.__len__", "Gate.__call__"}
    found |= {"Gate.__get__"} | names(tc._core.Gate, tc._core.Gate(len, tc._core.Table(1)))
    found |= options(table.__init__, "Table") | options(reference._core.Gate.__init__, "Gate")
    found |= {n for n in options(table.put, "Table.put") if "key" not in n and "value" not in n}
    found |= options(table.peek, "Table.peek") - {"Table.peek(key)"}
    found |= {f"Table.land({name})" for name in ("ttl", "weight", "replace")}
    found |= {f"Table.land_until({name})" for name in ("fresh", "end", "weight", "replace")}
    found |= {"Table.resize(max_weight)"}
    for decorator in ("mcache", "acache", "lru_cache"):
        found |= options(getattr(tc, decorator), decorator)
    found |= {"cache"} | {f"Cached.{name}" for name in CONTROLS.split()}
    found |= names(type(plain)) - {
        "Cached.answer",
        "Cached.bind",
        "Cached.through",
        "Cached.function",
        "Cached.table",
    }
    for control in ("peek", "put"):
        found |= {
            n for n in options(getattr(type(plain), control), f"Cached.{control}") if "_)" in n
        }
    return found


@pytest.mark.parametrize("core", worlds.CORES)
def test_every_public_name_and_option_has_a_probe(core):
    tc = worlds.world(core)
    wanted = public(tc, worlds.world("pure"))
    assert sorted(wanted - set(PROBES)) == []
    assert sorted(set(PROBES) - wanted) == []


def test_the_cores_have_the_same_public_names(both):
    compiled, pure = (public(tc, both.pure) for tc in both)
    assert sorted(compiled ^ pure) == []


@pytest.mark.parametrize("name", sorted(PROBES))
def test_both_cores_do_the_same(both, name):
    for script in PROBES[name]:
        papers = [Paper(tc) for tc in both]
        for paper in papers:
            script(paper)
        compiled, pure = papers
        assert compiled.lines, "a probe that sees nothing shows nothing"
        for number, (one, other) in enumerate(zip(compiled.lines, pure.lines)):
            assert one == other, f"line {number} of {script.__name__}"
        assert len(compiled.lines) == len(pure.lines)

"""The engine on the diskcache library."""

import pickle
import sqlite3
import sys

import pytest

from twat_cache import EngineNotAvailableError, open_engine
from twat_cache.testing import EngineSuite


class TestContract(EngineSuite):
    @pytest.fixture(autouse=True)
    def library(self):
        pytest.importorskip("diskcache")

    def make(self, clock):
        from twat_cache.engines.diskcache import DiskcacheEngine

        return DiskcacheEngine(self.folder / "store", clock=clock)


class Trap:
    """Unpickling it would raise."""

    def __reduce__(self):
        return eval, ("1 / 0",)


def test_a_pickle_in_the_file_is_never_unpickled(tmp_path):
    pytest.importorskip("diskcache")
    engine = open_engine(f"diskcache://{tmp_path}/store")
    engine.put({"key": b"value", "large": b"x" * 100_000}, None)
    db = sqlite3.connect(tmp_path / "store" / "cache.db")
    db.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps(Trap()),))
    db.commit()
    assert engine.get(["key", "large"]) == [None, None]
    db.close()
    engine.close()


def test_without_the_library_the_error_says_which_extra_brings_it(monkeypatch):
    for name in list(sys.modules):
        if name.partition(".")[0] == "diskcache" or name == "twat_cache.engines.diskcache":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "diskcache", None)
    with pytest.raises(EngineNotAvailableError, match=r"twat-cache\[diskcache\]"):
        open_engine("diskcache:store")

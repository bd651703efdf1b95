"""Engines by their URLs."""

import sys
from importlib.metadata import EntryPoint

import pytest

from twat_cache import ConfigurationError, EngineNotAvailableError, _open, open_engine
from twat_cache.engines.disk import DiskEngine
from twat_cache.engines.file import FileEngine
from twat_cache.engines.mapping import MappingEngine
from twat_cache.engines.null import NullEngine
from twat_cache.engines.sqlite import SqliteEngine


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("null:", NullEngine),
        ("mapping:", MappingEngine),
        ("sqlite:///:memory:", SqliteEngine),
        ("sqlite://:memory:", SqliteEngine),
        ("sqlite:///relative.db", SqliteEngine),
        ("file:relative/folder", FileEngine),
        ("disk:relative/folder2", DiskEngine),
    ],
)
def test_a_url_opens_its_engine(url, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine = open_engine(url)
    assert type(engine) is kind
    engine.ping()
    engine.close()


def test_an_engine_is_given_back_as_it_is():
    engine = NullEngine()
    assert open_engine(engine) is engine


def test_options_go_before_those_in_the_url(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/a.db?max_bytes=1MB", max_bytes="2MB")
    assert engine._upkeep.max_bytes == 2_000_000
    engine.close()


@pytest.mark.parametrize("url", ["redsi://localhost", "nothing", "", "cache.db", ":", "x:y"])
def test_an_unknown_scheme_lists_the_known_ones(url):
    with pytest.raises(ConfigurationError, match=r"disk, diskcache, file, .*null, .*sqlite"):
        open_engine(url)


def test_a_secret_in_a_url_is_not_told():
    with pytest.raises(ConfigurationError) as told:
        open_engine("redsi://user:secret@localhost")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("thing", [None, {}, 7, object()])
def test_what_is_no_engine_is_refused(thing):
    with pytest.raises(ConfigurationError, match="is no engine"):
        open_engine(thing)


def test_an_open_engine_takes_no_options():
    with pytest.raises(ConfigurationError, match="max_bytes"):
        open_engine(NullEngine(), max_bytes=1)


def test_an_option_that_no_engine_has_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="colour"):
        open_engine(f"file://{tmp_path}/a", colour="red")


@pytest.mark.parametrize(
    ("url", "library", "room"),
    [
        ("memcached://host", "pymemcache", "memcached"),
        ("postgresql://host", "psycopg", "postgresql"),
        ("redis://host", "redis", "redis"),
        ("s3://bucket", "obstore", "objects"),
    ],
)
def test_without_its_library_the_error_says_which_extra_brings_it(url, library, room, monkeypatch):
    extra = url.partition(":")[0]
    for name in list(sys.modules):
        if name.partition(".")[0] == library or name.startswith(f"twat_cache.engines.{room}"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(EngineNotAvailableError, match=rf"twat-cache\[{extra}\]"):
        open_engine(url)


def test_a_library_that_is_too_old_is_told(monkeypatch):
    monkeypatch.delattr(pytest.importorskip("hiredis"), "pack_command")
    for name in list(sys.modules):
        if name.startswith("twat_cache.engines.redis"):
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(EngineNotAvailableError, match=r"needs hiredis \d"):
        open_engine("redis://host")


def test_an_entry_point_adds_a_scheme(monkeypatch):
    mine = EntryPoint("mine", "twat_cache.engines.null:NullEngine", _open.GROUP)
    broken = EntryPoint("broken", "no.such.module:Engine", _open.GROUP)
    monkeypatch.setattr(_open, "_entry_points", lambda: [mine, broken])
    assert type(open_engine("mine:")) is NullEngine
    with pytest.raises(EngineNotAvailableError, match=r"no\.such\.module"):
        open_engine("broken:")
    with pytest.raises(ConfigurationError, match="mine"):
        open_engine("other:")

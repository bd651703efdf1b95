"""Configurations: where options come from, what is accepted, and what is never shown."""

from __future__ import annotations

import copy
import pickle
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import get_type_hints

import pytest

from twat_cache import _settings, config_types

needs_toml = pytest.mark.skipif(
    find_spec("tomllib") is None and find_spec("tomli") is None, reason="nothing reads TOML here"
)


@pytest.fixture
def config(tc):
    return import_module(f"{tc.__name__}.config")


@pytest.fixture
def no_environment(monkeypatch):
    """No variable of ours is set."""
    import os

    for variable in list(os.environ):
        if variable.startswith("TWAT_CACHE_"):
            monkeypatch.delenv(variable)


class Engine:
    """What looks like an engine."""

    capabilities = None

    def __repr__(self):
        return "Engine(password=hunter2)"


# -- from code -------------------------------------------------------------------------------------


def test_the_type_lists_all_options():
    assert {*get_type_hints(config_types.ConfigOptions)} == {*_settings.OPTIONS}
    assert {*get_type_hints(config_types.ConfigDict)} == {*_settings.OPTIONS, "engine"}


def test_an_option_is_an_attribute_as_caches_have_it(tc):
    config = tc.CacheConfig("sqlite:///x.db", ttl="10m", max_bytes="2kB", ignore="self")
    assert "sqlite:///x.db" == config.engine
    assert 600.0 == config.ttl
    assert 2000 == config.max_bytes
    assert ("self",) == config.ignore


def test_an_option_that_was_not_given_is_not_there(tc):
    config = tc.CacheConfig(ttl=60)
    assert config.engine is None
    with pytest.raises(AttributeError, match="no 'maxsize': it wasn't given"):
        config.maxsize
    assert {"ttl": 60} == config.to_dict()


def test_options_are_given_back_as_they_were_given(tc):
    given = {"engine": ["memory", "sqlite:///x.db"], "ttl": "10m", "tags": ["a", "b"], "jitter": 0}
    config = tc.CacheConfig.from_dict(given)
    assert given == config.to_dict()
    assert {name: given[name] for name in ("ttl", "tags", "jitter")} == config.to_options()
    assert config == tc.CacheConfig(**config.to_dict())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ttl", "soon"),
        ("maxsize", -1),
        ("policy", "mru"),
        ("jitter", 2),
        ("stale", -1),
        ("single_flight", "thread"),
        ("tags", "a"),
        ("typed", "yes"),
        ("namespace", 3),
        ("codec", "yaml"),
        ("compress", "zip"),
        ("secret", ""),
        ("secret", [b"x", 3]),
        ("encrypt", ()),
        ("engine", ""),
        ("engine", []),
        ("engine", 3),
        ("engine", ["memory", None]),
    ],
)
def test_what_is_not_accepted_is_refused_by_name(tc, option, value):
    with pytest.raises(tc.ConfigurationError, match=rf"\b{option}="):
        tc.CacheConfig(**{option: value})
    builder = tc.CacheConfig.builder()
    with pytest.raises(tc.ConfigurationError, match=rf"\b{option}="):
        getattr(builder, option)(value)


def test_an_option_that_does_not_exist_is_guessed_and_its_value_not_shown(tc):
    with pytest.raises(tc.ConfigurationError, match="did you mean 'secret'") as raised:
        tc.CacheConfig(secrte="hunter2")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("settings", [None, 3, ["ttl"], {1: 2}])
def test_only_a_dict_is_a_configuration(tc, settings):
    with pytest.raises(tc.ConfigurationError, match="is no configuration"):
        tc.CacheConfig.from_dict(settings)


def test_options_that_need_another_may_come_alone(tc):
    config = tc.CacheConfig(stale="1h", jitter=0.1)
    assert 3600.0 == config.stale
    with pytest.raises(tc.ConfigurationError, match="without ttl="):
        tc.mcache(**config.to_options())
    tc.mcache(ttl=60, **config.to_options())


def test_a_configuration_can_not_be_changed(tc):
    tags = ["a"]
    config = tc.CacheConfig(tags=tags, ttl=60)
    with pytest.raises(AttributeError, match="can't be changed"):
        config.ttl = 5
    with pytest.raises(AttributeError, match="can't be changed"):
        config.engine = "memory"
    with pytest.raises(AttributeError, match="can't be changed"):
        del config.engine
    tags.append("b")
    config.to_dict()["tags"].append("c")
    assert {"tags": ["a"], "ttl": 60} == config.to_dict()


def test_equal_settings_make_equal_configurations(tc):
    first = tc.CacheConfig("memory", ttl=60, cache_exceptions={KeyError: 5}, tags=["a"])
    second = tc.CacheConfig("memory", tags=["a"], cache_exceptions={KeyError: 5}, ttl=60)
    assert first == second
    assert hash(first) == hash(second)
    assert first != tc.CacheConfig("memory", ttl=61, cache_exceptions={KeyError: 5}, tags=["a"])
    assert first != tc.CacheConfig(ttl=60, cache_exceptions={KeyError: 5}, tags=["a"])
    assert first != "memory"


def test_a_configuration_can_be_copied_and_pickled(tc):
    config = tc.CacheConfig(["memory", "null:"], cache_exceptions={KeyError: 5}, secret=[b"a", "b"])
    assert config == pickle.loads(pickle.dumps(config)) == copy.copy(config)
    assert config == copy.deepcopy(config)


def test_the_repr_shows_no_secrets(tc):
    config = tc.CacheConfig(
        ["memory", "redis://user:hunter2@host:1/0?password=hunter2&ssl=1", Engine()],
        ttl="10m",
        secret="hunter2",
        encrypt=["hunter2", b"hunter2"],
    )
    assert (
        "CacheConfig(engine=['memory', 'redis://…@host:1/0?…', <Engine>], ttl='10m', secret=…, "
        "encrypt=…)" == repr(config)
    )


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        ("sqlite:///a/b.db", "'sqlite:///a/b.db'"),
        ("redis://:p/w@d@host", "'redis://…@host'"),
        ("redis://:p?w@host", "'redis://…@?…'"),
        ("redis://host?password=p@w", "'redis://…@?…'"),
        ("disk:~/x?fsync=1", "'disk:~/x?…'"),
        ("memory", "'memory'"),
    ],
)
def test_the_repr_shows_urls_without_their_secrets(tc, engine, text):
    assert f"CacheConfig(engine={text})" == repr(tc.CacheConfig(engine))


def test_a_builder_takes_one_option_at_a_time(tc):
    builder = tc.CacheConfig.builder().engine("sqlite:///x.db").ttl("10m").maxsize(None)
    first = builder.build()
    assert tc.CacheConfig("sqlite:///x.db", ttl="10m", maxsize=None) == first
    assert tc.CacheConfig("sqlite:///x.db", ttl=5, maxsize=None) == builder.ttl(5).build()
    assert 600.0 == first.ttl
    with pytest.raises(AttributeError, match="no option 'maxsiez'"):
        builder.maxsiez(3)


# -- from the environment --------------------------------------------------------------------------

SET = {
    "TWAT_CACHE_URL": ("sqlite:///x.db", "engine", "sqlite:///x.db"),
    "TWAT_CACHE_MAXSIZE": ("100", "maxsize", 100),
    "TWAT_CACHE_TTL": ("10m", "ttl", "10m"),
    "TWAT_CACHE_POLICY": ("sieve", "policy", "sieve"),
    "TWAT_CACHE_TTI": ("5", "tti", "5"),
    "TWAT_CACHE_JITTER": ("0.1", "jitter", 0.1),
    "TWAT_CACHE_MAX_BYTES": ("2GB", "max_bytes", "2GB"),
    "TWAT_CACHE_TYPED": ("1", "typed", True),
    "TWAT_CACHE_UNHASHABLE": ("digest", "unhashable", "digest"),
    "TWAT_CACHE_COPY": ("False", "copy", False),
    "TWAT_CACHE_STALE": ("1h", "stale", "1h"),
    "TWAT_CACHE_REFRESH_AHEAD": ("0.2", "refresh_ahead", 0.2),
    "TWAT_CACHE_BETA": ("1", "beta", 1),
    "TWAT_CACHE_SOFT_TIMEOUT": ("250ms", "soft_timeout", "250ms"),
    "TWAT_CACHE_HARD_TIMEOUT": ("2s", "hard_timeout", "2s"),
    "TWAT_CACHE_RETRY": ("3", "retry", 3),
    "TWAT_CACHE_SINGLE_FLIGHT": ("process", "single_flight", "process"),
    "TWAT_CACHE_TAGS": ("a b", "tags", ["a", "b"]),
    "TWAT_CACHE_TAG_TTL": ("0", "tag_ttl", 0),
    "TWAT_CACHE_COHERENCE": ("tracking", "coherence", "tracking"),
    "TWAT_CACHE_GENERATORS": ("replay", "generators", "replay"),
    "TWAT_CACHE_NAMESPACE": ("none", "namespace", "none"),
    "TWAT_CACHE_VERSION": ("3", "version", "3"),
    "TWAT_CACHE_CODEC": ("json", "codec", "json"),
    "TWAT_CACHE_COMPRESS": ("zlib", "compress", "zlib"),
    "TWAT_CACHE_SECRET": ("new old", "secret", ["new", "old"]),
    "TWAT_CACHE_CHECKSUM": ("on", "checksum", True),
    "TWAT_CACHE_STRICT": ("off", "strict", False),
}


@pytest.mark.parametrize(("variable", "case"), SET.items(), ids=list(SET))
def test_variables(tc, variable, case):
    text, option, value = case
    config = tc.CacheConfig.from_env(environ={variable: text, "PATH": "/bin"})
    assert {option: value} == config.to_dict()


def test_every_variable_that_there_is_has_a_case(tc):
    forms = import_module(f"{tc.__name__}._environment")._FORMS
    others = {"memory_limit", "encrypt"}  # which need a library
    assert {f"TWAT_CACHE_{name.upper()}" for name in {*forms} - others} == {*SET}


@pytest.mark.parametrize(
    ("variable", "text"), [("TWAT_CACHE_TTL", "None"), ("TWAT_CACHE_MAXSIZE", "none")]
)
def test_none_is_a_word(tc, variable, text):
    config = tc.CacheConfig.from_env(environ={variable: text})
    assert [None] == list(config.to_dict().values())


def test_several_engines_are_several_words(tc):
    config = tc.CacheConfig.from_env(environ={"TWAT_CACHE_URL": "memory  sqlite:///x.db"})
    assert ["memory", "sqlite:///x.db"] == config.to_dict()["engine"]


def test_the_process_s_environment_is_the_default(tc, no_environment, monkeypatch):
    assert tc.CacheConfig() == tc.CacheConfig.from_env()
    monkeypatch.setenv("TWAT_CACHE_NAMESPACE", "staging")
    monkeypatch.setenv("TWAT_CACHE_TTL", "")
    assert tc.CacheConfig(namespace="staging") == tc.CacheConfig.from_env()


def test_another_prefix_is_another_configuration(tc):
    environ = {"SESSIONS_URL": "null:", "TWAT_CACHE_TTL": "5", "SESSIONS_TTL": "6"}
    assert tc.CacheConfig("null:", ttl="6") == tc.CacheConfig.from_env("SESSIONS_", environ)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TWAT_CACHE_TTL", "soon"),
        ("TWAT_CACHE_MAXSIZE", "many"),
        ("TWAT_CACHE_TYPED", "perhaps"),
        ("TWAT_CACHE_COMPRESS", "zip"),
        ("TWAT_CACHE_SECRET", "  "),
    ],
)
def test_a_variable_that_is_not_understood_is_named(tc, variable, text):
    with pytest.raises(tc.ConfigurationError, match=f"^{variable}: "):
        tc.CacheConfig.from_env(environ={variable: text})


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("TWAT_CACHE_TLL", "ttl"),
        ("TWAT_CACHE_SECRTE", "secret"),
        ("TWAT_CACHE_DISABLE", "disabled"),
    ],
)
def test_a_variable_that_is_misspelt_is_refused(tc, variable, meant):
    with pytest.raises(
        tc.ConfigurationError, match=f"{variable} .*did you mean '{meant}'"
    ) as raised:
        tc.CacheConfig.from_env(environ={variable: "hunter2"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("option", ["name", "ignore", "key", "per_instance", "unsafe", "engine"])
def test_what_can_not_stand_in_the_environment_is_refused(tc, option):
    variable = f"TWAT_CACHE_{option.upper()}"
    with pytest.raises(tc.ConfigurationError, match=f"{variable} can't be set"):
        tc.CacheConfig.from_env(environ={variable: "1"})


def test_variables_that_are_no_options_are_left_alone(tc):
    names = ["NO_EXTENSIONS", "REQUIRE_EXTENSIONS", "DISABLED", "LOG", "DIR", "DOCS_PUBLISH"]
    environ = {f"TWAT_CACHE_{name}": "1" for name in names}
    assert tc.CacheConfig() == tc.CacheConfig.from_env(environ=environ)


# -- from a file -----------------------------------------------------------------------------------

TOML = """
engine = ["memory", "sqlite:///x.db"]
ttl = "10m"
jitter = 0.1
"""


@needs_toml
def test_a_file_holds_the_options_at_its_top(tc, tmp_path):
    path = tmp_path / "cache.toml"
    path.write_text(TOML, encoding="utf-8")
    expected = tc.CacheConfig(["memory", "sqlite:///x.db"], ttl="10m", jitter=0.1)
    assert expected == tc.CacheConfig.from_file(path)
    assert expected == tc.CacheConfig.from_file(str(path))


@needs_toml
def test_a_file_holds_the_options_in_a_table(tc, tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text(f"[project]\nname = 'x'\n[tool.twat-cache]{TOML}", encoding="utf-8")
    config = tc.CacheConfig.from_file(path, "tool.twat-cache")
    assert 600.0 == config.ttl
    with pytest.raises(tc.ConfigurationError, match=r"pyproject.toml has no table \[tool.other\]"):
        tc.CacheConfig.from_file(path, "tool.other")
    with pytest.raises(tc.ConfigurationError, match="no table"):
        tc.CacheConfig.from_file(path, "project.name")


@needs_toml
@pytest.mark.parametrize("text", [b"ttl = ", b"ttl = 'soon'", b"tll = 5", b"ttl = '\xff'"])
def test_a_file_that_is_not_understood_is_named(tc, tmp_path, text):
    path = tmp_path / "cache.toml"
    path.write_bytes(text)
    with pytest.raises(tc.ConfigurationError, match=r"cache\.toml"):
        tc.CacheConfig.from_file(path)


@needs_toml
def test_a_file_that_is_not_there_is_an_oserror(tc, tmp_path):
    with pytest.raises(FileNotFoundError):
        tc.CacheConfig.from_file(tmp_path / "none.toml")


def test_without_a_reader_of_toml_the_error_says_what_to_install(tc, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(tc.ConfigurationError, match="pip install tomli"):
        tc.CacheConfig.from_file(tmp_path / "cache.toml")


# -- what goes before what -------------------------------------------------------------------------


@needs_toml
def test_code_goes_before_a_file_and_a_file_before_the_environment(
    tc, tmp_path, no_environment, monkeypatch
):
    for name, text in [("URL", "null:"), ("TTL", "1"), ("TTI", "1"), ("JITTER", "1")]:
        monkeypatch.setenv(f"TWAT_CACHE_{name}", text)
    path = tmp_path / "cache.toml"
    path.write_text("[shop]\nttl = 2\ntti = 2\n", encoding="utf-8")
    config = tc.create_cache_config(file=path, table="shop", ttl=3)
    assert {"engine": "null:", "ttl": 3, "tti": 2, "jitter": 1} == config.to_dict()
    assert "memory" == tc.create_cache_config("memory", file=path, table="shop").engine


def test_a_call_goes_before_its_configuration(tc, config, no_environment):
    given = tc.CacheConfig("null:", ttl=60, jitter=0.1)
    assert ("null:", {"ttl": 5, "jitter": 0.1}) == config.settled(given, {"ttl": 5})


def test_without_an_engine_the_environment_decides(tc, config, no_environment, monkeypatch):
    assert ("memory", {"ttl": 5}) == config.settled(None, {"ttl": 5})
    monkeypatch.setenv("TWAT_CACHE_URL", "memory null:")
    monkeypatch.setenv("TWAT_CACHE_TTL", "1")
    monkeypatch.setenv("TWAT_CACHE_NAMESPACE", "staging")
    assert (["memory", "null:"], {"ttl": 5, "namespace": "staging"}) == config.settled(
        tc.CacheConfig(ttl=5), {}
    )


def test_with_an_engine_the_environment_is_not_asked(tc, config, no_environment, monkeypatch):
    monkeypatch.setenv("TWAT_CACHE_TTL", "soon")
    assert ("null:", {}) == config.settled("null:", {})
    assert ("null:", {}) == config.settled(tc.CacheConfig("null:"), {})
    with pytest.raises(tc.ConfigurationError, match="TWAT_CACHE_TTL"):
        config.settled(None, {})


def test_a_configuration_takes_the_place_of_an_engine(tc):
    config = tc.CacheConfig("sqlite:///:memory:", namespace="shop", stale="1h")

    @tc.ucache(config, ttl="10m")
    def f():
        return 1

    assert f.cache_key().startswith("shop:")
    assert 1 == f()
    with pytest.raises(tc.ConfigurationError, match="without ttl="):
        tc.ucache(config)(lambda: 1)


def test_a_decorator_without_an_engine_asks_the_environment(
    tc, tmp_path, no_environment, monkeypatch
):
    monkeypatch.setenv("TWAT_CACHE_URL", f"sqlite:///{tmp_path}/cache.db")
    monkeypatch.setenv("TWAT_CACHE_NAMESPACE", "staging")

    @tc.ucache
    def f():
        return 1

    assert f.cache_key().startswith("staging:")
    assert 1 == f()
    f.close()
    assert (tmp_path / "cache.db").exists()

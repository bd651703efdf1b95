"""Folders of local stores: where they are, which names are refused, who may enter them."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder that `TWAT_CACHE_DIR` names."""
    monkeypatch.setenv("TWAT_CACHE_DIR", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_folder_lies_in_the_users_cache_directory(tc, monkeypatch, tmp_path):
    monkeypatch.delenv("TWAT_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = Path(tc.get_cache_path("shop"))
    assert path.is_absolute()
    assert path.name == "shop"
    assert "twat_cache" in path.parts
    if sys.platform == "linux":
        assert path == tmp_path / "twat_cache" / "shop"
    assert not path.exists()  # nothing is made


def test_the_environment_may_name_another_place(tc, home, monkeypatch):
    assert tc.get_cache_path() == str(home / "default")
    assert tc.get_cache_path("shop") == str(home / "shop")
    monkeypatch.setenv("TWAT_CACHE_DIR", "~/somewhere")
    assert tc.get_cache_path("shop") == os.path.expanduser("~/somewhere/shop")
    monkeypatch.setenv("TWAT_CACHE_DIR", "relative")
    assert tc.get_cache_path("shop") == os.path.abspath("relative/shop")


@pytest.mark.parametrize("name", ["a", "a.b", "A-b_c d", "ä", "x" * 100, "console"])
def test_plain_names(tc, home, name):
    assert tc.get_cache_path(name) == str(home / name)


def test_an_absolute_path_is_taken_as_it_is(tc, tmp_path):
    assert tc.get_cache_path(str(tmp_path / "a" / "b")) == str(tmp_path / "a" / "b")
    assert tc.get_cache_path(tmp_path / "a") == str(tmp_path / "a")


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", ".hidden", "a/b", "../a", "a/../b", "a\\b", "..\\a", "a\0b", "a\nb", "a:b",
        "a*", "a?", 'a"', "a|b", "<a>", "a.", "a ", "x" * 101, "con", "NUL", "Com1", "lpt9",
        "/tmp/../etc", "/a\0b",
    ],
)  # fmt: skip
@pytest.mark.parametrize("use", ["get_cache_path", "bcache", "fcache"])
def test_names_that_would_lead_elsewhere_are_refused(tc, home, name, use):
    with pytest.raises(tc.PathError, match="is no plain name of a folder"):
        getattr(tc, use)(name)
    assert not home.exists()


@pytest.mark.parametrize("name", [1, b"a", ["a"]])
def test_a_name_is_a_text(tc, name):
    with pytest.raises(tc.PathError, match="a folder's name is a text"):
        tc.get_cache_path(name)


@pytest.mark.skipif(os.name == "nt", reason="there are no such modes")
@pytest.mark.parametrize("use", ["bcache", "fcache"])
def test_only_the_owner_can_enter_and_read(tc, home, use):
    before = os.umask(0)
    try:
        f = getattr(tc, use)(lambda size: b"x" * size)
        f(10), f(100_000)
        f.close()
    finally:
        os.umask(before)
    entries = [home, *home.rglob("*")]
    assert len(entries) > 3
    for entry in entries:
        mode = stat.S_IMODE(entry.stat().st_mode)
        assert mode == (0o700 if entry.is_dir() else 0o600), entry

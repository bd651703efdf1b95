"""`python -m twat_cache demo` and `info`, run for real in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

import twat_cache

SMALL = ("--lookups", "2000", "--files", "40")
CORES = ["compiled", "pure"] if twat_cache.core_info().name == "compiled" else ["pure"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twat_cache", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def small_demo() -> dict[str, Any]:
    done = run("demo", "--json", *SMALL)
    assert 0 == done.returncode, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_both_cores_run_and_say_why(small_demo: dict[str, Any]) -> None:
    assert CORES == [each["core"] for each in small_demo["runs"]]
    assert all(each["reason"] for each in small_demo["runs"])


def test_counts_are_exact(small_demo: dict[str, Any]) -> None:
    for each in small_demo["runs"]:
        assert 40 == each["files"] == each["misses"]
        assert 40 + 2000 == each["hits"]
        assert 2040 / 2080 == each["hit_ratio"]
        assert each["library"]["functions"] > 40


def test_both_cores_find_the_same(small_demo: dict[str, Any]) -> None:
    libraries = [each["library"] for each in small_demo["runs"]]
    assert libraries == libraries[:1] * len(libraries)


def test_times_are_plausible(small_demo: dict[str, Any]) -> None:
    for each in small_demo["runs"]:
        assert each["cold_pass_s"] > each["warm_pass_s"] > 0
        assert each["undecorated_call_ns"] > 10 * each["hit_ns"] > 0
        assert each["lru_cache_hit_ns"] > 0


def test_a_second_start_answers_from_disk(small_demo: dict[str, Any]) -> None:
    first, second = small_demo["disk"]
    assert (40, 0) == (first["computed"], first["from_disk"])
    assert (0, 40) == (second["computed"], second["from_disk"])
    assert first["lines"] == second["lines"] > 0


def test_piped_output_is_plain_lines() -> None:
    done = run("demo", "--no-pure", *SMALL)
    assert 0 == done.returncode, done.stderr
    for word in ("cold pass", "warm pass", "misses", "one hit", "functools.lru_cache", "2nd start"):
        assert word in done.stdout
    assert "cold pass: 40 to do\n" in done.stderr
    assert "cold pass: done in" in done.stderr
    assert not set("\r\x1b█") & set(done.stdout + done.stderr)


def test_a_terminal_shows_a_bar() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "twat_cache", "demo", "--no-pure", *SMALL],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"},
    )
    os.close(theirs)
    shown = b""
    try:
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux says EIO when the last writer has gone
                break
            if not part:
                break
            shown += part
    finally:
        os.close(ours)
        status = child.wait(timeout=120)
    text = shown.decode()
    assert 0 == status
    assert "\r" in text
    assert "░" in text
    assert "0%  0 of 40" in text
    assert "to do" not in text


def test_without_extensions_there_is_one_run_and_a_word_why() -> None:
    done = run("demo", *SMALL, TWAT_CACHE_NO_EXTENSIONS="1", TWAT_CACHE_REQUIRE_EXTENSIONS="")
    assert 0 == done.returncode, done.stderr
    assert 1 == done.stdout.count("cold pass")
    assert "no second run" in done.stdout


def test_info_names_the_core_in_use() -> None:
    done = run("info", "--json")
    core = twat_cache.core_info()
    facts = json.loads(done.stdout)
    assert (core.name, core.reason, core.abi) == (facts["core"], facts["reason"], facts["abi"])
    assert core.name in run("info").stdout


@pytest.mark.parametrize(
    "arguments", [("--lookups", "0"), ("--lookups", "many"), ("--files", "-1")]
)
def test_a_bad_number_is_refused_by_name(arguments: tuple[str, str]) -> None:
    done = run("demo", *arguments)
    assert 2 == done.returncode
    assert arguments[0] in done.stderr
    assert repr(arguments[1]) in done.stderr


def test_no_command_prints_the_help() -> None:
    done = run()
    assert 2 == done.returncode
    assert "demo" in done.stderr

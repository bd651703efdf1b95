"""The bar on stderr: a line that is redrawn on a terminal, one line at the end anywhere else."""

from __future__ import annotations

import io

import pytest

from twat_cache._bar import Bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def able(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def test_on_a_terminal_the_line_is_redrawn_and_left_clean():
    stream = Terminal()
    bar = Bar("warm f", stream)
    bar(1, 4)
    bar(2, 4)  # too soon to be drawn
    bar.close()
    first, erased, end = stream.getvalue().split("\r")[1:]
    assert first == "warm f [#######.......................]  25%  1 of 4"
    assert (set(erased), end) == ({" "}, "")


def test_without_a_total_it_counts():
    stream = Terminal()
    bar = Bar("warm f", stream)
    bar(1234, None)
    assert stream.getvalue() == "\rwarm f 1,234"


def test_more_than_all_fits_the_bar():
    stream = Terminal()
    Bar("warm f", stream)(5, 4)
    assert "[" + "#" * 30 + "]" in stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_anywhere_else_one_line_tells_the_end(stream, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = stream()
    bar = Bar("warm f", stream)
    for n in range(1, 2001):
        bar(n, 2000)
    assert stream.getvalue() == ""
    bar.close()
    assert stream.getvalue().startswith("warm f: 2,000 done in ")
    assert stream.getvalue().endswith(" s\n")
    assert stream.getvalue().count("\n") == 1


def test_it_writes_to_stderr(capsys):
    bar = Bar("warm f")
    bar(1, 1)
    bar.close()
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err.startswith("warm f: 1 done in ")

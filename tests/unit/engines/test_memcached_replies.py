"""What is read of memcached's answers, in whatever parts they come."""

from __future__ import annotations

import pytest

pytest.importorskip("pymemcache")
from twat_cache.engines.memcached.replies import all_values, values

VALUES = {b"a": b"", b"b": b"\r\nEND\r\n", b"c": b"VALUE d 0 1\r\nx\r\n", b"#d": bytes(100)}
ANSWER = b"".join(b"VALUE %b 0 %d\r\n%b\r\n" % (k, len(v), v) for k, v in VALUES.items())


class Refused(Exception):
    pass


def refuse(line):
    raise Refused(line)


def read(*parts):
    """The values, and whether all parts were taken."""
    coming = iter(parts)
    found = values(next(coming), lambda: next(coming), refuse)
    return found, next(coming, None) is None


def test_an_answer_may_be_cut_anywhere():
    whole = ANSWER + b"END\r\n"
    assert read(whole) == (VALUES, True)
    assert read(*[bytes([byte]) for byte in whole]) == (VALUES, True)
    for first in range(1, len(whole) - 1):
        assert read(whole[:first], whole[first:]) == (VALUES, True)
        for second in range(first + 1, len(whole), 7):
            assert read(whole[:first], whole[first:second], whole[second:]) == (VALUES, True)


def test_nothing_may_be_there():
    assert read(b"END\r\n") == ({}, True)
    assert read(b"E", b"ND\r", b"\n") == ({}, True)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (b"ERROR\r\n", b"ERROR"),
        (b"SERVER_ERROR out of memory writing get response\r\n", None),
        (b"CLIENT_ERROR bad command line format\r\n", None),
        (b"VALUE a 0\r\n", None),
        (b"VALUE a 0 x\r\n", None),
        (b"VALUE a 0 -1\r\n\r\n", b"VALUE a 0 -1"),
        (b"HTTP/1.1 400 Bad Request\r\n", None),
        (b"OTHER a 0 1\r\nx\r\n", b"OTHER a 0 1"),
        (b"\r\n", b""),
        (b"VALUE a 0 1\r\nxy\r\n", None),
    ],
)
def test_what_is_no_value_is_refused(answer, line):
    for before in (b"", ANSWER):
        with pytest.raises(Refused) as caught:
            read(before + answer, b"END\r\n")
        if line is not None:
            assert caught.value.args == (line,)


def test_what_comes_behind_the_end_is_refused():
    with pytest.raises(Refused):
        read(ANSWER + b"END\r\nEND\r\n")


def test_a_line_that_never_ends_is_refused():
    with pytest.raises(Refused):
        read(*[b"x" * 1000] * 4)


def answer(found, end=b"END\r\n"):
    lines = [b"VALUE %b 0 %d\r\n%b\r\n" % (k, len(v), v) for k, v in found.items()]
    return b"".join([*lines, end])


def test_an_answer_with_all_values_is_read_at_once():
    found = {b"a": b"1", b"#d": bytes(100), b"c": b""}
    assert all_values(answer(found), [*found]) == [*found.values()]
    assert all_values(answer({b"a": b"1"}), [b"a"]) == [b"1"]
    assert all_values(answer({b"a": b"1"})[:-2], [b"a"]) is None


VICTIM = {b"a": b"1\r\nVALUE b 0 1\r\n2", b"b": b"3"}


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (VICTIM, [b"a", b"b"]),
        (VICTIM, [b"a", b"b", b"c"]),
        ({b"a": VICTIM[b"a"]}, [b"a", b"b"]),  # whose second value would be of its first
        ({b"a": b"1"}, [b"a", b"b"]),
        ({b"a": b"1", b"b": b"2"}, [b"b", b"a"]),
        ({b"a": b"\r\n"}, [b"a", b"b"]),
        ({b"a": b"x\r\n"}, [b"a"]),
        ({b"a": bytes(5000)}, [b"a"]),
        ({}, [b"a"]),
    ],
)
def test_any_other_answer_is_left_to_who_takes_a_closer_look(found, names):
    whole = answer(found)
    assert all_values(whole, names) is None
    for at in range(1, len(whole)):
        assert all_values(whole[:at], names) is None
    assert read(whole) == (found, True)


@pytest.mark.parametrize(
    "whole",
    [
        b"VALUE a 1 1\r\nx\r\nEND\r\n",
        b"VALUE a 0 1 7\r\nx\r\nEND\r\n",
        b"VALUE a 0 2\r\nx\r\nEND\r\n",
        b"VALUE a 0 1\r\nx\r\nEND\r\nEND\r\n",
        b"VALUE a 0 1\r\nx\r\nERROR\r\n",
        b"VALUE a 0 1\r\nx\r\nEND\r\nx",
        b"SERVER_ERROR\r\nx\r\nEND\r\n",
    ],
)
def test_what_is_not_quite_an_answer_is_left_too(whole):
    assert all_values(whole, [b"a"]) is None

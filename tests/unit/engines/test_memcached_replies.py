"""What is read of memcached's answers, in whatever parts they come."""

from __future__ import annotations

import pytest

pytest.importorskip("pymemcache")
from twat_cache.engines.memcached import replies
from twat_cache.engines.memcached.replies import known_values, remember, values

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


def test_what_came_along_the_last_time_is_known():
    last = {b"a": b"1", b"#t": b"token", b"#u": b"\r\nEND\r\n"}
    names = [*last]
    assert known_values(answer(last), names) is None
    remember(names, [*last.values()])
    for first in (b"1", b"", b"\r\n", b"x" * 5000, b"1\r\nVALUE #t 0 5\r\ntoken\r\n"):
        now = {**last, b"a": first}
        assert known_values(answer(now), names) == [*now.values()]
        whole = answer({**last, b"a": first})
        for at in range(max(1, len(whole) - 200), len(whole)):
            assert known_values(whole[:at], names) is None
    assert known_values(answer({**last, b"b": b""}), [b"b", b"#t", b"#u"]) is None
    whole = answer({b"b": b"2", b"#t": b"token", b"#u": b"\r\nEND\r\n"})
    assert known_values(whole, [b"b", b"#t", b"#u"]) == [b"2", b"token", b"\r\nEND\r\n"]


@pytest.mark.parametrize(
    "now",
    [
        {b"a": b"1", b"#v": b"other", b"#w": b"token"},
        {b"a": b"1", b"#w": b"token", b"#v": b"token"},
        {b"a": b"1", b"#v": b"token"},
        {b"a": b"1"},
        {b"#v": b"token", b"#w": b"token"},
        {b"b": b"1", b"#v": b"token", b"#w": b"token"},
        {},
    ],
)
def test_whatever_else_comes_is_looked_at_more_closely(now):
    names = [b"a", b"#v", b"#w"]
    remember(names, [b"1", b"token", b"token"])
    assert known_values(answer(now), names) is None
    assert read(answer(now)) == (now, True)


def test_a_value_alone_is_found_at_once():
    for value in (b"", b"1", b"\r\nEND\r\n", b"VALUE a 0 1\r\nx\r\nEND\r\n"):
        whole = answer({b"a": value})
        assert known_values(whole, [b"a"]) == [value]
        assert known_values(whole, [b"b"]) is None
        for at in range(1, len(whole)):
            assert known_values(whole[:at], [b"a"]) is None


@pytest.mark.parametrize(
    "whole",
    [
        b"VALUE a 1 1\r\nx\r\nEND\r\n",
        b"VALUE a 0 1 7\r\nx\r\nEND\r\n",
        b"VALUE a 0 2\r\nx\r\nEND\r\n",
        b"VALUE a 0 1\r\nx\r\nEND\r\nEND\r\n",
        b"VALUE a 0 1\r\nx\r\nERROR\r\n",
        b"VALUE a 0 1\r\nx\r\nEND\r\nx",
        b"VALUE a 0 0\r\nEND\r\n",
        b"VALUE a 0 -2\r\nEND\r\n",
        b"SERVER_ERROR\r\nx\r\nEND\r\n",
        b"\r\nEND\r\n",
        b"END\r\n",
    ],
)
def test_what_is_not_quite_an_answer_is_looked_at_more_closely(whole):
    assert known_values(whole, [b"a"]) is None


def test_what_is_much_is_not_remembered():
    for found in ([b"1", bytes(65)], [b"1", None], [b"1"] * 5):
        names = [b"n%d" % number for number in range(len(found))]
        remember(names, found)
        there = {name: v for name, v in zip(names, found, strict=True) if v is not None}
        assert known_values(answer(there), names) is None
    for number in range(3000):
        remember([b"a", b"%d" % number], [b"1", b"2"])
    assert known_values(answer({b"a": b"1", b"2999": b"2"}), [b"a", b"2999"]) == [b"1", b"2"]
    assert len(replies._tails) <= 1000

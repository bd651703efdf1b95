"""What is read of memcached's answers, in whatever parts they come."""

from __future__ import annotations

import pytest

pytest.importorskip("pymemcache")
from twat_cache.engines.memcached.replies import values

VALUES = {b"a": b"", b"b": b"\r\nEND\r\n", b"c": b"VALUE d 0 1\r\nx\r\n", b"#d": bytes(100)}
ANSWER = b"".join(b"VALUE %b 0 %d\r\n%b\r\n" % (k, len(v), v) for k, v in VALUES.items())


class Refused(Exception):
    pass


def refuse(line):
    raise Refused(line)


def read(*parts):
    """The values, and whether all parts were taken."""
    coming = iter(parts)
    return values(lambda: next(coming), refuse), next(coming, None) is None


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

"""URLs of servers: what they say, and what no message about them tells."""

from __future__ import annotations

from threading import Event

import pytest

from twat_cache import ConfigurationError
from twat_cache.engines.address import parted
from twat_cache.engines.network import (
    Node,
    address_of,
    in_time,
    is_name,
    patience,
    pool_bound,
)

KNOWN = frozenset({"timeout", "pool_size"})
SECRET = "s3cr3t"


def test_a_url_in_full():
    address = address_of("x://us%40er:p%2Fw%3A@one:7,[::1]:8,two/a%20b?timeout=1", KNOWN, 99)
    assert address.scheme == "x"
    assert (address.user, address.password) == ("us@er", "p/w:")
    assert address.nodes == (Node("one", 7), Node("::1", 8), Node("two", 99))
    assert address.path == "a b"
    assert address.options == {"timeout": "1"}
    assert [str(node) for node in address.nodes] == ["one:7", "[::1]:8", "two:99"]


def test_what_is_left_out():
    address = address_of("x://", KNOWN, 99)
    assert address.nodes == (Node("localhost", 99),)
    assert (address.user, address.password, address.path) == (None, None, "")
    assert address_of("x://:only@[::1]", KNOWN, 99).nodes == (Node("::1", 99),)
    assert address_of("x://user@host", KNOWN, 99).password is None


@pytest.mark.parametrize(
    "url",
    [
        f"x:{SECRET}",
        f"x://user:{SECRET}/more@host",
        f"x://user:{SECRET}?more@host",
        f"x://user:{SECRET}#more@host",
        f"x://user:{SECRET}:more",
        f"x://user:{SECRET}",
        f"x://user:pass@host:{SECRET}",
        f"x://user:{SECRET}@[::1",
        f"x://user:{SECRET}@host:0",
        f"x://user:{SECRET}@host:65536",
        f"x://user:{SECRET}@host:²",
        f"x://user:{SECRET}@host?nonsense=1",
        f"x://user:{SECRET}@host?timeout=1&timeout=2",
    ],
)
def test_a_url_that_is_read_wrongly_is_refused_without_telling_it(url):
    with pytest.raises(ConfigurationError, match="x") as caught:
        address_of(url, KNOWN, 99)
    assert SECRET not in str(caught.value)


def test_an_address_hides_who():
    shown = repr(address_of(f"x://user:{SECRET}@host:7/path", KNOWN, 99))
    assert "host:7" in shown
    assert SECRET not in shown
    assert "user" not in shown


@pytest.mark.parametrize("timeout", [0, -1, "no", "nan", "inf", None])
def test_a_timeout_is_above_0(timeout):
    with pytest.raises(ConfigurationError, match="timeout="):
        patience(timeout)


@pytest.mark.parametrize("size", [0, -1, "no", "1.5", 1.5, True, None])
def test_a_pool_has_room_for_one(size):
    with pytest.raises(ConfigurationError, match="pool_size="):
        pool_bound(size)


def test_numbers_may_come_as_text():
    assert patience("0.5") == patience(0.5) == 0.5
    assert pool_bound("7") == pool_bound(7) == 7


def test_options_are_taken_out_of_a_url_and_all_else_stays_as_it_is():
    url = "x://a+b/c%20d?one=a+b&mine=1%2B1&two=%20&&three"
    assert parted(url, {"mine", "other"}) == (
        "x://a+b/c%20d?one=a+b&two=%20&three",
        {"mine": "1+1"},
    )
    assert parted("x://host?mine=1", {"mine"}) == ("x://host", {"mine": "1"})
    with pytest.raises(ConfigurationError, match="mine= is given more than once"):
        parted("x://host?mine=1&mine=2", {"mine"})


def test_a_name_has_to_be_looked_up_and_an_address_has_not():
    assert [is_name(host) for host in ("localhost", "one.example", "127.0.0.1", "::1")] == [
        *(True, True, False, False)
    ]


def test_work_that_is_done_in_time_gives_what_it_comes_to():
    assert in_time(lambda: 7, 10.0) == 7
    with pytest.raises(ZeroDivisionError):
        in_time(lambda: 1 // 0, 10.0)


def test_what_comes_too_late_is_undone():
    may_end, undone = Event(), Event()

    def work():
        may_end.wait(10.0)
        return undone

    with pytest.raises(TimeoutError):
        in_time(work, 0.01, Event.set)
    assert not undone.is_set()
    may_end.set()
    assert undone.wait(10.0)

"""What streams of changes have in common, without a server."""

from __future__ import annotations

import threading
import time
from time import monotonic_ns

import pytest

from twat_cache import EngineClosedError, EngineConnectionError, EngineError, EngineTimeoutError
from twat_cache.engines.following import ChangeStream, FollowingThread


class Thread(FollowingThread):
    """Does what the test says, one thing after the other, and then lives until it ends."""

    is_late = False

    def _follow(self):
        if self._stream.script:
            raise self._stream.script.pop(0)
        assert self._stream.may_live.wait(30)
        while not self._is_over:
            self._lives(monotonic_ns(), self._new())
            self._pause(1)

    def _hang_up(self):
        self._stream.hung_up += 1


class Stream(ChangeStream):
    def __init__(self, *script, timeout=20.0):
        super().__init__(timeout)
        self.script = list(script)
        self.may_live = threading.Event()
        self.hung_up = 0
        if not script:
            self.may_live.set()

    def _made(self):
        return Thread(self)


class Follower:
    prefixes = ("",)

    def __init__(self, channel="c", bound=1000.0):
        self.channel = channel
        self.bound = bound
        self.told = []

    def changed(self, keys, *, by_hand):
        self.told.append((list(keys), by_hand))

    def emptied(self):
        self.told.append("emptied")

    def alive_until(self, moment):
        self.told.append(moment > monotonic_ns())


@pytest.fixture
def follow():
    followed = []

    def follow(stream, **options):
        follower = Follower(**options)
        stream.follow(follower)
        followed.append((stream, follower))
        return follower

    yield follow
    for stream, follower in followed:
        stream.leave(follower)


def until(is_so):
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_follower_is_emptied_before_it_lives(follow):
    stream = Stream()
    follower = follow(stream)
    assert not stream.hears(follower)
    stream.check(follower)
    assert stream.hears(follower)
    assert follower.told[:2] == ["emptied", True]


def test_what_passes_is_tried_again(follow):
    stream = Stream(EngineTimeoutError("late"), EngineConnectionError("away"))
    follower = follow(stream)
    with pytest.raises(EngineError, match=r"late|away"):
        stream.check(follower)
    assert not stream.is_refused
    stream.may_live.set()
    until(lambda: stream.hears(follower))
    assert stream.refusal is None


def test_after_however_many_failures_it_is_tried_again(follow):
    class Hasty(Thread):
        def _pause(self, seconds):
            if self.is_live:
                super()._pause(seconds)

    class HastyStream(Stream):
        def _made(self):
            return Hasty(self)

    stream = HastyStream(*[EngineConnectionError("away")] * 2000)
    stream.may_live.set()
    follower = follow(stream)
    stream.start()
    until(lambda: stream.hears(follower))


def test_what_is_refused_is_tried_again_by_who_checks(follow):
    stream = Stream(EngineError("too old"))
    follower = follow(stream)
    with pytest.raises(EngineError, match="too old"):
        stream.check(follower)
    assert stream.is_refused
    stream.may_live.set()
    stream.check(follower)
    assert not stream.is_refused


def test_a_failure_that_nobody_has_heard_of_is_no_refusal(follow, caplog):
    stream = Stream(ValueError("a bug"))
    follower = follow(stream)
    with pytest.raises(EngineConnectionError, match="ValueError"):
        stream.check(follower)
    assert not stream.is_refused
    assert "begins anew" in caplog.text
    stream.may_live.set()
    until(lambda: stream.hears(follower))


def test_word_reaches_all_but_who_sent_it(follow):
    stream = Stream()
    one, other, apart = follow(stream), follow(stream), follow(stream, channel="d")
    stream.heard("c", stream._word(one, [b"a", b"\xff"], by_hand=True))
    assert (one.told, other.told, apart.told) == ([], [(["a"], True)], [(["a"], True)])
    stream.heard("c", stream._word(one, [], by_hand=True))
    assert (one.told, other.told[1:], apart.told[1:]) == ([], ["emptied"], [])


def test_it_ends_with_the_last_follower_who_knows_nothing_then(follow):
    stream = Stream()
    one = follow(stream)
    stream.check(one)
    stream.leave(one)
    until(lambda: stream.hung_up)
    assert one.told[-1] is False
    assert not stream.hears(one)
    one.told.clear()
    stream.follow(one)
    stream.check(one)
    assert one.told[:2] == ["emptied", True]


def test_when_it_is_closed_nobody_knows_anything(follow):
    stream = Stream()
    one = follow(stream)
    stream.check(one)
    stream.close()
    until(lambda: one.told[-1] is False)
    with pytest.raises(EngineClosedError):
        stream.check(one)
    stream.start()
    assert not stream.hears(one)
    until(lambda: not [one for one in threading.enumerate() if isinstance(one, Thread)])

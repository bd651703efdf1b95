"""Events: who hears what, and that nobody's hook disturbs a call."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import subprocess
import sys
import threading
from dataclasses import FrozenInstanceError, fields
from importlib import import_module
from pathlib import Path

import pytest

from tests.fixtures import worlds
from twat_cache import event_types


@pytest.fixture
def events(tc):
    """The module `events` of the core under test, without hooks of others."""
    module = import_module(f"{tc.__name__}.events")
    before, told = module.hooks, set(module._told)
    module.hooks = ()
    module._told.clear()
    yield module
    module.hooks = before
    module._told.update(told)


@pytest.fixture
def told():
    return []


CLASSES = [getattr(event_types, name) for name in event_types.__all__]


def test_all_hooks_hear_all_events_in_order(events, told):
    other = []
    events.subscribe(told.append)
    events.subscribe(other.append)
    first, second = events.Loaded("f", "", 0.25), events.Stored("f", "ab", "sqlite", 0.5, 120)
    events.emit(first)
    events.emit(second)
    assert [first, second] == told == other


def test_a_hook_that_has_left_hears_nothing(events, told):
    stop = events.subscribe(told.append)
    stop()
    stop()
    events.emit(events.Loaded("f", "", 0.25))
    assert [] == told
    assert () == events.hooks


def test_a_hook_may_come_twice_and_leave_once(events, told):
    stop = events.subscribe(told.append)
    again = events.subscribe(told.append)
    stop()
    stop()
    events.emit(events.Loaded("f", "", 0.25))
    assert 1 == len(told)
    again()
    assert () == events.hooks


def test_a_hook_may_end_its_own_subscription(events, told):
    def once(event):
        told.append(event)
        stop()

    stop = events.subscribe(once)
    events.emit(events.Loaded("f", "", 0.25))
    events.emit(events.Loaded("f", "", 0.25))
    assert 1 == len(told)


def test_hooks_that_come_and_go_in_many_threads_leave_nothing_behind(events):
    def come_and_go():
        for _ in range(200):
            events.subscribe(lambda event: None)()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert () == events.hooks


async def _awaited(event):
    pass


@pytest.mark.parametrize("hook", [None, "print", 3, _awaited], ids=["none", "text", "int", "async"])
def test_what_can_t_be_a_hook_is_refused(events, tc, hook):
    with pytest.raises(tc.ConfigurationError, match="hook="):
        events.subscribe(hook)
    assert () == events.hooks


def test_a_hook_that_raises_reaches_nobody_and_is_logged_once(events, told, caplog):
    def broken(event):
        raise LookupError("the card number")

    events.subscribe(broken)
    events.subscribe(told.append)
    with caplog.at_level(logging.ERROR, "twat_cache"):
        for _ in range(3):
            events.emit(events.Loaded("f", "", 0.25))
    assert 3 == len(told)
    (record,) = caplog.records
    text = record.getMessage()
    assert "Loaded of f raised LookupError at" in text
    assert "in broken" in text
    assert "card number" not in text


def test_an_interruption_of_a_hook_passes_and_events_go_on(events, told):
    def interrupted(event):
        stop()
        raise KeyboardInterrupt

    stop = events.subscribe(interrupted)
    with pytest.raises(KeyboardInterrupt):
        events.emit(events.Loaded("f", "", 0.25))
    events.subscribe(told.append)
    events.emit(events.Loaded("f", "", 0.25))
    assert 1 == len(told)


def test_what_a_hook_causes_is_told_to_nobody(events, told):
    def causes_another(event):
        told.append(event)
        events.emit(event)

    events.subscribe(causes_another)
    events.emit(events.Loaded("f", "", 0.25))
    assert 1 == len(told)


def test_while_a_hook_runs_other_threads_are_heard(events, told):
    def slow(event):
        told.append(event.cache)
        if event.cache == "outer":
            thread = threading.Thread(target=events.emit, args=(events.Loaded("inner", "", 1.0),))
            thread.start()
            thread.join()

    events.subscribe(slow)
    events.emit(events.Loaded("outer", "", 0.25))
    assert ["outer", "inner"] == told


@pytest.mark.parametrize("cls", CLASSES)
def test_events_are_immutable_values(cls):
    event = cls(*["x"] * len(fields(cls)))
    with pytest.raises(FrozenInstanceError):
        event.cache = "y"
    assert event == pickle.loads(pickle.dumps(event)) == copy.copy(event)
    assert {event} == {copy.deepcopy(event)}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_field_is_described(cls):
    above = set() if cls is event_types.Event else set(fields(event_types.Event))
    for field in set(fields(cls)) - above:
        assert re.search(rf"^        {field.name}: [\w`]", cls.__doc__ or "", re.MULTILINE)


def test_the_module_lists_the_classes(events):
    assert set(event_types.__all__) <= set(events.__all__) <= set(dir(events))
    with pytest.raises(AttributeError, match="no attribute 'Lost'"):
        events.Lost


LIST = """
import sys
sys.path.insert(0, {path!r})
import twat_cache.events
print(sorted({heavy} & {{*sys.modules}}))
"""


def test_nothing_heavy_is_loaded_until_something_is_told():
    heavy = {"asyncio", "dataclasses", "inspect", "logging", "re", "typing"}
    path = str(Path(event_types.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-c", LIST.format(path=path, heavy=heavy)],
        env=worlds.environment("pure"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "[]" == done.stdout.strip()


def test_no_request_is_named_by_default(events):
    assert "" == events.request_id.get()


class Asked:
    """A call that missed."""

    def __init__(self, place):
        self.place = self.key = place


def test_a_key_in_memory_is_never_shown(tc):
    tally = import_module(f"{tc.__name__}._run.tally").Tally("f")
    assert "" == tally.shown(Asked("a secret argument"))


def test_a_key_of_an_engine_is_shown_as_its_digest(tc, events, told):
    digests = import_module(f"{tc.__name__}._keys.digests")
    tally = import_module(f"{tc.__name__}._run.tally").Tally("f", digests.digest_of_call)
    key = "space:module.f:1:" + "0123456789abcdef" * 2
    assert "0123456789abcdef" * 2 == tally.shown(Asked(key))
    events.subscribe(told.append)
    tally.engine_failed(object(), key, "get", OSError("/a/path"))
    tally.record_refused(object(), key, "broken")
    tally.not_stored(key, object(), "SerializationError")
    assert ["0123456789abcdef" * 2] * 3 == [event.key for event in told]
    assert not any("path" in str(event) for event in told)


def test_a_key_that_a_program_made_is_shown_as_a_digest_of_it(tc):
    digests = import_module(f"{tc.__name__}._keys.digests")
    shown = digests.digest_of_own("session:0123456789abcdef0123456789abcdef")
    assert re.fullmatch("[0-9a-f]{32}", shown)
    assert shown != "0123456789abcdef0123456789abcdef"
    assert shown != digests.digest_of_own("session:\ud800")

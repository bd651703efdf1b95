"""`debug()`: which events become which lines, by loguru and without it."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from tests.fixtures import worlds
from twat_cache import event_types

KEY = "0123456789abcdef" * 2
LINES = [
    (("Loaded", "f", "", 0.25), "DEBUG", "loaded cache=f seconds=0.250000"),
    (
        ("LoadFailed", "f", KEY, 1.5, "LookupError"),
        "DEBUG",
        f"load failed cache=f key={KEY} seconds=1.500000 error=LookupError",
    ),
    (("Waited", "f", "", 0.5), "DEBUG", "waited cache=f seconds=0.500000"),
    (
        ("Stored", "f", KEY, "sqlite", 0.0001, 120),
        "DEBUG",
        f"stored cache=f key={KEY} engine=sqlite seconds=0.000100 bytes=120",
    ),
    (
        ("NotStored", "f", "", "Lock", "SerializationError"),
        "WARNING",
        "not stored cache=f kind=Lock error=SerializationError",
    ),
    (("Refreshed", "f", "", 0.25), "DEBUG", "refreshed cache=f seconds=0.250000"),
    (
        ("RefreshFailed", "f", "", 0.25, "OSError"),
        "WARNING",
        "refresh failed cache=f seconds=0.250000 error=OSError",
    ),
    (
        ("StaleServed", "f", "", 2.0, "refreshing"),
        "DEBUG",
        "stale served cache=f age=2.000000 reason=refreshing",
    ),
    (
        ("StaleServed", "f", "", 2.0, "slow"),
        "WARNING",
        "stale served cache=f age=2.000000 reason=slow",
    ),
    (
        ("StaleServed", "f", "", 2.0, "failed"),
        "WARNING",
        "stale served cache=f age=2.000000 reason=failed",
    ),
    (
        ("EngineFailed", "f", "", "disk", "get", "EngineError"),
        "WARNING",
        "engine failed cache=f engine=disk operation=get error=EngineError",
    ),
    (
        ("RecordRefused", "f", "", "disk", "broken"),
        "WARNING",
        "record refused cache=f engine=disk damage=broken",
    ),
]


class Log:
    """What was written, as (level, line, fields)."""

    def __init__(self):
        self.lines = []


@pytest.fixture
def events(tc):
    """The module `events` of the core under test; all that listens afterwards is sent away."""
    module = import_module(f"{tc.__name__}.events")
    before = module.hooks
    module.hooks = ()
    yield module
    module.hooks = before


@pytest.fixture
def debug(tc):
    """`debug()`, which is over when the test is."""
    module = import_module(f"{tc.__name__}._log")
    yield module.debug
    module.debug()()


@pytest.fixture
def log_if_asked(tc, debug):
    return import_module(f"{tc.__name__}._log").log_if_asked


@pytest.fixture
def by_loguru():
    loguru = pytest.importorskip("loguru")
    log = Log()

    def take(message):
        record = message.record
        log.lines.append((record["level"].name, record["message"], record["extra"]))

    number = loguru.logger.add(take, level=0)
    yield log
    loguru.logger.remove(number)


@pytest.fixture
def by_logging(monkeypatch):
    monkeypatch.setitem(sys.modules, "loguru", None)  # as if it weren't installed
    log = Log()

    class Handler(logging.Handler):
        def emit(self, record):
            log.lines.append((record.levelname, record.getMessage(), record.__dict__))

    logger = logging.getLogger("twat_cache")
    handler = Handler()
    logger.addHandler(handler)
    yield log
    logger.removeHandler(handler)


@pytest.fixture(params=["loguru", "logging"])
def log(request):
    return request.getfixturevalue(f"by_{request.param}")


def emit(events, name, *fields):
    events.emit(getattr(events, name)(*fields))


def test_every_event_has_a_line():
    assert {name for (name, *_), _, _ in LINES} == {*event_types.__all__} - {"Event"}


@pytest.mark.parametrize(("event", "level", "line"), LINES, ids=[line for *_, line in LINES])
def test_lines(events, debug, log, event, level, line):
    debug()
    emit(events, *event)
    assert [(level, line)] == [written[:2] for written in log.lines]


def test_a_line_has_its_fields_beside_it(events, debug, log):
    debug()
    emit(events, "Stored", "f", KEY, "sqlite", 0.5, 120)
    ((_, _, fields),) = log.lines
    expected = {
        "event": "Stored",
        "cache": "f",
        "key": KEY,
        "engine": "sqlite",
        "seconds": 0.5,
        "bytes": 120,
    }
    assert expected.items() <= fields.items()
    assert "request_id" not in fields


def test_a_line_names_the_request_if_it_has_a_name(events, debug, log):
    debug()
    token = events.request_id.set("r-17")
    try:
        emit(events, "Loaded", "f", "", 0.25)
    finally:
        events.request_id.reset(token)
    emit(events, "Loaded", "f", "", 0.25)
    assert "r-17" == log.lines[0][2]["request_id"]
    assert log.lines[0][1].endswith(" request_id=r-17")
    assert "request_id" not in log.lines[1][2]


def test_a_text_can_t_begin_a_line_of_its_own(events, debug, log):
    debug()
    token = events.request_id.set("r\n2026 ERROR forged")
    try:
        emit(events, "Loaded", "f {x} %s", "", 0.25)
    finally:
        events.request_id.reset(token)
    ((_, line, _),) = log.lines
    assert "\n" not in line
    assert "cache='f {x} %s'" in line


@pytest.mark.parametrize(
    ("level", "number"), [("debug", 2), ("INFO", 1), ("WARNING", 1), ("ERROR", 0)]
)
def test_levels(events, debug, log, level, number):
    debug(level)
    emit(events, "Loaded", "f", "", 0.25)
    emit(events, "EngineFailed", "f", "", "disk", "get", "EngineError")
    assert number == len(log.lines)


def test_nobody_listens_until_it_is_asked_for_nor_afterwards(events, debug, log):
    assert () == events.hooks
    stop = debug()
    assert 1 == len(events.hooks)
    stop()
    stop()
    assert () == events.hooks
    assert [] == log.lines


def test_asked_again_there_is_one_log_of_another_level(events, debug, log):
    first = debug("ERROR")
    debug("DEBUG")
    emit(events, "Loaded", "f", "", 0.25)
    assert 1 == len(log.lines)
    first()  # which is over since then
    emit(events, "Loaded", "f", "", 0.25)
    assert 2 == len(log.lines)


@pytest.mark.parametrize("level", ["LOUD", "", 10, None])
def test_other_levels_are_refused(events, tc, debug, level):
    with pytest.raises(tc.ConfigurationError, match="level="):
        debug(level)
    assert () == events.hooks


def test_the_logger_is_left_as_it_was(events, debug, by_logging):
    logger = logging.getLogger("twat_cache")
    before = logger.level, logger.handlers[:], logger.propagate, logging.getLogger().level
    debug("ERROR")
    debug()()
    after = logger.level, logger.handlers[:], logger.propagate, logging.getLogger().level
    assert before == after


def test_a_field_of_the_program_s_own_records_stays(events, debug, by_logging, monkeypatch):
    made = logging.getLogRecordFactory()

    def factory(*args, **kwargs):
        record = made(*args, **kwargs)
        record.request_id = "of the program"
        return record

    logging.setLogRecordFactory(factory)
    try:
        debug()
        token = events.request_id.set("r-17")
        emit(events, "Loaded", "f", "", 0.25)
        events.request_id.reset(token)
    finally:
        logging.setLogRecordFactory(made)
    assert "of the program" == by_logging.lines[0][2]["request_id"]


@pytest.mark.parametrize("text", ["DEBUG", "debug", "1", "true"])
def test_the_environment_asks(events, log_if_asked, log, monkeypatch, text):
    monkeypatch.setenv("TWAT_CACHE_LOG", text)
    log_if_asked()
    emit(events, "Loaded", "f", "", 0.25)
    assert 1 == len(log.lines)


@pytest.mark.parametrize("text", [None, "", "0", "false"])
def test_the_environment_doesn_t_ask(events, log_if_asked, monkeypatch, text):
    if text is None:
        monkeypatch.delenv("TWAT_CACHE_LOG", raising=False)
    else:
        monkeypatch.setenv("TWAT_CACHE_LOG", text)
    log_if_asked()
    assert () == events.hooks


def test_the_environment_asks_for_what_there_isn_t(tc, events, log_if_asked, monkeypatch):
    monkeypatch.setenv("TWAT_CACHE_LOG", "loud")
    with pytest.raises(tc.ConfigurationError, match="TWAT_CACHE_LOG='loud'"):
        log_if_asked()


PROGRAM = """
import sys
{before}
from twat_cache import _log, events
_log.debug()
events.emit(events.Loaded("f", "", 0.25))
{after}
"""
BLOCKED = "sys.modules['loguru'] = None"
BASIC = "import logging; logging.basicConfig(format='{}%(message)s')"


def errors_of(before: str, after: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(before=before, after=after)],
        env=worlds.environment("pure"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stderr.splitlines()


def test_without_any_handler_lines_go_to_standard_error():
    (line,) = errors_of(BLOCKED)
    assert line.endswith(" DEBUG twat_cache: loaded cache=f seconds=0.250000")


def test_a_handler_of_the_program_takes_them_all():
    assert ["mine: loaded cache=f seconds=0.250000"] == errors_of(
        f"{BLOCKED}\n{BASIC.format('mine: ')}"
    )


def test_a_handler_that_comes_later_takes_them_from_then_on():
    after = f"{BASIC.format('mine: ')}\nevents.emit(events.Loaded('g', '', 0.25))"
    first, second = errors_of(BLOCKED, after)
    assert first.endswith("loaded cache=f seconds=0.250000")
    assert "mine: loaded cache=g seconds=0.250000" == second


def test_loguru_writes_them_where_it_is_installed():
    if find_spec("loguru") is None:
        pytest.skip("loguru isn't installed")
    (line,) = errors_of("")
    assert "DEBUG" in line
    assert line.endswith("loaded cache=f seconds=0.250000")


def test_nothing_of_it_is_loaded_before_it_is_asked_for():
    code = "import sys, twat_cache.events; print({'loguru', 'logging'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        env=worlds.environment("pure"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "set()" == done.stdout.strip()


MISSES = """
import sys
sys.modules["loguru"] = None
from twat_cache import mcache, ucache
mcache(abs)(-1)
f = ucache("sqlite:///:memory:", name="f")(abs)
f(-1), f(-1)
"""


def test_the_switch_shows_what_misses_do_and_nothing_of_hits():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MISSES],
        env=worlds.environment("pure") | {"TWAT_CACHE_LOG": "DEBUG"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded, stored = done.stderr.splitlines()
    assert " twat_cache: loaded cache=f key=" in loaded
    assert " twat_cache: stored cache=f key=" in stored

"""Exceptions taken apart and put together: the same again, of the class that was asked for."""

from __future__ import annotations

import builtins
import sqlite3
import sys

import pytest

from twat_cache._run.exceptions import put_together, taken_apart


class NotFound(LookupError):
    """Makes a message of a number."""

    def __init__(self, number):
        super().__init__(f"{number} was not found")
        self.number = number


NAME = f"{__name__}:NotFound"


class Several(KeyError, OSError):
    """Made as the one of its bases that has the most to it."""


class Slotted(Exception):
    __slots__ = ("code",)


class Counting(Exception):
    made = 0

    def __new__(cls, *args):
        cls.made += 1
        return super().__new__(cls, *args)


def noted(error):
    error.__notes__ = ["a note"]
    return error


ERRORS = [
    ValueError(),
    ValueError("text", 1, (2, [3])),
    KeyError("key"),
    NotFound(7),
    OSError("text"),
    FileNotFoundError(2, "text", "name"),
    Several(2, "text", "name"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "reason"),
    ImportError("text", name="name", path="path"),
    StopIteration(5),
    SyntaxError("text", ("file", 1, 2, "line")),
    sqlite3.OperationalError("text"),
    noted(ValueError("text")),
]
SHOWN = ("args", "errno", "filename", "strerror", "number", "reason", "object", "name", "path",
         "value", "lineno", "__notes__")  # fmt: skip


def shown(error):
    return str(error), repr(error), {name: getattr(error, name, None) for name in SHOWN}


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_exception_comes_together_as_it_was(error):
    again = put_together(type(error), taken_apart(error))
    assert again is not error
    assert type(again) is type(error)
    assert shown(again) == shown(error)


def test_nothing_of_the_class_runs():
    parts = taken_apart(Counting("text"))
    made = Counting.made
    assert put_together(Counting, parts).args == ("text",)
    assert Counting.made == made


def test_what_has_slots_may_hold_more():
    assert taken_apart(Slotted("text")) is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with 3.11")
def test_arguments_that_the_class_refuses_make_nothing():
    group = vars(builtins)["ExceptionGroup"]
    error = group("text", [ValueError(1)])
    assert put_together(group, taken_apart(error)).exceptions == error.exceptions
    assert put_together(group, ["builtins:ExceptionGroup", ["text", [5]], {}]) is None


@pytest.mark.parametrize(
    "parts",
    [
        None, 5, "text", b"bytes", [], [NAME], [NAME, []], [NAME, [], {}, 1], {"a": 1}, {},
        [NAME, 5, {}], [NAME, [], 5], [NAME, [], {5: 1}], [NAME, [], {"__class__": int}],
        [NAME, [], {"__dict__": {}}], [NAME, [], {"__reduce__": 1}], [5, [], {}], ["", [], {}],
        ["builtins:LookupError", [], {}],
    ],
)  # fmt: skip
def test_what_is_no_parts_makes_nothing(parts):
    assert type(put_together(NotFound, [NAME, [], {}])) is NotFound
    assert put_together(NotFound, parts) is None


def test_the_class_is_the_one_that_was_asked_for_and_no_subclass():
    """OSError makes other classes of some numbers by itself."""
    assert type(OSError(2, "text")) is FileNotFoundError
    assert put_together(OSError, ["builtins:OSError", [2, "text"], {}]) is None
    assert type(put_together(OSError, ["builtins:OSError", [99_999, "text"], {}])) is OSError

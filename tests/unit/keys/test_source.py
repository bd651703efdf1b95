"""Digests of code: they change with what a function does, and with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from twat_cache._keys.code import plain_function
from twat_cache._keys.cold import ColdKeys
from twat_cache._keys.source import source_digest
from twat_cache.errors import CacheKeyError, ConfigurationError


def compiled(source, name="f", **space):
    exec(compile(source, "<anywhere>", "exec"), space)
    return space[name]


PLAIN = "def f(a, b=1):\n    return a + b"


@pytest.mark.parametrize(
    "source",
    [
        "\n\n\n" + PLAIN,
        "# a remark\n" + PLAIN.replace("return", "# another\n    return"),
        PLAIN.replace("a + b", "(a  +  b)"),
        PLAIN.replace("b=1", "b = 1"),
    ],
)
def test_where_and_how_it_is_written_does_not_matter(source):
    assert source_digest(compiled(source)) == source_digest(compiled(PLAIN))


DIFFERENT = [
    PLAIN,
    PLAIN.replace("+", "-"),
    PLAIN.replace("b=1", "b=2"),
    PLAIN.replace("b=1", "b=1.0"),
    PLAIN.replace("b=1", "*, b=1"),
    PLAIN.replace("a, b=1", "a, /, b=1"),
    PLAIN.replace("a", "c"),
    PLAIN.replace("a + b", "a + b + 1000"),
    PLAIN.replace("a + b", "a + b + 1000.0"),
    PLAIN.replace("a + b", "a.x + b"),
    PLAIN.replace("a + b", "a.y + b"),
    PLAIN.replace("a + b", "[a for _ in (1, 2)]"),
    PLAIN.replace("a + b", "[a for _ in (1, 3)]"),
    PLAIN.replace("a + b", "lambda: 0.0"),
    PLAIN.replace("a + b", "lambda: -0.0"),
    PLAIN.replace("a + b", "a in {'x', 'y'}"),
    PLAIN.replace("a + b", "a in ('x', 'y')"),
    PLAIN.replace("def", "async def"),
    "def f(*x): return x",
    "def f(**x): return x",
    "def f(x): return x",
    PLAIN.replace("return a + b", "try: return a\n    except ValueError: return b"),
    PLAIN.replace("return a + b", "try: return a\n    except TypeError: return b"),
]


def test_what_it_does_matters():
    assert len({source_digest(compiled(source)) for source in DIFFERENT}) == len(DIFFERENT)


def wrapped(function, times):
    def wrapper(*args):
        return [function(*args) for _ in range(times)]

    return wrapper


def test_a_wrapper_is_told_by_what_it_wraps():
    one, other = compiled(PLAIN), compiled(DIFFERENT[1])
    digests = [source_digest(wrapped(f, n)) for f in (one, other) for n in (1, 2)]
    assert len(set(digests)) == 4
    assert source_digest(wrapped(one, 1)) == source_digest(wrapped(compiled(PLAIN), 1))


def test_of_what_has_no_encoding_the_type_will_do_unless_strict():
    one, two = compiled(PLAIN, b=object()), wrapped(len, object())
    assert source_digest(two) == source_digest(wrapped(len, object()))
    assert source_digest(two) != source_digest(wrapped(len, ValueError()))
    source_digest(one, strict=True)
    with pytest.raises(CacheKeyError, match="object"):
        source_digest(two, strict=True)


def test_the_version_source_follows_the_code():
    keys = [
        ColdKeys(compiled(source), name="f", version="source")((1,), {})
        for source in (PLAIN, "\n" + PLAIN, PLAIN.replace("+", "-"))
    ]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0].startswith(f":f:{source_digest(compiled(PLAIN))}:")


def test_what_has_no_code_has_no_such_version():
    assert plain_function(len) is None
    with pytest.raises(ConfigurationError, match="version='source'"):
        ColdKeys(len, version="source")


SHOW = f"""
from twat_cache._keys.source import source_digest
for source in {DIFFERENT!r}:
    space = {{}}
    exec(source, space)
    print(source_digest(space["f"]))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4321"])
def test_digests_are_the_same_in_every_process_of_one_python(seed):
    run = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [source_digest(compiled(source)) for source in DIFFERENT]

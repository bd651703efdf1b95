"""The calls that are measured, the same for us, functools and every peer.

Hits are look-ups in a full cache of `KEYS` entries, in random order. The functions count their
own calls, which costs a hit nothing and shows at once if something that should hit does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

from benchmarks.measure import (
    AWAITED,
    INT,
    INTS,
    KEYS,
    METHOD,
    MIXED,
    NOTHING,
    Contender,
    Shape,
    compile_loop,
    contender,
    shuffled,
)

Decorate = Callable[[Callable[..., Any]], Any]
NUMBERS = range(KEYS, 2 * KEYS)  # above the interpreter's small integers
NAMES = [f"user:{n}" for n in NUMBERS]
PAIRS = [(n, 7 * n) for n in NUMBERS]
INSTANCES = 10


class NotAllHits(AssertionError):
    """The function ran again in a loop that should only hit."""


class Case(NamedTuple):
    """A call's shape, the calls that fill the cache, and their equals that are looked up."""

    shape: Shape
    stored: Sequence[Any]
    looked_up: Sequence[Any]


def _again(text: str) -> str:
    """An equal string that is another object."""
    return "".join(list(text))


MIXED_CALLS = [(name, n, 3 * n) for name, n in zip(NAMES, NUMBERS, strict=True)]
CASES: dict[str, Case] = {
    "int": Case(INT, NUMBERS, list(NUMBERS)),
    "int_copy": Case(INT, NUMBERS, [int(str(n)) for n in NUMBERS]),
    "str": Case(INT, NAMES, [_again(name) for name in NAMES]),
    "str_same": Case(INT, NAMES, NAMES),
    "int_int": Case(INTS, PAIRS, PAIRS),
    "mixed": Case(MIXED, MIXED_CALLS, MIXED_CALLS),
    "mixed_copy": Case(MIXED, MIXED_CALLS, [(_again(s), i, k) for s, i, k in MIXED_CALLS]),
    "tuple": Case(INT, PAIRS, PAIRS),
    "tuple_copy": Case(INT, PAIRS, [(a, b) for a, b in PAIRS]),
    "none": Case(NOTHING, [None], [None] * KEYS),
}


def hits(name: str, decorate: Decorate) -> Contender:
    """A full cache round a function, looked up in the case of that name.

    Equal strings are made anew each time: the first look-up meets them before their hash is known,
    which is a way of its own in a core, and has to find what was stored.
    """
    case = CASES[name]
    looked_up = case.looked_up
    if name == "str":
        looked_up = [_again(text) for text in looked_up]
    elif name == "mixed_copy":
        looked_up = [(_again(s), i, k) for s, i, k in looked_up]
    f, ran = _counting(name, decorate)
    return _filled(contender(case.shape, f, shuffled(looked_up)), case.stored, ran)


def _counting(name: str, decorate: Decorate) -> tuple[Any, list[int]]:
    ran = [0]

    def one(a: Any) -> Any:
        ran[0] += 1
        return a

    def two(a: Any, b: Any) -> Any:
        ran[0] += 1
        return b

    def three(s: Any, i: Any, kw: Any = 0) -> Any:
        ran[0] += 1
        return i

    def none() -> int:
        ran[0] += 1
        return 1

    functions: dict[Shape, Callable[..., Any]] = {INT: one, INTS: two, MIXED: three, NOTHING: none}
    return decorate(functions[CASES[name].shape]), ran


def _filled(made: Contender, stored: Sequence[Any], ran: list[int]) -> Contender:
    made.run(stored)
    made.run(made.fresh())
    if ran[0] != len(stored):
        raise NotAllHits(f"{ran[0] - len(stored)} calls were no hits")
    return made


def method_hits(decorate: Decorate) -> Contender:
    """``obj.m(int)``: ten instances with a hundred entries each."""
    ran = [0]

    class Thing:
        @decorate
        def m(self, a: Any) -> Any:
            ran[0] += 1
            return a

    things = [Thing() for _ in range(INSTANCES)]
    calls = [(thing, n) for thing in things for n in NUMBERS[: KEYS // INSTANCES]]
    return _filled(contender(METHOD, None, shuffled(calls)), calls, ran)


def misses(decorate: Decorate) -> Contender:
    """Every call misses, stores its value and pushes out the oldest: 2 n keys, room for n."""

    def one(a: Any) -> Any:
        return a

    made = contender(INT, decorate(one), range(KEYS, 3 * KEYS))
    made.run(made.fresh())
    return made


def insertions(decorate: Decorate) -> Contender:
    """Every call stores a value and pushes another out, under any policy: no key comes twice."""

    def one(a: Any) -> Any:
        return a

    new = count(KEYS)
    f = decorate(one)
    run, empty = compile_loop(INT, f), compile_loop(INT, f, body="pass")
    run(list(islice(new, 2 * KEYS)))
    return Contender(run, empty, lambda: list(islice(new, 2 * KEYS)))


def awaited_hits(decorate: Decorate, loop: asyncio.AbstractEventLoop) -> Contender:
    """``await f(int)`` inside a running event loop."""
    ran = [0]

    async def one(a: Any) -> Any:
        ran[0] += 1
        return a

    made = contender(AWAITED, decorate(one), shuffled(NUMBERS), loop.run_until_complete)
    return _filled(made, NUMBERS, ran)


def awaited_nothing(loop: asyncio.AbstractEventLoop) -> Contender:
    """``await f()`` of an empty coroutine function: what any await costs."""

    async def nothing() -> None:
        pass

    shape = Shape(AWAITED.target, "await f()")
    return contender(shape, nothing, shuffled(NUMBERS), loop.run_until_complete)


def decorations(decorate: Decorate) -> Contender:
    """Decorating: a new function with new code each time, as at import."""

    def fresh() -> list[Any]:
        scope: dict[str, Any] = {}
        exec("\n".join(f"def f{n}(a, b=1): return a" for n in range(200)), scope)
        return [scope[f"f{n}"] for n in range(200)]

    loop = Shape("a", "f(a)")
    return Contender(compile_loop(loop, decorate), compile_loop(loop, None, body="pass"), fresh)

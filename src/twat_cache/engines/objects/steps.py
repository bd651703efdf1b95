"""What an engine does, as steps: each yields what to ask at once, and is sent the answers.

A put or a deletion tells nobody what was there, so whoever counts or compares looks first. Between
looking and doing, conditional puts see to it that nobody else was quicker, where the server
enforces them. What they can't do, or don't, is seen to among the threads and tasks of one engine:
of those who drop a key at once one counts it, of those who add it one puts it.
"""

from __future__ import annotations

import logging
from math import inf
from secrets import token_hex
from typing import Any

from ...errors import EngineError
from ..forks import ForkSafeLock
from .envelope import HEAD, encoded, head_of, key_in, key_of, length_of, name_of, sealed
from .requests import Greet, Read, Remove, Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from typing import TypeAlias, TypeVar

    from ...engine_types import Bytes, Clock
    from .place import Place
    from .requests import Found, Request

    T = TypeVar("T")
    Steps: TypeAlias = Generator[Sequence[Request], Sequence[Any], T]

__all__ = ["ObjectSteps"]

_OVER = -inf  # the deadline of what was forgotten on a condition
_LONG = 4096
_NOBODYS = {"e_tag": '"00000000000000000000000000000000"'}

_log = logging.getLogger("twat_cache")


class _Droppers:
    """Who drops which names just now, so that what several of them find is counted once."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._many: dict[str, int] = {}
        self._counted: set[str] = set()

    def join(self, names: Iterable[str]) -> None:
        """One more drops these; to be told before looking."""
        with self._lock:
            for name in names:
                self._many[name] = self._many.get(name, 0) + 1

    def count(self, names: Iterable[str]) -> int:
        """How many of these no other of those who drop them has counted."""
        with self._lock:
            mine = set(names) - self._counted
            self._counted |= mine
        return len(mine)

    def leave(self, names: Iterable[str]) -> None:
        """One has dropped them."""
        with self._lock:
            for name in names:
                self._many[name] -= 1
                if not self._many[name]:
                    del self._many[name]
                    self._counted.discard(name)


class ObjectSteps:
    """The steps of all methods."""

    def __init__(self, place: Place, clock: Clock) -> None:
        self.place = place
        self._clock = clock
        self._dropping = _Droppers()
        self._adding: dict[str, object] = {}

    def get(self, keys: Sequence[str]) -> Steps[list[bytes | memoryview | None]]:
        """The values, in the order of the keys."""
        every = dict.fromkeys(keys)
        answers = yield [Read(self.place, name_of(key)) for key in every]
        found = {key: self._value(one, key) for key, one in zip(every, answers, strict=True)}
        return [found[key] for key in keys]

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> Steps[None]:
        """Stores the values."""
        if ttl is not None and not ttl > 0:
            yield from self.drop(list(items))
            return
        end = self._deadline(ttl)
        yield [Write(self.place, name_of(k), sealed(k, v, end)) for k, v in items.items()]

    def add(self, key: str, value: Bytes, ttl: float | None) -> Steps[bool]:
        """Stores the value if there is none."""
        if ttl is not None and not ttl > 0:
            return False
        name, content = name_of(key), sealed(key, value, self._deadline(ttl))
        if not (yield from self._is_conditional()):
            return (yield from self._look_and_put(key, name, content))
        (done,) = yield [Write(self.place, name, content, "create")]
        if done:
            return True
        (found,) = yield [Read(self.place, name, length_of(key))]
        if self._left(found, key) is not None:
            return False
        mode = "create" if found is None else found.version
        (done,) = yield [Write(self.place, name, content, mode)]
        return bool(done)

    def drop(self, keys: Sequence[str]) -> Steps[int]:
        """Forgets the keys; tells how many of them were there."""
        names = {name_of(key): key for key in keys}
        self._dropping.join(names)
        try:
            answers = yield [Read(self.place, n, length_of(key)) for n, key in names.items()]
            found = dict(zip(names, answers, strict=True))
            there = [name for name, one in found.items() if one is not None]
            live = [name for name in there if self._left(found[name], names[name]) is not None]
            counted = self._dropping.count(live)
            if there:
                (are_gone,) = yield [Remove(self.place, there)]
                if not are_gone:  # somebody else has just dropped one of them
                    yield [Remove(self.place, [name]) for name in there]
            return counted
        finally:
            self._dropping.leave(names)

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> Steps[bool]:
        """Stores the value, or forgets the key, if what is expected is there.

        What is forgotten so is overwritten, since no deletion takes a condition.
        """
        if not (yield from self._is_conditional()):
            raise EngineError(
                f"{self.place} ignores the conditions of puts, so it can't swap; open it with"
                " conditional=False, so that nobody counts on it"
            )
        name = name_of(key)
        (found,) = yield [Read(self.place, name)]
        there = self._value(found, key)
        if there != expected:
            return False
        if value is None or (ttl is not None and not ttl > 0):
            if there is None:
                return True
            content = sealed(key, b"", _OVER)
        else:
            content = sealed(key, value, self._deadline(ttl))
        mode = "create" if found is None else found.version
        (done,) = yield [Write(self.place, name, content, mode)]
        return bool(done)

    def left(self, keys: Sequence[str]) -> Steps[list[float | None]]:
        """The seconds that the entries still have."""
        answers = yield [Read(self.place, name_of(key), length_of(key)) for key in keys]
        return [self._left(found, key) for found, key in zip(answers, keys, strict=True)]

    def among(self, names: Sequence[str], prefix: str) -> Steps[list[str]]:
        """The keys of the objects with these names that begin so and aren't past their time."""
        known: list[str] = []
        unknown: list[str] = []
        for name in names:
            try:
                key = key_of(name)
            except ValueError:  # somebody else's
                continue
            if key is None:
                unknown.append(name)
            elif key.startswith(prefix):
                known.append(key)
        answers = yield [Read(self.place, name, _LONG) for name in unknown]
        for name, found in zip(unknown, answers, strict=True):
            key = yield from self._key_of(name, found)
            if key is not None and key.startswith(prefix):
                known.append(key)
        lives = yield from self.left(known)
        return [key for key, left in zip(known, lives, strict=True) if left is not None]

    def ping(self) -> Steps[None]:
        """Asks for an object that isn't there, which needs the bucket and the right keys."""
        yield [Greet(self.place, "ping")]

    def _key_of(self, name: str, found: Found | None) -> Steps[str | None]:
        head = None if found is None else head_of(found.content)
        if found is None or head is None:
            return None
        content = found.content
        if len(content) < HEAD + head[1]:
            (whole,) = yield [Read(self.place, name, HEAD + head[1])]
            if whole is None:
                return None
            content = whole.content
        key = key_in(content, head[1])
        return key if name_of(key) == name else None

    def _look_and_put(self, key: str, name: str, content: bytes) -> Steps[bool]:
        if self._adding.setdefault(name, mine := object()) is not mine:
            return False
        try:
            (found,) = yield [Read(self.place, name, length_of(key))]
            if self._left(found, key) is not None:
                return False
            yield [Write(self.place, name, content)]
            return True
        finally:
            del self._adding[name]

    def _is_conditional(self) -> Steps[bool]:
        """Whether the server enforces conditions, which is tried once."""
        if self.place.conditional is None:
            name = f"probe-{token_hex(8)}"
            first = yield [Write(self.place, name, b"", "create")]
            others = yield [Write(self.place, name, b"", mode) for mode in ("create", _NOBODYS)]
            yield [Remove(self.place, [name])]
            self.place.conditional = [*first, *others] == [True, False, False]
            if not self.place.conditional:
                _log.warning(
                    "%s ignores the conditions of puts: add isn't one step between processes, and"
                    " swap is an error",
                    self.place,
                )
        return self.place.conditional

    def _deadline(self, ttl: float | None) -> float:
        return inf if ttl is None else self._clock() + ttl

    def _left(self, found: Found | None, key: str) -> float | None:
        """The seconds that an entry still has; None if it isn't there, or isn't the key's."""
        head = None if found is None else head_of(found.content)
        if found is None or head is None:
            return None
        left = head[0] - self._clock()
        data = encoded(key)
        is_it = head[1] == len(data) and found.content[HEAD : HEAD + head[1]] == data
        return left if left > 0 and is_it else None

    def _value(self, found: Found | None, key: str) -> memoryview | None:
        if found is None or self._left(found, key) is None:
            return None
        return found.content[length_of(key) :]

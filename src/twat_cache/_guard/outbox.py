"""What an engine has to be told as soon as it can be asked again.

A value that couldn't be written isn't written late: another machine may have changed it since, and
dropped what belongs to it. What has to reach the engine is that the value before is of no use. So
all that is kept here are keys to be dropped, if need be only while they have a certain value, and
beginnings of keys of which all are.

Others may have to know of that, too: then word of it is kept besides. It goes out before anything
is dropped, so that nobody puts back what was computed from the state before, and once more
afterwards, so that nobody keeps what was read in between.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple
from weakref import WeakSet

from .._fork_lock import ForkSafeLock
from .._run.effects import Scan, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Protocol, TypeVar

    from .._run.drive import Steps

    T = TypeVar("T")
    Work = Callable[[Any], Steps[Any]]
    """Steps that ask the engine which they are given."""

    class Tokens(Protocol):
        """What may know the token of a tag without asking."""

        def forget(self, tags: Iterable[str]) -> None:
            """It has to ask."""


__all__ = ["Due", "Outbox"]

_BATCH = 500


class Due(NamedTuple):
    """What is due: each with a mark, since the same may come to be due again meanwhile."""

    keys: dict[str, object]
    work: dict[tuple[str, bytes | None], Work]
    words: dict[object, Work]

    def batches(self) -> Iterator[dict[str, object]]:
        """The keys, some hundreds at a time."""
        marked = list(self.keys.items())
        for start in range(0, len(marked), _BATCH):
            yield dict(marked[start : start + _BATCH])


class _Region:
    """All that caches with one beginning of keys have in an engine."""

    def __init__(self, token: str | None, tag: str) -> None:
        self.token = token
        self.tag = tag
        self.tokens: WeakSet[Tokens] = WeakSet()


class Outbox:
    """What is due. Thread-safe.

    Args:
        most: How many keys. If there are more, the regions that they are in are to be cleared
            instead: so what nobody remembers is not served either.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = ForkSafeLock()
        self._keys: dict[str, object] = {}
        self._work: dict[tuple[str, bytes | None], Work] = {}
        self._words: dict[object, Work] = {}
        self._regions: dict[tuple[str, ...], _Region] = {}
        self.overflows = 0
        """How often there were too many keys."""

    def __len__(self) -> int:
        """How many keys and steps there are."""
        return len(self._keys) + len(self._work) + len(self._words)

    def knows(self, prefixes: tuple[str, ...], token: str | None, tag: str, tokens: Tokens) -> None:
        """Caches have something here under keys that begin so.

        Args:
            prefixes: How their keys begin, and those of their tags.
            token: Where keys can't be listed, the key of what all their records depend on.
            tag: The tag that it belongs to.
            tokens: What may know it without asking.
        """
        with self._lock:
            self._regions.setdefault(prefixes, _Region(token, tag)).tokens.add(tokens)

    def drop(self, keys: Iterable[str]) -> None:
        """These keys are to be dropped."""
        with self._lock:
            for key in keys:
                self._keys[key] = object()
            if len(self._keys) > self._most:
                self._overflow()

    def clear(self, prefix: str) -> None:
        """All keys that begin so are to be dropped."""
        with self._lock:
            self._work[prefix, None] = partial(_cleared, prefix=prefix)

    def forget(self, key: str, value: bytes) -> None:
        """This key is to be dropped if it has this value."""
        with self._lock:
            self._work[key, value] = partial(_forgotten, key=key, value=value)

    def tell(self, whose: object, word: Work, keys: Iterable[str] = ()) -> None:
        """These keys are to be dropped, and this word is to go out before and after.

        Args:
            whose: Of whom one word is enough, the last one.
            word: Steps that may be done twice.
            keys: The keys.
        """
        with self._lock:
            self._words[whose] = word
            self.drop(keys)

    def _overflow(self) -> None:
        """Regions instead of the keys in them; a key in none has to stay, whatever their number."""
        self.overflows += 1
        for prefixes, region in self._regions.items():
            inside = [key for key in self._keys if key.startswith(prefixes)]
            if not inside:
                continue
            for key in inside:
                del self._keys[key]
            if region.token is None:
                for prefix in prefixes:
                    self.clear(prefix)
            else:
                self._keys[region.token] = object()
                for tokens in list(region.tokens):
                    tokens.forget([region.tag])

    def due(self) -> Due:
        """All of it, as of now."""
        with self._lock:
            return Due(dict(self._keys), dict(self._work), dict(self._words))

    def done(self, due: Due) -> None:
        """This is, but not what came to be due again meanwhile."""
        with self._lock:
            _remove(self._keys, due.keys)
            _remove(self._work, due.work)
            _remove(self._words, due.words)


def _remove(due: dict[T, Any], done: Mapping[T, object]) -> None:
    for name, mark in done.items():
        if due.get(name) is mark:
            del due[name]


def _cleared(engine: Any, prefix: str) -> Steps[None]:
    keys = yield Scan(engine, prefix)
    for start in range(0, len(keys), _BATCH):
        yield ask(engine, "drop", keys[start : start + _BATCH])


def _forgotten(engine: Any, key: str, value: bytes) -> Steps[None]:
    yield ask(engine, "swap", key, value, None, None)

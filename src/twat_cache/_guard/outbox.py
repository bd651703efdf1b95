"""What an engine has to be told as soon as it can be asked again.

A value that couldn't be written isn't written late: another machine may have changed it since, and
dropped what belongs to it. What has to reach the engine is that the value before is of no use. So
all that is kept here are keys to be dropped, beginnings of keys of which all are, and others' steps
that may be done twice and in any order as well.
"""

from __future__ import annotations

from functools import partial
from weakref import WeakSet

from .._fork_lock import ForkSafeLock
from .._run.effects import Scan, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    from .._run.drive import Steps

    Work = Callable[[Any], Steps[Any]]
    """Steps that ask the engine which they are given."""

    class Tokens(Protocol):
        """What may know the token of a tag without asking."""

        def forget(self, tags: Iterable[str]) -> None:
            """It has to ask."""


__all__ = ["Outbox"]

_BATCH = 500


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
        self._work: dict[str, Work] = {}
        self._regions: dict[tuple[str, ...], _Region] = {}
        self.overflows = 0
        """How often there were too many keys."""

    def __len__(self) -> int:
        """How many keys and steps there are."""
        return len(self._keys) + len(self._work)

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
        self.do(f"clear {prefix}", partial(_cleared, prefix=prefix))

    def do(self, name: str, work: Work) -> None:
        """These steps are to be done, and none before of that name."""
        with self._lock:
            self._work[name] = work

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

    def due(self, many: int) -> tuple[dict[str, object], dict[str, Work]]:
        """Up to so many of the keys, each with a mark of this being due, and all steps."""
        with self._lock:
            return dict(list(self._keys.items())[:many]), dict(self._work)

    def told(self, keys: dict[str, object], work: dict[str, Work]) -> None:
        """The engine knows of these, but not of what came to be due again meanwhile."""
        with self._lock:
            for key, mark in keys.items():
                if self._keys.get(key) is mark:
                    del self._keys[key]
            for name, steps in work.items():
                if self._work.get(name) is steps:
                    del self._work[name]


def _cleared(engine: Any, prefix: str) -> Steps[None]:
    keys = yield Scan(engine, prefix)
    for start in range(0, len(keys), _BATCH):
        yield ask(engine, "drop", keys[start : start + _BATCH])

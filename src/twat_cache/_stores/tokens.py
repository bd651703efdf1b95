"""Tags on an engine: each is a random token, and a record is good while its tokens are those.

A computation reads the tokens of its tags before it begins, and its record keeps them. Dropping a
tag puts another token in its place: one write, whatever number of records had it, on any engine,
and no clock is compared. A token that an engine has lost is made anew, so what had it is lost, too:
it fails closed.
"""

from __future__ import annotations

import os
from _thread import RLock
from time import monotonic
from weakref import WeakSet

from .._run.effects import ask, itself
from ..errors import EngineClosedError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any, Protocol

    from .._run.drive import Steps

    class Owner(Protocol):
        """A cache that may have in memory what is in the engine."""

        def _forget_tags(self, tags: Collection[str]) -> None: ...
        def _forget_near(self) -> None: ...


__all__ = ["Tokens", "in_use"]

_SIZE = 16
_MOST_NEAR = 10_000
_everywhere: WeakSet[Tokens] = WeakSet()
_lock = RLock()  # of all tokens in memory; finalizers may drop tags in here


class Tokens:
    """The tokens of the tags in one namespace of an engine. Thread-safe.

    Args:
        engine: The engine.
        prefix: What their keys begin with.
        near: How many seconds a token may be taken from memory: as long may a drop by another
            process go unseen.
    """

    def __init__(self, engine: Any, prefix: str, near: float = 0.0) -> None:
        self.engine = engine
        self.drops = 0
        """How often tags were dropped here."""
        self.owner: Owner | None = None
        """The cache that uses these, to be told of tags that are dropped."""
        self.unremembered: Collection[str] = ()
        """Tags whose tokens are asked for each time, since they come along with the records."""
        self.is_told: Callable[[], bool] | None = None
        """Whether it is known what others drop; None where nobody tells."""
        self._prefix = prefix
        self._near_for = near
        self._near: dict[str, tuple[bytes, float]] = {}
        with _lock:
            _everywhere.add(self)

    def key(self, tag: str) -> str:
        """Under which key the token of a tag is."""
        return self._prefix + tag

    def known(self, tags: Collection[str]) -> dict[str, bytes]:
        """The tokens that may be taken from memory."""
        if not self._near or not (self.is_told is None or self.is_told()):
            return {}
        now = monotonic()
        with _lock:
            near = {tag: self._near.get(tag, (b"", 0.0)) for tag in tags}
        return {tag: token for tag, (token, until) in near.items() if now < until}

    def learn(self, tags: Sequence[str], values: Sequence[Any], drops: int) -> dict[str, bytes]:
        """The tokens that an engine gave for the tags, of those that it has.

        They are remembered unless tags were dropped since there were so many `drops`, or they come
        each time.
        """
        found = {
            tag: bytes(value) for tag, value in zip(tags, values, strict=True) if value is not None
        }
        if self._near_for and found:
            until = monotonic() + self._near_for
            with _lock:
                if len(self._near) > _MOST_NEAR:
                    self._near.clear()
                if self.drops == drops:
                    remembered = found.keys() - self.unremembered
                    self._near.update({tag: (found[tag], until) for tag in remembered})
        return found

    def read(self, tags: Collection[str]) -> Steps[dict[str, bytes]]:
        """The tokens of the tags, of those that there are.

        Raises:
            EngineError: The engine can't serve.
        """
        found = self.known(tags)
        missing = [tag for tag in tags if tag not in found]
        if missing:
            drops = self.drops
            values = yield ask(self.engine, "get", [self.key(tag) for tag in missing])
            found |= self.learn(missing, values, drops)
        return found

    def ensure(self, tags: Collection[str], found: Mapping[str, bytes]) -> Steps[dict[str, bytes]]:
        """The tokens of all the tags; those that weren't found are made.

        Raises:
            EngineError: The engine can't serve.
        """
        tokens = {tag: found[tag] for tag in tags if tag in found}
        for tag in tags:
            if tag in tokens:
                continue
            token = os.urandom(_SIZE)
            if not (yield ask(self.engine, "add", self.key(tag), token, None)):
                (other,) = yield ask(self.engine, "get", [self.key(tag)])
                token = token if other is None else bytes(other)
            tokens[tag] = token
        return tokens

    def drop(self, tags: Collection[str]) -> Steps[None]:
        """Puts another token in place of each: no record with one of the tags is good any more.

        Raises:
            EngineError: The engine can't serve.
        """
        self._forget(tags)
        new = {self.key(tag): os.urandom(_SIZE) for tag in tags}
        try:
            yield ask(self.engine, "put", new, None)
        except EngineClosedError:
            raise
        except EngineError:
            yield ask(self.engine, "drop", list(new))  # it may do so when it is back
        finally:
            self._forget(tags)
            for owner in self.owners():
                owner._forget_tags(tags)

    def _forget(self, tags: Collection[str]) -> None:
        """No cache of this process takes these tokens from memory."""
        with _lock:
            for other in self._alike():
                other.drops += 1
                for tag in tags:
                    other._near.pop(tag, None)

    def forget(self, tags: Collection[str] | None) -> None:
        """These tokens, or all, aren't taken from memory any more: others have changed them."""
        with _lock:
            self.drops += 1
            for tag in list(self._near) if tags is None else tags:
                self._near.pop(tag, None)

    def owners(self) -> list[Owner]:
        """The caches of this process that share an engine and a namespace with this one's."""
        with _lock:
            return [other.owner for other in self._alike() if other.owner is not None]

    def _alike(self) -> list[Tokens]:
        engine = itself(self.engine)
        return [
            other
            for other in list(_everywhere)
            if itself(other.engine) is engine and other._prefix == self._prefix
        ]


def in_use() -> list[Tokens]:
    """One of those for each engine and prefix that caches of this process use."""
    with _lock:
        everywhere = [tokens for tokens in list(_everywhere) if tokens.owner is not None]
    found = {(id(itself(tokens.engine)), tokens._prefix): tokens for tokens in everywhere}
    return list(found.values())


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()  # the old one may be held by a thread that the child hasn't


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

"""What is asked of a store: each once, in both colours.

A child of a process that has used the library can't use it: the library's threads aren't there, and
a call would wait for them for ever. So it is told.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import obstore

from ...errors import EngineError
from .trouble import failure, has_no_parts, is_absent, is_foreign, is_refused, is_unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from .place import Place

__all__ = [
    "Batch",
    "Found",
    "Greet",
    "Read",
    "Remove",
    "Request",
    "Write",
    "listed",
    "listed_async",
]

_used = False
_is_lost = False


class Found(NamedTuple):
    """An object, or the beginning of one."""

    content: memoryview
    version: Any
    """What a put says that is to replace this and nothing else."""


class Request:
    """Something to be asked."""

    __slots__ = ("_place",)

    def __init__(self, place: Place) -> None:
        self._place = place

    def run(self) -> Any:
        """Asks, and waits."""
        raise NotImplementedError

    async def arun(self) -> Any:
        """Asks, and awaits."""
        raise NotImplementedError


class Read(Request):
    """An object, or at least so many of its first bytes; None if it isn't there."""

    __slots__ = ("_first", "_name")

    def __init__(self, place: Place, name: str, first: int = 0) -> None:
        super().__init__(place)
        self._name = name
        self._first = first

    def run(self) -> Found | None:
        """Asks, and waits."""
        _begin()
        while True:
            try:
                got = obstore.get(self._place.store, self._name, options=self._options())
                return _found(got, got.bytes())
            except Exception as error:
                if not self._is_to_be_asked_again(error):
                    return None

    async def arun(self) -> Found | None:
        """Asks, and awaits."""
        _begin()
        while True:
            try:
                got = await obstore.get_async(
                    self._place.store, self._name, options=self._options()
                )
                return _found(got, await got.bytes_async())
            except Exception as error:
                if not self._is_to_be_asked_again(error):
                    return None

    def _options(self) -> Any:
        return {"range": (0, self._first)} if self._first and self._place.has_ranges else None

    def _is_to_be_asked_again(self, error: Exception) -> bool:
        if self._first and has_no_parts(error):
            self._place.has_ranges = False
            return True
        if is_absent(error):
            return False
        raise failure(error, self._place)


class Greet(Read):
    """Asks for what isn't there, and whether who says so is an object store."""

    __slots__ = ()

    def _is_to_be_asked_again(self, error: Exception) -> bool:
        if self._place.scheme == "s3" and is_absent(error) and is_foreign(error):
            raise failure(error, self._place)
        return super()._is_to_be_asked_again(error)


class Write(Request):
    """Puts an object; False if it was to be put on a condition that isn't so.

    None means that the server doesn't know conditions.
    """

    __slots__ = ("_content", "_mode", "_name")

    def __init__(self, place: Place, name: str, content: bytes, mode: Any = "overwrite") -> None:
        super().__init__(place)
        self._name = name
        self._content = content
        self._mode = mode

    def run(self) -> bool | None:
        """Asks, and waits."""
        _begin()
        try:
            obstore.put(
                self._place.store, self._name, self._content, mode=self._mode, use_multipart=False
            )
        except Exception as error:
            return self._told(error)
        return True

    async def arun(self) -> bool | None:
        """Asks, and awaits."""
        _begin()
        try:
            await obstore.put_async(
                self._place.store, self._name, self._content, mode=self._mode, use_multipart=False
            )
        except Exception as error:
            return self._told(error)
        return True

    def _told(self, error: Exception) -> bool | None:
        if self._mode != "overwrite":
            if is_unsupported(error):
                return None
            if is_refused(error):
                return False
        raise failure(error, self._place)


class Remove(Request):
    """Deletes objects, a thousand with each request; tells whether it came to the last of them.

    Some stores call it an error that one isn't there, and the library leaves it at that.
    """

    __slots__ = ("_names",)

    def __init__(self, place: Place, names: Sequence[str]) -> None:
        super().__init__(place)
        self._names = list(names)

    def run(self) -> bool:
        """Asks, and waits."""
        _begin()
        try:
            obstore.delete(self._place.store, self._names)
        except Exception as error:
            return self._told(error)
        return True

    async def arun(self) -> bool:
        """Asks, and awaits."""
        _begin()
        try:
            await obstore.delete_async(self._place.store, self._names)
        except Exception as error:
            return self._told(error)
        return True

    def _told(self, error: Exception) -> bool:
        if not is_absent(error):
            raise failure(error, self._place)
        return len(self._names) == 1


class Batch:
    """Requests of which the rest isn't made after one has failed, lest each waits in its turn.

    Attributes:
        errors: What failed.
    """

    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def run(self, request: Request) -> Any:
        """The answer; None for those that aren't made."""
        try:
            return None if self.errors else request.run()
        except BaseException as error:
            self.errors.append(error)
            return None

    async def arun(self, request: Request) -> Any:
        """The same, awaited."""
        try:
            return None if self.errors else await request.arun()
        except BaseException as error:
            self.errors.append(error)
            raise


def listed(place: Place) -> Iterator[list[str]]:
    """The names of all objects, some at a time."""
    _begin()
    stream = iter(obstore.list(place.store, chunk_size=1000))
    while True:
        try:
            chunk = next(stream)
        except StopIteration:
            return
        except Exception as error:
            raise failure(error, place) from error
        yield [entry["path"] for entry in chunk]


async def listed_async(place: Place) -> AsyncIterator[list[str]]:
    """The names of all objects, some at a time."""
    _begin()
    stream = obstore.list(place.store, chunk_size=1000)
    while True:
        try:
            chunk = await stream.__anext__()
        except StopAsyncIteration:
            return
        except Exception as error:
            raise failure(error, place) from error
        yield [entry["path"] for entry in chunk]


def _found(got: Any, content: Any) -> Found:
    meta = got.meta
    version = {name: meta[name] for name in ("e_tag", "version") if meta[name]}
    return Found(memoryview(content), version)


def _begin() -> None:
    global _used  # noqa: PLW0603
    if _is_lost:
        raise EngineError(
            "this process was forked from one that had used an object store, and can't use one;"
            " fork before, or start processes by 'spawn'"
        )
    _used = True


def _after_fork() -> None:
    global _is_lost  # noqa: PLW0603
    _is_lost = _used or _is_lost


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

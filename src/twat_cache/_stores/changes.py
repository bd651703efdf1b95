"""Which computations are on their way, so that what is changed meanwhile grounds them.

A result is *put* only while nobody changes its key, and the other way about: who changes a key
grounds what is on its way for it, and then waits for what is just being put. So once a change is
done, nothing older comes after it. Two results for a key aren't put at once either, or the older
one might come last.
"""

from __future__ import annotations

import os
from _thread import get_ident
from weakref import WeakSet

from .._fork_lock import ForkSafeLock, living
from .._run.flight import Flight, running_loop
from .._run.join import Join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from .._run.drive import Steps

__all__ = ["Changes", "Note", "Put"]


class Put(Flight):
    """That results are just being put.

    Args:
        is_awaited: Whether the task that runs here does it, if there is one, or else this thread.
    """

    __slots__ = ()

    def __init__(self, is_awaited: bool) -> None:
        super().__init__()
        loop = running_loop() if is_awaited else None
        if loop is None:
            self.mark = get_ident()  # which doesn't wait for itself
        else:
            self.lead(loop)  # nor does a coroutine, whose task does nothing else


class Note:
    """That a computation for a key is on its way.

    Attributes:
        grounded: Whether the key was changed since, or the computation has ended.
        is_over: Whether it has ended.
        put: That its result is just being put.
    """

    __slots__ = ("grounded", "is_over", "key", "put")

    def __init__(self, key: str, grounded: bool) -> None:
        self.key = key
        self.grounded = grounded
        self.is_over = False
        self.put: Put | None = None


class Changes:
    """The notes of one store. Thread-safe."""

    __slots__ = ("__weakref__", "_changed", "_lock", "_notes")

    def __init__(self) -> None:
        self._lock = ForkSafeLock()  # finalizers and signal handlers may change something in here
        self._notes: dict[str, list[Note]] = {}
        self._changed: dict[str | None, list[object]] = {}  # who changes a key; None is all keys
        _everywhere.add(self)

    def begin_anew(self) -> None:
        """In a forked child nobody changes or puts anything."""
        self._changed.clear()
        for notes in self._notes.values():
            for note in notes:
                note.put = None

    # -- for those who compute ----------------------------------------------------------------

    def depart(self, key: str) -> Note:
        """A computation for the key begins; end it by `end`."""
        with self._lock:
            changed = self._changed
            note = Note(key, bool(changed) and (key in changed or None in changed))
            self._notes.setdefault(key, []).append(note)
        return note

    def begin(self, put: Put, notes: Collection[Note]) -> Steps[list[Note]]:
        """Those of the notes whose results may be put now: do it. Then `finish`, in any case.

        Those before them are waited for, unless that would be to wait for oneself.
        """
        may_wait = True
        while True:
            with self._lock:
                going = [note for note in notes if not note.grounded]
                ahead = self._puts([note.key for note in going])
                if not (ahead and may_wait):
                    for note in going:
                        note.put = put
                    return going
            for other in ahead:
                yield _Turn(other)
                may_wait = may_wait and other.is_over

    def finish(self, put: Put, notes: Collection[Note], *, landed: bool) -> None:
        """Their results were put, or not. If so, those that began before are grounded: older."""
        with self._lock:
            for note in notes:
                if note.put is put:
                    note.put = None
                    if landed:
                        self._ground_older(note)
                    if note.is_over:
                        self._forget(note)
        put.end()

    def end(self, note: Note) -> None:
        """The computation has ended, though its result may still be put; again does nothing."""
        with self._lock:
            note.is_over = True
            if note.put is None:
                note.grounded = True
                self._forget(note)

    # -- for those who change -----------------------------------------------------------------

    def changing(self, keys: Collection[str] | None, change: Steps[Any]) -> Steps[Any]:
        """Goes through the steps that change these keys, or all; what began before is not kept."""
        changed: list[str | None] = [None] if keys is None else list(keys)
        mark = object()
        try:
            with self._lock:
                puts = self._puts(list(self._notes) if keys is None else keys)
                for key in changed:
                    self._changed.setdefault(key, []).append(mark)
                    self._ground(key)
            for put in puts:
                yield _Turn(put)
            return (yield from change)
        finally:
            with self._lock:
                for key in changed:
                    marks = self._changed.get(key, [])
                    if mark in marks:
                        marks.remove(mark)
                    if not marks:
                        self._changed.pop(key, None)

    def note_all(self) -> None:
        """All keys are changed; what is just being put is dropped afterwards by who puts it."""
        with self._lock:
            self._ground(None)

    def note(self, keys: Collection[str]) -> None:
        """The same of these keys."""
        with self._lock:
            for key in keys:
                self._ground(key)

    # -- with the lock ------------------------------------------------------------------------

    def _puts(self, keys: Collection[str]) -> set[Put]:
        notes = [note for key in keys for note in self._notes.get(key, ())]
        return {note.put for note in notes if note.put is not None}

    def _ground(self, key: str | None) -> None:
        for one in list(self._notes) if key is None else (key,):
            for note in self._notes.get(one, ()):
                note.grounded = True

    def _ground_older(self, note: Note) -> None:
        for other in self._notes.get(note.key, ()):
            if other is note:
                break
            other.grounded = True

    def _forget(self, note: Note) -> None:
        notes = self._notes.get(note.key, [])
        if note in notes:
            notes.remove(note)
        if not notes:
            self._notes.pop(note.key, None)


class _Turn(Join):
    """The effect of waiting until others have put what they put."""

    __slots__ = ()

    async def arun(self) -> bool:
        """Suspends this task; without asyncio, waits for a thread, and for no coroutine."""
        if running_loop() is None:
            return self._flight.loop is None and self.run()
        return await super().arun()


_everywhere: WeakSet[Changes] = WeakSet()


def _after_fork() -> None:
    for changes in living(_everywhere):
        changes.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

"""Which computations are on their way, so that what is changed meanwhile grounds them."""

from __future__ import annotations

from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Changes", "Note"]


class Note:
    """That a computation for a key is on its way.

    Attributes:
        grounded: Whether the key was changed since.
    """

    __slots__ = ("grounded", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        self.grounded = False


class Changes:
    """The notes of one store. Thread-safe."""

    __slots__ = ("_lock", "_notes")

    def __init__(self) -> None:
        self._lock = RLock()  # finalizers and signal handlers may change something in here
        self._notes: dict[str, list[Note]] = {}

    def depart(self, key: str) -> Note:
        """A computation for the key begins; end it by `end`."""
        note = Note(key)
        with self._lock:
            self._notes.setdefault(key, []).append(note)
        return note

    def landed(self, note: Note) -> None:
        """Its result was stored: those that began before are grounded, as theirs are older."""
        with self._lock:
            for other in self._notes.get(note.key, ()):
                if other is note:
                    break
                other.grounded = True

    def end(self, note: Note) -> None:
        """The computation has ended; again does nothing."""
        with self._lock:
            notes = self._notes.get(note.key, [])
            if note in notes:
                notes.remove(note)
            if not notes:
                self._notes.pop(note.key, None)

    def note(self, keys: Iterable[str]) -> None:
        """These keys are changed."""
        if self._notes:
            with self._lock:
                for key in keys:
                    for note in self._notes.get(key, ()):
                        note.grounded = True

    def note_all(self) -> None:
        """All keys are changed."""
        with self._lock:
            for notes in list(self._notes.values()):
                for note in notes:
                    note.grounded = True

"""Groups of records, where an engine can't list its keys to drop those of a group.

Each group is a tag, and each record has the tags of all groups that it belongs to: dropping a group
is dropping its tag. The tokens are asked for along with the records, always, so a group that was
dropped is gone for whoever asks afterwards.
"""

from __future__ import annotations

from typing import Any

from ..codecs.record import written_tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .tokens import Tokens

__all__ = ["NO_GROUPS", "Groups"]


class Groups:
    """The groups that all records of a store belong to. Thread-safe.

    Args:
        tags: Their tags.
        tokens: The tags' tokens.

    Attributes:
        tags: The same.
        keys: Under which keys their tokens are.
        last: The tokens that were had last, and what is written in records with these. Tokens
            change but seldom, so who has others asks for `written`.
    """

    __slots__ = ("keys", "last", "tags")

    def __init__(self, tags: Sequence[str] = (), tokens: Tokens | None = None) -> None:
        self.tags = tuple(tags)
        self.keys = () if tokens is None else tuple(map(tokens.key, tags))
        self.last: tuple[list[bytes], bytes | None] = [], None if tags else b""

    def written(self, tokens: Sequence[Any]) -> bytes | None:
        """What stands in a record that has these tags alone; None if there is no such record."""
        last, written = self.last
        if tokens == last:
            return written
        if None in tokens:
            return None
        last = [bytes(token) for token in tokens]
        written = written_tags(dict(zip(self.tags, last, strict=True)))
        self.last = last, written
        return written


NO_GROUPS = Groups()
"""Those of an engine that can list its keys."""

"""What is kept of a generator: a recording, and how any codec writes one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..codec_types import Codec

__all__ = ["PackedRecordings", "Recording", "packed", "unpacked"]


class Recording(tuple):  # type: ignore[type-arg]  # noqa: SLOT001 - tuples have no room for one
    """The items that a generator gave, as a tuple.

    Attributes:
        returned: What it returned at its end; None for an async generator, which can't.
    """

    returned: Any

    def __new__(cls, items: Iterable[Any], returned: Any = None) -> Recording:
        """Takes the items and what was returned."""
        made: Recording = tuple.__new__(cls, items)
        made.returned = returned
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.returned


def packed(value: Any) -> Any:
    """A recording as what any codec can carry; anything else as it is."""
    if type(value) is Recording:
        return {"items": list(value), "returned": value.returned}
    return value


def unpacked(value: Any) -> Recording:
    """The recording that was packed.

    Raises:
        ValueError: None was.
    """
    if type(value) is not dict or value.keys() != {"items", "returned"}:
        raise ValueError("no recording")
    return Recording(value["items"], value["returned"])


class PackedRecordings:
    """A codec for what the cache of a generator function keeps, by another codec.

    That is recordings, and lists of an exception's arguments, which are left as they are.

    Args:
        codec: Knows neither recordings nor, maybe, tuples.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.name = codec.name
        self.id = codec.id

    def encode(self, value: Any, /) -> Any:
        """The bytes of a recording, or of another value."""
        return self._codec.encode(packed(value))

    def decode(self, data: Any, /) -> Any:
        """The recording, or the other value."""
        value = self._codec.decode(data)
        return unpacked(value) if type(value) is dict else value

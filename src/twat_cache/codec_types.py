"""The seam between values and bytes: what a codec is."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 (for get_type_hints)
from typing import Any, Protocol

from .engine_types import Bytes  # noqa: TC001 (for get_type_hints)

__all__ = ["Codec"]


class Codec(Protocol):
    """Makes bytes of values, and of these bytes again what they were. Safe in any thread.

    Attributes:
        name: What `codec=` calls it.
        id: Stands for its format in what is stored: 1 to 127 are this library's, 128 to 255 are
            free. A format that changes takes another one.
    """

    name: str
    id: int

    def encode(self, value: Any, /) -> Bytes | Sequence[Bytes]:
        """The bytes of a value, in one piece or in several that belong together in order.

        Raises:
            SerializationError: The value can't be carried; names its type and never its contents.
        """

    def decode(self, data: Bytes, /) -> Any:
        """The value, equal to what was written and of its type.

        Args:
            data: What `encode` gave, in one piece; may be a view, which may be kept.

        Raises:
            SerializationError: No value was written as this; nothing else is ever raised.
        """

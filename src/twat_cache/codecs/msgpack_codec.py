"""The codec `msgpack`: safe, for nearly everything, and the default.

A value is a message as `msgpack` in this folder writes it. Where large arrays lie behind it, all is

    0xC1  length of the message (7 bytes)  message  zeros up to a multiple of 16  arrays

and no message begins with the byte 0xC1.
"""

from __future__ import annotations

from functools import cached_property

from ..errors import SerializationError
from .arrays import ALIGNED, ArrayReader, Far
from .msgpack import UNUSED, decoder, encoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..engine_types import Bytes

__all__ = ["Msgpack"]

_HEAD = 8
_KEPT = 1 << 20  # bytes: an encoder that wrote more has a buffer that is too large to keep


class Msgpack:
    """Values as MessagePack, numpy's arrays in place.

    Args:
        views: Whether arrays that are read stay where they lie: nothing is copied, and they can't
            be changed. Otherwise each has its own bytes.
    """

    name = "msgpack"
    id = 1

    def __init__(self, *, views: bool = True) -> None:
        self._views = views
        self._idle: list[tuple[Far, Callable[[object], bytes]]] = []

    def encode(self, value: Any, /) -> Sequence[Bytes]:
        """The message, and the large arrays behind it."""
        try:
            far, encode = self._idle.pop()  # one for each thread that is at it
        except IndexError:
            far = Far()
            encode = encoder(far)
        try:
            message = encode(value)
        finally:
            arrays = far.hand_over()
        if len(message) <= _KEPT:
            self._idle.append((far, encode))
        if not arrays:
            return (message,)
        head = UNUSED + len(message).to_bytes(_HEAD - 1, "big")
        return head, message, bytes(-(_HEAD + len(message)) % ALIGNED), *arrays

    def decode(self, data: Bytes, /) -> Any:
        """The value; views of arrays keep `data` alive."""
        return self.reader(data)

    @cached_property
    def reader(self) -> Callable[[Bytes], Any]:
        """What `decode` calls; made for the first, since it loads msgpack."""
        return decoder(ArrayReader(views=self._views), self._decode_with_arrays)

    def _decode_with_arrays(self, data: Bytes) -> Any:
        """Reads what no message begins with."""
        view = memoryview(data)
        end = _HEAD + int.from_bytes(view[1:_HEAD], "big")
        behind = view[end + -end % ALIGNED :]
        if not behind:
            raise SerializationError("bytes that nobody wrote: nothing lies behind the message")
        return decoder(ArrayReader(behind, views=self._views))(view[_HEAD:end])

"""Payloads made smaller, where that makes them smaller.

What is compressed begins with the length that it had (8 bytes). A reader takes only what it would
have written: its own algorithm, no more than `LARGEST` bytes, and exactly as many as were said. So
a few bytes can't be blown up to fill the memory, and each algorithm's own checksum is on.
"""

from __future__ import annotations

from ..errors import ConfigurationError, refused
from .record import Damage, in_pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeAlias

    from ..engine_types import Bytes

    Shrink: TypeAlias = Callable[[bytes], bytes]
    Grow: TypeAlias = Callable[[Bytes, int], tuple[bytes, bool]]
    """The first so many bytes, and whether that was the end."""

__all__ = ["Compression", "compression_named"]

ABOVE = 1024
"""Bytes: what is shorter stays as it is."""
LARGEST = 1 << 28
"""Bytes: what is longer stays as it is, and nothing longer is made of what is read."""
_LENGTH = 8


class Compression:
    """Compresses payloads, and makes them again what they were. Safe in any thread.

    Args:
        algorithm: What stands for it in what is stored; 0 is none.
        shrink: Compresses.
        grow: Decompresses.
        above: From how many bytes on to try.
    """

    def __init__(self, algorithm: int, shrink: Shrink, grow: Grow, above: int = ABOVE) -> None:
        self._algorithm = algorithm
        self._shrink = shrink
        self._grow = grow
        self._above = above

    def pack(self, payload: Bytes | Sequence[Bytes]) -> tuple[int, Sequence[Bytes]]:
        """The id of the algorithm and what is smaller; 0 and the payload if it is no smaller."""
        pieces = in_pieces(payload)
        size = sum(memoryview(piece).nbytes for piece in pieces)
        if self._algorithm and self._above <= size <= LARGEST:
            small = self._shrink(b"".join(pieces))
            if _LENGTH + len(small) < size:
                return self._algorithm, (size.to_bytes(_LENGTH, "big"), small)
        return 0, pieces

    def unpack(self, algorithm: int, payload: Bytes) -> Bytes | Damage:
        """The payload as it was, or why it can't be had; never raises."""
        if not algorithm:
            return payload
        if algorithm != self._algorithm:
            return Damage.COMPRESSION
        view = memoryview(payload)
        size = int.from_bytes(view[:_LENGTH], "big")
        if not 0 < size <= LARGEST:
            return Damage.BOMB
        try:
            data, ended = self._grow(view[_LENGTH:], size + 1)
        except Exception:  # of a foreign library, about bytes of anyone
            return Damage.BOMB
        return data if ended and len(data) == size else Damage.BOMB


def compression_named(name: str | None, above: int = ABOVE) -> Compression:
    """The compression of that name; None compresses nothing.

    Raises:
        ConfigurationError: There is none, or its library isn't installed.
    """
    if name is None:
        return Compression(0, bytes, lambda data, most: (bytes(data[:most]), True))
    if name not in _MAKERS:
        raise refused("compress", name, "None, 'zlib', 'lz4', 'zstd'")
    algorithm, make = _MAKERS[name]
    try:
        return Compression(algorithm, *make(), above)
    except ImportError as error:
        raise ConfigurationError(
            f"compress={name!r} needs {error.name}, which isn't installed: "
            "pip install 'twat-cache[fast]'"
        ) from error


def _zlib() -> tuple[Shrink, Grow]:
    import zlib

    def grow(data: Bytes, most: int) -> tuple[bytes, bool]:
        stream = zlib.decompressobj()
        found = stream.decompress(data, most)
        return found, stream.eof and not stream.unused_data

    return lambda data: zlib.compress(data, 1), grow  # quick: it is done on the way of a miss


def _lz4() -> tuple[Shrink, Grow]:
    from lz4 import frame  # type: ignore[import-untyped]

    def shrink(data: bytes) -> bytes:
        small: bytes = frame.compress(data, content_checksum=True, store_size=False)
        return small

    def grow(data: Bytes, most: int) -> tuple[bytes, bool]:
        stream = frame.LZ4FrameDecompressor()
        found = stream.decompress(data, most)
        return found, stream.eof and not stream.unused_data

    return shrink, grow


def _zstd() -> tuple[Shrink, Grow]:
    import sys

    zstd: Any
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    checked = {zstd.CompressionParameter.checksum_flag: 1}

    def grow(data: Bytes, most: int) -> tuple[bytes, bool]:
        stream = zstd.ZstdDecompressor()
        found = stream.decompress(data, most)
        return found, stream.eof and not stream.unused_data

    return lambda data: zstd.compress(data, options=checked), grow


_MAKERS: dict[str, tuple[int, Callable[[], tuple[Shrink, Grow]]]] = {
    "zlib": (1, _zlib),
    "lz4": (2, _lz4),
    "zstd": (3, _zstd),
}

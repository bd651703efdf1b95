"""The record: the envelope in which a value lies in an engine.

    offset  bytes
       0      4    magic
       4      1    version of this format
       5      1    flags: 1 = the payload has a checksum, others = how it is sealed
       6      1    codec
       7      1    compression
       8      8    created         three times, in seconds since the epoch, as doubles;
      16      8    fresh until     for ever is infinity
      24      8    stale until
      32      8    seconds that it took to make the value, as a double
      40      4    checksum of the payload, or 0
      44      4    length of the tags
      48      8    length of the payload, as it lies here
      56      2    0 for a value; n for the arguments of an exception of the nth class
      58      …    tags: length of the name (2), of the token (1), name, token; then the next
       …      …    zeros, so that the payload begins at a multiple of 16
       …      4    checksum of the key and of all before
       …      …    payload, to the end

Numbers are big-endian, checksums are CRC-32: they find accidents, among them every one that hits
up to 32 bits in a row, and a record that lies under another key. Against design helps the seal
alone (see `seal`), which covers key, header and payload, and takes the place of the payload's
checksum. A reader says how a record has to be sealed; it is never asked.

Nothing that a record says is trusted. Lengths have to fit the bytes that are there, and none
decides how much memory is taken: a payload is a view of what was read.

Most records are neither sealed nor compressed. A core reads those in one go, a batch of them at a
time; `_core_py.record` is the book of that.
"""

from __future__ import annotations

from binascii import crc32
from enum import Enum
from math import isnan
from struct import Struct
from typing import NamedTuple

from ..errors import CacheValueError
from .seal import UNSEALED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..engine_types import Bytes
    from .seal import Seal

__all__ = [
    "Damage",
    "Record",
    "in_pieces",
    "pack",
    "pieces",
    "plain_beginnings",
    "unpack",
    "written_tags",
]

_MAGIC = b"\x89twc"
_VERSION = 1
_HEAD = Struct(">4s4B4d2IQH")
_CHECKSUM = Struct(">I")
_TAG = Struct(">HB")
_ALIGNED = 16
_CHECKED = 1
_ALWAYS_CHECKED = 4096  # bytes of payload; above, it costs as much as reading them
_LONGEST_TAGS = 1 << 20


class Damage(str, Enum):
    """Why a record can't be used; such a record is a miss."""

    FOREIGN = "foreign"
    """It is none of ours."""
    VERSION = "version"
    """Its format is of another version."""
    BROKEN = "broken"
    """It isn't what was written, or was written under another key."""
    SEAL = "seal"
    """It is sealed otherwise than the reader demands, or not at all."""
    TAMPERED = "tampered"
    """None of the reader's secrets made its seal."""
    CODEC = "codec"
    """It was written by another codec than the reader's."""
    COMPRESSION = "compression"
    """It is compressed otherwise than the reader expects."""
    BOMB = "bomb"
    """What is compressed in it is damaged, or larger than the reader takes."""
    VALUE = "value"
    """The codec makes no value of it."""


class Record(NamedTuple):
    """What is stored for a key.

    Attributes:
        payload: What the codec and the compression made of the value: in pieces when it is
            written, in one when it is read.
        codec: Which codec.
        compression: Which compression; 0 is none.
        created: When the value was made, in seconds since the epoch, as the others.
        fresh_until: From then on it is stale …
        stale_until: … and from then on it mustn't be used at all.
        tags: The tokens of its tags when it was made.
        took: How many seconds it took to make the value.
        raised: 0 for a value; n if it is the arguments of an exception of the reader's nth class.
    """

    payload: Bytes | Sequence[Bytes]
    codec: int
    compression: int
    created: float
    fresh_until: float
    stale_until: float
    tags: Mapping[str, bytes]
    took: float = 0.0
    raised: int = 0


def pack(record: Record, key: str, seal: Seal = UNSEALED, *, checksum: bool = False) -> bytes:
    """What `pieces` gives, in one."""
    return b"".join(pieces(record, key, seal, checksum=checksum))


def pieces(
    record: Record, key: str, seal: Seal = UNSEALED, *, checksum: bool = False
) -> Sequence[Bytes]:
    """The bytes that are stored under the key, large parts of the payload as they lie.

    Args:
        record: What to store.
        key: Under which key; it isn't part of the bytes, but they are good under no other.
        seal: Signs or encrypts.
        checksum: Whether a payload of any length has a checksum; a short one always has.

    Raises:
        CacheValueError: The tags are too long.
    """
    payload = in_pieces(record.payload)
    size = sum(memoryview(piece).nbytes for piece in payload)
    flags, check = seal.flags, 0
    if not flags and (checksum or size <= _ALWAYS_CHECKED):
        flags = _CHECKED
        for piece in payload:
            check = crc32(piece, check)
    tags = written_tags(record.tags)
    head = _HEAD.pack(
        _MAGIC,
        _VERSION,
        flags,
        record.codec,
        record.compression,
        record.created,
        record.fresh_until,
        record.stale_until,
        record.took,
        check,
        len(tags),
        size + seal.growth,
        record.raised,
    )
    name = _named(key)
    head += tags + bytes(-(len(head) + len(tags) + _CHECKSUM.size) % _ALIGNED)
    head += _CHECKSUM.pack(crc32(head, crc32(name)))
    return head, *seal.close(_context(name, head), payload)


def unpack(data: Bytes, key: str, seal: Seal = UNSEALED) -> Record | Damage:
    """The record that was stored under the key, or why there is none; never raises.

    Args:
        data: What an engine gave; the payload is a view of it, unless it was encrypted. What is
            sealed and could change after it was checked, such as a mapped file, is copied first.
        key: What it was asked for.
        seal: How the record has to be sealed.
    """
    view = memoryview(data).cast("B")
    if seal.flags and type(view.obj) is not bytes:
        data = view = memoryview(bytes(view))
    head = data if type(data) is bytes else view  # whose slices are made sooner than a view's
    length = len(head)
    if length < _HEAD.size:
        return Damage.FOREIGN
    (
        magic, version, flags, codec, compression, created, fresh, stale, took,
        check, tags_size, size, raised,
    ) = _HEAD.unpack_from(head)  # fmt: skip
    if magic != _MAGIC:
        return Damage.FOREIGN
    if version != _VERSION:
        return Damage.VERSION
    end = _HEAD.size + tags_size + _CHECKSUM.size
    end += -end % _ALIGNED
    if end + size != length:
        return Damage.BROKEN
    name = _named(key)
    bare = end - _CHECKSUM.size
    if int.from_bytes(head[bare:end], "big") != crc32(head[:bare], crc32(name)):
        return Damage.BROKEN
    tags = _read_tags(view[_HEAD.size : _HEAD.size + tags_size]) if tags_size else {}
    if tags is None or isnan(created) or isnan(fresh) or isnan(stale) or isnan(took):
        return Damage.BROKEN
    if flags & ~_CHECKED != seal.flags:
        return Damage.SEAL
    sealed = view[end:]
    if flags & _CHECKED and crc32(sealed) != check:
        return Damage.BROKEN
    if seal is UNSEALED:
        return Record(sealed, codec, compression, created, fresh, stale, tags, took, raised)
    payload = seal.open(_context(name, view[:end]), sealed)
    if payload is None:
        return Damage.TAMPERED
    return Record(payload, codec, compression, created, fresh, stale, tags, took, raised)


def plain_beginnings(codec: int) -> tuple[bytes, bytes]:
    """What records begin with that a core reads by itself: with a checksum of it, and without."""
    return (
        _MAGIC + bytes((_VERSION, _CHECKED, codec, 0)),
        _MAGIC + bytes((_VERSION, 0, codec, 0)),
    )


def in_pieces(data: Bytes | Sequence[Bytes]) -> Sequence[Bytes]:
    """The same, as a sequence also where it is one piece."""
    return [data] if isinstance(data, (bytes, bytearray, memoryview)) else data


def _named(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _context(name: bytes, head: Bytes) -> bytes:
    """What a seal covers beside the payload, so that no two records have the same."""
    return b"".join((_CHECKSUM.pack(len(name)), name, head))


def written_tags(tags: Mapping[str, bytes]) -> bytes:
    """The tags as they stand in a record.

    Raises:
        CacheValueError: They are too long.
    """
    pieces = []
    for tag, token in tags.items():
        name = _named(tag)
        if len(name) > 0xFFFF or len(token) > 0xFF:
            raise CacheValueError("a tag is longer than 65,535 bytes, or its token than 255")
        pieces += [_TAG.pack(len(name), len(token)), name, token]
    written = b"".join(pieces)
    if len(written) > _LONGEST_TAGS:
        raise CacheValueError(f"{len(tags)} tags of one value are more than a record can hold")
    return written


def _read_tags(data: memoryview) -> dict[str, bytes] | None:
    """The tags, or None if these aren't any."""
    tags: dict[str, bytes] = {}
    start = 0
    while start < len(data):
        if len(data) - start < _TAG.size:
            return None
        long, wide = _TAG.unpack_from(data, start)
        middle = start + _TAG.size + long
        start = middle + wide
        if start > len(data):
            return None
        try:
            name = str(data[middle - long : middle], "utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None
        tags[name] = bytes(data[middle:start])
    return tags

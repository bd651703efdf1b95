"""Reading records of the simplest kind, which are what most hits of an engine consist of.

`codecs.record` tells what a record is. This reads those that are neither sealed nor compressed, and
have just the tags that the reader knows (mostly none), in one go: all offsets are known then.

    offset  bytes
       0      8    the beginning: one of two, which the reader gives; the first says that the
                   payload has a checksum, the second that it has none
       8      8    created         as doubles, none of which may be no number
      16      8    fresh until     the reader's time has to be before it
      24      8    stale until
      32      8    took
      40      4    checksum of the payload
      44      4    length of the tags
      48      8    length of the payload
      56      2    0
      58      …    the tags, as the reader gives them
       …      …    up to four bytes before a multiple of 16
       …      4    checksum of the key and of all before
       …      …    payload, to the end

What is read is anybody's: bytes of any length, with anything in them. It is a payload only if all
of this holds; whatever else it is, somebody else has to look at it more closely.
"""

from __future__ import annotations

from binascii import crc32
from functools import lru_cache
from math import isnan
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["plain_payload", "plain_values"]

_CHECKSUM = 4
_SHORT = 4096  # bytes: what is short is sooner copied than viewed


@lru_cache
def _layout(tags_size: int) -> Struct:
    """All that is before the payload in a record with tags of so many bytes."""
    padding = -(58 + tags_size + _CHECKSUM) % 16
    return Struct(f">8s4d2IQH{tags_size}s{padding}xI")


_UNTAGGED = _layout(0)


def plain_payload(
    data: Any, key: str, beginnings: tuple[bytes, bytes], now: float, tags: bytes = b""
) -> bytes | memoryview | None:
    """The payload, if these are the bytes of a plain record of that key, sound and fresh.

    Args:
        data: What an engine gave; nothing but `bytes` is looked at.
        key: What it was asked for.
        beginnings: The first eight bytes of a record with a checksum of its payload, and without.
        now: The time, in seconds since the epoch.
        tags: The tags that it has to have, as they stand in a record.
    """
    layout = _layout(len(tags)) if tags else _UNTAGGED
    start = layout.size
    if type(data) is not bytes or len(data) < start:
        return None
    (
        beginning, created, fresh, stale, took, check, tags_size, size, raised, found, head_check,
    ) = layout.unpack_from(data)  # fmt: skip
    if beginning not in beginnings or size + start != len(data):
        return None
    if tags_size != len(tags) or found != tags or raised:
        return None
    if not now < fresh or isnan(created + stale + took):
        return None
    name = crc32(str.encode(key, "utf-8", "surrogatepass"))
    if crc32(data[: start - _CHECKSUM], name) != head_check:
        return None
    payload = (data if len(data) <= _SHORT else memoryview(data))[start:]
    if beginning == beginnings[0] and crc32(payload) != check:
        return None
    return payload


def plain_values(
    names: Iterable[str],
    keys: Iterable[str],
    data: Iterable[Any],
    beginnings: tuple[bytes, bytes],
    now: float,
    tags: bytes,
    decode: Callable[[Any], Any],
) -> tuple[dict[str, Any], list[int]]:
    """The values of plain records, by name; and the indices of what is there besides.

    Args:
        names: What the keys are to be called.
        keys: What the engine was asked for.
        data: What it gave for each; None is nothing.
        beginnings: As for `plain_payload`.
        now: As for `plain_payload`.
        tags: As for `plain_payload`.
        decode: Makes a value of a payload; if it raises, there is something besides.

    Raises:
        ValueError: These aren't equally many.
    """
    names, keys, data = tuple(names), tuple(keys), tuple(data)  # whatever `decode` does to them
    if not len(names) == len(keys) == len(data):
        raise ValueError(f"{len(names)} names, {len(keys)} keys, {len(data)} data")
    found, others = {}, []
    for at, (name, key, one) in enumerate(zip(names, keys, data)):  # noqa: B905 - so they are
        if one is None:
            continue
        payload = plain_payload(one, key, beginnings, now, tags)
        try:
            if payload is not None:
                found[name] = decode(payload)
                continue
        except Exception:  # noqa: S110 - whoever looks more closely tells what is wrong
            pass
        others.append(at)
    return found, others

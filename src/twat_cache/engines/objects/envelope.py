"""What lies in the store: an object for each key, with its name, and its deadline and key in front.

    name       16 hex digits . key in base64       a key of up to 150 bytes
               64 hex digits                       a longer one
    content    "twc1" | deadline | length of the key | key | value

The digits are BLAKE2b of the key: names that begin at random spread over what a store splits its
load by. All names lie flat under one prefix. A short key can be read from its name, so that a scan
only asks for objects whose keys begin as they should; it has to ask them for their deadlines, which
no listing gives. For longer keys names have no room: many servers keep objects in files.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2b
from re import compile as pattern
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...engine_types import Bytes

__all__ = ["HEAD", "head_of", "key_in", "key_of", "length_of", "name_of", "sealed"]

_HEAD = Struct("<4sdI")
_MARK = b"twc1"
_SHORT = 150  # bytes
_NAME = pattern(r"[0-9a-f]{16}\.[\w-]*|[0-9a-f]{64}")

HEAD = _HEAD.size
"""Bytes before the key."""


def name_of(key: str) -> str:
    """The object's name, below the prefix."""
    data = encoded(key)
    if len(data) > _SHORT:
        return blake2b(data, digest_size=32).hexdigest()
    digits = blake2b(data, digest_size=8).hexdigest()
    return f"{digits}.{urlsafe_b64encode(data).rstrip(b'=').decode('ascii')}"


def key_of(name: str) -> str | None:
    """The key that a name holds; None where it stands in the object alone.

    Raises:
        ValueError: It isn't the name of an object of ours.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(name)
    _, dot, text = name.partition(".")
    if not dot:
        return None
    try:
        key = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "surrogatepass")
    except Error as error:
        raise ValueError(name) from error
    if name_of(key) != name:
        raise ValueError(name)
    return key


def sealed(key: str, value: Bytes, deadline: float) -> bytes:
    """The content of the object."""
    data = encoded(key)
    return b"".join((_HEAD.pack(_MARK, deadline, len(data)), data, value))


def length_of(key: str) -> int:
    """How many bytes stand before the value."""
    return HEAD + len(encoded(key))


def head_of(content: memoryview) -> tuple[float, int] | None:
    """The deadline and the length of the key; None if the content isn't ours."""
    if len(content) < HEAD:
        return None
    mark, deadline, length = _HEAD.unpack_from(content)
    return (deadline, length) if mark == _MARK else None


def key_in(content: memoryview, length: int) -> str:
    """The key of that length in a content."""
    return bytes(content[HEAD : HEAD + length]).decode("utf-8", "surrogatepass")


def encoded(key: str) -> bytes:
    """The key as bytes."""
    return key.encode("utf-8", "surrogatepass")

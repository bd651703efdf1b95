"""What the methods of the engine send to a Redis, and how they read what comes back.

Each is a generator that yields what to send and is given the replies, so that it is written once
for those who block and those who await. It yields commands, all of which go out at once, and the
node that they are for; None: each goes where its key is.

On one server many keys go in one command, on a cluster each in its own, since those of one command
would have to be in one slot.
"""

from __future__ import annotations

from collections.abc import Generator
from hashlib import sha1
from math import ceil, inf
from typing import Any, TypeAlias, TypeVar

from redis.exceptions import NoScriptError

from .failures import checked, says

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine_types import Bytes
    from ..network import Node

__all__ = ["NODES", "Command", "Request", "Steps", "key_of"]

T = TypeVar("T")
Command: TypeAlias = "tuple[Bytes, ...]"
Request: TypeAlias = "tuple[Sequence[Command], Node | None]"
Steps: TypeAlias = Generator[Request, list[Any], T]

NODES: Request = ((), None)
"""Asks for the nodes that hold the keys between them; None stands for a place that is only one."""

_TOGETHER = 1_000  # keys in one command: the server serves nobody else meanwhile
_PAGE = b"1000"
_BATCH = 64 << 20  # bytes in one command; a server cuts off who sends it 1 GB at once
_LARGEST = 512 << 20  # bytes in a value
_LONGEST = 1 << 50  # milliseconds, which are 35,000 years

_SWAP = b"""\
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if found ~= ARGV[2] then return 0 end
elseif found then
  return 0
end
if ARGV[3] == '' then
  redis.call('DEL', KEYS[1])
elseif ARGV[3] == '0' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
end
return 1
"""
_SWAP_NAME = sha1(_SWAP, usedforsecurity=False).hexdigest().encode()
_SCRIPTS = (b"EVALSHA", b"EVAL")


def named(key: str) -> bytes:
    """A key as the server knows it; half surrogates too."""
    return key.encode("utf-8", "surrogatepass")


def _names(keys: Sequence[str]) -> list[bytes]:
    try:
        return [key.encode() for key in keys]  # in half of the time
    except UnicodeEncodeError:
        return [named(key) for key in keys]


def key_of(command: Command) -> bytes:
    """The one that tells where a command goes."""
    return command[3 if command[0] in _SCRIPTS else 1]  # type: ignore[return-value]


def get(keys: Sequence[str], whole: bool) -> Steps[list[bytes | memoryview | None]]:
    """The values."""
    names = _names(keys)
    if not whole or len(names) == 1:
        replies = yield [(b"GET", name) for name in names], None
        # MGET, too, takes what is no text, and so isn't ours, for nothing
        return checked([None if says(reply, "WRONGTYPE") else reply for reply in replies])
    found: list[bytes | memoryview | None] = []
    for values in checked((yield _together(b"MGET", names), None)):
        found += values
    return found


def put(items: Mapping[str, Bytes], ttl: float | None, whole: bool) -> Steps[None]:
    """Stores the values; in place of one that is too large there is none."""
    milliseconds = _milliseconds(ttl)
    if milliseconds == 0:
        yield from drop(list(items), whole)
        return
    ending = () if milliseconds is None else (b"PX", b"%d" % milliseconds)
    size = sum(map(len, items.values()))
    commands: list[Command]
    if whole and not ending and 1 < len(items) <= _TOGETHER and size < _BATCH:
        parts: list[Bytes] = [b"MSET"]
        for key, value in items.items():
            parts += (named(key), _plain(value))
        commands = [tuple(parts)]
    else:
        commands = [
            (b"SET", named(key), _plain(value), *ending)
            if size < _LARGEST or len(value) <= _LARGEST
            else (b"UNLINK", named(key))
            for key, value in items.items()
        ]
    checked((yield commands, None))


def add(key: str, value: Bytes, ttl: float | None) -> Steps[bool]:
    """Stores the value if there is none."""
    milliseconds = _milliseconds(ttl)
    if milliseconds == 0 or len(value) > _LARGEST:
        return False
    ending = () if milliseconds is None else (b"PX", b"%d" % milliseconds)
    (reply,) = checked((yield [(b"SET", named(key), _plain(value), b"NX", *ending)], None))
    return reply is not None


def drop(keys: Sequence[str], whole: bool) -> Steps[int]:
    """Forgets the keys; their memory is freed in the background."""
    names = _names(keys)
    commands = _together(b"UNLINK", names) if whole else [(b"UNLINK", name) for name in names]
    return sum(checked((yield commands, None)))


def swap(key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None) -> Steps[bool]:
    """Stores the value, or forgets the key, if what is expected is there."""
    milliseconds = _milliseconds(ttl)
    forgets = value is None or milliseconds == 0
    ending = b"" if forgets else b"%d" % (milliseconds or 0)
    asked = (b"0", b"") if expected is None else (b"1", _plain(expected))
    stored = b"" if value is None else _plain(value)
    command = (b"EVALSHA", _SWAP_NAME, b"1", named(key), *asked, ending, stored)
    (reply,) = yield [command], None
    if isinstance(reply, NoScriptError):
        (reply,) = yield [(b"EVAL", _SWAP, *command[2:])], None
    return bool(checked([reply])[0])


def touch(keys: Sequence[str], ttl: float | None) -> Steps[int]:
    """Gives the entries a new time."""
    milliseconds = _milliseconds(ttl)
    names = [named(key) for key in dict.fromkeys(keys)]
    if milliseconds is not None:
        commands: list[Command] = [(b"PEXPIRE", name, b"%d" % milliseconds) for name in names]
        return sum(checked((yield commands, None)))
    commands = [command for name in names for command in ((b"PERSIST", name), (b"EXISTS", name))]
    return sum(checked((yield commands, None))[1::2])


def left(keys: Sequence[str]) -> Steps[list[float | None]]:
    """The seconds that the entries still have."""
    replies = checked((yield [(b"PTTL", named(key)) for key in keys], None))
    return [inf if reply == -1 else reply / 1000 if reply > 0 else None for reply in replies]


def nodes() -> Steps[list[Node | None]]:
    """The nodes to be scanned, one after the other."""
    return (yield NODES)


def page(node: Node | None, cursor: bytes, prefix: str) -> Steps[tuple[bytes, list[bytes]]]:
    """Some of the keys of a node, and the cursor for more, which is b"0" at the end."""
    command = (b"SCAN", cursor, b"MATCH", _pattern(prefix), b"COUNT", _PAGE)
    ((after, found),) = checked((yield [command], node))
    return after, found


def fresh(found: list[bytes], seen: set[bytes]) -> list[str]:
    """The keys of a page that were on none before; those that no engine can have put are left."""
    keys = []
    for name in found:
        if name not in seen:
            seen.add(name)
            try:
                keys.append(name.decode("utf-8", "surrogatepass"))
            except UnicodeDecodeError:
                pass
    return keys


def ping() -> Steps[None]:
    """Asks every node whether it can serve."""
    for node in (yield NODES):
        checked((yield [(b"PING",)], node))


def _together(name: bytes, keys: Sequence[bytes]) -> list[Command]:
    return [(name, *keys[at : at + _TOGETHER]) for at in range(0, len(keys), _TOGETHER)]


def _plain(value: Bytes) -> bytes:
    return value if type(value) is bytes else bytes(value)


def _milliseconds(ttl: float | None) -> int | None:
    """How long to keep a value; None for ever, 0 not at all."""
    if ttl is None:
        return None
    if not ttl > 0:
        return 0
    return ceil(ttl * 1000) if ttl * 1000 < _LONGEST else None


def _pattern(prefix: str) -> bytes:
    """What matches all that begins so, each character standing for itself."""
    escaped = "".join("\\" + c if c in "*?[]\\" else c for c in prefix)
    return named(escaped) + b"*"

"""What memcached answers to `get`, read as it comes.

pymemcache looks at each key and line several times, which takes longer than the system does to send
and receive them. Where an engine can't list its keys each hit brings tokens along, so it counts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    Receive = Callable[[], bytes]
    """Gives the next bytes that come, one at least; it raises if none do."""

__all__ = ["all_values", "values"]

_LONGEST_LINE = 2048
_SHORT = 4096
_END = [b"END", b""]


def all_values(data: bytes, names: Sequence[bytes]) -> list[bytes] | None:
    """The values in the order of their names, of a short answer that has come and has them all.

    That is what a hit gets, and this takes half of the time of `values`. None may be anything else.
    """
    if len(data) > _SHORT:
        return None
    lines = data.split(b"\r\n")
    found = lines[1:-2:2]
    if len(lines) != 2 * len(names) + 2 or lines[-2:] != _END:
        return None
    for name, line, value in zip(names, lines[::2], found):  # noqa: B905 - one line is left
        if line != b"VALUE %b 0 %d" % (name, len(value)):  # or it ends where another value goes on
            return None
    return found


def values(
    data: bytes, receive: Receive, refuse: Callable[[bytes], NoReturn]
) -> dict[bytes, bytes]:
    """The values by their names, of those that are there.

    Args:
        data: What has come of the answer.
        receive: Where the rest comes from, and nothing behind it.
        refuse: Raises the error that a line tells of, or that it tells of nothing known.
    """
    found: dict[bytes, bytes] = {}
    start = 0
    while True:
        end = data.find(b"\r\n", start)
        if end < 0:
            if len(data) - start > _LONGEST_LINE:
                refuse(data[start:])
            data, start = data[start:] + receive(), 0
            continue
        line, start = data[start:end], end + 2
        if line == b"END" and start == len(data):
            return found
        try:
            kind, name, _, size = line.split(b" ")
            end = start + int(size)
        except ValueError:
            refuse(line)
        if kind != b"VALUE" or end < start:
            refuse(line)
        if end + 2 <= len(data):
            found[name], start = data[start:end], end + 2
        else:
            found[name], data = _in_parts(receive, data[start:], end - start)
            start = 0


def _in_parts(receive: Receive, part: bytes, size: int) -> tuple[bytes, bytes]:
    """A value of which the first part has come, and what follows its line."""
    parts = []
    while len(part) < size:
        parts.append(part)
        size -= len(part)
        part = receive()
    parts.append(part[:size])
    rest = part[size:]
    while len(rest) < 2:
        rest += receive()
    return b"".join(parts), rest[2:]

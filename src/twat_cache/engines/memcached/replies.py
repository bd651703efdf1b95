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

__all__ = ["known_values", "remember", "values"]

_LONGEST_LINE = 2048
_END = b"\r\nEND\r\n"
_FEW = 3  # values that are remembered for some names
_SHORT = 64  # bytes of such a value
_MOST_TAILS = 1_000
_tails: dict[tuple[bytes, ...], tuple[bytes, list[bytes]]] = {}
"""How answers ended from the first value's end on, by the names of the others; and these."""
_LONE: tuple[bytes, list[bytes]] = _END, []


def known_values(data: bytes, names: Sequence[bytes]) -> list[bytes] | None:
    """The values in the order of their names, if all but the first are those of the last time.

    So it is with hits: what comes along are the tokens of their groups. Nothing is believed that
    this answer doesn't say again; but it is found by one look, and `values` takes five times as
    long. None may be anything else, and whatever has come of it.
    """
    others = names[1:]
    last = _tails.get(tuple(others)) if others else _LONE
    if last is None:
        return None
    tail, known = last
    if not data.endswith(tail):
        return None
    start = data.find(b"\r\n") + 2
    size = len(data) - len(tail) - start
    if size < 0 or not data.startswith(b"VALUE %b 0 %d\r\n" % (names[0], size)):
        return None
    return [data[start : start + size], *known]


def remember(names: Sequence[bytes], found: Sequence[bytes | None]) -> None:
    """Lets `known_values` know what was found, if it is but a few short values."""
    known = [value for value in found[1:] if value is not None and len(value) <= _SHORT]
    others = tuple(names[1:])
    if not 0 < len(others) == len(known) <= _FEW:
        return
    if len(_tails) >= _MOST_TAILS:
        _tails.clear()
    lines = [
        b"\r\nVALUE %b 0 %d\r\n%b" % (name, len(value), value)
        for name, value in zip(others, known, strict=True)
    ]
    _tails[others] = b"".join((*lines, _END)), known


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

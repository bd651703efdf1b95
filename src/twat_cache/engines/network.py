"""URLs of servers: who, where and how, read without ever telling who.

    scheme://[user:password@]host[:port][,host[:port]…][/path][?option=value…]

No message from here shows any part of what could be a user or a password, nor of a URL that is
read wrongly because one of them holds a character that had to be percent-encoded.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from operator import index
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

from ..errors import ConfigurationError, refused
from .address import options_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "POOL_SIZE", "TIMEOUT", "Address", "Node", "address_of", "in_time", "is_name", "look_up",
    "patience", "pool_bound",
]  # fmt: skip

T = TypeVar("T")

TIMEOUT = 0.24
"""Seconds that one operation may take, if nothing else is said.

A call that meets a silent server so loses less than a quarter of a second, all told.
"""

POOL_SIZE = 32
"""Connections that an engine keeps to one server at most, if nothing else is said."""


class Node(NamedTuple):
    """A host and a port, shown as `host:port`."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Address:
    """What a URL says; its repr hides the user and the password."""

    __slots__ = ("nodes", "options", "password", "path", "scheme", "user")

    def __init__(
        self,
        scheme: str,
        nodes: tuple[Node, ...],
        path: str,
        options: dict[str, Any],
        user: str | None,
        password: str | None,
    ) -> None:
        self.scheme = scheme
        self.nodes = nodes
        self.path = path
        self.options = options
        self.user = user
        self.password = password

    def __repr__(self) -> str:
        return f"Address({self.scheme}://{','.join(map(str, self.nodes))}/{self.path})"


def address_of(url: str, known: frozenset[str], port: int) -> Address:
    """Reads a URL.

    Args:
        url: As above; a host that is left out is `localhost`.
        known: The options that it may have.
        port: That of hosts which name none.

    Raises:
        ConfigurationError: It can't be read, or has an option that isn't known.
    """
    scheme, _, rest = url.partition(":")
    before, _, query = rest.partition("?")
    if not before.startswith("//"):
        raise _unreadable(scheme, "it doesn't begin with scheme://host")
    authority, _, path = before[2:].partition("/")
    if "@" in path or "@" in query or "#" in before:
        raise _unreadable(
            scheme, "characters such as / ? # @ in a user or password must be percent-encoded"
        )
    options = options_of(url, known)
    who, _, hosts = authority.rpartition("@")
    user, colon, password = who.partition(":")
    nodes = tuple(_node(scheme, host, port) for host in hosts.split(","))
    return Address(
        scheme,
        nodes,
        unquote(path),
        options,
        unquote(user) if user else None,
        unquote(password) if colon else None,
    )


def patience(timeout: float | str) -> float:
    """The option `timeout`, as a number or as the text that a URL holds: seconds above 0."""
    try:
        number = float(timeout)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 < number < 1e6:
        raise refused("timeout", timeout, "seconds, above 0")
    return number


def pool_bound(pool_size: int | str) -> int:
    """The option `pool_size`, as a number or as the text that a URL holds: 1 or more."""
    try:
        number = int(pool_size) if isinstance(pool_size, str) else index(pool_size)
    except (TypeError, ValueError):
        number = 0
    if isinstance(pool_size, bool) or number < 1:
        raise refused("pool_size", pool_size, "an int from 1 on")
    return number


def is_name(host: str) -> bool:
    """Whether a host has to be looked up."""
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def look_up(host: str, port: int | str) -> list[str]:
    """The addresses of a host; blocks for as long as the resolver likes."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def in_time(work: Callable[[], T], seconds: float, undo: Callable[[T], object] | None = None) -> T:
    """What the work comes to, which a thread of its own does.

    It is for what can't be told to hurry, such as the system's resolver.

    Args:
        work: What blocks.
        seconds: How long to wait for it.
        undo: What is done with an outcome that comes later, if anything.

    Raises:
        TimeoutError: It isn't done in time.
    """
    outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    wanted = [True]  # taken by who is quicker: who does it, or who waits no longer

    def errand() -> None:
        found, failure = None, None
        try:
            found = work()
        except BaseException as error:
            failure = error
        try:
            wanted.pop()
        except IndexError:
            if failure is None and undo is not None:
                undo(found)  # type: ignore[arg-type]
        else:
            outcome.put((found, failure))

    try:
        Thread(target=errand, name="twat_cache-connecting", daemon=True).start()
    except RuntimeError:  # the interpreter ends
        return work()
    try:
        found, failure = outcome.get(timeout=max(0.0, seconds))
    except Empty:
        try:
            wanted.pop()
        except IndexError:  # it is done at this very moment
            found, failure = outcome.get()
        else:
            raise TimeoutError from None
    if failure is not None:
        raise failure
    return found  # type: ignore[no-any-return]


def _node(scheme: str, text: str, port: int) -> Node:
    host, colon, after = text.partition(":")
    if text.startswith("["):  # IPv6
        host, bracket, after = text[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise _unreadable(scheme, "a host in brackets isn't closed")
        colon, after = after[:1], after[1:]
    if not colon:
        return Node(unquote(host) or "localhost", port)
    if not (after.isascii() and after.isdecimal() and 0 < int(after) < 65536):
        raise _unreadable(scheme, "a port isn't a number from 1 to 65535")
    return Node(unquote(host) or "localhost", int(after))


def _unreadable(scheme: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"the {scheme} URL can't be read: {why}")

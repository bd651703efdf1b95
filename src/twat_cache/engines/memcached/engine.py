"""The engine on one memcached server or several.

Each key has its server, by rendezvous hashing: the server whose digest of the key is the highest.
A server that is added takes over its own share, and no other key changes its place. While one of
several is away its keys aren't there, and what is put for them isn't kept: if another server kept
them meanwhile, old values would be found when the first is back.
"""

from __future__ import annotations

import logging
import re
import ssl
import time
from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, Any

from ...engine_types import Bytes, Capabilities, Clock
from ...errors import (
    ConfigurationError,
    EngineClosedError,
    EngineConnectionError,
    EngineError,
    EngineTimeoutError,
)
from ..address import flag
from ..forks import ForkSafeLock
from ..network import POOL_SIZE, TIMEOUT, address_of, patience, pool_bound
from .connection import Connection
from .server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["MemcachedEngine"]

_PORT = 11211
_LONGEST = 250  # bytes of a name
_is_name = re.compile(rf"[!\"$-~][!-~]{{0,{_LONGEST - 1}}}").fullmatch  # no "#": see `_name`
_MOST_DIGESTED = 1_000
_digested: dict[str, bytes] = {}
"""Those that were made lately: names of tokens are among them, which each hit needs."""
_RELATIVE = 60 * 60 * 24 * 30  # a server takes more seconds than this for a date
_LAST = (1 << 31) - 1
_GONE = b"-1"
_REST = 1.0
_TRIES = 100

_log = logging.getLogger("twat_cache")


class MemcachedEngine:
    """Keeps bytes in memcached, `memcached://host:11211` or `memcached://one,two:11212`.

    A call goes to each server it needs once, whatever number of keys it has there. Values that a
    server has no room for, as those over 1 MB where nothing else was set, are left out and counted.

    Args:
        servers: `"host:port"` or `"host"`, one or a list of them.
        user: For servers that want to know; with a password.
        password: Shown nowhere.
        tls: Whether to encrypt: True trusts what the system trusts; or a context.
        timeout: Seconds that a call may take, for each server.
        pool_size: How many connections there may be to each server.
        clock: The wall-clock time in seconds, for times to live above 30 days.
    """

    capabilities = Capabilities(scan=False, swap=True, touch=True, shared=True, remote=True)

    def __init__(
        self,
        servers: str | Sequence[str] = "localhost",
        *,
        user: str | None = None,
        password: str | None = None,
        tls: bool | str | ssl.SSLContext = False,
        timeout: float | str = TIMEOUT,
        pool_size: int | str = POOL_SIZE,
        clock: Clock = time.time,
    ) -> None:
        self._clock = clock
        self._closed = False
        self._lock = ForkSafeLock()
        self.skipped = 0
        """How many values were left out since a server had no room for them."""
        listed = servers if isinstance(servers, str) else ",".join(servers)
        nodes = address_of(f"memcached://{listed}", frozenset(), _PORT).nodes
        if len(set(nodes)) < len(nodes):
            raise ConfigurationError(f"memcached takes each server once, not {listed}")
        self._servers = [
            Server(
                node,
                login=_login(user, password),
                tls=_context(tls),
                timeout=patience(timeout),
                pool_size=pool_bound(pool_size),
                rest=_REST if len(nodes) > 1 else 0.0,
            )
            for node in nodes
        ]
        self._only = self._servers[0] if len(nodes) == 1 else None
        self._salted = [
            (server, blake2b(f"{server.node}\0".encode(), digest_size=8))
            for server in self._servers
        ]

    @classmethod
    def from_url(cls, url: str, **options: Any) -> MemcachedEngine:
        """The engine at `memcached://[user:password@]host[:port][,host[:port]…]`.

        Args:
            url: `timeout`, `pool_size` and `tls` may stand in it, as in `?timeout=0.1&tls=1`.
            options: Those of the class; they go before those in the URL.
        """
        address = address_of(url, frozenset({"timeout", "pool_size", "tls"}), _PORT)
        if address.path:
            raise ConfigurationError("memcached has no databases: nothing follows the servers")
        who = {"user": address.user, "password": address.password}
        return cls([str(node) for node in address.nodes], **{**who, **address.options, **options})

    def __repr__(self) -> str:
        return f"<MemcachedEngine {','.join(str(server.node) for server in self._servers)}>"

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values; None for those of a server that is away, if others are there."""
        names = [_digested.get(key) or _name(key) for key in keys]
        if self._only is not None and names and not self._closed:
            return self._only.call(Connection.fetch, names)
        found: dict[bytes, Any] = {}
        for server, its in self._grouped(dict.fromkeys(names)):
            try:
                found.update(zip(its, server.call(Connection.fetch, its), strict=True))
            except (EngineConnectionError, EngineTimeoutError):
                if not self._others_serve(server):
                    raise
        return [found.get(name) for name in names]

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; those a server has no room for are forgotten, and counted."""
        if ttl is not None and not ttl > 0:
            self.drop(list(items))
            return
        exptime = self._exptime(ttl)
        values = {_name(key): value for key, value in items.items()}

        def store(server: Server, names: list[bytes]) -> None:
            server.call(self._store_all, server, {name: values[name] for name in names}, exptime)

        self._change(values, store)

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        name = _name(key)
        server = self._serving(name)
        if ttl is not None and not ttl > 0:
            return False
        return server.call(self._store, server, b"add", name, value, self._exptime(ttl)) is True

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there."""
        commands = {name: b"delete %b\r\n" % name for name in map(_name, keys)}
        answers: list[bytes] = []

        def delete(server: Server, names: list[bytes]) -> None:
            lines = [commands[name] for name in names]
            answers.extend(server.call(Connection.pipeline, b"delete", lines))

        self._change(commands, delete)
        return answers.count(b"DELETED")

    def scan(self, prefix: str) -> Iterator[str]:  # noqa: ARG002
        """Raises an error, since memcached can't list its keys."""
        self._check()
        raise EngineError("memcached can't list its keys; remember them elsewhere, or use tags")

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there."""
        name = _name(key)
        server = self._serving(name)
        if value is None or (ttl is not None and not ttl > 0):
            value, exptime = b"", _GONE
        else:
            exptime = self._exptime(ttl)
        return server.call(self._swap, server, name, expected, value, exptime)

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now; tells how many of them were there."""
        if ttl is not None and not ttl > 0:
            return self.drop(keys)
        exptime = self._exptime(ttl)
        answers: list[bytes] = []
        for server, names in self._grouped(dict.fromkeys(map(_name, keys))):
            commands = [b"touch %b %b\r\n" % (name, exptime) for name in names]
            answers += server.call(Connection.pipeline, b"touch", commands)
        return answers.count(b"TOUCHED")

    def close(self) -> None:
        """Closes the connections; those in use, when their calls end."""
        self._closed = True
        for server in self._servers:
            server.close()

    def ping(self) -> None:
        """Asks all servers; one of several may be away."""
        self._check()
        for server in self._servers:
            try:
                server.call(Connection.version)
            except (EngineConnectionError, EngineTimeoutError):
                if not self._others_serve(server):
                    raise

    def _check(self) -> None:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")

    def _serving(self, name: bytes) -> Server:
        """The server of a name."""
        self._check()
        return self._only or self._of(name)

    def _of(self, name: bytes) -> Server:
        best, highest = self._servers[0], b""
        for server, salt in self._salted:
            score = salt.copy()
            score.update(name)
            if (digest := score.digest()) > highest:
                best, highest = server, digest
        return best

    def _grouped(self, names: Mapping[bytes, Any]) -> list[tuple[Server, list[bytes]]]:
        """The servers that have the names, with theirs."""
        self._check()
        if not names:
            return []
        if self._only is not None:
            return [(self._only, list(names))]
        groups: dict[Server, list[bytes]] = {}
        for name in names:
            groups.setdefault(self._of(name), []).append(name)
        return list(groups.items())

    def _change(
        self, names: Mapping[bytes, Any], work: Callable[[Server, list[bytes]], None]
    ) -> None:
        """Works on each server; one that is away while others serve will forget its names."""
        failure: EngineError | None = None
        for server, its in self._grouped(names):
            try:
                work(server, its)
            except (EngineConnectionError, EngineTimeoutError) as error:
                if not (self._others_serve(server) and server.owe(its)):
                    failure = error
            except EngineError as error:
                failure = error
        if failure is not None:
            raise failure

    def _others_serve(self, server: Server) -> bool:
        return any(not other.rests for other in self._servers if other is not server)

    def _exptime(self, ttl: float | None) -> bytes:
        """Whole seconds, or a date if they are more than 30 days; 0 is for ever."""
        if ttl is None:
            return b"0"
        if ttl > _RELATIVE:
            ttl += self._clock()
        return b"%d" % ceil(ttl) if ttl < _LAST else b"0"

    def _store_all(
        self, connection: Connection, server: Server, values: dict[bytes, Bytes], exptime: bytes
    ) -> None:
        """Sets what the server has room for, and forgets the others."""
        fitting = {name: v for name, v in values.items() if not _too_large(server, v)}
        left_out = [name for name in values if name not in fitting]
        commands = [_command(b"set", name, value, exptime) for name, value in fitting.items()]
        answers = connection.pipeline(b"set", commands)
        for name, answer in zip(fitting, answers, strict=True):
            if not _stored(answer):
                left_out.append(name)
        if left_out:
            connection.pipeline(b"delete", [b"delete %b\r\n" % name for name in left_out])
            for name in left_out:
                self._skip(server, len(values[name]))

    def _store(
        self,
        connection: Connection,
        server: Server,
        command: bytes,
        name: bytes,
        value: Bytes,
        exptime: bytes,
        cas: bytes = b"",
    ) -> bool | None:
        """Whether it was stored; None if the server has no room for it."""
        if not _too_large(server, value):
            line = _command(command, name, value, exptime, cas)
            (answer,) = connection.pipeline(command, [line])
            if not answer.startswith(b"SERVER_ERROR") or _stored(answer):
                return answer == b"STORED"
        self._skip(server, len(value))
        return None

    def _swap(
        self,
        connection: Connection,
        server: Server,
        name: bytes,
        expected: Bytes | None,
        value: Bytes,
        exptime: bytes,
    ) -> bool:
        """Compares and stores; what was put in between may be the same bytes again."""
        for _ in range(_TRIES):
            connection.bound()
            there, cas = connection.gets(name)
            if there != expected:
                return False
            if there is None and exptime == _GONE:
                return True
            if there is None:
                done = self._store(connection, server, b"add", name, value, exptime)
            else:
                done = self._store(connection, server, b"cas", name, value, exptime, b" " + cas)
            if done is None and there is not None:
                self._store(connection, server, b"cas", name, b"", _GONE, b" " + cas)
            if done is not False:
                return bool(done)
        return False

    def _skip(self, server: Server, length: int) -> None:
        with self._lock:
            self.skipped += 1
            first = self.skipped == 1
        if first:
            _log.warning(
                "the memcached at %s has no room for a value of %d bytes, so it isn't cached;"
                " let it take larger ones by its option -I. Further ones are only counted",
                server.node,
                length,
            )


def _command(command: bytes, name: bytes, value: Bytes, exptime: bytes, cas: bytes = b"") -> bytes:
    head = b"%b %b 0 %b %d%b\r\n" % (command, name, exptime, len(value), cas)
    return b"".join((head, value, b"\r\n"))


def _too_large(server: Server, value: Bytes) -> bool:
    return len(value) >= (server.limit or len(value) + 1)


def _stored(answer: bytes) -> bool:
    """Whether it is there now; False if the server has no room for it.

    Raises:
        EngineError: It said something else.
    """
    if answer == b"STORED":
        return True
    if answer.startswith(b"SERVER_ERROR") and (b"too large" in answer or b"memory" in answer):
        return False
    raise EngineError(f"memcached couldn't store: {answer.decode('ascii', 'replace')}")


def _name(key: str) -> bytes:
    """The key as memcached takes it: as it is, or its digest, which no other key is."""
    if _is_name(key):
        return key.encode("ascii")
    if (known := _digested.get(key)) is not None:
        return known
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
    name = b"#" + digest.encode("ascii")
    if len(key) <= _LONGEST:
        if len(_digested) >= _MOST_DIGESTED:
            _digested.clear()
        _digested[key] = name
    return name


def _login(user: str | None, password: str | None) -> str | None:
    if user is None and password is None:
        return None
    if not user or not password or " " in user + password:
        raise ConfigurationError("memcached takes a user and a password, both without spaces")
    return f"{user} {password}"


def _context(tls: bool | str | ssl.SSLContext) -> ssl.SSLContext | None:
    if isinstance(tls, ssl.SSLContext):
        return tls
    return ssl.create_default_context() if flag("tls", tls) else None

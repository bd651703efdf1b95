"""Where a Redis is, and how one talks to it: read from a URL, or from a client that exists.

    redis://[user:password@]host[:port][/db]             rediss://…, valkey://…, valkeys://…
    redis+unix:///path/of/the.sock[?db=0]
    redis+sentinel://[user:password@]h1:p1,h2:p2/service_name[/db]       rediss+sentinel://…
    redis+cluster://[user:password@]h1:p1,h2:p2                          rediss+cluster://…

What differs between the versions 5 to 8 of the library is said here and never left to it: the
protocol (2, since 3 costs one more trip and brings nothing here), the time-outs, and that nothing
is tried again.
"""

from __future__ import annotations

import socket
from inspect import signature
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors import ConfigurationError, refused
from ..address import flag
from ..network import (
    POOL_SIZE,
    TIMEOUT,
    Node,
    address_of,
    in_time,
    is_name,
    patience,
    pool_bound,
)
from .failures import NoCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Place", "place_at", "place_of"]

_OPTIONS = {"timeout", "pool_size"}
_TLS = {"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
_SENTINEL = {"sentinel_user", "sentinel_password"}
_REQUIREMENTS = ("required", "optional", "none")

_TAKEN = (
    "credential_provider", "db", "password", "username", "socket_keepalive_options",
)  # fmt: skip
"""What is taken from the settings of a client that exists, beside all that begins with `ssl`."""


class _Credentials(redis.CredentialProvider):
    """Those that a client's own provider gives, whose failure is one of connecting."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def get_credentials(self) -> Any:
        try:
            return self._provider.get_credentials()
        except Exception as error:
            raise NoCredentials from error

    async def get_credentials_async(self) -> Any:
        try:
            return await self._provider.get_credentials_async()
        except Exception as error:
            raise NoCredentials from error


_NAMELESS = (
    {"driver_info": None}
    if "driver_info" in signature(redis.Connection.__init__).parameters
    or "driver_info" in signature(redis.connection.AbstractConnection.__init__).parameters
    else {"lib_name": None, "lib_version": None}
)
"""A connection that doesn't tell the library's name, which would be two more trips."""


class _Prompt:
    """Takes no more than the time for connecting, however long the resolver does.

    That holds for all addresses of the host together, and for the handshake of TLS.
    """

    host: Any
    socket_connect_timeout: Any

    def _connect(self) -> socket.socket:
        connect: Callable[[], socket.socket] = super()._connect  # type: ignore[misc]
        if not is_name(self.host):
            return connect()
        return in_time(connect, self.socket_connect_timeout, socket.socket.close)


class _Connection(_Prompt, redis.Connection):
    pass


class _SSLConnection(_Prompt, redis.SSLConnection):
    pass


class _Abrupt:
    """Ends at once: in good order, TLS would wait for a server that may be silent."""

    _writer: Any

    async def disconnect(self, *_: Any, **more: Any) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(**{**more, "nowait": True})  # type: ignore[misc]


class _AsyncConnection(_Abrupt, redis.asyncio.Connection):
    pass


class _AsyncSSLConnection(_Abrupt, redis.asyncio.SSLConnection):
    pass


class _AsyncUnixConnection(_Abrupt, redis.asyncio.UnixDomainSocketConnection):
    pass


_KINDS: dict[tuple[str, bool], Any] = {
    ("plain", False): _Connection,
    ("plain", True): _AsyncConnection,
    ("tls", False): _SSLConnection,
    ("tls", True): _AsyncSSLConnection,
    ("unix", False): redis.UnixDomainSocketConnection,
    ("unix", True): _AsyncUnixConnection,
}
"""The class of a connection, by what it is and whether it is awaited."""


class Place:
    """One server, a service that sentinels know, or a cluster; its texts tell no secret."""

    __slots__ = (
        "are_sentinels_secure", "kind", "nodes", "pool_size", "secure", "sentinel_settings",
        "service", "settings", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        nodes: tuple[Node, ...],
        settings: dict[str, Any],
        *,
        secure: bool = False,
        service: str = "",
        sentinel_settings: dict[str, Any] | None = None,
        are_sentinels_secure: bool = False,
        timeout: float | str = TIMEOUT,
        pool_size: int | str = POOL_SIZE,
    ) -> None:
        self.kind = kind
        self.nodes = nodes
        self.settings = settings
        self.secure = secure
        self.service = service
        self.sentinel_settings = sentinel_settings or {}
        self.are_sentinels_secure = are_sentinels_secure
        self.timeout = patience(timeout)
        self.pool_size = pool_bound(pool_size)

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"{self.nodes[0].host}, database {self.db}"
        where = ",".join(map(str, self.nodes))
        if self.kind == "cluster":
            return where
        return f"{where}/{self.service}/{self.db}" if self.service else f"{where}/{self.db}"

    @property
    def db(self) -> int:
        """The number of the database."""
        return int(self.settings.get("db") or 0)

    def tells(self, text: str) -> bool:
        """Whether a text tells what must not be told."""
        secrets = (
            settings.get(name)
            for settings in (self.settings, self.sentinel_settings)
            for name in ("username", "password")
        )
        return any(secret and str(secret) in text for secret in secrets)

    def connection(self, node: Node, *, awaited: bool = False, sentinel: bool = False) -> Any:
        """A connection of the library's to a node, not yet connected."""
        settings = {
            **(self.sentinel_settings if sentinel else self.settings),
            **_NAMELESS,
            "protocol": 2,
            "socket_timeout": None if awaited else self.timeout,  # who awaits bounds the whole
            "socket_connect_timeout": None if awaited else self.timeout,
            "retry": AsyncRetry(NoBackoff(), 0) if awaited else Retry(NoBackoff(), 0),
        }
        if self.kind == "unix":
            return _KINDS["unix", awaited](path=node.host, **settings)
        is_secure = self.are_sentinels_secure if sentinel else self.secure
        kind = _KINDS["tls" if is_secure else "plain", awaited]
        return kind(host=node.host, port=node.port, socket_keepalive=True, **settings)


def place_at(url: str, **options: Any) -> Place:
    """The place that a URL names.

    Raises:
        ConfigurationError: The URL or an option can't be read.
    """
    scheme = url.partition(":")[0]
    family, _, kind = scheme.partition("+")
    kind = kind or "single"
    secure = family in {"rediss", "valkeys"}
    known = _OPTIONS | (_TLS if secure else set())
    if kind == "sentinel":
        known |= _SENTINEL
    if kind == "unix":
        known |= {"db"}
    address = address_of(url, frozenset(known), 26379 if kind == "sentinel" else 6379)
    if unknown := sorted(options.keys() - known):
        raise ConfigurationError(
            f"{scheme} has no option {unknown[0]!r}; known: {', '.join(sorted(known))}"
        )
    options = {**address.options, **options}
    more: dict[str, Any] = {name: options.pop(name) for name in _OPTIONS & options.keys()}
    settings: dict[str, Any] = {}
    if address.user is not None:
        settings["username"] = address.user
    if address.password is not None:
        settings["password"] = address.password
    tls = _tls(options) if secure else {}
    nodes, path = address.nodes, address.path
    if kind == "unix":
        nodes = (Node("/" + path, 0),)
        settings["db"] = _database(options.get("db", 0))
    elif kind == "sentinel":
        more["service"], _, path = path.partition("/")
        if not more["service"]:
            raise ConfigurationError(f"the {scheme} URL names no service: {scheme}://hosts/service")
        more["are_sentinels_secure"] = secure
        names = {"sentinel_user": "username", "sentinel_password": "password"}
        more["sentinel_settings"] = {
            **tls, **{names[name]: options[name] for name in names if options.get(name)}
        }  # fmt: skip
    elif kind == "single" and len(nodes) > 1:
        raise ConfigurationError(
            f"the {scheme} URL names several hosts; for those of a cluster it is redis+cluster://,"
            " for sentinels redis+sentinel://"
        )
    if kind == "cluster" and path.strip("/") not in {"", "0"}:
        raise ConfigurationError(f"the {scheme} URL names a database; a cluster has only one")
    if kind in {"single", "sentinel"}:
        settings["db"] = _database(path.strip("/") or 0)
    return Place(kind, nodes, {**settings, **tls}, secure=secure, **more)


def place_of(client: Any, **options: Any) -> Place:
    """The place of a client of the library's: its addresses, credentials and TLS.

    Raises:
        ConfigurationError: It is none, or it connects in a way that isn't known here.
    """
    if isinstance(client, (redis.RedisCluster, redis.asyncio.RedisCluster)):
        manager = client.nodes_manager
        owner: Any = manager if hasattr(manager, "connection_kwargs") else client
        given = owner.connection_kwargs
        found = manager.startup_nodes.values()
        nodes = tuple(Node(str(node.host), int(node.port)) for node in found)
        secure = given.get("connection_class") is redis.asyncio.SSLConnection or bool(
            given.get("ssl") or "ssl_cert_reqs" in given
        )
        settings = {name: value for name, value in _taken(given).items() if name != "db"}
        return Place("cluster", nodes, settings, secure=secure, **options)
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        raise ConfigurationError(
            f"a {type(client).__qualname__} is no client of redis-py, such as redis.Redis"
        )
    given, kind = pool.connection_kwargs, pool.connection_class
    secure = _is_secure(kind)
    if (sentinels := getattr(pool, "sentinel_manager", None)) is not None:
        pools = [known.connection_pool for known in sentinels.sentinels]
        others = [other.connection_kwargs for other in pools]
        return Place(
            "sentinel",
            tuple(Node(str(other["host"]), int(other["port"])) for other in others),
            _taken(given),
            secure=secure,
            service=str(pool.service_name),
            sentinel_settings=_taken(others[0]),
            are_sentinels_secure=_is_secure(pools[0].connection_class),
            **options,
        )
    if "path" in given:
        return Place("unix", (Node(given["path"], 0),), _taken(given), **options)
    node = Node(str(given.get("host", "localhost")), int(given.get("port", 6379)))
    return Place("single", (node,), _taken(given), secure=secure, **options)


def _is_secure(kind: type[Any]) -> bool:
    return issubclass(kind, (redis.SSLConnection, redis.asyncio.SSLConnection))


def _taken(given: dict[str, Any]) -> dict[str, Any]:
    taken = {
        name: value
        for name, value in given.items()
        if value is not None and (name in _TAKEN or name.startswith("ssl_"))
    }
    if "credential_provider" in taken:
        taken["credential_provider"] = _Credentials(taken["credential_provider"])
    return taken


def _tls(options: dict[str, Any]) -> dict[str, Any]:
    required = options.get("ssl_cert_reqs", "required")
    if required not in _REQUIREMENTS:
        raise refused("ssl_cert_reqs", required, ", ".join(_REQUIREMENTS))
    checked = flag("ssl_check_hostname", options.get("ssl_check_hostname", required != "none"))
    if checked and required == "none":
        raise refused("ssl_check_hostname", True, "0 where ssl_cert_reqs=none trusts everybody")
    files = {
        name: options[name]
        for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
        if options.get(name)
    }
    return {**files, "ssl_cert_reqs": required, "ssl_check_hostname": checked}


def _database(text: int | str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise refused("db", text, "the number of a database, 0 or more")
    return number

"""Which server and database, with which credentials; shown as `host:port/database` and no more."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ...errors import ConfigurationError, EngineConnectionError, refused
from ..network import is_name
from .library import conninfo_to_dict, errors, make_conninfo, pq
from .statements import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Place", "identifier", "split_url"]

_OURS = ("pool_size", "prepare", "schema", "table", "timeout")
_PORT = "5432"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")


class Place:
    """Where to connect to, and how.

    Args:
        url: As libpq takes it, without options of ours.
        user: Who; goes before the one in the URL.
        password: Or a function that gives it, called for each new connection, as where passwords
            are tokens that expire.
        timeout: After how many seconds the server gives up a statement.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None,
        password: str | Callable[[], str] | None,
        timeout: float,
    ) -> None:
        given = _parsed(url)
        self._password = password
        self._turn = 0
        hosts = given.pop("host", None) or os.environ.get("PGHOST", "")
        ports = given.pop("port", None) or os.environ.get("PGPORT", "")
        addresses = given.pop("hostaddr", None) or os.environ.get("PGHOSTADDR", "")
        self._hosts = _hosts(hosts.split(","), ports.split(","), addresses.split(","))
        given.setdefault("fallback_application_name", "twat-cache")
        given.setdefault("keepalives_idle", 60)
        given["client_encoding"] = "UTF8"
        settings = {**SETTINGS, "statement_timeout": max(1, round(timeout * 1000))}
        chosen = " ".join(f"-c {name}={value}" for name, value in settings.items())
        given["options"] = f"{given.get('options') or os.environ.get('PGOPTIONS', '')} {chosen}"
        given["user"] = user or given.get("user")
        self._given = given
        shown = [f"{h or 'localhost'}:{port or _PORT}" for h, port, _ in self._hosts]
        database = given.get("dbname") or os.environ.get("PGDATABASE", "")
        self._shown = f"{','.join(shown)}/{database}"

    def __str__(self) -> str:
        return self._shown

    __repr__ = __str__

    @property
    def names(self) -> list[tuple[str, str]]:
        """The hosts whose addresses must be looked up, each with its port."""
        return [(h, port or _PORT) for h, port, address in self._hosts if _is_name(h, address)]

    def conninfo(self, found: Sequence[Sequence[str]]) -> str:
        """What libpq connects by.

        libpq has no patience of its own: it stays with an address that doesn't answer until we give
        up. So after a failure another one comes first.

        Args:
            found: The addresses of `names`.
        """
        looked_up = iter(found)
        tries = []
        for host, port, address in self._hosts:
            known = next(looked_up, ()) if _is_name(host, address) else (address,)
            tries += [(host, port, one) for one in known]
        turn = self._turn % len(tries)
        tries = tries[turn:] + tries[:turn]
        columns = zip(("host", "port", "hostaddr"), zip(*tries, strict=True), strict=True)
        chosen = {name: ",".join(values) for name, values in columns if any(values)}
        given = {**self._given, **chosen}
        password = self._password
        if password is not None:
            given["password"] = self._asked(password) if callable(password) else password
        return make_conninfo(**given)

    def _asked(self, password: Callable[[], str]) -> str:
        try:
            return password()
        except Exception as error:
            raise EngineConnectionError(
                f"the function that gives the password for PostgreSQL at {self} failed: {error!r}"
            ) from error

    def failed(self) -> None:
        """Another address is to be the first to be tried."""
        self._turn += 1


def split_url(url: str) -> tuple[str, dict[str, Any]]:
    """The URL as libpq takes it, and our options from its query.

    Raises:
        ConfigurationError: An option is unknown, or given twice.
    """
    base, _, query = url.partition("?")
    who, _, path = base.partition("//")[2].partition("/")
    if "@" in path or "@" in query or "#" in base or who.count("@") > 1:
        raise _unreadable()
    ours: dict[str, Any] = {}
    theirs: dict[str, str] = {}
    keywords = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in ours or name in theirs:
            raise ConfigurationError("an option of the postgresql URL is given more than once")
        if name in _OURS:
            ours[name] = unquote(value)
        elif name in keywords or name == "ssl":
            theirs[name] = value
        else:
            raise ConfigurationError(
                f"postgresql has no option {name!r}; known: {', '.join(_OURS)}, and those of"
                " libpq, such as sslmode"
            )
    rest = "&".join(f"{name}={value}" for name, value in theirs.items())
    return (f"{base}?{rest}" if rest else base), ours


def identifier(option: str, name: str) -> str:
    """The name of a table or schema.

    Raises:
        ConfigurationError: It has other characters than letters, digits and `_`.
    """
    if not _NAME.match(name):
        raise refused(option, name, "up to 63 letters, digits and _, not beginning with a digit")
    return name


def _parsed(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo_to_dict(url))
    except errors.Error:
        pass
    raise _unreadable()  # without the library's error, which may show a piece of the password


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "the postgresql URL can't be read; accepted:"
        " postgresql://user:password@host:port/database?option=value, with characters such as"
        " / ? # @ of a user or password written as %2F and the like"
    )


def _hosts(hosts: list[str], ports: list[str], addresses: list[str]) -> list[tuple[str, str, str]]:
    count = max(len(hosts), len(addresses))
    if any(len(given) not in {1, count} for given in (hosts, ports, addresses)):
        raise ConfigurationError(
            f"the postgresql URL names {count} hosts and {len(ports)} ports; give each host its own"
        )
    if not all(port.isdecimal() for port in ports if port):  # it may be a piece of a password
        raise _unreadable()
    return [
        (host, port, address)
        for host, port, address in zip(
            *(
                given if len(given) == count else given * count
                for given in (hosts, ports, addresses)
            ),
            strict=True,
        )
    ]


def _is_name(host: str, address: str) -> bool:
    """Whether it is a host's name, no address and no folder of sockets."""
    return bool(host) and not address and not host.startswith(("/", "@")) and is_name(host)

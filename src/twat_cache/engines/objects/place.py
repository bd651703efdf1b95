"""Where the objects are: a bucket and a prefix, from a URL, and what is needed to get there.

    s3://bucket[/prefix]     gs://bucket[/prefix]     az://container[/prefix]

Keys and tokens go to the library and are kept nowhere else. Its own retries are off, since the
layer above retries; its own environment variables count.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from ...errors import ConfigurationError, EngineNotAvailableError
from ..address import flag, options_of
from ..network import patience, pool_bound

try:
    from obstore.exceptions import UnknownConfigurationKeyError
    from obstore.store import AzureStore, GCSStore, S3Store
except ImportError as error:
    raise EngineNotAvailableError(
        "object stores need their library: pip install 'twat-cache[s3]'"
    ) from error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Place", "place_of"]

_OURS = frozenset({"timeout", "pool_size", "conditional"})
_FLAGS = frozenset({"skip_signature", "virtual_hosted_style_request", "use_emulator"})
_KNOWN = {
    "s3": frozenset(
        {
            "endpoint", "region", "access_key_id", "secret_access_key", "session_token",
            "skip_signature", "virtual_hosted_style_request",
        }
    ),
    "gs": frozenset({"base_url", "service_account", "application_credentials", "skip_signature"}),
    "az": frozenset(
        {
            "endpoint", "account_name", "account_key", "sas_key", "client_id", "client_secret",
            "tenant_id", "skip_signature", "use_emulator",
        }
    ),
}  # fmt: skip
"""What may stand in a URL; more is taken by `config=`."""

_SECRETS = ("secret", "key", "token")
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": (),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_CONSTRUCTORS = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}


class Place:
    """A bucket and a prefix, with a client of their own; its repr shows no more than these.

    Args:
        scheme: `s3`, `gs` or `az`.
        bucket: Its name; a container's for `az`.
        prefix: What the names of all objects begin with; a slash is put behind it.
        config: What the library wants to know, such as `endpoint`.
        timeout: Seconds that a request may take.
        pool_size: How many requests are made at once.
        conditional: Whether the server enforces conditional puts; None is to be tried.
    """

    def __init__(
        self,
        scheme: str,
        bucket: str,
        prefix: str,
        config: Mapping[str, Any],
        *,
        timeout: float | str,
        pool_size: int | str,
        conditional: bool | str | None,
    ) -> None:
        self.scheme = scheme
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self.timeout = patience(timeout)
        self.pool_size = pool_bound(pool_size)
        self.conditional = None if conditional is None else flag("conditional", conditional)
        if scheme != "s3" and self.conditional is None:
            self.conditional = True  # there is but one server of that kind
        self.has_ranges = True
        """Whether the server gives parts of objects; one that doesn't gives the whole."""
        self.secrets = [
            value
            for name, value in config.items()
            if isinstance(value, str) and value and any(sign in name for sign in _SECRETS)
        ]
        endpoint = config.get("endpoint") or config.get("base_url") or _endpoint(scheme)
        self.endpoint = str(endpoint or "")
        who, at, _ = self.endpoint.rpartition("@")
        self.secrets += [who.partition("//")[2] + at] * bool(at)
        self.store = self._opened(dict(config))

    def __repr__(self) -> str:
        slash = "/" if self.prefix else ""
        at = f" at {self.endpoint}" if self.endpoint and "@" not in self.endpoint else ""
        return f"{self.scheme}://{self.bucket}{slash}{self.prefix}{at}"

    def _opened(self, config: dict[str, Any]) -> Any:
        for name in _FLAGS & config.keys():
            config[name] = flag(name, config[name])
        time = timedelta(seconds=self.timeout)
        client: Any = {"timeout": time, "connect_timeout": time, **config.pop("client_options", {})}
        if self.endpoint.startswith("http://") or config.get("use_emulator"):
            client.setdefault("allow_http", True)
        try:
            return _CONSTRUCTORS[self.scheme](
                self.bucket,
                prefix=self.prefix or None,
                client_options=client,
                retry_config={"max_retries": 0},
                **config,
            )
        except (UnknownConfigurationKeyError, TypeError, ValueError) as error:
            raise self._refused(error) from None  # whose text might hold what was given
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "obstore":
                raise
            raise self._refused(error) from None

    def _refused(self, error: Exception) -> ConfigurationError:
        text = str(error).partition("\n\nDebug")[0].partition("\n")[0]
        if any(secret in text for secret in self.secrets):
            text = type(error).__name__
        return ConfigurationError(f"{self} can't be opened with these options: {text}")


def place_of(url: str, options: Mapping[str, Any], timeout: float) -> tuple[Place, dict[str, Any]]:
    """The place that a URL names, and the options that aren't for it.

    Raises:
        ConfigurationError: The URL names no bucket, or an option isn't known.
    """
    scheme, _, rest = url.partition(":")
    if scheme not in _KNOWN:
        raise ConfigurationError(f"object stores have the schemes s3, gs and az, not {scheme}")
    path = rest.partition("?")[0]
    bucket, _, prefix = path.removeprefix("//").partition("/")
    if not path.startswith("//") or not bucket or "@" in bucket or ":" in bucket:
        raise ConfigurationError(
            f"the {scheme} URL names no bucket; accepted: {scheme}://bucket/prefix. Keys go into"
            " the environment or into options, and a server's address into endpoint="
        )
    known = _KNOWN[scheme] | _OURS
    given: dict[str, Any] = {**options_of(url, known), **options}
    ours = {name: given.pop(name) for name in _OURS & given.keys()}
    config = {**given.pop("config", {}), **{n: given.pop(n) for n in known & given.keys()}}
    place = Place(
        scheme,
        unquote(bucket),
        unquote(prefix),
        config,
        timeout=ours.get("timeout", timeout),
        pool_size=ours.get("pool_size", 32),
        conditional=ours.get("conditional"),
    )
    return place, given


def _endpoint(scheme: str) -> str | None:
    found = [os.environ[name] for name in _ENDPOINTS[scheme] if os.environ.get(name)]
    return found[0] if found else None

"""The engine on object stores, for threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from ...engine_types import Bytes, Capabilities, Clock
from ...errors import EngineClosedError
from ..forks import ForkSafeLock
from .lifecycle import lifecycle_rule
from .place import Place, place_of
from .requests import Batch, listed
from .steps import ObjectSteps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeVar

    from .requests import Request
    from .steps import Steps

    T = TypeVar("T")

__all__ = ["TIMEOUT", "ObjectStoreEngine", "capabilities_of"]

TIMEOUT = 2.0
"""Seconds; object stores take tens of milliseconds as a rule, and hundreds now and then."""


class ObjectStoreEngine:
    """Keeps bytes in a bucket, an object for each key: `s3://bucket/prefix`, `gs://…`, `az://…`.

    Batches are sent as requests of which some are on their way at once. What is past its time stays
    until it is dropped or put anew, or a rule of the bucket removes it: see `lifecycle_rule`.

    Args:
        place: Where they are; made by `from_url`.
        clock: The wall-clock time in seconds.
    """

    awaited: Any = None

    def __init__(self, place: Place, *, clock: Clock = time.time) -> None:
        self.capabilities = capabilities_of(place)
        self._place = place
        self._steps = ObjectSteps(place, clock)
        self._threads: ThreadPoolExecutor | None = None
        self._lock = ForkSafeLock()
        self._closed = False

    @classmethod
    def from_url(cls, url: str, **options: Any) -> ObjectStoreEngine:
        """The engine at `s3://bucket[/prefix]`, `gs://bucket[/prefix]` or `az://container[/prefix]`.

        Keys come from the environment variables of the store's own tools, or from options.

        Args:
            url: The options may stand in it, as in `?endpoint=http://127.0.0.1:9000&timeout=1`.
            options: `timeout` is how many seconds a request may take, 2 if left out; `pool_size`
                how many are made at once, 32; `conditional` tells whether the server enforces
                conditional puts, which is tried out where it is left out and the scheme is `s3`;
                `clock` gives the wall-clock time. For `s3` also `endpoint`, `region`,
                `access_key_id`, `secret_access_key`, `session_token`, `skip_signature` and
                `virtual_hosted_style_request`, for `gs` `service_account`,
                `application_credentials` and `base_url`, for `az` `account_name`, `account_key`,
                `sas_key`, `client_id`, `client_secret`, `tenant_id` and `endpoint`; further ones of
                obstore by `config={…}`.
        """
        place, others = place_of(url, options, TIMEOUT)
        return cls(place, **others)

    def __repr__(self) -> str:
        return f"<ObjectStoreEngine {self._place}>"

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, fetched some at a time."""
        return self._run(self._steps.get(keys))

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values, some at a time."""
        self._run(self._steps.put(items, ttl))

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none.

        Where the server ignores conditions, this is one step for the threads of this engine only.
        """
        return self._run(self._steps.add(key, value, ttl))

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys; tells how many of them were there.

        Of several processes that drop a key at once, more than one may count it.
        """
        return self._run(self._steps.drop(keys))

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so and aren't past their time; all objects are listed."""
        self._check()
        return self._scanned(prefix)

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value, or forgets the key, if what is expected is there.

        Raises:
            EngineError: The server ignores conditions.
        """
        return self._run(self._steps.swap(key, expected, value, ttl))

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        return self._run(self._steps.left(keys))

    def close(self) -> None:
        """Sends no further requests."""
        with self._lock:
            self._closed = True
            if self._threads is not None:
                self._threads.shutdown(wait=False)

    def ping(self) -> None:
        """Asks for an object that isn't there."""
        self._run(self._steps.ping())

    def lifecycle_rule(self, days: int) -> dict[str, Any]:
        """A rule, for an operator to apply, by which the bucket removes what is older.

        Args:
            days: The longest time to live, in days, rounded up.

        Returns:
            What the store's own tools take: `put-bucket-lifecycle-configuration` for S3,
            `gcloud storage buckets update --lifecycle-file` for Google,
            `az storage account management-policy create` for Azure.
        """
        return lifecycle_rule(self._place, days)

    def _check(self) -> None:
        if self._closed:
            raise EngineClosedError("the engine is closed; open another one")

    def _scanned(self, prefix: str) -> Iterator[str]:
        for names in listed(self._place):
            yield from self._run(self._steps.among(names, prefix))

    def _run(self, steps: Steps[T]) -> T:
        answers: Any = None
        try:
            while True:
                self._check()
                answers = self._asked(steps.send(answers))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    def _asked(self, requests: Sequence[Request]) -> list[Any]:
        if len(requests) < 2:
            return [request.run() for request in requests]
        batch = Batch()
        with self._lock:
            self._check()
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._place.pool_size, "twat_cache")
            try:
                futures = [self._threads.submit(batch.run, request) for request in requests]
            except RuntimeError:  # the interpreter ends, and no thread begins any more
                futures = []
        if not futures:
            return [request.run() for request in requests]
        wait(futures)
        for error in batch.errors:
            raise error
        return [future.result() for future in futures]


def capabilities_of(place: Place, *, async_: bool = False) -> Capabilities:
    """What can be told without asking the server."""
    return Capabilities(
        swap=place.conditional is not False, left=True, shared=True, remote=True, async_=async_
    )

"""The servers, which work again after each test, whatever it did to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.servers import (  # noqa: F401
    Server,
    memcached_server,
    moto_server,
    postgresql_server,
    rclone_server,
    redis_cluster,
    redis_secure,
    redis_sentinel,
    redis_server,
    valkey_server,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def mended_servers() -> Iterator[None]:
    """Starts and resumes what a test stopped or paused."""
    yield
    for server in list(Server.running):
        server.mend()
